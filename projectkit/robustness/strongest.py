"""Several attacks of different kinds in a row, none of which has anything to tune."""

import numpy as np

from projectkit.robustness.answers import Model, logits, margins
from projectkit.robustness.apgd import apgd_ce, apgd_targeted
from projectkit.robustness.ball import checked
from projectkit.robustness.square import square


def strongest(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    *,
    steps: int = 100,
    targets: int = 9,
    queries: int = 5000,
    seed: int = 0,
) -> np.ndarray:
    """APGD-CE, then APGD-targeted, then Square, each on the images that stood up to all before it; the norm is L∞.

    An image counts as robust only when all three fail: gradients of two losses, and none (in the spirit of AutoAttack: Croce and
    Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks", 2020, section 6,
    without its FAB). steps: of each APGD; targets: classes the second tries; queries: of Square, an image. Raises RobustnessError
    as they do.
    """
    x, y = checked(x, y, epsilon)
    best = x.copy()
    left = np.flatnonzero(margins(logits(model, x), y) > 0)
    for attack, options in (
        (apgd_ce, {"steps": steps}),
        (apgd_targeted, {"steps": steps, "targets": targets}),
        (square, {"queries": queries}),
    ):
        if len(left):
            best[left] = attack(model, x[left], y[left], epsilon, seed=seed, **options)
            left = left[margins(logits(model, best[left]), y[left]) > 0]
    return best
