"""The attacks, grouped by the norm of epsilon; `evaluate` looks the norm up here."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from projectkit.robustness.answers import Model
from projectkit.robustness.apgd import apgd_ce, apgd_targeted
from projectkit.robustness.boundary import boundary
from projectkit.robustness.carlini_wagner import carlini_wagner
from projectkit.robustness.deepfool import deepfool
from projectkit.robustness.fgsm import fgsm
from projectkit.robustness.hop_skip_jump import hop_skip_jump
from projectkit.robustness.jsma import jsma
from projectkit.robustness.pgd import bim, mim, pgd
from projectkit.robustness.rays import rays
from projectkit.robustness.square import square
from projectkit.robustness.strongest import strongest
from projectkit.robustness.universal import universal


class Attack(Protocol):
    """Changes images so that the model errs: x_adv (n, height, width, channels), which `evaluate` projects into the ball.

    x: floats in [0, 1] of the same shape; y: (n,) their labels; epsilon: the radius of the ball in the attack's norm. Further
    options have a default and are given by functools.partial. Raises RobustnessError for a model or images that do not fit it.
    """

    def __call__(self, model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, /) -> np.ndarray: ...


ATTACKS: Mapping[str, Mapping[str, Attack]] = {
    "linf": {
        "fgsm": fgsm,
        "bim": bim,
        "pgd": pgd,
        "mim": mim,
        "universal": universal,
        "apgd_ce": apgd_ce,
        "apgd_targeted": apgd_targeted,
        "square": square,
        "rays": rays,
        "strongest": strongest,
    },
    "l2": {
        "carlini_wagner": carlini_wagner,
        "deepfool": deepfool,
        "boundary": boundary,
        "hop_skip_jump": hop_skip_jump,
    },
    "l0": {
        "jsma": jsma,
    },
}
