"""The scores of labs, from the folders that `grading run --out OUT` wrote."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from grading.errors import GradingError
from grading.results.cells import restored
from grading.results.files import COLUMNS, read_grade
from grading.semester.names import key_of
from grading.semester.sources import read_times
from grading.semester.types import Component, Item, Source
from grading.types import Grade

DIGITS = 6  # points are sums of floats; beyond this they are noise, which must not decide about a half


@dataclass(slots=True)
class _Read:
    """What the folders read so far hold; `seen` is where a lab of a student came from, `graded` the labs that exist: a zip
    for a lab that nobody knows must not become an item that the whole class lacks."""

    scores: dict[str, dict[str, Item]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    seen: dict[tuple[str, str], str] = field(default_factory=dict)
    graded: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def read_labs(outs: Sequence[Path], component: Component, times: Path | None = None) -> Source:
    """The labs of every folder in `outs`, with the times of handing in from the CSV `times`.

    Where a student has a lab in two folders, the later one counts, and a note says so; in one folder what grades.csv counts. A
    file that nobody could be found for becomes a note. Raises GradingError when a folder holds no results, or a damaged one.
    """
    read = _Read()
    for out in outs:
        for grade in _counting(out):
            _add(read, grade, f"{out.name}/{grade.file}")
    if times is not None:
        _add_times(read, read_times(times))
    return Source(component.title, tuple(sorted(read.graded)), read.scores, read.names, tuple(read.notes))


def _counting(out: Path) -> list[Grade]:
    """The grades that the folder's last run counts, in the order of its grades.csv."""
    path = out / "grades.csv"
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GradingError(
            f"{path}: cannot be read ({error}), expected the table that `grading run --out {out.name}` writes. "
            "Check the path, or let the run finish."
        ) from error
    wrong = [number for number, row in enumerate(rows, 2) if set(row) != set(COLUMNS) or None in row.values()]
    if wrong:
        raise GradingError(f"{path}, row {wrong[0]}: not a row of `grading run`, expected {', '.join(COLUMNS)}. Run it again.")
    counting = [restored(row["report"]) for row in rows if row["counts"] == "yes"]
    return [read_grade(out / Path(report).with_suffix(".json")) for report in counting]


def _add(read: _Read, grade: Grade, where: str) -> None:
    if grade.error:
        read.notes.append(f"{where}{f' of {grade.student}' if grade.student else ''} was not graded: {grade.error}")
    if not grade.student or not grade.lab:
        return
    key = key_of(grade.student)
    name = read.names.setdefault(key, grade.student)
    if (key, grade.lab) in read.seen:
        if grade.error:
            return  # what could not be graded does not push out what could
        read.notes.append(f"{name} has {grade.lab} twice: {where} counts, {read.seen[key, grade.lab]} does not.")
    read.seen[key, grade.lab] = where
    if not grade.error:
        read.graded.add(grade.lab)
    possible = Fraction(f"{grade.possible:.{DIGITS}f}")
    # A file that could not be graded has no possible points; it is 0 whatever they would have been.
    earned = Fraction(f"{grade.score:.{DIGITS}f}") if possible else Fraction(0)
    read.scores.setdefault(key, {})[grade.lab] = Item(grade.lab, earned, possible or Fraction(1))


def _add_times(read: _Read, times: Mapping[tuple[str, str], tuple[datetime | None, datetime | None]]) -> None:
    for (key, lab), (submitted, deadline) in times.items():
        item = read.scores.get(key, {}).get(lab)
        if item is None:
            read.notes.append(f"A time of handing in is given for {read.names.get(key, key)}, {lab}, but no such lab was graded.")
        else:
            read.scores[key][lab] = replace(item, submitted=submitted, deadline=deadline)
