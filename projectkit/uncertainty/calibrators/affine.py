"""Vector and matrix scaling: new logits as a linear function of the old ones."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from projectkit.uncertainty.calibrators.fitting import same_classes
from projectkit.uncertainty.probabilities import labelled_logits, softmax

ITERATIONS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """softmax(weights · z + bias) of each row z. weights: (classes, classes); bias: (classes,)."""

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """(n, classes) logits → (n, classes) probabilities."""
        return softmax(same_classes(logits, len(self.bias)) @ self.weights.T + self.bias)


def vector(logits: np.ndarray, y: np.ndarray) -> Affine:
    """A factor and a bias for each class, by L-BFGS from the identity (Guo et al., 2017). Raises UncertaintyError."""
    logits, y = labelled_logits(logits, y)
    classes = logits.shape[1]

    def slope_of(residual: np.ndarray) -> np.ndarray:
        return np.concatenate([(residual * logits).sum(axis=0), residual.sum(axis=0)])

    def unpack(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.diag(flat[:classes]), flat[classes:]

    return _least_nll(logits, y, np.concatenate([np.ones(classes), np.zeros(classes)]), unpack, slope_of, np.zeros(2 * classes))


def matrix(logits: np.ndarray, y: np.ndarray, *, penalty: float = 0.0) -> Affine:
    """A full matrix and a bias, by L-BFGS from the identity (Guo et al., 2017): with classes² + classes numbers it learns a small
    calibration set by heart.

    penalty: weight of the mean squares of the entries beside the diagonal and of the bias, which holds that back (Kull et al.,
    "Beyond temperature scaling", 2019, as ODIR). Raises UncertaintyError.
    """
    logits, y = labelled_logits(logits, y)
    classes = logits.shape[1]

    def slope_of(residual: np.ndarray) -> np.ndarray:
        return np.concatenate([(residual.T @ logits).ravel(), residual.sum(axis=0)])

    def unpack(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return flat[:-classes].reshape(classes, classes), flat[-classes:]

    beside = (1 - np.eye(classes)).ravel() * penalty / (classes * (classes - 1))
    held = np.concatenate([beside, np.full(classes, penalty / classes)])
    return _least_nll(logits, y, np.concatenate([np.eye(classes).ravel(), np.zeros(classes)]), unpack, slope_of, held)


def _least_nll(
    logits: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    unpack: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    slope_of: Callable[[np.ndarray], np.ndarray],
    held: np.ndarray,
) -> Affine:
    """The Affine with the least NLL + held · parameters², which is convex. slope_of: dNLL/d(new logits) → dNLL/d(parameters)."""
    from scipy.optimize import minimize

    happened, rows = np.eye(logits.shape[1])[y], np.arange(len(y))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = unpack(flat)
        scaled = logits @ weights.T + bias
        shifted = scaled - scaled.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1))
        nll = (log_sum - shifted[rows, y]).mean()
        residual = (np.exp(shifted - log_sum[:, None]) - happened) / len(y)
        return nll + held @ flat**2, slope_of(residual) + 2 * held * flat

    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}).x
    return Affine(*unpack(best))
