"""Histogram binning: what was observed takes the place of what was stated."""

from dataclasses import dataclass

import numpy as np

from projectkit.uncertainty.bins import BINS, equal_width, in_bins
from projectkit.uncertainty.calibrators.fitting import same_classes, summing_to_one
from projectkit.uncertainty.probabilities import labelled_logits, softmax


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """For each class the frequency of each bin of p_c, divided by the sum over the classes. frequency: (classes, bins)."""

    frequency: np.ndarray

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """(n, classes) logits → (n, classes) probabilities."""
        stated = softmax(same_classes(logits, len(self.frequency)))
        inner = equal_width(self.frequency.shape[1])[1:-1]
        return summing_to_one(
            np.stack([row[np.searchsorted(inner, p)] for p, row in zip(stated.T, self.frequency, strict=True)], axis=1)
        )


def histogram(logits: np.ndarray, y: np.ndarray, *, bins: int = BINS) -> Histogram:
    """One class against the rest in equally wide bins (Zadrozny and Elkan, "Obtaining calibrated probability estimates from
    decision trees and naive Bayesian classifiers", 2001). A bin that no example fell into keeps its middle. Raises
    UncertaintyError."""
    logits, y = labelled_logits(logits, y)
    edges = equal_width(bins)
    middle = (edges[:-1] + edges[1:]) / 2
    rows = []
    for label, p in enumerate(softmax(logits).T):
        binned = in_bins(p, (y == label).astype(float), edges)
        rows.append(np.where(binned.count > 0, binned.frequency, middle))
    return Histogram(np.stack(rows))
