"""Measurements into points: pure, so that a grade can be rebuilt from what is stored. What was not measured earns nothing."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from grading.rubrics.loading import ANSWER
from grading.types import ERROR, FAIL, FULL, GATED, PARTIAL, STUDY, Answer, Check, ClaimFinding, Rubric, Slot, Verdict
from projectkit.measure import format_interval, format_value
from projectkit.metrics import METRICS, RATIO_SUFFIX
from projectkit.types import Measurement


def award(
    rubric: Rubric,
    slots: Mapping[str, Slot],
    answers: Mapping[str, Answer],
    problems: Mapping[str, str],
    study: Mapping[str, ClaimFinding] = MappingProxyType({}),
) -> tuple[Verdict, ...]:
    """One verdict a check, in the rubric's order.

    `problems`: why a slot (by name), all answers ("answers"), one exercise ("answers/exercise") or the study ("study") could not
    be graded; it wins over anything measured. Without a measurement and without a problem a check is an error too: it fails
    closed. `study`: what was found about each claim of a study.
    """
    verdicts = [
        _judge_study(check, study, problems) if check.metric == STUDY else _judge(check, slots, answers, problems)
        for check in rubric.checks
    ]
    closed: dict[str, Check] = {}
    for verdict in verdicts:
        if verdict.check.gate and verdict.status in (FAIL, ERROR):
            closed.setdefault(verdict.check.slot, verdict.check)
    unfit = {slot: found.unfit for slot, found in slots.items() if found.unfit}
    return tuple(_gated(_fitting(verdict, unfit), closed) for verdict in verdicts)


def fraction(check: Check, value: float) -> float:
    """The share of the points for `value`: 0 at the floor, 1 at the target, linear between, 0 for what is no finite number."""
    if not math.isfinite(value):
        return 0.0
    # The ends first: the quotient of a value equal to the target may round to just below 1.
    if (value >= check.target) if check.target > check.floor else (value <= check.target):
        return 1.0
    return min(1.0, max(0.0, (value - check.floor) / (check.target - check.floor)))


def _judge(check: Check, slots: Mapping[str, Slot], answers: Mapping[str, Answer], problems: Mapping[str, str]) -> Verdict:
    if check.metric == ANSWER:
        return _judge_answer(check, answers, problems)
    if check.slot in problems:
        return Verdict(check, ERROR, 0.0, None, f"{problems[check.slot]} 0 of {_points(check.points)}.")
    slot = slots.get(check.slot)
    if slot is None:
        return Verdict(check, ERROR, 0.0, None, f"No model was handed in for {check.slot}. 0 of {_points(check.points)}.")
    measured = (slot.ratios if check.relative else slot.profile.values).get(check.metric)
    if measured is None:
        reason = slot.profile.missing.get(check.metric, "it was not measured")
        return Verdict(check, ERROR, 0.0, None, f"{_label(check)}: {reason.rstrip('.')}. 0 of {_points(check.points)}.")
    return _verdict(check, measured, f"{_label(check)} {with_interval(check, measured)}")


def _judge_answer(check: Check, answers: Mapping[str, Answer], problems: Mapping[str, str]) -> Verdict:
    problem = problems.get("answers") or problems.get(f"answers/{check.exercise}")
    answer = answers.get(check.exercise)
    if problem or answer is None:
        reason = problem or f"No answer was handed in for {check.exercise}."
        return Verdict(check, ERROR, 0.0, None, f"{reason} 0 of {_points(check.points)}.")
    measured = Measurement.exact(ANSWER, min(1.0, max(0.0, answer.fraction)))
    return _verdict(check, measured, f"{_value(check, measured.value)} right ({answer.sentence})")


def _judge_study(check: Check, study: Mapping[str, ClaimFinding], problems: Mapping[str, str]) -> Verdict:
    problem, found = problems.get(STUDY) or problems.get(check.slot), study.get(check.claim)
    if problem or found is None:
        reason = problem or "No study was handed in (study.json)."
        return Verdict(check, ERROR, 0.0, None, f"{reason} 0 of {_points(check.points)}.")
    return _verdict(check, Measurement.exact(STUDY, found.value), found.sentence)


def _verdict(check: Check, measured: Measurement, found: str) -> Verdict:
    share = fraction(check, measured.value)
    more = check.target > check.floor
    if check.is_condition:
        status = FULL if share >= 1 else FAIL
        wanted = f"{_value(check, check.target)} or {'more' if more else 'less'}"
        closed = "" if status == FULL else ", or this slot earns nothing"
        return Verdict(check, status, 0.0, measured, f"{found}; expected {wanted}{closed}.")
    status = FULL if share >= 1 else FAIL if share <= 0 else PARTIAL
    points = check.points if status == FULL else share * check.points
    scale = (
        f"full points from {_value(check, check.target)}, none at {_value(check, check.floor)} or less"
        if more
        else f"full points at {_value(check, check.target)} or less, none from {_value(check, check.floor)}"
    )
    return Verdict(check, status, points, measured, f"{found}; {scale}: {_points(points)} of {_points(check.points)}.")


def _fitting(verdict: Verdict, unfit: Mapping[str, str]) -> Verdict:
    """Nothing for a network that is no answer to what the slot asks for, whatever was measured of it."""
    check = verdict.check
    if check.slot not in unfit or verdict.status not in (FULL, PARTIAL):
        return verdict
    found = f"{_label(check)} {with_interval(check, verdict.measured)}: " if verdict.measured and check.metric != STUDY else ""
    message = f"{found}{unfit[check.slot]} So this slot earns nothing: 0 of {_points(check.points)}."
    return Verdict(check, GATED, 0.0, verdict.measured, message)


def _gated(verdict: Verdict, closed: Mapping[str, Check]) -> Verdict:
    gate = closed.get(verdict.check.slot)
    if gate is None or verdict.check is gate or verdict.measured is None or verdict.status not in (FULL, PARTIAL):
        return verdict
    found = f"{_label(verdict.check)} {with_interval(verdict.check, verdict.measured)}"
    how = "earned nothing" if gate.points else "does not hold"
    message = f"{found}, which earns nothing because “{gate.title}” {how}: 0 of {_points(verdict.check.points)}."
    return Verdict(verdict.check, GATED, 0.0, verdict.measured, message)


def metric_name(check: Check) -> str:
    """The name by which the check's value is formatted: ratios to the baseline have their own."""
    if check.metric in (ANSWER, STUDY):
        return "trials" if check.claim == "trials" else "accuracy"
    return check.metric + RATIO_SUFFIX if check.relative else check.metric


def _label(check: Check) -> str:
    return f"The study's claim “{check.claim}”" if check.metric == STUDY else METRICS[check.metric].label


def _value(check: Check, value: float) -> str:
    return format_value(metric_name(check), value)


def with_interval(check: Check, measured: Measurement) -> str:
    """The measured value of a check for a person: "94.2 % [91.3–96.1 %]", "0.26× the baseline's"."""
    value = _value(check, measured.value) + (" the baseline's" if check.relative else "")
    if measured.low == measured.high:
        return value
    return f"{value} [{format_interval(metric_name(check), measured.low, measured.high)}]"


def _points(points: float) -> str:
    return f"{points:.1f}".removesuffix(".0")
