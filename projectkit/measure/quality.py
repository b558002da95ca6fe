"""Accuracy, with its interval."""

import numpy as np

from projectkit.errors import MeasureError
from projectkit.types import Measurement


def accuracy(logits: np.ndarray, y: np.ndarray) -> Measurement:
    """The share of examples whose largest logit is the label, with the interval of `Measurement.share`.

    logits: (n, classes) floats; y: (n,) integer labels. Raises MeasureError on other shapes, on labels outside
    [0, classes), and on logits that are not finite.
    """
    logits, y = np.asarray(logits), np.asarray(y)
    _check(logits, y)
    return Measurement.share("accuracy", int(np.count_nonzero(np.argmax(logits, axis=1) == y)), len(y))


def _check(logits: np.ndarray, y: np.ndarray) -> None:
    if y.ndim != 1 or not len(y) or not np.issubdtype(y.dtype, np.integer):
        raise MeasureError(f"accuracy: got labels of shape {y.shape} and type {y.dtype}, expected (n,) integers with n ≥ 1.")
    if logits.ndim != 2 or len(logits) != len(y):
        raise MeasureError(
            f"accuracy: got logits of shape {logits.shape} for {len(y)} labels, expected ({len(y)}, classes). "
            "The model's output must be one row of logits per example."
        )
    if y.min() < 0 or y.max() >= logits.shape[1]:
        raise MeasureError(
            f"accuracy: got {logits.shape[1]} logits per example, but labels from {y.min()} to {y.max()}. "
            "Give the model one output per class."
        )
    bad = int(np.count_nonzero(~np.isfinite(logits).all(axis=1)))
    if bad:
        raise MeasureError(
            f"accuracy: {bad} of {len(y)} examples have NaN or infinite logits, expected finite numbers. "
            "Look for an overflow (float16) or a division by zero in the exported model."
        )
