"""What `grading run` shows on a terminal. Student text is printed as text: no markup, no control codes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from grading.report import number
from grading.types import Grade


@contextmanager
def progress_bar(submissions: Path) -> Iterator[Callable[[Grade], None]]:
    """Gives a function that is to be called with each grade as it is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    total = sum(path.is_file() for path in submissions.iterdir()) if submissions.is_dir() else 1
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("grading", total=total)
        yield lambda grade: bar.advance(task)


def score_table(grades: Sequence[Grade]) -> None:
    """Prints a row for each file: student, lab, points, and the sentence of what went wrong."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("File", "Student", "Lab", "Points", "", header_style="bold", box=None, pad_edge=False)
    for grade in grades:
        points = f"{number(grade.score)} / {number(grade.possible)}" if grade.possible else "0"
        remark = grade.error or " ".join(dict.fromkeys(grade.problems.values()))
        table.add_row(*(Text(_printable(cell)) for cell in (grade.file, grade.student, grade.lab, points, remark[:160])))
    Console().print(table)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
