"""The end of TFMOT's collaborative chain: quantization-aware training that keeps the zeros and the shared values.

aware = preserve(sparse, qat.prepare(sparse, calibrate=train.x[:200]), keep="zeros")
fit(aware, dataset, Recipe(epochs=2, learning_rate=1e-4))
write(strip(aware), "sparse.tflite", precision="int8", compare=val.x)
"""

import re
from typing import TYPE_CHECKING

import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.models import copy

if TYPE_CHECKING:
    import tensorflow as tf

KEPT = ("zeros", "clusters", "both")


def preserve(model: keras.Model, aware: keras.Model, *, keep: str) -> keras.Model:
    """A new model for quantization-aware training that keeps what earlier steps made of the weights; both stay as they were.

    model: sparse, clustered, or both. aware: what `quantize.qat.prepare` made of it, which gives the activations' ranges.
    keep: "zeros" (PQAT), "clusters" (CQAT) or "both" (PCQAT). Depthwise kernels are not kept. Raises ModelError for another
    word, an `aware` made of another model, or layers that TFMOT cannot quantize.
    """
    import tensorflow_model_optimization as tfmot

    if keep not in KEPT:
        raise ModelError(f"{model.name}: there is nothing called {keep!r} to keep; known are {', '.join(KEPT)}.")
    combine = tfmot.experimental.combine
    scheme = (
        combine.Default8BitPrunePreserveQuantizeScheme()
        if keep == "zeros"
        else combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=keep == "both")
    )
    try:
        annotated = tfmot.quantization.keras.quantize_annotate_model(copy(model))
        kept = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{model.name}: TFMOT cannot quantize it ({error}). Use layers from projectkit.models.") from error
    known = _ranges(aware)
    for name, variable in _ranges(kept).items():
        if name not in known or known[name].shape != variable.shape:
            raise ModelError(
                f"{aware.name} has no range {name!r} of shape {tuple(variable.shape)}, which {model.name} needs. "
                "Give quantize.qat.prepare(model, calibrate=dataset.train.x[:200]) of the same model."
            )
        variable.assign(known[name])
    return kept


def _ranges(aware: keras.Model) -> "dict[str, tf.Variable]":
    """The ends of all ranges, by name; Keras counts the first layer up when it makes it again."""
    ends = [variable for variable in aware.variables if variable.name.endswith(("_min:0", "_max:0"))]
    return {re.sub(r"\bquantize_layer_\d+", "quantize_layer", variable.name): variable for variable in ends}


def strip(kept: keras.Model) -> keras.Model:
    """`kept` without the variables that only training needs (clusters and who belongs to which), ready to be written as int8.

    The two share their layers: `kept` cannot be trained any further.
    """
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import cluster_utils

    return cluster_utils.strip_clustering_cqat(kept)
