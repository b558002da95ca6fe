"""Self-distillation: a network taught by an earlier one of its own architecture."""

from collections.abc import Callable
from dataclasses import dataclass

import tf_keras as keras

from projectkit.distill.checks import Loss
from projectkit.distill.distill import distill
from projectkit.distill.few_labels import labelled
from projectkit.distill.hinton import hinton
from projectkit.errors import ModelError
from projectkit.train import History, accuracy, fit
from projectkit.types import Dataset, Recipe

Builder = Callable[[tuple[int, ...], int], keras.Model]


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """A trained network of a line of self-distillation. accuracy: in [0, 1] on `dataset.val`."""

    model: keras.Model
    history: History
    accuracy: float


def born_again(
    builder: Builder,
    dataset: Dataset,
    recipe: Recipe,
    *,
    generations: int,
    loss: Loss = hinton,
    seed: int = 0,
) -> tuple[Generation, ...]:
    """A network trained on the labels, then `generations` more of its architecture, each taught by the one before.

    Each begins with new random weights, of `seed`, seed + 1, …, and has the whole of `recipe` (Furlanello et al., "Born-again
    neural networks", 2018). The first knows the labelled images only. Raises ModelError for fewer than one generation, and as
    `distill` does.
    """
    if generations < 1:
        raise ModelError(f"Received {generations} generations; expected at least 1. Give 2 or 3: later ones gain little.")
    line: list[Generation] = []
    for number in range(generations + 1):
        keras.utils.set_random_seed(seed + number)
        keras.backend.reset_uids()  # layers are named alike in every build
        model = builder(dataset.shape, len(dataset.classes))
        if line:
            history = distill(model, line[-1].model, dataset, recipe, loss=loss, progress=False)
        else:
            history = fit(model, labelled(dataset), recipe, progress=False)
        line.append(Generation(model, history, accuracy(model, dataset.val)))
    return tuple(line)
