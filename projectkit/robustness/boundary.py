"""A random walk along the border of the classes, towards the image."""

import numpy as np

from projectkit.robustness.answers import Model
from projectkit.robustness.ball import checked, distances
from projectkit.robustness.decisions import fooled, starting_points, to_border
from projectkit.robustness.pgd import refuse_counts

LOOK = 10  # steps between two looks at how often the walk succeeds
GROWTH = 1.5


def boundary(model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, steps: int = 2000, seed: int = 0) -> np.ndarray:
    """From a point that fools the model: a random step at the same distance from x, then a little towards x; kept while it fools.

    Both steps grow and shrink with their success, so that about half of the first and a quarter of both fool the model (Brendel,
    Rauber and Bethge, "Decision-based adversarial attacks", 2018, section 2). The norm is L2; only the class that the model
    names is used. steps: at most 1.1 queries each; a point nearer than epsilon is near enough. Raises RobustnessError as `logits`
    does.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps)
    rng = np.random.default_rng(seed)
    points, found = starting_points(model, x, y, rng)
    points[found] = to_border(model, x[found], y[found], points[found])
    aside, towards = np.full(len(x), 0.05), np.full(len(x), 0.05)
    stays, gains = np.full(len(x), 0.35), np.full(len(x), 0.2)  # running shares of success, between their limits at first
    for step in range(steps):
        left = np.flatnonzero(found & (distances(points, x, "l2") > epsilon))
        if not len(left):
            break
        around, nearer = _proposals(x[left], points[left], aside[left], towards[left], rng)
        hit = fooled(model, nearer, y[left])
        points[left[hit]] = nearer[hit]
        gains[left] += 0.05 * (hit - gains[left])
        if step % LOOK == LOOK - 1:
            stays[left] += 0.2 * (fooled(model, around, y[left]) - stays[left])
            aside[left] *= _factor(stays[left], 0.2, 0.5)
            towards[left] *= _factor(gains[left], 0.1, 0.25)
    return points


def _proposals(
    x: np.ndarray, points: np.ndarray, aside: np.ndarray, towards: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(points at the distance of the old ones, `aside` of it away from them; those, moved by `towards` of it to x)."""
    back = points.astype(np.float64) - x
    length = np.sqrt(np.square(back).sum(axis=(1, 2, 3), keepdims=True))
    unit = back / np.maximum(length, 1e-12)
    noise = rng.standard_normal(x.shape)
    noise -= (noise * unit).sum(axis=(1, 2, 3), keepdims=True) * unit
    noise *= aside[:, None, None, None] / np.sqrt(np.square(noise).sum(axis=(1, 2, 3), keepdims=True))
    around = (unit + noise) / np.sqrt(1 + aside[:, None, None, None] ** 2) * length
    nearer = around * (1 - np.minimum(towards, 0.9))[:, None, None, None]
    return tuple(np.clip(x + change, 0.0, 1.0).astype(np.float32) for change in (around, nearer))


def _factor(share: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.where(share > high, GROWTH, np.where(share < low, 1 / GROWTH, 1.0))
