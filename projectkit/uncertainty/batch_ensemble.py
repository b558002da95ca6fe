"""BatchEnsemble: members that share every kernel and differ by two vectors a layer."""

from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.types import Dataset, Recipe
from projectkit.uncertainty.forward import answers, images, keras_model, refuse_count, refuse_other_images
from projectkit.uncertainty.probabilities import softmax

if TYPE_CHECKING:
    import tf_keras as keras

BATCH = 64  # images at once, each as often as there are members


def batch_ensemble_twin(model: "keras.Model", *, members: int = 4, flipped: float = 0.5, seed: int = 0) -> "keras.Model":
    """A Keras model like `model`, with its weights, that holds `members` networks (Wen, Tran and Ba, "BatchEnsemble", 2020).

    In each dense and convolutional layer member k has the kernel W ∘ r_k s_kᵀ (equation 1): its input is multiplied by r_k, its
    output by s_k, and its bias is its own. All entries of r and s are 1, a share `flipped` of them −1, drawn by `seed`. Row i of
    a batch is answered by member i mod `members`, so that in training each member learns from its share of every batch, as
    in the paper, and any training loop will do. Batch normalization is shared.

    Raises UncertaintyError for no members, a share outside [0, 1], or a model without such a layer.
    """
    import tf_keras as keras

    from projectkit.uncertainty.rank_one import RankOne

    refuse_count("members", members)
    if not 0 <= flipped <= 1:
        raise UncertaintyError(f"Received the share {flipped} of flipped signs; expected one in [0, 1]. Give 0.5.")
    made = []

    def twin(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        if type(layer) not in (keras.layers.Dense, keras.layers.Conv2D):
            return layer.__class__.from_config(layer.get_config())
        made.append(layer)
        return RankOne.like(layer, members)

    network = keras.models.clone_model(keras_model(model, "batch_ensemble_twin"), clone_function=twin)
    if not made:
        raise UncertaintyError(f"{model.name}: received no dense or convolutional layer; expected one. Give a mlp or a convnet.")
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer in made:
            network.get_layer(layer.name).take(layer, flipped, rng)
        else:
            network.get_layer(layer.name).set_weights(layer.get_weights())
    return network


def fit_batch_ensemble(
    model: "keras.Model", dataset: Dataset, recipe: Recipe, *, members: int = 4, flipped: float = 0.5
) -> "keras.Model":
    """A `batch_ensemble_twin` of `model`, its signs drawn by recipe.seed, trained by `recipe`; `model` stays as it was.

    A member sees each image in one epoch of `members` on average: give more epochs than to a single network, half as many again
    for example. Raises as `batch_ensemble_twin` and `train.fit` do.
    """
    from projectkit import train

    network = batch_ensemble_twin(model, members=members, flipped=flipped, seed=recipe.seed)
    train.fit(network, dataset, recipe, progress=False)
    return network


def batch_ensemble(model: "keras.Model", x: np.ndarray) -> np.ndarray:
    """The answers of each member of a `batch_ensemble_twin`: (members, n, classes).

    Raises UncertaintyError for another model and for NaN logits.
    """
    from projectkit import train

    members = {layer.members for layer in keras_model(model, "batch_ensemble").layers if hasattr(layer, "members")}
    if len(members) != 1:
        raise UncertaintyError(
            f"{model.name}: received a model of a single network; expected a batch ensemble. Give "
            "fit_batch_ensemble(model, dataset, recipe)."
        )
    x, count = images(x), members.pop()
    refuse_other_images(model, x)
    # Every batch holds whole rounds of the members: its first row is answered by the first.
    found = train.logits(model, np.repeat(x, count, axis=0), batch_size=count * BATCH)
    return softmax(answers(found, count * len(x))).reshape(len(x), count, -1).swapaxes(0, 1)
