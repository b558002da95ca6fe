"""The pages that people read: one for each student, one for the class. Self-contained HTML, everything of a student's escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from grading.points.award import metric_name
from grading.points.doubts import remarks_of_the_run
from grading.points.flags import Flag
from grading.results.html import template
from grading.rubrics.loading import ANSWER
from grading.types import Check, Grade, Verdict
from grading.workers import turns
from projectkit.measure import format_interval, format_value
from projectkit.metrics import METRICS

MARGIN = 0.3  # of the way from floor to target, drawn beyond both
WORDS = {"full": "full points", "partial": "part of the points", "fail": "no points", "error": "not graded", "gated": "locked"}
CONDITION = {"full": "met", "fail": "not met"}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check as the page shows it. Positions are percent of the scale's width; the target is always to the right."""

    verdict: Verdict
    subject: str
    word: str
    earned: str
    points: str
    share: float
    value: str = ""
    interval: str = ""
    floor: str = ""
    target: str = ""
    position: float | None = None
    low: float = 0.0
    high: float = 0.0
    claim: str = ""


def student_page(grade: Grade) -> str:
    """The page of one submission, as HTML."""
    rows = [_row(verdict, grade) for verdict in grade.verdicts]
    share = grade.score / grade.possible if grade.possible else 0.0
    return template("student.html").render(
        grade=grade,
        models=[row for row in rows if row.verdict.check.slot],
        exercises=[row for row in rows if row.verdict.check.exercise],
        score=number(grade.score),
        possible=number(grade.possible),
        percent=100 * share,
        claims=_claims(grade),
        timed=_timed(grade),
        scale_floor=_position(0.0),
        scale_target=_position(1.0),
    )


def overview_page(grades: Sequence[Grade], replaced: Mapping[str, str], flags: Sequence[Flag] = ()) -> str:
    """The page of the class, as HTML. `replaced`: files that do not count, and the ones that do instead; `flags`: what the
    instructor may want to look at."""
    shares = [g.score / g.possible for g in grades if g.possible and g.file not in replaced]
    rows = [
        (g, number(g.score), number(g.possible), 100 * g.score / g.possible if g.possible else 0.0, _remark(g)) for g in grades
    ]
    return template("overview.html").render(
        rows=rows,
        replaced=replaced,
        flags=flags,
        remarks=list(remarks_of_the_run(grades)),
        graded=len(shares),
        median=100 * median(shares) if shares else None,
        bins=_bins(shares),
    )


def number(points: float) -> str:
    """Points with at most one decimal."""
    return f"{points:.1f}".removesuffix(".0")


def _row(verdict: Verdict, grade: Grade) -> CheckRow:
    check, measured = verdict.check, verdict.measured
    shown = metric_name(check)
    subject = check.slot or check.exercise
    share = 100 * verdict.points / check.points if check.points else 0.0
    word = (CONDITION if check.is_condition else WORDS).get(verdict.status, WORDS[verdict.status])
    plain = CheckRow(verdict, subject, word, number(verdict.points), number(check.points), share)
    plain_claim = _claim(check, grade)
    floor, target = format_value(shown, check.floor), format_value(shown, check.target)
    limited = replace(plain, floor=floor, target=target, claim=plain_claim)
    if measured is None or check.is_condition:  # which has no scale between none and all
        return limited

    def place(value: float) -> float:
        return _position((value - check.floor) / (check.target - check.floor))

    ends = sorted((place(measured.low), place(measured.high)))
    return replace(
        limited,
        value=format_value(shown, measured.value),
        interval=format_interval(shown, measured.low, measured.high) if measured.low < measured.high else "",
        position=place(measured.value),
        low=ends[0],
        high=ends[1],
    )


def _timed(grade: Grade) -> str:
    """How undisturbed the latencies were; nothing when none was measured."""
    slots = grade.measured.get("slots", {})
    if not any("latency_p50" in slot["profile"]["values"] for slot in slots.values()):
        return ""
    alone = "while no other worker of this grader did anything" if turns.KEPT else "while other workers may have been at work"
    remarks = [f"{name}: {remark}" for name, slot in slots.items() for remark in slot["remarks"]]
    return " ".join([f"On one core, {alone}.", *remarks])


def _position(progress: float) -> float:
    """Where a value stands on the scale, in percent: progress is 0 at the floor and 1 at the target; the ends clamp."""
    return 100 * min(1.0, max(0.0, (progress + MARGIN) / (1 + 2 * MARGIN)))


def _claim(check: Check, grade: Grade) -> str:
    """What the student claimed for this check, by the name "slot/metric". Only absolute values are claimed."""
    claimed = grade.claims.get(f"{check.slot}/{check.metric}")
    return format_value(check.metric, claimed) if claimed is not None and check.metric != ANSWER else ""


def _claims(grade: Grade) -> list[tuple[str, str, str]]:
    """(claim, claimed, measured) for the table of claims; what nobody measured says so."""
    rows = []
    for name, claimed in sorted(grade.claims.items()):
        slot, _, metric = name.rpartition("/")
        found = grade.measured_of(slot, metric)
        known = metric if metric in METRICS else ""
        rows.append((name, format_value(known, claimed), format_value(known, found["value"]) if found else "not measured"))
    return rows


def _remark(grade: Grade) -> str:
    return grade.error or " ".join(dict.fromkeys(grade.problems.values()))


def _bins(shares: Sequence[float]) -> list[tuple[str, int, float]]:
    """(label, count, percent of the fullest) of ten bins of the score."""
    counts = [0] * 10
    for share in shares:
        counts[min(9, int(share * 10))] += 1
    return [(f"{10 * i}–{10 * i + 10} %", count, 100 * count / max(*counts, 1)) for i, count in enumerate(counts)]
