"""Marks against students worked out by hand, and what must hold for every student."""

from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.errors import GradingError
from grading.semester.late import days_late, penalty
from grading.semester.marks import final_mark, plain, round_to
from grading.semester.scheme import HOW, load_scheme
from grading.semester.types import Band, Component, Extension, Item, Late, Rounding, Scheme, Scores

NOON = datetime(2026, 11, 20, 12)
GDANSK, PODGORICA = load_scheme("gdansk_tech"), load_scheme("podgorica")


def item(name, earned, possible=100, late=None):
    times = {} if late is None else {"submitted": NOON + timedelta(hours=late), "deadline": NOON}
    return Item(name, None if earned is None else Fraction(str(earned)), Fraction(possible), **times)


def mark(scheme, **earned):
    """The mark of a student with one item a component, out of 100 or of the component's points."""
    possible = {part.id: part.worth if scheme.points else 100 for part in scheme.components}
    return final_mark(scheme, Scores("Ann", {name: (item(name, value, possible[name]),) for name, value in earned.items()}))


@pytest.mark.parametrize(
    ("laboratory", "colloquy", "project", "total", "rounded", "expected"),
    [
        (100, 100, 100, "100", 100, "5.0"),
        (78, 48, 90, "71.1", 71, "2.0"),  # the colloquy is below its 51
        (51, 51, 51, "51", 51, "3.0"),
        (100, 100, "50.99", "85.297", 85, "2.0"),
        (60, 60, "61.6", "60.48", 60, "3.0"),
        (60, 60, "61.7", "60.51", 61, "3.5"),  # 21 + 21 + 18.51
        (70, 70, 75, "71.5", 72, "4.0"),  # 24.5 + 24.5 + 22.5, a half goes up
        (80, 85, 76, "80.55", 81, "4.5"),  # 28 + 29.75 + 22.8
        (0, 0, 0, "0", 0, "2.0"),
    ],
)
def test_gdansk_tech_by_hand(laboratory, colloquy, project, total, rounded, expected):
    found = mark(GDANSK, laboratory=laboratory, colloquy=colloquy, project=project)
    assert (found.total, found.rounded, found.mark) == (Fraction(total), rounded, expected)
    assert found.passed == (expected != "2.0")


@pytest.mark.parametrize(
    ("seminar", "project", "exam", "total", "expected"),
    [
        (30, 40, 30, "100", "A"),
        (25, 30, 20, "75", "C"),
        (0, 31, 20, "51", "E"),  # nothing is asked of a single part
        ("20.5", 20, 10, "50.5", "E"),  # rounded to 51
        ("20.49", 20, 10, "50.49", "F"),
        (28, 36, "26.5", "90.5", "A"),
        (25, 33, 22, "80", "C"),
        (25, 33, 23, "81", "B"),
    ],
)
def test_podgorica_by_hand(seminar, project, exam, total, expected):
    found = mark(PODGORICA, seminar=seminar, project=project, exam=exam)
    assert (found.total, found.mark, found.passed) == (Fraction(total), expected, expected != "F")


def test_the_sentence_says_which_part_failed():
    assert mark(GDANSK, laboratory=78, colloquy=48, project=90).sentence == (
        "Laboratory 78 % (35 % of the mark), colloquy 48 % (35 % of the mark) – below its 51 %, project 90 % (30 % of the mark); "
        "in sum 71.1 %, rounded to 71: not passed, 2.0."
    )
    assert mark(PODGORICA, seminar=10, project=20, exam="9.5").sentence == (
        "Seminar paper 10 of 30 points, practical project with defense 20 of 40 points, final exam 9.5 of 30 points; "
        "in sum 39.5 points, rounded to 40 – below the 51 that pass: not passed, F."
    )


def test_a_number_never_looks_like_the_threshold_that_it_misses():
    found = mark(GDANSK, laboratory="50.996", colloquy=90, project=90)
    assert "Laboratory 50.996 % (35 % of the mark) – below its 51 %" in found.sentence and not found.passed
    assert plain(Fraction("50.996")) == "51" and plain(Fraction("1e-9"), Fraction(0)) == "0.000000001"


def test_what_is_absent_counts_as_zero_and_is_named():
    found = mark(GDANSK, laboratory=90, colloquy=None, project=90)
    assert found.total == Fraction("58.5") and not found.passed and found.parts[1].absent == ("colloquy",)
    assert "colloquy without a score, counted as 0 (35 % of the mark) – below its 51 %" in found.sentence
    assert final_mark(GDANSK, Scores("Ann", {})).total == 0


def one_part(worth=100, **changes):
    late = changes.pop("late", Late())
    bands = (Band("fail", Fraction(0)), Band("pass", Fraction(50)))
    part = Component("labs", "Labs", Fraction(worth), **changes)
    return Scheme("A course", False, (part,), Fraction(50), bands, Rounding(Fraction(1, 100)), late)


def labs(*items):
    return Scores("Ann", {"labs": items})


def test_best_of_drops_the_lowest_after_lateness():
    late = Late(per_day=Fraction(50))
    items = labs(item("l01", 9, 10), item("l02", 40, 50), item("l03", 10, 10, late=30), item("l04", None, 10))
    # Shares: 0.9, 0.8, two days late so 0, absent 0: of the two zeros the first goes.
    found = final_mark(one_part(drop=1, late=late), items)
    assert found.parts[0].share == Fraction("1.7") / 3
    assert found.parts[0].absent == ("l04",)
    assert "l03 2 days late, 100 % off; without the lowest, l03; no score for l04, counted as 0" in found.sentence
    assert final_mark(one_part(drop=2, late=late), items).parts[0].share == Fraction("0.85")
    with pytest.raises(GradingError, match="only 4 items"):
        final_mark(one_part(drop=4), items)


