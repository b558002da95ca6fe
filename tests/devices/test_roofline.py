"""The roofline: by hand, and measured here."""

import math

import pytest

from projectkit.devices.measured_roofline import buffer_beyond_caches, measure_roofline
from projectkit.devices.roofline import Roofline, ridge, seconds
from projectkit.errors import MeasureError

ROOF = Roofline("by hand", 10e9, {"float32": 50e9, "int8": 200e9}, overhead=1e-6)


def test_the_slower_of_arithmetic_and_memory_decides():
    assert seconds(ROOF, 1e6, 1e3, "float32") == pytest.approx(1e6 / 50e9 + 1e-6)
    assert seconds(ROOF, 1e3, 1e6, "float32") == pytest.approx(1e6 / 10e9 + 1e-6)
    assert seconds(ROOF, 0, 0, "int8") == 1e-6
    assert seconds(ROOF, 0, 1e6, "int32") == pytest.approx(1e6 / 10e9 + 1e-6), "what only moves needs no peak"


def test_both_meet_at_the_ridge():
    for dtype, at in (("float32", 5), ("int8", 20)):
        assert ridge(ROOF, dtype) == at
        moved = 1e6
        assert moved * at / ROOF.peaks[dtype] == pytest.approx(moved / ROOF.bandwidth)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bandwidth": 0},
        {"bandwidth": math.nan},
        {"peaks": {}},
        {"peaks": {"float32": -1}},
        {"peaks": {"float32": math.inf}},
        {"overhead": -1e-6},
    ],
)
def test_a_roof_needs_positive_numbers(wrong):
    with pytest.raises(MeasureError, match="positive"):
        Roofline(**{"name": "wrong", "bandwidth": 1e9, "peaks": {"float32": 1e9}} | wrong)


def test_a_type_without_a_peak_is_refused_with_those_that_have_one():
    with pytest.raises(MeasureError, match="float32, int8"):
        seconds(ROOF, 1, 1, "float16")


def test_this_machine_has_a_roof():
    found = measure_roofline(budget=0.6, buffer=2**18)
    assert found.roofline.bandwidth == found.bandwidth.value
    assert dict(found.roofline.peaks) == {dtype: peak.value for dtype, peak in found.peaks.items()}
    assert set(found.peaks) == {"float32", "int8"}
    for one in (found.bandwidth, *found.peaks.values()):
        assert 0 < one.low <= one.value <= one.high and one.n >= 20


def test_memory_is_slower_than_the_cache():
    assert buffer_beyond_caches() >= 2**20
    cache, memory = (measure_roofline(budget=0.6, buffer=buffer).bandwidth.value for buffer in (2**17, None))
    assert memory < cache


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"budget": 0}, {"buffer": 8}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(MeasureError, match="expected"):
        measure_roofline(**wrong)
