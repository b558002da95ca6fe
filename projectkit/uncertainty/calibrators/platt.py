"""Platt scaling: a logistic curve for each class against the rest."""

from dataclasses import dataclass

import numpy as np

from projectkit.uncertainty.calibrators.fitting import log_odds, same_classes, summing_to_one
from projectkit.uncertainty.probabilities import labelled_logits


@dataclass(frozen=True, slots=True, eq=False)
class Platt:
    """σ(slope_c · ln(p_c / (1 − p_c)) + offset_c), divided by the sum over c. slope, offset: (classes,)."""

    slope: np.ndarray
    offset: np.ndarray

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """(n, classes) logits → (n, classes) probabilities."""
        return summing_to_one(_sigmoid(self.slope * log_odds(same_classes(logits, len(self.slope))) + self.offset))


def platt(logits: np.ndarray, y: np.ndarray) -> Platt:
    """One curve a class, with Platt's targets (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2) in place of 1 and 0 ("Probabilistic outputs
    for support vector machines", 1999), by Newton's method with halved steps. Raises UncertaintyError."""
    logits, y = labelled_logits(logits, y)
    odds = log_odds(logits)
    curves = [_curve(odds[:, label], y == label) for label in range(odds.shape[1])]
    return Platt(*np.array(curves).T)


def _curve(x: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """[slope, offset] with the least cross-entropy of σ(slope · x + offset)."""
    count = np.count_nonzero(positive)
    target = np.where(positive, (count + 1) / (count + 2), 1 / (len(x) - count + 2))
    columns = np.stack([x, np.ones_like(x)], axis=1)

    def loss(curve: np.ndarray) -> tuple[float, np.ndarray]:
        z = columns @ curve
        return (np.logaddexp(0, z) - target * z).mean()

    curve = np.array([1.0, 0.0])
    for _ in range(100):
        p = _sigmoid(columns @ curve)
        slope = columns.T @ (p - target) / len(x)
        curvature = (columns.T * (p * (1 - p))) @ columns / len(x) + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        while loss(curve - step) > loss(curve) and np.abs(step).max() > 1e-12:
            step /= 2
        curve = curve - step
        if np.abs(step).max() < 1e-10:
            break
    return curve


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -z))
