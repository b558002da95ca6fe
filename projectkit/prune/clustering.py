"""Weight clustering with TFMOT: the weights of a layer share a few values, which train on.

shared = prepare(model, clusters=16)
fit(shared, dataset, Recipe(epochs=3, learning_rate=1e-4))
clustered = strip(shared)
"""

from collections.abc import Collection

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.models import copy
from projectkit.prune.weight_masks import kernels_of

STARTS = {"kmeans++": "KMEANS_PLUS_PLUS", "linear": "LINEAR", "density": "DENSITY_BASED"}


def prepare(
    model: keras.Model,
    *,
    clusters: int,
    start: str = "kmeans++",
    keep_zeros: bool = False,
    layers: Collection[str] | None = None,
) -> keras.Model:
    """A new model whose kernels hold at most `clusters` values each; `fit` trains the values. `model` stays as it was.

    start: where the values begin, "kmeans++", "linear" (evenly spaced) or "density" (equally many weights each; Han et al.,
    "Deep compression", 2016, section 3.2, compares the latter two). keep_zeros: weights that are zero stay zero, one of the
    values being 0. layers: every layer with a kernel unless given. Raises ModelError for fewer than 2 clusters or as many as
    a layer has weights, another start, or layers without a kernel.
    """
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import cluster_weights

    kernels = kernels_of(model, layers)
    if start not in STARTS:
        raise ModelError(f"There is no start {start!r} for clusters; known are {', '.join(STARTS)}.")
    small = [name for name, kernel in kernels.items() if np.prod(kernel.shape) <= clusters]
    if clusters < 2 or small:
        raise ModelError(
            f"{model.name}: got {clusters} clusters; expected at least 2, and fewer than each layer has weights "
            f"({', '.join(small) or 'all have enough'}). Give another number, or leave those layers out."
        )
    initialization = tfmot.clustering.keras.CentroidInitialization[STARTS[start]]

    def wrap(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name not in kernels:
            return layer
        # The public function knows no preserve_sparsity, else the two are one.
        return cluster_weights(
            layer, number_of_clusters=clusters, cluster_centroids_init=initialization, preserve_sparsity=keep_zeros
        )

    try:
        return keras.models.clone_model(copy(model), clone_function=wrap)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{model.name}: TFMOT cannot cluster it ({error}). Use layers from projectkit.models.") from error


def strip(shared: keras.Model) -> keras.Model:
    """A plain model with the clustered weights that `shared`, which stays as it was, has learned.

    Raises ModelError when it was not made by `prepare`.
    """
    import tensorflow_model_optimization as tfmot

    if not any(type(layer).__name__.startswith("ClusterWeights") for layer in shared.layers):
        raise ModelError(f"{shared.name}: nothing in it is clustered. Give the model that `prepare` returned.")
    return copy(tfmot.clustering.keras.strip_clustering(shared))


def distinct_values(model: keras.Model) -> dict[str, int]:
    """{layer: how many different values its kernel holds}."""
    return {name: len(np.unique(kernel.numpy())) for name, kernel in kernels_of(model).items()}
