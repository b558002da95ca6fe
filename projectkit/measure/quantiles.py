"""Intervals for quantiles that assume nothing about how the samples are distributed."""

import functools
import math

import numpy as np

from projectkit.errors import MeasureError
from projectkit.types import Measurement


def quantile_interval(samples: np.ndarray, q: float, confidence: float = 0.95) -> tuple[float, float]:
    """A distribution-free interval for the `q`-quantile of what `samples` (n,) were drawn from.

    The number of samples below the true quantile is B ~ Binomial(n, q), whatever the distribution. So with the samples
    sorted, x(1) ≤ … ≤ x(n), the interval is [x(lower), x(upper)], where with α = 1 - confidence

        lower     = the smallest k with P(B ≤ k) ≥ α/2
        upper - 1 = the smallest k with P(B ≤ k) ≥ 1 - α/2

    and P(x(lower) ≤ quantile ≤ x(upper)) ≥ confidence (H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed., 2003,
    section 7.1). It needs independent samples. Raises MeasureError when lower = 0 or upper > n: fewer than `least_samples`.
    """
    samples = np.sort(np.asarray(samples, dtype=np.float64))
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise MeasureError(f"quantile_interval: got an array of shape {samples.shape}, expected (n,) finite numbers.")
    if not (0 < q < 1 and 0 < confidence < 1):
        raise MeasureError(f"quantile_interval: got q = {q}, confidence = {confidence}; both must lie between 0 and 1.")
    lower, upper = order_statistics(len(samples), q, confidence)
    if lower < 1 or upper > len(samples):
        raise MeasureError(
            f"quantile_interval: {len(samples)} samples are too few for a {confidence:.0%} interval of the {100 * q:g} % "
            f"quantile. Take {least_samples(q, confidence)} or more."
        )
    return float(samples[lower - 1]), float(samples[upper - 1])


def least_samples(q: float, confidence: float = 0.95) -> int:
    """From how many samples on the `q`-quantile has an interval: 6 for a median, 36 for a p90, 368 for a p99.

    With fewer, even the largest (or the smallest) sample is on the wrong side of the quantile too often: q^n > α/2.
    """
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(q, 1 - q)) - 1e-9)


def quantile(metric: str, samples: np.ndarray, q: float) -> Measurement | None:
    """The `q`-quantile of `samples` (n,) with its 95 % interval; None where there are fewer than `least_samples(q)`."""
    if len(samples) < least_samples(q):
        return None
    low, high = quantile_interval(samples, q)
    return Measurement(metric, float(np.quantile(samples, q)), low, high, len(samples))


@functools.cache
def order_statistics(n: int, q: float, confidence: float) -> tuple[int, int]:
    """The 1-based positions (lower, upper) of the interval's ends among n sorted samples; 0 or n + 1 when there is none."""
    below = _binomial_distribution(n, q)
    tail = (1 - confidence) / 2
    lower = int(np.searchsorted(below, tail))
    upper = int(np.searchsorted(below, 1 - tail)) + 1
    return lower, upper


def _binomial_distribution(n: int, q: float) -> np.ndarray:
    """P(B ≤ k) for k = 0 … n, B ~ Binomial(n, q); in logarithms, because q**n leaves the range of floats."""
    logarithms = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(q) + (n - k) * math.log1p(-q)
        for k in range(n + 1)
    ]
    return np.cumsum(np.exp(logarithms))
