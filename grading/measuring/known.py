"""Does a model know some images better than it should? By its losses on them beside those on validation images."""

import math
from collections.abc import Mapping

import numpy as np

from projectkit.types import Z95, Measurement

Answered = tuple[np.ndarray, np.ndarray]  # logits (n, classes) and labels (n,)


def better_known(parts: Mapping[str, Answered], val: Answered) -> dict[str, Measurement]:
    """For each of `parts`: the share of pairs of one of its images and a validation image in which the latter's loss is larger.

    A model that has seen neither has larger losses on these as often as on those: 1/2, with the standard deviation
    √((n + m + 1) / 12nm) of Mann and Whitney's statistic ("On a test of whether one of two random variables is stochastically
    larger than the other", 1947), of which the interval takes 1.96 to both sides. One that was trained on the part has far
    smaller losses on it.

    Parts without images are left out, as is everything where there are no validation images.
    """
    of_val = np.sort(losses(*val))
    found = {}
    for name, answered in parts.items():
        mine = losses(*answered)
        n, m = len(mine), len(of_val)
        if not n * m:
            continue
        above = (m - np.searchsorted(of_val, mine, "right")).sum() + (m - np.searchsorted(of_val, mine, "left")).sum()
        share, half = float(above / (2 * n * m)), Z95 * math.sqrt((n + m + 1) / (12 * n * m))
        found[name] = Measurement("better_known", share, max(0.0, share - half), min(1.0, share + half), n)
    return found


def losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) negative log-likelihoods in nats."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
