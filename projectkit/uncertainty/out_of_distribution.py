"""Out-of-distribution detection: scores of images, and how well they separate images outside the distribution from those inside.

OOD_SCORES are functions logits (n, classes) -> (n,), larger for images that look less like the training set. The three measures
take such scores of images inside and outside the distribution.
"""

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.uncertainty.entropies import entropy as entropy_of
from projectkit.uncertainty.probabilities import softmax, two_axes


def max_probability(logits: np.ndarray) -> np.ndarray:
    """1 − the largest probability (Hendrycks and Gimpel, "A baseline for detecting misclassified … examples", 2017)."""
    return 1 - softmax(two_axes(logits)).max(axis=1)


def entropy(logits: np.ndarray) -> np.ndarray:
    """−Σ p ln p in nats. For the mean of an ensemble give the logarithms of its probabilities as logits."""
    return entropy_of(softmax(two_axes(logits)))


def energy(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """−T ln Σ_c exp(z_c / T) (Liu et al., "Energy-based out-of-distribution detection", 2020).

    It uses what softmax throws away, the size of the logits: those of the logarithms of probabilities are all 0.
    """
    if not temperature > 0:
        raise UncertaintyError(f"Received the temperature {temperature}; expected a number above 0. Give 1.")
    scaled = two_axes(logits) / temperature
    largest = scaled.max(axis=1)
    return -temperature * (largest + np.log(np.exp(scaled - largest[:, None]).sum(axis=1)))


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """The probability that an image from outside has a larger score than one from inside, ties counting one half.

    This is the area under the ROC curve (Hanley and McNeil, 1982), from the ranks: 0.5 for guessing, 1 for a perfect order.
    """
    inside, outside = np.sort(finite_scores(inside)), finite_scores(outside)
    below, upto = (np.searchsorted(inside, outside, side) for side in ("left", "right"))
    return float((below + upto).mean() / (2 * len(inside)))


def aupr(inside: np.ndarray, outside: np.ndarray) -> float:
    """Average precision: Σ over thresholds, from the largest score down, of the outside images newly found times the share of
    outside images among all found. Guessing gives the share of outside images."""
    inside, outside = finite_scores(inside), finite_scores(outside)
    values, index = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    found = np.bincount(index[len(inside) :], minlength=len(values))[::-1]
    alarms = np.bincount(index, minlength=len(values))[::-1]
    precision = np.cumsum(found) / np.cumsum(alarms)
    return float(found @ precision / len(outside))


def fpr95(inside: np.ndarray, outside: np.ndarray) -> float:
    """The share of outside images that pass as known where at least 95 % of those inside do: less is better."""
    inside, outside = np.sort(finite_scores(inside)), finite_scores(outside)
    threshold = inside[-(-19 * len(inside) // 20) - 1]
    return float((outside <= threshold).mean())


def finite_scores(values: np.ndarray) -> np.ndarray:
    """`values` as (n,) floats. Raises UncertaintyError for another shape, none, and NaN."""
    array = np.asarray(values)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise UncertaintyError(
            f"Received values of shape {array.shape} and type {array.dtype}; expected (n,) finite numbers with n ≥ 1. Give one "
            "number an image, as the functions of OOD_SCORES do."
        )
    return array.astype(np.float64)
