"""Properties of awarding: bounded, monotone, nothing at the floor, all at the target, nothing for what was not measured."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.points.award import award, fraction
from grading.results.report import student_page
from grading.types import Answer, Check, Grade, Limits, Rubric, Slot
from projectkit.types import Artifact, Measurement, Profile

numbers = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def checks(draw, **fixed):
    floor = draw(numbers)
    target = draw(numbers.filter(lambda value: abs(value - floor) > 1e-6))
    return Check("c", "A check", "latency_p50", floor, target, draw(st.floats(0, 100)), slot="s", **fixed)


def rubric(*rows: Check) -> Rubric:
    return Rubric("lab", "Lab", "quick", "digits", rows, Limits(), "0")


def slot(**values: float) -> Slot:
    measured = {metric: Measurement.exact(metric, value) for metric, value in values.items()}
    return Slot(Profile(Artifact("m.onnx", "onnx", "0", 1), "here", measured, {"energy": "no meter here."}))


@given(checks(), numbers)
def test_points_are_bounded_and_say_so(check, value):
    (verdict,) = award(rubric(check), {"s": slot(latency_p50=value)}, {}, {})
    assert 0 <= verdict.points <= check.points
    assert verdict.status in ("full", "partial", "fail")
    assert verdict.message.endswith(".")


@given(checks(), numbers, numbers)
def test_better_never_earns_less(check, one, other):
    better, worse = (max(one, other), min(one, other)) if check.target > check.floor else (min(one, other), max(one, other))
    assert fraction(check, better) >= fraction(check, worse)


@given(checks())
def test_floor_earns_nothing_and_target_everything(check):
    assert fraction(check, check.floor) == 0
    assert fraction(check, check.target) == 1
    (verdict,) = award(rubric(check), {"s": slot(latency_p50=check.target)}, {}, {})
    assert verdict.points == check.points and verdict.status == "full"


@given(checks(), st.floats(0, 1))
def test_linear_between(check, share):
    value = check.floor + share * (check.target - check.floor)
    assert fraction(check, value) == pytest.approx(share, abs=1e-5)


@given(checks(), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_no_number_earns_nothing(check, value):
    assert fraction(check, value) == 0


GATE = Check("gate", "Right often enough", "accuracy", 0.5, 0.9, 10, slot="s", gate=True)
SIZE = Check("size", "Small", "size", 1000, 100, 10, slot="s")
OTHER = Check("other", "Small too", "size", 1000, 100, 10, slot="t")
ENERGY = Check("energy", "Frugal", "energy", 2, 1, 10, slot="s")
RATIO = Check("ratio", "Faster", "latency_p50", 1, 0.5, 10, slot="s", relative=True)
ANSWER = Check("answer", "Affine", "answer", 0.5, 1, 10, exercise="affine")


def statuses(verdicts) -> dict[str, tuple[str, float]]:
    return {verdict.check.id: (verdict.status, verdict.points) for verdict in verdicts}


@pytest.mark.parametrize(
    ("accuracy", "expected"), [(0.5, ("gated", 0)), (0.49, ("gated", 0)), (0.51, ("full", 10)), (0.95, ("full", 10))]
)
def test_a_gate_closes_its_slot_and_no_other(accuracy, expected):
    verdicts = award(rubric(SIZE, GATE, OTHER), {"s": slot(accuracy=accuracy, size=10), "t": slot(size=10)}, {}, {})
    assert statuses(verdicts)["size"] == expected
    assert statuses(verdicts)["other"] == ("full", 10)
    if expected[0] == "gated":
        assert GATE.title in verdicts[0].message


@pytest.mark.parametrize(("accuracy", "word"), [(0.9, "met"), (0.89, "not met"), (0.3, "not met")])
def test_a_condition_holds_or_closes_its_slot_and_has_no_part_of_the_points(accuracy, word):
    condition = replace(GATE, points=0)
    verdicts = award(rubric(condition, SIZE), {"s": slot(accuracy=accuracy, size=10)}, {}, {})
    held = word == "met"
    assert statuses(verdicts) == {"gate": ("full" if held else "fail", 0), "size": ("full", 10) if held else ("gated", 0)}
    page = student_page(Grade("a.zip", "a", "Ann", "lab", verdicts=verdicts))
    assert f'<span class="word">{word}</span>' in page and "of 0" not in page


def test_a_gate_that_was_not_measured_is_closed():
    assert statuses(award(rubric(GATE, SIZE), {"s": slot(size=10)}, {}, {})) == {"gate": ("error", 0), "size": ("gated", 0)}


def test_what_is_missing_is_an_error_with_its_reason():
    verdicts = award(rubric(ENERGY, RATIO, OTHER, ANSWER), {"s": slot(latency_p50=1)}, {}, {})
    assert {status for status, _ in statuses(verdicts).values()} == {"error"}
    assert sum(verdict.points for verdict in verdicts) == 0
    assert "no meter here" in verdicts[0].message and "No model" in verdicts[2].message and "affine" in verdicts[3].message


def test_a_problem_wins_over_a_measurement():
    verdicts = award(
        rubric(SIZE, ANSWER), {"s": slot(size=1)}, {"affine": Answer(1.0, "")}, {"s": "Broken.", "answers": "Pickle."}
    )
    assert statuses(verdicts) == {"size": ("error", 0), "answer": ("error", 0)}
    assert verdicts[0].message.startswith("Broken.") and verdicts[1].message.startswith("Pickle.")
    (spoilt,) = award(rubric(ANSWER), {}, {"affine": Answer(1.0, "")}, {"answers/affine": "Text."})
    assert spoilt.status == "error"


def test_relative_checks_use_the_ratio():
    measured = Slot(slot(latency_p50=9.0).profile, {"latency_p50": Measurement("latency_p50_ratio", 0.75, 0.7, 0.8, 100)})
    (verdict,) = award(rubric(RATIO), {"s": measured}, {}, {})
    assert verdict.status == "partial" and verdict.points == pytest.approx(5)
    assert "baseline" in verdict.message and "0.750×" in verdict.message
