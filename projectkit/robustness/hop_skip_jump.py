"""Along the border of the classes by a gradient that is estimated from decisions."""

import numpy as np

from projectkit.robustness.answers import Model
from projectkit.robustness.ball import checked, distances
from projectkit.robustness.decisions import fooled, starting_points, to_border
from projectkit.robustness.pgd import refuse_counts

HALVINGS = 20  # of a step that leads out of the wrong classes


def hop_skip_jump(
    model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, steps: int = 20, samples: int = 100, seed: int = 0
) -> np.ndarray:
    """Repeats: to the border by halving; estimate its normal from `samples`·√step decisions nearby; a jump along it.

    The norm is L2; only the class that the model names is used (Chen, Jordan and Wainwright, "HopSkipJumpAttack: a
    query-efficient decision-based attack", 2020, algorithm 2). A point nearer than epsilon is near enough. Raises RobustnessError
    as `logits` does.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps, samples=samples)
    rng = np.random.default_rng(seed)
    best, found = starting_points(model, x, y, rng)
    best[found] = to_border(model, x[found], y[found], best[found])
    point = best.copy()
    for step in range(1, steps + 1):
        far = distances(point, x, "l2")
        left = np.flatnonzero(found & (distances(best, x, "l2") > epsilon))
        if not len(left):
            break
        count = int(samples * step**0.5)
        # The first point is farther from the border than its distance tells; later ones lie on it as well as halving can.
        radius = 0.1 if step == 1 else far / x[0].size
        normals = np.stack([_normal(model, point[i], y[i], np.broadcast_to(radius, far.shape)[i], count, rng) for i in left])
        jumped = _jump(model, point[left], y[left], normals, far[left] / step**0.5)
        point[left] = to_border(model, x[left], y[left], jumped)
        nearer = left[distances(point[left], x[left], "l2") < distances(best[left], x[left], "l2")]
        best[nearer] = point[nearer]
    return best


def _normal(model: Model, point: np.ndarray, label: int, radius: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """The direction into the wrong classes at one point (height, width, channels), of length 1: equation 16 there."""
    drawn = rng.standard_normal((count, *point.shape))
    drawn /= np.sqrt(np.square(drawn).sum(axis=(1, 2, 3), keepdims=True))
    around = np.clip(point + radius * drawn, 0.0, 1.0).astype(np.float32)
    moved = (around.astype(np.float64) - point) / radius
    votes = np.where(fooled(model, around, np.full(count, label)), 1.0, -1.0)
    if abs(votes.mean()) < 1:
        votes -= votes.mean()  # fewer surprises where the border is crooked: equation 17
    normal = (votes[:, None, None, None] * moved).mean(axis=0)
    return normal / max(np.sqrt(np.square(normal).sum()), 1e-12)


def _jump(model: Model, point: np.ndarray, y: np.ndarray, normals: np.ndarray, length: np.ndarray) -> np.ndarray:
    """As far along the normals as the model stays fooled, of `length` and its halves; nowhere if none does."""
    result, left = point.copy(), np.arange(len(point))
    for halved in range(HALVINGS):
        step = (length[left] / 2**halved)[:, None, None, None]
        tried = np.clip(point[left] + step * normals[left], 0.0, 1.0).astype(np.float32)
        hit = fooled(model, tried, y[left])
        result[left[hit]] = tried[hit]
        left = left[~hit]
        if not len(left):
            break
    return result
