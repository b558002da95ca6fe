"""Isotonic regression: for each class a staircase that never falls."""

from dataclasses import dataclass

import numpy as np

from projectkit.uncertainty.calibrators.fitting import same_classes, summing_to_one
from projectkit.uncertainty.probabilities import labelled_logits, softmax


@dataclass(frozen=True, slots=True)
class Isotonic:
    """For each class the corners (stated, observed) of its curve, straight between them; then divided by the sum over classes."""

    corners: tuple[tuple[np.ndarray, np.ndarray], ...]

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """(n, classes) logits → (n, classes) probabilities."""
        stated = softmax(same_classes(logits, len(self.corners)))
        return summing_to_one(np.stack([np.interp(p, *curve) for p, curve in zip(stated.T, self.corners, strict=True)], axis=1))


def isotonic(logits: np.ndarray, y: np.ndarray) -> Isotonic:
    """One class against the rest by pooled adjacent violators (Zadrozny and Elkan, "Transforming classifier scores into accurate
    multiclass probability estimates", 2002). Can give a class 0, which costs any NLL. Raises UncertaintyError."""
    from sklearn.isotonic import IsotonicRegression

    logits, y = labelled_logits(logits, y)
    corners = []
    for label, p in enumerate(softmax(logits).T):
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(p, y == label)
        corners.append((fitted.X_thresholds_, fitted.y_thresholds_))
    return Isotonic(tuple(corners))
