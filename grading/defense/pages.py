"""The pages of a defense: dossier, score sheet, index. Self-contained HTML, everything of a student's escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from grading.defense.claims import TOLERANCES, counts, judge_claims
from grading.defense.picture import panels
from grading.defense.points import Other, points_of
from grading.defense.profile_table import class_rows, measuring_remarks, metric_rows, missing_reasons
from grading.defense.report_text import report_html
from grading.defense.types import CONFIRMED, REFUTED, UNMEASURABLE, Appointment, Asked, ScoreSheet, Work
from grading.results.html import template

if TYPE_CHECKING:
    import jinja2

TONES = {CONFIRMED: "full", REFUTED: "fail", UNMEASURABLE: "gated"}


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A line of the index. `sheets`: (juror, page of the juror's score sheet)."""

    work: Work
    appointment: Appointment
    counts: Mapping[str, int]
    sheets: tuple[tuple[str, str], ...]


def dossier_page(work: Work, appointment: Appointment, asked: Sequence[Asked], others: Sequence[Other], *, jury: bool) -> str:
    """The page about one project; the student's copy has no marking guides."""
    from markupsafe import Markup

    points, left_out = points_of(work, others)
    judged = judge_claims(work)
    return _template("dossier.html").render(
        work=work,
        appointment=appointment,
        jury=jury,
        judged=judged,
        counts=counts(judged),
        tones=TONES,
        rows=metric_rows(work),
        missing=missing_reasons(work),
        remarks=measuring_remarks(work),
        plots=[(title, Markup(svg)) for title, svg in panels(points)],  # our own drawing, its texts are escaped there
        compared=sum(point.kind == "class" for point in points),
        left_out=left_out,
        classes=class_rows(work),
        asked=asked,
        report=Markup(report_html(work.report)),
        tolerances=TOLERANCES,
    )


def score_page(work: Work, appointment: Appointment, sheet: ScoreSheet, juror: str) -> str:
    """The page on which one juror scores one project."""
    groups = [(outcome, [one for one in sheet.criteria if one.outcome == outcome]) for outcome in sheet.outcomes]
    return _template("score_sheet.html").render(work=work, appointment=appointment, sheet=sheet, juror=juror, groups=groups)


def index_page(entries: Sequence[IndexEntry], refused: Sequence[tuple[str, str]], sheet: ScoreSheet) -> str:
    """The schedule with links to all pages, day by day."""
    days = [
        (day.strftime("%A, %d %B %Y"), list(group))
        for day, group in groupby(entries, key=lambda entry: entry.appointment.start.date())
    ]
    return _template("index.html").render(rows=entries, days=days, refused=refused, sheet=sheet, tones=TONES)


def _template(name: str) -> "jinja2.Template":
    return template(name, "grading.defense", "grading.results")
