"""Many small steps along the sign of the gradient, each followed by a projection into the ball."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.robustness.answers import Model, gradient, margins
from projectkit.robustness.ball import checked, project
from projectkit.robustness.losses import cross_entropy

if TYPE_CHECKING:
    import tensorflow as tf


def pgd(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    *,
    steps: int = 40,
    step_size: float | None = None,
    restarts: int = 1,
    loss: Callable[..., "tf.Tensor"] = cross_entropy,
    seed: int = 0,
) -> np.ndarray:
    """Projected gradient ascent in L∞ from a random point of the ball (Madry et al., "Towards deep learning models resistant to
    adversarial attacks", 2018, section 2.1).

    x ← project(x + step_size · sign(∇ₓ loss)); step_size None: 2.5 ε / steps, which can cross the ball. Of each image the point
    with the largest loss is returned, of those that fool the model if any does; a restart goes on with the others only.
    Raises RobustnessError as `gradient` does, and for no steps or restarts.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps, restarts=restarts)
    rng = np.random.default_rng(seed)
    best, left = x.copy(), np.arange(len(x))
    for _ in range(restarts):
        if not len(left):
            break
        start = x[left] + rng.uniform(-epsilon, epsilon, x[left].shape).astype(np.float32)
        found, fooled = _climb(model, x[left], y[left], epsilon, start, steps, step_size, loss)
        best[left] = found
        left = left[~fooled]
    return best


def bim(
    model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, steps: int = 10, step_size: float | None = None
) -> np.ndarray:
    """`pgd` from the image itself (Kurakin, Goodfellow and Bengio, "Adversarial examples in the physical world", 2017,
    section 2.2)."""
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps)
    return _climb(model, x, y, epsilon, x, steps, step_size, cross_entropy)[0]


def mim(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    *,
    steps: int = 10,
    step_size: float | None = None,
    decay: float = 1.0,
) -> np.ndarray:
    """`bim` along a running sum of gradients, g ← decay · g + ∇/‖∇‖₁, which passes small bumps and transfers better
    (Dong et al., "Boosting adversarial attacks with momentum", 2018, algorithm 1)."""
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps)
    return _climb(model, x, y, epsilon, x, steps, step_size, cross_entropy, decay)[0]


def _climb(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    start: np.ndarray,
    steps: int,
    step_size: float | None,
    loss: Callable[..., "tf.Tensor"],
    decay: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(of each image the best point on the way, whether it fools the model)."""
    step = np.float32(2.5 * epsilon / steps if step_size is None else step_size)
    point = project(start, x, epsilon, "linf")
    best, highest, fooled = point, np.full(len(x), -np.inf), np.zeros(len(x), bool)
    momentum = np.zeros_like(x)
    for taken in range(steps + 1):
        slopes, losses, answers = gradient(model, loss, point, y)
        wrong = margins(answers, y) <= 0
        better = (wrong & ~fooled) | ((wrong == fooled) & (losses > highest))
        best = np.where(better[:, None, None, None], point, best)
        highest, fooled = np.where(better, losses, highest), fooled | wrong
        if taken == steps:
            return best, fooled
        if decay is not None:
            size = np.abs(slopes).sum(axis=(1, 2, 3), keepdims=True)
            momentum = slopes = decay * momentum + slopes / np.maximum(size, 1e-12)
        point = project(point + step * np.sign(slopes), x, epsilon, "linf")
    return best, fooled


def refuse_counts(**counts: int) -> None:
    """Raises RobustnessError unless each of them is at least 1."""
    for name, count in counts.items():
        if count < 1:
            raise RobustnessError(f"Received {name}={count}; expected at least 1. Give for example {name}=10.")
