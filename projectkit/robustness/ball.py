"""Where an attack may go: the images at a distance of at most ε, with pixels in [0, 1]."""

import numpy as np

from projectkit.errors import RobustnessError

NORMS = {
    "linf": "the largest change of a pixel",
    "l2": "the square root of the summed squares of all changes",
    "l0": "the share of the pixels that changed",
}


def project(x_adv: np.ndarray, x: np.ndarray, epsilon: float, norm: str) -> np.ndarray:
    """The images x_adv (n, height, width, channels), moved into the ball of radius epsilon round x and into [0, 1].

    In "linf" and in [0, 1] this is the nearest such image; in "l2" it is the one on the straight line to x; in "l0" the
    ⌊epsilon · height · width⌋ pixels that changed most keep their change, all their channels together.
    """
    x_adv = np.clip(x_adv, 0.0, 1.0).astype(np.float32)
    if norm == "linf":
        return np.clip(x_adv, x - np.float32(epsilon), x + np.float32(epsilon))
    change = x_adv - x
    if norm == "l2":
        length = distances(x_adv, x, "l2")
        outside = length > epsilon
        scale = np.divide(epsilon, length, out=np.ones_like(length), where=outside).astype(np.float32)
        return np.where(outside[:, None, None, None], x + change * scale[:, None, None, None], x_adv)
    kept = int(epsilon * x.shape[1] * x.shape[2])
    size = np.abs(change).max(axis=3).reshape(len(x), -1)
    ranks = np.argsort(np.argsort(-size, axis=1, kind="stable"), axis=1)
    return np.where((ranks < kept).reshape(*x.shape[:3], 1), x_adv, x)


def distances(x_adv: np.ndarray, x: np.ndarray, norm: str) -> np.ndarray:
    """How far each image is from its own, in the norm: (n,) float64. NORMS says what each counts."""
    change = (x_adv.astype(np.float64) - x).reshape(len(x), -1)
    if norm == "linf":
        return np.abs(change).max(axis=1, initial=0.0)
    if norm == "l2":
        return np.sqrt(np.square(change).sum(axis=1))
    return (x_adv != x).any(axis=3).reshape(len(x), -1).mean(axis=1)


def checked(x: np.ndarray, y: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """x as float32 and y as int64. Raises RobustnessError unless these are images in [0, 1], a label each, and a radius ≥ 0."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 4 or x.dtype.kind != "f" or not (x.size == 0 or 0 <= x.min() <= x.max() <= 1):
        raise RobustnessError(
            f"Received images of shape {x.shape} and type {x.dtype}{_range(x)}; expected (n, height, width, channels) floats "
            "in [0, 1]. Divide bytes by 255, and clip noise."
        )
    if y.shape != x.shape[:1] or y.dtype.kind not in "iu" or (len(y) and y.min() < 0):
        raise RobustnessError(
            f"Received labels of shape {y.shape} and type {y.dtype} for {len(x)} images; expected ({len(x)},) integers ≥ 0. "
            "Give the label of each image."
        )
    refuse_radius(epsilon)
    return x.astype(np.float32), y.astype(np.int64)


def refuse_radius(epsilon: float) -> None:
    """Raises RobustnessError unless epsilon ≥ 0."""
    if not epsilon >= 0:  # NaN is refused too
        raise RobustnessError(f"Received epsilon {epsilon}; expected a radius ≥ 0. Give for example 0.1; 0 changes nothing.")


def refuse_norm(norm: str, epsilon: float) -> None:
    """Raises RobustnessError for an unknown norm, and for a share of pixels above 1."""
    if norm not in NORMS:
        raise RobustnessError(f"Received the norm {norm!r}; expected {', '.join(NORMS)}. Give the one the attack counts in.")
    if norm == "l0" and epsilon > 1:
        raise RobustnessError(
            f"Received epsilon {epsilon} in l0; expected a share of the pixels, at most 1. Divide by their number."
        )


def _range(x: np.ndarray) -> str:
    return f", from {x.min():.3g} to {x.max():.3g}" if x.size and x.dtype.kind in "fiu" else ""
