"""Proper scores, and the ranking by confidence: (probs (n, classes), y (n,)) -> float, less is better, 0 is perfect."""

from dataclasses import dataclass

import numpy as np

from projectkit.uncertainty.bins import BINS, equal_width, in_bins
from projectkit.uncertainty.probabilities import labelled_probabilities

NEVER = np.finfo(np.float64).tiny  # a label that was given no probability at all costs −ln of this, 708 nats, not infinity


def nll(probs: np.ndarray, y: np.ndarray) -> float:
    """The negative log-likelihood −(1/n) Σ ln p_y in nats: a proper score (Good, "Rational decisions", 1952)."""
    probs, y = labelled_probabilities(probs, y)
    return float(-np.log(np.clip(probs[np.arange(len(y)), y], NEVER, 1.0)).mean())


def brier(probs: np.ndarray, y: np.ndarray) -> float:
    """(1/n) Σ_i Σ_c (p_ic − [y_i = c])², 0 to 2 (Brier, "Verification of forecasts expressed in terms of probability", 1950)."""
    probs, y = labelled_probabilities(probs, y)
    return float(((probs - np.eye(probs.shape[1])[y]) ** 2).sum(axis=1).mean())


def aurc(probs: np.ndarray, y: np.ndarray) -> float:
    """The area under the risk-coverage curve (Geifman and El-Yaniv, "Selective classification", 2017).

    The mean, over k = 1 … n, of the share of wrong answers among the k most confident ones. Equally confident examples count
    with the mean of their errors, as if drawn in a random order.
    """
    probs, y = labelled_probabilities(probs, y)
    wrong = (probs.argmax(axis=1) != y).astype(np.float64)
    _, group, sizes = np.unique(-probs.max(axis=1), return_inverse=True, return_counts=True)
    errors = np.bincount(group, weights=wrong) / sizes
    risk = np.cumsum(np.repeat(errors, sizes)) / np.arange(1, len(y) + 1)
    return float(risk.mean())


@dataclass(frozen=True, slots=True)
class BrierParts:
    """brier = reliability − resolution + uncertainty + within.

    reliability: how far stated and observed frequencies are apart, less is better; resolution: how far the observed frequencies
    of the bins are from the overall ones, more is better; uncertainty: of the labels themselves; within: what binning leaves
    over, 0 where all forecasts of a bin are equal.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within: float


def brier_parts(probs: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> BrierParts:
    """Murphy's decomposition ("A new vector partition of the probability score", 1973) in equal-width bins, class by class and
    summed, with the two parts within the bins as one (Stephenson, Coelho and Jolliffe, "Two extra components in the Brier score
    decomposition", 2008)."""
    probs, y = labelled_probabilities(probs, y)
    happened = np.eye(probs.shape[1])[y]
    parts = np.zeros(4)
    for p, o in zip(probs.T, happened.T, strict=True):
        binned = in_bins(p, o, equal_width(bins))
        share = binned.count / len(y)
        stated, observed = p - binned.confidence[binned.index], o - binned.frequency[binned.index]
        parts += (
            share @ (binned.confidence - binned.frequency) ** 2,
            share @ (binned.frequency - o.mean()) ** 2,
            o.mean() * (1 - o.mean()),
            (stated**2 - 2 * stated * observed).mean(),
        )
    return BrierParts(*parts.tolist())
