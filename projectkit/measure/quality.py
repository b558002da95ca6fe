"""Accuracy, and fidelity to another network, with their intervals."""

import math

import numpy as np

from projectkit.errors import MeasureError
from projectkit.types import Z95, Measurement


def accuracy(logits: np.ndarray, y: np.ndarray) -> Measurement:
    """The share of examples whose largest logit is the label, with the interval of `Measurement.share`.

    logits: (n, classes) floats; y: (n,) integer labels. Raises MeasureError on other shapes, on labels outside
    [0, classes), and on logits that are not finite.
    """
    logits, y = np.asarray(logits), np.asarray(y)
    _check(logits, y)
    return Measurement.share("accuracy", int(np.count_nonzero(np.argmax(logits, axis=1) == y)), len(y))


def fidelity(logits: np.ndarray, others: np.ndarray, y: np.ndarray) -> Measurement:
    """How much a network knows what another one knows beyond the labels: the mean over the images of the correlation of their
    logits for the wrong classes, with an interval of the normal distribution.

    A label says nothing of the wrong classes, so that networks which were trained apart agree on them by half; one that was
    taught by the other, or was made from it, agrees more. (Hinton et al., "Distilling the knowledge in a neural network", 2015,
    section 1, on what lies in these answers; Stanton et al., "Does knowledge distillation really work?", 2021, on fidelity.)

    logits, others: (n, classes) floats of the two; y: (n,) integer labels. Raises MeasureError as `accuracy` does.
    """
    logits, others, y = np.asarray(logits), np.asarray(others), np.asarray(y)
    for one in (logits, others):
        _check(one, y)
    each = correlations(logits, others, y)
    middle, half = float(each.mean()), Z95 * float(each.std()) / math.sqrt(len(each))
    return Measurement("fidelity", middle, middle - half, middle + half, len(each))


def correlations(logits: np.ndarray, others: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) correlations of two networks' logits (n, classes) for the wrong classes, image by image; 0 where one says nothing."""
    mine, theirs = (wrong_classes(one, y) for one in (logits, others))
    lengths = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
    products: np.ndarray = (mine * theirs).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return products


def wrong_classes(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, classes − 1): the logits of the classes that are not the label, less their mean."""
    wrong = np.arange(logits.shape[1]) != y[:, None]
    rows = logits[wrong].reshape(len(logits), -1).astype(np.float64)
    centred: np.ndarray = rows - rows.mean(axis=1, keepdims=True)
    return centred


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