def test_an_extension_is_for_its_student_and_item_only():
    late = Late(Fraction(10), extensions=(Extension("ann", Fraction(24), "l01"),))
    found = final_mark(one_part(late=late), labs(item("l01", 100, late=20), item("l02", 100, late=20)))
    assert found.parts[0].share == Fraction("0.95")
    bob = final_mark(one_part(late=late), Scores("Bob", {"labs": (item("l01", 100, late=20),)}))
    assert bob.parts[0].share == Fraction("0.9")


@pytest.mark.parametrize(
    ("how", "expected"),
    [("half_up", (3, 3, 2, 1)), ("half_even", (2, 3, 2, 0)), ("up", (3, 3, 3, 1)), ("down", (2, 2, 2, 0))],
)
def test_rounding_of_halves(how, expected):
    values = (Fraction("2.5"), Fraction("2.51"), Fraction("2.49") if how == "up" else Fraction("2.4"), Fraction("0.5"))
    assert tuple(round_to(value, Rounding(how=how)) for value in values) == expected
    # 0.15 is no binary number: with floats, this half would fall to 0.1.
    assert round_to(Fraction("0.15"), Rounding(Fraction("0.1"))) == Fraction("0.2")


@pytest.mark.parametrize(("hours", "days"), [(-5, 0), (0, 0), (2, 0), (2.01, 1), (24, 1), (24.01, 2), (48, 2)])
def test_days_begun_after_the_grace(hours, days):
    late = Late(Fraction(10), grace=Fraction(2))
    assert days_late(NOON + timedelta(hours=hours), NOON, late) == days
    assert days_late(NOON + timedelta(hours=hours + 7), NOON, late, Fraction(7)) == days


percents = st.integers(0, 100).map(Fraction)
shares = st.fractions(0, 1, max_denominator=60)


@given(st.tuples(shares, shares, shares), st.tuples(shares, shares, shares), st.sampled_from([GDANSK, PODGORICA]))
def test_more_points_are_never_a_worse_mark(low, more, scheme):
    high = [min(Fraction(1), a + b) for a, b in zip(low, more, strict=True)]
    order = [band.mark for band in scheme.bands]

    def of(values):
        parts = zip(scheme.components, values, strict=True)
        return final_mark(scheme, Scores("Ann", {part.id: (Item(part.id, value, Fraction(1)),) for part, value in parts}))

    worse, better = of(low), of(high)
    assert order.index(worse.mark) <= order.index(better.mark) and worse.passed <= better.passed
    assert worse.total == sum(part.worth * value for part, value in zip(scheme.components, low, strict=True)) <= better.total


@given(st.lists(st.tuples(shares, st.integers(0, 200)), min_size=1, max_size=6), st.data())
def test_a_better_item_never_lowers_a_component(items, data):
    scheme = one_part(drop=data.draw(st.integers(0, len(items) - 1)), late=Late(Fraction(7), Fraction(60), Fraction(3)))
    index = data.draw(st.integers(0, len(items) - 1))
    better = items.copy()
    better[index] = (data.draw(st.fractions(items[index][0], 1)), data.draw(st.integers(0, items[index][1])))

    def of(values):
        times = [(share, NOON + timedelta(hours=late)) for share, late in values]
        return final_mark(scheme, labs(*(Item(f"l{i}", share, Fraction(1), time, NOON) for i, (share, time) in enumerate(times))))

    before, after = of(items), of(better)
    assert 0 <= before.total <= after.total <= 100


@given(percents, percents, st.integers(0, 500), st.integers(0, 500))
def test_a_penalty_grows_with_the_days_up_to_its_cap(per_day, cap, days, more):
    late = Late(per_day, cap)
    assert 0 <= penalty(late, days) <= penalty(late, days + more) <= cap / 100
    assert penalty(late, 0) == 0


@given(st.integers(-100, 500), st.integers(0, 100), st.integers(0, 48), st.integers(0, 72))
def test_days_late_are_monotone(hours, more, grace, extension):
    late = Late(Fraction(10), grace=Fraction(grace))
    found = days_late(NOON + timedelta(hours=hours), NOON, late, Fraction(extension))
    assert found <= days_late(NOON + timedelta(hours=hours + more), NOON, late, Fraction(extension))
    assert found >= days_late(NOON + timedelta(hours=hours), NOON, late, Fraction(extension + more))


@settings(max_examples=200)
@given(st.fractions(0, 200), st.fractions(0, 5), st.sampled_from(HOW), st.sampled_from(["1", "0.5", "0.1", "5"]))
def test_rounding_is_monotone_near_and_settled(value, more, how, step):
    rounding = Rounding(Fraction(step), how)
    found = round_to(value, rounding)
    assert found <= round_to(value + more, rounding) and round_to(found, rounding) == found
    assert abs(found - value) <= rounding.step / (2 if how.startswith("half") else 1) and (found / rounding.step).denominator == 1


def test_the_weights_of_the_shipped_schemes_sum():
    assert [scheme.maximum for scheme in (GDANSK, PODGORICA)] == [100, 100]
    assert [part.threshold for part in GDANSK.components] == [51, 51, 51]
