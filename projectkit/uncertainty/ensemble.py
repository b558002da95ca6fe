"""Deep ensembles: the same network, trained several times from other random weights."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.types import Dataset, Recipe
from projectkit.uncertainty.forward import Model, keras_model, refuse_count
from projectkit.uncertainty.plain import plain

if TYPE_CHECKING:
    import tf_keras as keras


def fit_ensemble(model: "keras.Model", dataset: Dataset, recipe: Recipe, *, members: int = 5) -> tuple["keras.Model", ...]:
    """`members` networks of the architecture of `model`, which stays as it was (Lakshminarayanan, Pritzel and Blundell, "Simple
    and scalable predictive uncertainty estimation using deep ensembles", 2017).

    Member k draws its initial weights and the order of the images from recipe.seed + k. Raises as `train.fit` does, and
    UncertaintyError for no members or no Keras model.
    """
    from projectkit import train

    refuse_count("members", members)
    trained = []
    for seed in range(recipe.seed, recipe.seed + members):
        member = _drawn_anew(keras_model(model, "fit_ensemble"), seed)
        train.fit(member, dataset, replace(recipe, seed=seed), progress=False)
        trained.append(member)
    return tuple(trained)


def ensemble(models: Sequence[Model], x: np.ndarray) -> np.ndarray:
    """The probabilities of each member: (members, n, classes). A member may be a Keras model, an open session or a function.

    By Jensen's inequality the negative log-likelihood of their mean is never above the mean of theirs.
    Raises UncertaintyError when `models` is no sequence of models that agree about the classes, and for NaN logits.
    """
    if not isinstance(models, Sequence) or not models:
        raise UncertaintyError(
            f"Received a {type(models).__name__}; expected a tuple of at least one model. Give fit_ensemble(…), or (model,)."
        )
    found = [plain(model, x) for model in models]
    classes = {probs.shape[-1] for probs in found}
    if len(classes) > 1:
        raise UncertaintyError(f"Received members with {sorted(classes)} classes; expected as many in each. Look at the members.")
    return np.concatenate(found)


def _drawn_anew(model: "keras.Model", seed: int) -> "keras.Model":
    """A model of the same architecture whose initial weights depend on `seed` only."""
    import tf_keras as keras

    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(model)
