"""One step along the sign of the gradient."""

import numpy as np

from projectkit.robustness.answers import Model, gradient
from projectkit.robustness.ball import checked
from projectkit.robustness.losses import cross_entropy


def fgsm(model: Model, x: np.ndarray, y: np.ndarray, epsilon: float) -> np.ndarray:
    """x + ε · sign(∇ₓ cross-entropy(model(x), y)), clipped to [0, 1]; the norm is L∞.

    The best step of that size where the loss is linear (Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial
    examples", 2015, section 4). Raises RobustnessError as `gradient` does.
    """
    x, y = checked(x, y, epsilon)
    slopes, _, _ = gradient(model, cross_entropy, x, y)
    return np.clip(x + np.float32(epsilon) * np.sign(slopes), 0.0, 1.0)
