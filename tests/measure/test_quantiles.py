"""From how many samples on a quantile is given, and that one of fewer is not."""

import numpy as np
import pytest

from projectkit.measure import least_samples, quantile, quantile_interval
from projectkit.measure.quantiles import order_statistics


@pytest.mark.parametrize(("q", "fewest"), [(0.5, 6), (0.9, 36), (0.1, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_the_least_number_is_the_first_whose_interval_ends_at_samples(q, fewest):
    assert least_samples(q) == fewest
    lower, upper = order_statistics(fewest, q, 0.95)
    assert lower >= 1 and upper <= fewest
    lower, upper = order_statistics(fewest - 1, q, 0.95)
    assert lower < 1 or upper > fewest - 1


def test_a_quantile_is_given_with_its_interval_or_not_at_all():
    samples = np.random.default_rng(0).lognormal(size=400)
    found = quantile("latency_p99", samples, 0.99)
    assert found.value == np.quantile(samples, 0.99) and (found.low, found.high) == quantile_interval(samples, 0.99)
    assert (found.metric, found.n) == ("latency_p99", 400)
    assert quantile("latency_p99", samples[:367], 0.99) is None and quantile("latency_p50", samples[:5], 0.5) is None


def test_the_slowest_of_thirty_is_no_99th_percentile():
    """Why: it is below the true one in three of four runs."""
    rng, truth = np.random.default_rng(0), -np.log(0.01)
    below = np.mean([rng.exponential(size=30).max() < truth for _ in range(2000)])
    assert 0.7 < below < 0.78
