"""Snapshot ensembles: one training run that visits several minima."""

from dataclasses import replace
from typing import TYPE_CHECKING

from projectkit.errors import UncertaintyError
from projectkit.types import Dataset, Recipe
from projectkit.uncertainty.forward import keras_model, refuse_count

if TYPE_CHECKING:
    import tf_keras as keras


def fit_snapshots(model: "keras.Model", dataset: Dataset, recipe: Recipe, *, cycles: int = 5) -> tuple["keras.Model", ...]:
    """`cycles` copies of `model`, taken along a training of recipe.epochs in all; `ensemble` samples from them.

    In each cycle the learning rate falls from recipe.learning_rate to 0 by a cosine and jumps back (Huang et al., "Snapshot
    ensembles: train 1, get M for free", 2017, equation 2); the optimizer's momentum begins at 0 with it. `model` itself stays
    as it was. Raises as `train.fit` does, and UncertaintyError when the epochs do not divide into cycles.
    """
    from projectkit import models, train

    network = models.copy(keras_model(model, "fit_snapshots"))
    refuse_count("cycles", cycles)
    if recipe.epochs % cycles:
        raise UncertaintyError(
            f"Received {recipe.epochs} epochs for {cycles} cycles; expected a multiple of {cycles}. Give the recipe "
            f"{-(-recipe.epochs // cycles) * cycles} epochs."
        )
    snapshots = []
    for cycle in range(cycles):
        lap = replace(recipe, epochs=recipe.epochs // cycles, schedule="cosine", seed=recipe.seed * cycles + cycle)
        train.fit(network, dataset, lap, progress=False)
        snapshots.append(models.copy(network))
    return tuple(snapshots)
