"""The observers' own definitions."""

import numpy as np
import pytest

from projectkit.quantize import OBSERVERS, dequantize, quantize, scale_and_zero_point
from projectkit.quantize.observers import mse, percentile

VALUES = np.random.default_rng(0).laplace(size=5000).astype(np.float32)


def error(values, ends, bits):
    scale, zero_point = scale_and_zero_point(*ends, bits=bits)
    return np.mean((dequantize(quantize(values, scale, zero_point, bits=bits), scale, zero_point) - values) ** 2)


def test_minmax_keeps_everything():
    low, high = OBSERVERS["minmax"](VALUES)
    ordered = np.sort(VALUES)
    assert (low, high) == (ordered[0], ordered[-1])


@pytest.mark.parametrize("share", [90.0, 99.0, 99.9])
def test_percentile_cuts_the_same_share_off_on_both_sides(share):
    values = VALUES
    low, high = percentile(values, share=share)
    below, above = np.mean(values < low), np.mean(values > high)
    assert below == pytest.approx((100 - share) / 200, abs=1 / len(values))
    assert above == pytest.approx((100 - share) / 200, abs=1 / len(values))


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_mse_is_never_worse_than_minmax_and_clips_where_that_pays(bits):
    full = OBSERVERS["minmax"](VALUES)
    best = mse(VALUES, bits=bits)
    assert error(VALUES, best, bits) <= error(VALUES, full, bits)
    assert error(VALUES, best, bits) <= min(error(VALUES, (full[0] * s, full[1] * s), bits) for s in (0.9, 0.7, 0.5, 0.3)) * 1.05
    if bits <= 4:
        assert best[1] - best[0] < 0.7 * (full[1] - full[0])


def test_an_outlier_widens_minmax_alone():
    spoilt = np.append(VALUES, 1000)
    assert OBSERVERS["minmax"](spoilt)[1] == 1000
    assert OBSERVERS["percentile"](spoilt)[1] < 12
