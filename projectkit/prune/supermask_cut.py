"""From scores to masks: the lowest of each hidden layer go, as many as the validation images allow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from projectkit.errors import ModelError
from projectkit.prune.supermask_scene import Scene, judge, left_after
from projectkit.prune.supermask_scores import Scores
from projectkit.runtimes.supermask import Supermask


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Masks of the whole network, the accuracy of what they leave on the validation images, and the share of weights removed."""

    masks: tuple[np.ndarray, ...]
    accuracy: float
    removed: float

    def supermask(self, scene: Scene) -> Supermask:
        """What goes into a file."""
        return Supermask(scene.shape, scene.seed, self.masks, scene.kernels[-1].shape[1])


def cut(scene: Scene, scores: Scores, choices: Sequence[Sequence[float]]) -> tuple[Found, tuple[np.ndarray, ...]]:
    """Removes the lowest of each layer, by that of `choices`, shares of each layer, which leaves the best accuracy.

    The result, and its masks over the units that were left. A share above 0 removes at least one unit, and one stays.
    """
    if [np.shape(values) for values in scores] != [(units,) for units in scene.units] or not all(
        np.isfinite(values).all() for values in scores
    ):
        raise ModelError(
            f"Scores came with the shapes {[np.shape(values) for values in scores]}, or not all of them finite; expected a "
            f"finite number for each unit, {[(units,) for units in scene.units]}. Look at what the score returns."
        )
    orders = [np.argsort(-np.asarray(values), kind="stable") for values in scores]
    best: tuple[np.ndarray, ...] = ()
    accuracy = -1.0
    for choice in choices:
        masks = tuple(np.zeros(len(order), bool) for order in orders)
        for mask, order, share in zip(masks, orders, choice, strict=True):
            mask[order[: max(1, int(len(order) * (1 - share)))]] = True
        reached = float(judge(scene, scene.val, masks).accuracy)
        if reached > accuracy:
            accuracy, best = reached, masks
    masks = best
    left = left_after(scene, masks)
    whole = Supermask(scene.shape, scene.seed, left, scene.kernels[-1].shape[1])
    return Found(left, accuracy, whole.removed), masks
