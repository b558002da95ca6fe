"""Robust accuracy under an attack. `evaluate` enforces the ball, whatever the attack gives."""

import functools

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.robustness.answers import Model, logits, margins
from projectkit.robustness.attacks import ATTACKS, Attack
from projectkit.robustness.ball import checked, project, refuse_norm
from projectkit.types import Measurement


def evaluate(
    model: Model, x: np.ndarray, y: np.ndarray, attack: Attack, epsilon: float, *, norm: str | None = None
) -> Measurement:
    """The share of the images that `model` classifies rightly and goes on to after `attack`, with its 95 % Wilson interval.

    x: (n, height, width, channels) floats in [0, 1]; y: (n,) labels; attack: a member of ATTACKS, its options given by
    functools.partial, or one's own function; epsilon: the radius in `norm`, one of "linf", "l2" and "l0" (a share of the pixels),
    which is that of the member when None. What the attack gives is not trusted but projected into the ball and into [0, 1].

    Raises RobustnessError when images, labels, radius, norm or the attack's result make no sense.
    """
    x, y = checked(x, y, epsilon)
    if not len(x):
        raise RobustnessError("Received no images; expected at least one. Give some of the test split.")
    right = margins(logits(model, x), y) > 0
    if right.any():
        x_adv = attacked(model, x[right], y[right], attack, epsilon, norm=norm)
        right[right] = margins(logits(model, x_adv), y[right]) > 0
    return share("robust_accuracy", right)


def attacked(
    model: Model, x: np.ndarray, y: np.ndarray, attack: Attack, epsilon: float, *, norm: str | None = None
) -> np.ndarray:
    """The images that `attack` makes of x, within epsilon of them in `norm` and within [0, 1]; arguments as for `evaluate`."""
    x, y = checked(x, y, epsilon)
    norm = norm_of(attack) if norm is None else norm
    refuse_norm(norm, epsilon)
    if epsilon == 0:
        return x
    return project(images_of(attack, attack(model, x.copy(), y.copy(), epsilon), x), x, epsilon, norm)


def images_of(attack: Attack, result: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What `attack` made of x, as an array. Raises RobustnessError unless it is finite floats of the shape of x."""
    x_adv = np.asarray(result)
    if x_adv.shape != x.shape or x_adv.dtype.kind != "f" or not np.isfinite(x_adv).all():
        raise RobustnessError(
            f"{name_of(attack)} gave an array of shape {x_adv.shape} and type {x_adv.dtype}; expected finite floats of shape "
            f"{x.shape}. Return one image for each that was given."
        )
    return x_adv


def share(metric: str, held: np.ndarray) -> Measurement:
    """The share of True in `held` (n,), with its 95 % interval."""
    return Measurement.share(metric, int(np.count_nonzero(held)), len(held))


def norm_of(attack: Attack) -> str:
    """The norm of epsilon for a member of ATTACKS. Raises RobustnessError for a function that is none."""
    while isinstance(attack, functools.partial):
        attack = attack.func
    for norm, members in ATTACKS.items():
        if attack in members.values():
            return norm
    raise RobustnessError(
        f"Received {name_of(attack)}, which is no member of ATTACKS, and no norm; expected the norm it counts in. "
        'Give norm="linf", "l2" or "l0".'
    )


def name_of(attack: Attack) -> str:
    """What an attack is called."""
    while isinstance(attack, functools.partial):
        attack = attack.func
    return getattr(attack, "__qualname__", type(attack).__name__)
