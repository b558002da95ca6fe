import pytest

from projectkit.measure import format_interval, format_value, pareto
from projectkit.metrics import METRICS


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("size", 12_345, "12.3 kB"),
        ("size", 0, "0 B"),
        ("size", 999, "999 B"),
        ("size", 999_999, "1.00 MB"),
        ("peak_memory", 3.38e6, "3.38 MB"),
        ("latency_p50", 0.000412, "0.412 ms"),
        ("latency_p90", 0.0123, "12.3 ms"),
        ("latency_p50", 5.1e-6, "5.10 µs"),
        ("latency_p50", 2.5, "2.50 s"),
        ("accuracy", 0.9718, "97.2 %"),
        ("accuracy", 1.0, "100.0 %"),
        ("sparsity", 0.0, "0.0 %"),
        ("parameters", 912, "912"),
        ("macs", 53_312, "53.3 k"),
        ("macs", 4.1e9, "4.10 G"),
        ("energy", 1.5e-3, "1.50 mJ"),
        ("latency_ratio", 0.432, "0.432×"),
        ("latency_ratio", 1.0, "1.00×"),
        ("weight_bits", 8, "8 bit"),
        ("weight_bits", 4.625, "4.62 bit"),
        ("score", 3.14159, "3.14"),
    ],
)
def test_values_for_people(metric, value, text):
    assert format_value(metric, value) == text


def test_every_metric_has_a_unit_that_fits_its_own():
    for metric, meaning in METRICS.items():
        text = format_value(metric, 0.5)
        assert text.endswith(meaning.unit) or meaning.unit == ""


@pytest.mark.parametrize(
    ("metric", "low", "high", "text"),
    [
        ("latency_p50", 0.000398, 0.000431, "0.398–0.431 ms"),
        ("latency_p50", 0.00009, 0.00011, "0.0900–0.110 ms"),
        ("accuracy", 0.948, 0.986, "94.8–98.6 %"),
        ("latency_ratio", 0.41, 0.44, "0.410–0.440×"),
        ("size", 500, 500, "500 B"),
        ("size", 900, 1100, "0.900–1.10 kB"),
    ],
)
def test_intervals_in_one_unit(metric, low, high, text):
    assert format_interval(metric, low, high) == text


def test_pareto_optimal_points():
    costs, gains = [4, 1, 2, 3, 2, 5], [0.9, 0.5, 0.7, 0.6, 0.7, 0.9]
    assert pareto(costs, gains) == [1, 2, 4, 0]
    assert pareto([], []) == []
