"""Calibration errors: of all answers with confidence p, is a share p right? (probs (n, classes), y (n,)) -> float in [0, 1]."""

import math

import numpy as np

from projectkit.uncertainty.bins import BINS, Binned, equal_mass, equal_width, in_bins
from projectkit.uncertainty.probabilities import labelled_probabilities


def ece(probs: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> float:
    """Σ_b (n_b / n) · |accuracy_b − confidence_b| over equally wide bins of the largest probability.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015; with 15 bins Guo et
    al., "On calibration of modern neural networks", 2017. With few examples a bin it is above 0 for perfect forecasts, too: of
    1000 images, often by more than what is to be measured. Compare with `ece_debiased` and its `calibration_interval`.
    """
    return _expected_gap(in_bins(*top_answers(probs, y), equal_width(bins)))


def ece_adaptive(probs: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> float:
    """`ece` in bins of equally many examples (Nguyen and O'Connor, "Posterior calibration and exploratory analysis", 2015)."""
    confidence, right = top_answers(probs, y)
    return _expected_gap(in_bins(confidence, right, equal_mass(confidence, bins)))


def ece_classwise(probs: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> float:
    """The mean over the classes of the same sum for "it is class c", stated with p_c in equally wide bins.

    Kull et al., "Beyond temperature scaling", 2019; Nixon et al., "Measuring calibration in deep learning", 2019, as SCE.
    """
    probs, y = labelled_probabilities(probs, y)
    edges = equal_width(bins)
    gaps = [_expected_gap(in_bins(p, (y == label).astype(float), edges)) for label, p in enumerate(probs.T)]
    return float(np.mean(gaps))


def ece_debiased(probs: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> float:
    """√max(0, Σ_b (n_b / n) · (gap_b² − accuracy_b (1 − accuracy_b) / (n_b − 1))) in bins of equally many examples.

    A root mean square, from which is taken what chance adds to gap_b² in a finite bin even for perfect forecasts (Kumar, Liang
    and Ma, "Verified uncertainty calibration", 2019, section 5). Why that matters where models are compared: Roelofs et al.,
    "Mitigating bias in calibration error estimation", 2022. Bins of one example say nothing and count 0.
    """
    confidence, right = top_answers(probs, y)
    return math.sqrt(max(0.0, debiased_square(in_bins(confidence, right, equal_mass(confidence, bins)))))


def mce(probs: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> float:
    """The largest |accuracy_b − confidence_b| of equally wide bins (Naeini et al., 2015). A bin of one example can decide it."""
    return float(in_bins(*top_answers(probs, y), equal_width(bins)).gap.max())


def top_answers(probs: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest probability of each example and whether its class is the label: (n,) floats twice."""
    probs, y = labelled_probabilities(probs, y)
    return probs.max(axis=1), (probs.argmax(axis=1) == y).astype(float)


def debiased_square(binned: Binned) -> float:
    """Σ_b (n_b / n) · (gap_b² − accuracy_b (1 − accuracy_b) / (n_b − 1)): on average the square of the error; may be below 0."""
    noise = binned.frequency * (1 - binned.frequency) / np.maximum(binned.count - 1, 1)
    squares = np.where(binned.count > 1, binned.gap**2 - noise, 0.0)
    return float(binned.count @ squares / binned.count.sum())


def _expected_gap(binned: Binned) -> float:
    return float(binned.count @ binned.gap / binned.count.sum())


# What chance makes larger the fewer examples there are, the debiased one the least.
CALIBRATION_ERRORS = frozenset({ece, ece_adaptive, ece_classwise, ece_debiased, mce})
