"""How often a model is right."""

import math

import numpy as np

from projectkit.errors import MeasureError
from projectkit.types import Measurement

Z95 = 1.959963984540054  # the 97.5 % quantile of the standard normal


def accuracy(logits: np.ndarray, y: np.ndarray) -> Measurement:
    """The share of examples whose largest logit is the label, with its 95 % Wilson score interval.

    logits: (n, classes) floats; y: (n,) integer labels. The interval (E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", JASA 22, 1927) keeps its coverage near 0 and 1, where p ± 1.96 √(p(1-p)/n) does not.
    Raises MeasureError on other shapes, on labels outside [0, classes), and on logits that are not finite.
    """
    logits, y = np.asarray(logits), np.asarray(y)
    _check(logits, y)
    correct = int(np.count_nonzero(np.argmax(logits, axis=1) == y))
    low, high = wilson(correct, len(y))
    return Measurement("accuracy", correct / len(y), low, high, len(y))


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion."""
    share = successes / trials
    shrink = 1 + Z95**2 / trials
    center = (share + Z95**2 / (2 * trials)) / shrink
    half = Z95 / shrink * math.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
    # The interval always contains the share; at 0 and 1 rounding could put it a last bit outside.
    return max(0.0, min(center - half, share)), min(1.0, max(center + half, share))


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
