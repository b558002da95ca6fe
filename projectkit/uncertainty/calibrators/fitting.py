"""What several calibrators need: one class against the rest, and rows that sum to one again."""

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.uncertainty.probabilities import two_axes


def same_classes(logits: np.ndarray, classes: int) -> np.ndarray:
    """(n, classes) logits. Raises UncertaintyError for another number of classes than the calibrator was fitted with."""
    logits = two_axes(logits)
    if logits.shape[1] != classes:
        raise UncertaintyError(
            f"Received logits of {logits.shape[1]} classes; expected {classes}, as the calibrator was fitted with. Give the same "
            "network's logits."
        )
    return logits


def log_odds(logits: np.ndarray) -> np.ndarray:
    """ln(p_c / (1 − p_c)) of softmax(logits), (n, classes), also where p_c is so near 1 that 1 − p_c is rounded to 0."""
    classes = logits.shape[1]
    others = np.stack([np.delete(logits, label, axis=1) for label in range(classes)], axis=1)  # (n, classes, classes − 1)
    largest = others.max(axis=2, keepdims=True)
    return logits - (largest[..., 0] + np.log(np.exp(others - largest).sum(axis=2)))


def summing_to_one(rows: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; where every class was given 0, all are equally probable."""
    sums = rows.sum(axis=1, keepdims=True)
    return np.where(sums > 0, rows / np.where(sums > 0, sums, 1.0), 1 / rows.shape[1])
