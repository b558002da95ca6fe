"""Numbers as students write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.colloquy.answers import read_number


@pytest.mark.parametrize(
    ("text", "unit", "whole", "value"),
    [
        ("0.25", "", False, 0.25),
        ("0,25", "", False, 0.25),
        (",5", "", False, 0.5),
        ("1,024", "", False, 1.024),
        ("1,024", "", True, 1024),
        ("589.824", "MAC", True, 589824),
        ("1 234 567", "", True, 1234567),
        ("1\u00a0234\u202f567", "", True, 1234567),
        ("1'234'567", "", True, 1234567),
        ("1,234,567", "", False, 1234567),
        ("1.234,5", "", False, 1234.5),
        ("1,234.5", "", False, 1234.5),
        ("−12", "", True, -12),
        ("'-12", "", True, -12),
        ("x = 3,5", "", False, 3.5),
        ("≈ 3.5 ms", "ms", False, 3.5),
        ("0.0035 s", "ms", False, 3.5),
        ("3500 µs", "ms", False, 3.5),
        ("1.2e-3", "", False, 0.0012),
        ("1.2·10^-3", "", False, 0.0012),
        ("1.2 × 10^(−3)", "", False, 0.0012),
        ("3/8", "", False, 0.375),
        ("25 %", "fraction", False, 0.25),
        ("25%", "fraction", False, 0.25),
        ("25", "fraction", False, 25),
        ("25", "%", False, 25),
        ("25 %", "%", False, 25),
        ("0.25 fraction", "%", False, 25),
        ("2 Wh", "J", False, 7200),
        ("1.5 kWh", "kWh", False, 1.5),
        ("2048 bytes", "KiB", False, 2),
        ("4.5 MMACs", "MAC", False, 4.5e6),
        ("1.555 MMAC", "MAC", True, 1.555e6),
        ("1.555e6", "MAC", True, 1.555e6),
        ("12 images/s", "", False, 12),
        ("19 bits", "bits", True, 19),
    ],
)
def test_spellings(text, unit, whole, value):
    assert read_number(text, unit, whole) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", ""),
        ("about ten", ""),
        ("3 or 4", ""),
        ("1/0", ""),
        ("1,2,3", ""),
        ("5 ms", "mJ"),
        ("5 apples", ""),
        ("3..5", ""),
        ("nan", ""),
        ("9" * 400, ""),
    ],
)
def test_a_person_reads_what_is_no_number(text, unit):
    with pytest.raises(ValueError):
        read_number(text, unit)


def test_milli_and_mega_are_not_the_same():
    assert read_number("5 MJ", "mJ") == pytest.approx(5e9) and read_number("5 mJ", "mJ") == 5


@given(st.floats(-1e12, 1e12, allow_nan=False), st.sampled_from([".", ","]))
def test_every_printed_number_is_read_back(value, mark):
    assert read_number(f"{value:.6e}".replace(".", mark)) == pytest.approx(value, rel=1e-6, abs=1e-300)


@given(st.text(max_size=30))
def test_any_text_is_a_finite_number_or_for_a_person(text):
    try:
        value = read_number(text, "ms", True)
    except ValueError:
        return
    assert math.isfinite(value)
