"""What `grading run` shows on a terminal. Student text is printed as text: no markup, no control codes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from grading.points.award import with_interval
from grading.points.flags import flags
from grading.results.report import number
from grading.types import FULL, Grade

if TYPE_CHECKING:
    from rich.table import Table


@contextmanager
def progress_bar(submissions: Path) -> Iterator[Callable[[Grade], None]]:
    """Gives a function that is to be called with each grade as it is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    total = sum(path.is_file() for path in submissions.iterdir()) if submissions.is_dir() else 1
    columns = (
        TextColumn("grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("grading", total=total)
        yield lambda grade: bar.advance(task)


def score_table(grades: Sequence[Grade]) -> None:
    """Prints a row for each file: student, lab, points, and the sentence of what went wrong; for a single file that could be
    graded, a row for each check."""
    from rich.console import Console

    Console().print(_checks(grades[0]) if len(grades) == 1 and grades[0].verdicts else _files(grades))


def summary(grades: Sequence[Grade]) -> str:
    """One line a person can act on: how many were graded, refused, failed on our side, and are to be looked at."""
    refused = [grade for grade in grades if grade.error and not grade.ours]
    counts = {
        "graded": sum(grade.error is None for grade in grades),
        "refused (each with its reason in the table)": len(refused),
        "failed through the grader's own fault": sum(grade.ours for grade in grades),
        "to look at (see index.html)": len(flags(grades)),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "graded") + "."


def _checks(grade: Grade) -> "Table":
    from rich.table import Table
    from rich.text import Text

    title = printable(f"{grade.student}, {grade.title}: {number(grade.score)} of {number(grade.possible)} points")
    table = Table("Check", "Measured", title=Text(title), header_style="bold", box=None, pad_edge=False, title_justify="left")
    table.add_column("Points", justify="right")
    for verdict in grade.verdicts:
        measured = with_interval(verdict.check, verdict.measured) if verdict.measured else verdict.message
        points = f"{number(verdict.points)} / {number(verdict.check.points)}"
        if verdict.check.is_condition:
            points = "met" if verdict.status == FULL else "not met"
        table.add_row(*(Text(printable(cell)) for cell in (verdict.check.title, measured, points)))
    return table


def _files(grades: Sequence[Grade]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("File", "Student", "Lab", "Points", "", header_style="bold", box=None, pad_edge=False)
    for grade in grades:
        points = f"{number(grade.score)} / {number(grade.possible)}" if grade.possible else "0"
        remark = grade.error or " ".join(dict.fromkeys(grade.problems.values()))
        table.add_row(*(Text(printable(cell)) for cell in (grade.file, grade.student, grade.lab, points, remark[:160])))
    return table


def printable(text: str) -> str:
    """The text without line breaks and control codes."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
