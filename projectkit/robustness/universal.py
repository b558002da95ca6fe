"""One change for all images."""

import numpy as np

from projectkit.robustness.answers import Model, gradient, margins
from projectkit.robustness.ball import checked
from projectkit.robustness.losses import negative_margin
from projectkit.robustness.pgd import refuse_counts

DECAY = 0.9  # of the running sum of gradients


def universal(model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, steps: int = 100) -> np.ndarray:
    """x + v with one v, |v| ≤ ε in every pixel, that fools the model on as many of these images as it can; the norm is L∞.

    That there is such a v: Moosavi-Dezfooli et al., "Universal adversarial perturbations", 2017. It is found here by ascent along
    the sign of the mean gradient, as in Shafahi et al., "Universal adversarial training", 2020, algorithm 2; the gradient is that
    of the margin of the images still answered rightly, in steps that shrink to nothing. v is fitted to the very images that are
    judged. Raises RobustnessError as `gradient` does.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps)
    change = best = np.zeros((1, *x.shape[1:]), np.float32)
    most, momentum = -1, np.zeros_like(change)
    for taken in range(steps + 1):
        slopes, _, answers = gradient(model, negative_margin, np.clip(x + change, 0.0, 1.0), y)
        right = margins(answers, y) > 0
        if (fooled := int(np.count_nonzero(~right))) > most:
            best, most = change, fooled
        if taken == steps or not right.any():
            break
        mean = slopes[right].mean(axis=0, keepdims=True)
        momentum = DECAY * momentum + mean / max(np.abs(mean).sum(), 1e-12)
        step = epsilon * (1 - taken / steps)
        change = np.clip(change + step * np.sign(momentum), -epsilon, epsilon).astype(np.float32)
    return np.clip(x + best, 0.0, 1.0)
