"""Straight to the nearest border of a linearized model, again and again."""

import numpy as np

from projectkit.robustness.answers import Model, gradient, logits, probable_others
from projectkit.robustness.ball import checked
from projectkit.robustness.losses import logit
from projectkit.robustness.pgd import refuse_counts


def deepfool(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    *,
    steps: int = 50,
    candidates: int = 10,
    overshoot: float = 0.02,
) -> np.ndarray:
    """x′ ← x′ + |f|/‖w‖² · w for the nearest of the borders z_k = z_y, with f = z_k − z_y and w = ∇f, until the model is fooled.

    candidates: classes whose borders are looked at, the most probable ones; overshoot: of the whole way from x, to be past the
    border and not on it. The norm is L2, and of a linear model the result is exact: the distance to its nearest border, 2 % more
    (Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool: a simple and accurate method to fool deep neural networks", 2016,
    algorithm 2). epsilon does not limit the search. Raises RobustnessError as `gradient` does.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps, candidates=candidates)
    answers = logits(model, x)
    classes = probable_others(answers, y, candidates)
    best, way = x.copy(), np.zeros_like(x)
    left = np.flatnonzero(answers.argmax(axis=1) == y)
    for _ in range(steps):
        if not len(left):
            break
        point = np.clip(x[left] + way[left], 0.0, 1.0)
        # The overshoot is no part of the way: steps that shrink as they near a border would use it up, and stop on this side.
        way[left] = point - x[left] + _to_nearest_border(model, point, y[left], classes[left])
        best[left] = np.clip(x[left] + (1 + overshoot) * way[left], 0.0, 1.0)
        left = left[logits(model, best[left]).argmax(axis=1) == y[left]]
    return best


def _to_nearest_border(model: Model, x: np.ndarray, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The shortest step of each image to a border of its linearized logits, like x."""
    own, heights, _ = gradient(model, logit, x, y)
    steps, lengths = [], []
    for others in classes.T:
        slopes, other, _ = gradient(model, logit, x, others)
        normal, gap = slopes - own, np.abs(other - heights)
        size = np.sqrt(np.square(normal, dtype=np.float64).sum(axis=(1, 2, 3)))
        usable = size > 1e-12  # a flat border is infinitely far
        lengths.append(np.where(usable, (gap + 1e-6) / np.maximum(size, 1e-12), np.inf))
        factor = np.where(usable, (gap + 1e-6) / np.maximum(size, 1e-12) ** 2, 0.0)
        steps.append(factor[:, None, None, None].astype(np.float32) * normal)
    nearest = np.argmin(lengths, axis=0)
    return np.stack(steps)[nearest, np.arange(len(x))]
