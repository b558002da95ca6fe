"""The rank of a matrix under noise, estimated by empirical variational Bayes."""

import numpy as np

from projectkit.errors import ModelError

TAU = 2.5129  # the threshold's constant: of τ̲ ≈ 2.5129 √α, Nakajima et al. 2013, section 4


def evbmf_rank(matrix: np.ndarray) -> int:
    """How many singular values stand out of noise, by the global analytic solution of empirical variational Bayesian matrix
    factorization with unknown noise variance (Nakajima et al., "Global analytic solution of fully-observed variational Bayesian
    matrix factorization", JMLR 14, 2013, theorem 2 and corollary 1). 0 where there is nothing but noise.

    matrix: (rows, columns). Raises ModelError for another number of axes and numbers that are not finite.
    """
    from scipy.optimize import minimize_scalar

    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ModelError(f"evbmf: received an array of shape {matrix.shape}; expected a matrix of finite numbers.")
    short, long = sorted(matrix.shape)
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    total = float(squares.sum())
    if total == 0:
        return 0
    alpha = short / long
    tau = TAU * np.sqrt(alpha)
    threshold = (1 + tau) * (1 + alpha / tau)
    most = int(min(np.ceil(short / (1 + alpha)) - 1, short))  # of the components that noise allows to be told
    below = max(
        squares[most] / (long * threshold) if most < short else 0.0,
        float(np.mean(squares[most:])) / long if most < short else 0.0,
    )
    low, high = max(below, 1e-14 * total / (short * long)), total / (short * long)
    if low >= high:
        variance = high
    else:
        found = minimize_scalar(
            lambda log_variance: _free_energy(squares / (long * np.exp(log_variance)), alpha, threshold),
            bounds=(np.log(low), np.log(high)),
            method="bounded",
        )
        variance = float(np.exp(found.x))
    return int(np.sum(squares > long * variance * threshold))


def _free_energy(x: np.ndarray, alpha: float, threshold: float) -> float:
    """The objective of the noise variance, of x = s² / (long · σ²), up to a constant (equation 26 there)."""
    above, below = x[x > threshold], x[x <= threshold]
    shrunk = _tau(above, alpha)
    return float(
        np.sum(below - np.log(below))
        + np.sum(above - shrunk)
        + np.sum(np.log((shrunk + 1) / above))
        + alpha * np.sum(np.log(shrunk / alpha + 1))
    )


def _tau(x: np.ndarray, alpha: float) -> np.ndarray:
    centred = x - (1 + alpha)
    return (centred + np.sqrt(centred**2 - 4 * alpha)) / 2
