"""What every observer promises. A new member of OBSERVERS is held to it by being there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from projectkit.quantize import OBSERVERS, dequantize, quantize, scale_and_zero_point

VALUES = arrays.arrays(
    np.float32, st.integers(1, 300), elements=st.floats(-1000, 1000, width=32, allow_nan=False, allow_subnormal=False)
)
SAMPLES = {
    "normal": np.random.default_rng(0).normal(size=20_000),
    "relu": np.maximum(np.random.default_rng(1).normal(size=20_000), 0),
    "laplace": np.random.default_rng(2).laplace(size=20_000),
    "uniform": np.random.default_rng(3).uniform(2, 5, 20_000),
}


@pytest.fixture(params=OBSERVERS)
def observe(request):
    return OBSERVERS[request.param]


@pytest.mark.parametrize("name", OBSERVERS)
@settings(max_examples=60, deadline=None)
@given(values=VALUES)
def test_gives_an_ordered_range_that_a_grid_can_cover(name, values):
    low, high = OBSERVERS[name](values)
    assert low <= high
    scale, zero_point = scale_and_zero_point(low, high)
    assert scale > 0
    assert -128 <= zero_point <= 127


@pytest.mark.parametrize("name", OBSERVERS)
@settings(max_examples=60, deadline=None)
@given(values=VALUES)
def test_reaches_no_further_than_the_values_and_zero(name, values):
    low, high = OBSERVERS[name](values)
    assert min(values.min(), 0) <= low
    assert high <= max(values.max(), 0)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_grid_of_the_range_holds_the_bulk(observe, sample):
    values = SAMPLES[sample]
    low, high = observe(values)
    assert np.mean((values >= min(low, 0)) & (values <= max(high, 0))) > 0.98


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_order_of_the_values_does_not_matter(observe, sample):
    values = SAMPLES[sample]
    assert observe(values) == pytest.approx(observe(np.sort(values)), rel=1e-6)


@pytest.mark.parametrize("sample", SAMPLES)
def test_is_equivariant_to_units(observe, sample):
    low, high = observe(SAMPLES[sample])
    assert observe(SAMPLES[sample] * 64) == pytest.approx((low * 64, high * 64), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("sample", SAMPLES)
def test_keeps_eight_bits_useful(observe, sample):
    """The round trip through the observed range keeps the values: a signal-to-noise ratio above 25 dB."""
    values = SAMPLES[sample]
    scale, zero_point = scale_and_zero_point(*observe(values))
    error = dequantize(quantize(values, scale, zero_point), scale, zero_point) - values
    assert 10 * np.log10(np.mean(values**2) / np.mean(error**2)) > 25
