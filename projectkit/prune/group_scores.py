"""Scores of whole groups, and which groups a schedule prunes."""

from collections.abc import Mapping

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.prune.groups import groups
from projectkit.prune.scores import Score, compute
from projectkit.prune.types import Group
from projectkit.types import Split


def free_groups(model: keras.Model) -> tuple[Group, ...]:
    """The prunable groups that a single layer makes: in a residual network the inside of the blocks, in a chain every hidden
    layer. The sums of a residual network are groups too (`groups` has them); pruning those costs more accuracy."""
    return tuple(group for group in groups(model) if group.prunable and len(group.producers) == 1)


def group_scores(score: Score, model: keras.Model, group: Group, data: Split, *, seed: int = 0) -> np.ndarray:
    """How important each channel of `group` is: (channels,).

    The score of the layer that makes the channels. Where several layers add into them, each layer's scores are brought to mean 0
    and standard deviation 1 first and then averaged: their scales differ. Raises ModelError as `compute` does.
    """
    rows = []
    for place in group.producers:
        scores = compute(score, model, place.layer, data, seed=seed)
        rows.append(scores[place.positions].sum(axis=1))
    if len(rows) == 1:
        return rows[0]
    return np.mean([(row - row.mean()) / (row.std() or 1.0) for row in rows], axis=0)


def chosen_ratios(model: keras.Model, ratios: float | Mapping[str, float]) -> dict[str, float]:
    """The share of channels to remove from each group, by its name: one number means the same for all `free_groups`.

    Raises ModelError for a ratio outside [0, 1), an unknown group, one that cannot be pruned, and a model without any.
    """
    known = {group.name: group for group in groups(model)}
    if not isinstance(ratios, Mapping):
        ratios = {group.name: ratios for group in free_groups(model)}
    if not ratios:
        raise ModelError(f"{model.name}: there is no group to prune; expected at least one. See groups(model) and its reasons.")
    for name, ratio in ratios.items():
        if name not in known or not known[name].prunable:
            why = f"cannot be pruned: {known[name].reason}" if name in known else "is no group of it"
            usable = ", ".join(group.name for group in known.values() if group.prunable) or "(none)"
            raise ModelError(f"{model.name}: {name!r} {why}. Expected some of {usable}.")
        if not 0 <= ratio < 1:
            raise ModelError(f"{name}: received the ratio {ratio}; expected the share of channels to remove, in [0, 1).")
    return dict(ratios)
