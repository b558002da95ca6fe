"""Probabilities and logits as NumPy arrays, held to what every score, calibrator and sampler counts on."""

import numpy as np

from projectkit.errors import UncertaintyError

TOLERANCE = 1e-3  # what float32 and the mean of some hundred softmaxes may be off from a sum of one


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(z_c) / Σ_k exp(z_k) over the last axis, as float64: (…, classes) → (…, classes). Raises UncertaintyError for NaN."""
    logits = finite_logits(logits)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def finite_logits(logits: np.ndarray) -> np.ndarray:
    """`logits`, (…, classes), as float64. Raises UncertaintyError for no numbers, fewer than two classes, and NaN."""
    array = _numbers(logits, "logits", "(n, classes)")
    if array.ndim < 1 or array.shape[-1] < 2 or not array.size:
        raise UncertaintyError(
            f"Received logits of shape {array.shape}; expected (n, classes) with n ≥ 1 and at least two classes. Give one row an "
            "image, one column a class."
        )
    bad = int(np.count_nonzero(~np.isfinite(array).all(axis=-1)))
    if bad:
        raise UncertaintyError(
            f"Received NaN or infinite logits in {bad} of {array.size // array.shape[-1]} rows; expected finite numbers. Look "
            "for an overflow (float16), a division by zero, or a training that diverged."
        )
    return array


def valid_probabilities(probs: np.ndarray, *, axes: int = 2) -> np.ndarray:
    """`probs` as float64: (n, classes), or (samples, n, classes) with `axes` 3.

    Raises UncertaintyError for another shape, NaN, a number outside [0, 1], or a row whose sum is not 1 within TOLERANCE.
    """
    expected = "(n, classes)" if axes == 2 else "(samples, n, classes)"
    array = _numbers(probs, "probabilities", expected)
    if array.ndim != axes or array.shape[-1] < 2 or not array.size:
        raise UncertaintyError(
            f"Received probabilities of shape {array.shape}; expected {expected} with n ≥ 1 and at least two classes. "
            + ("Take the mean over the samples first." if array.ndim > axes else "Give one row an image, one column a class.")
        )
    if not np.isfinite(array).all():
        raise UncertaintyError(
            "Received NaN or infinite probabilities; expected numbers in [0, 1]. Look at the logits that they come from."
        )
    low, high, sums = array.min(), array.max(), array.sum(axis=-1)
    worst = float(sums.flat[np.abs(sums - 1).argmax()])
    if low < -TOLERANCE or high > 1 + TOLERANCE or abs(worst - 1) > TOLERANCE:
        raise UncertaintyError(
            f"Received rows with numbers from {low:.4g} to {high:.4g}, one of which sums to {worst:.4g}; expected probabilities: "
            "in [0, 1], each row with the sum 1. Give softmax(logits)."
        )
    return array


def valid_labels(y: np.ndarray, count: int, classes: int) -> np.ndarray:
    """`y` as an array of `count` integers in [0, classes). Raises UncertaintyError otherwise."""
    y = np.asarray(y)
    if y.shape != (count,) or not np.issubdtype(y.dtype, np.integer):
        raise UncertaintyError(
            f"Received labels of shape {y.shape} and type {y.dtype}; expected ({count},) integers. Give one label for each row."
        )
    if y.min() < 0 or y.max() >= classes:
        raise UncertaintyError(
            f"Received labels from {y.min()} to {y.max()}; expected 0 to {classes - 1}, as there are {classes} classes. Number "
            "the classes from 0."
        )
    return y


def labelled_probabilities(probs: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, classes) probabilities and their (n,) labels. Raises UncertaintyError where these are none."""
    probs = valid_probabilities(probs)
    return probs, valid_labels(y, *probs.shape)


def labelled_logits(logits: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, classes) logits and their (n,) labels. Raises UncertaintyError where these are none."""
    logits = two_axes(logits)
    return logits, valid_labels(y, *logits.shape)


def two_axes(logits: np.ndarray) -> np.ndarray:
    """`logits`, (n, classes), as float64. Raises UncertaintyError for another shape and for NaN."""
    logits = finite_logits(logits)
    if logits.ndim != 2:
        raise UncertaintyError(f"Received logits of shape {logits.shape}; expected (n, classes). Give one row an image.")
    return logits


def _numbers(values: object, what: str, shape: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise UncertaintyError(f"Received {what} of type {array.dtype}; expected an array {shape} of numbers. Give floats.")
    return array.astype(np.float64)
