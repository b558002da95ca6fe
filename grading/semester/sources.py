"""Lists of scores from CSV files: columns student, score[, item, possible, submitted, deadline], in any order.

The separator may be a comma, a semicolon or a tab, decimals may have a comma: spreadsheets write what their country does.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from grading.errors import GradingError
from grading.results.cells import restored
from grading.results.tables import read_table
from grading.semester.names import key_of
from grading.semester.types import Component, Item, Source

_NUMBER = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,12})?")
STUDENT, TIMES = {"student"}, ("submitted", "deadline")


def read_scores(path: Path, component: Component, points: bool) -> Source:
    """The scores of one component. Without a column `possible` they are out of 100, or of the component's points.

    An empty score is a missing one. Raises GradingError naming the line that cannot be understood, or is there twice.
    """
    columns, rows = _table(path, {"student", "score"}, {"student", "score", "item", "possible", *TIMES})
    usual = component.worth if points else Fraction(100)
    scores: dict[str, dict[str, Item]] = {}
    names: dict[str, str] = {}
    for line, row in rows:
        where = f"{path.name}, line {line}"
        key = _student(row, where, names)
        item = row["item"] if "item" in columns else component.id
        if not item:
            raise GradingError(f"{where}: the item is empty, expected a name such as l01. Fill it in.")
        if item in scores.setdefault(key, {}):
            raise GradingError(
                f"{where}: {names[key]} is there a second time{f' for {item}' if 'item' in columns else ''}, expected once. "
                "Keep the line that counts."
            )
        possible = _number(row["possible"], "possible", where) if row.get("possible") else usual
        earned = _number(row["score"], "score", where) if row["score"] else None
        if not possible or (earned is not None and earned > possible):
            raise GradingError(
                f"{where}: score is {row['score']} of {float(possible):g} possible, expected at most what is possible, above 0. "
                "Correct it, or add a column `possible`."
            )
        scores[key][item] = Item(item, earned, possible, *_times(row, where))
    items = sorted({item for found in scores.values() for item in found}) if "item" in columns else [component.id]
    return Source(component.title, tuple(items), scores, names)


def read_students(path: Path) -> Source:
    """The list of the course's students: column student, others are ignored. Scores nobody."""
    _, rows = _table(path, STUDENT, None)
    names: dict[str, str] = {}
    for line, row in rows:
        where = f"{path.name}, line {line}"
        known = len(names)
        key = _student(row, where, names)
        if len(names) == known:
            raise GradingError(f"{where}: {names[key]} is there a second time, expected once. Keep one line.")
    return Source("list of students", (), {key: {} for key in names}, names)


def read_times(path: Path) -> Mapping[tuple[str, str], tuple[datetime | None, datetime | None]]:
    """When labs were handed in, by student key and lab: columns student, lab, submitted, deadline."""
    _, rows = _table(path, {"student", "lab", *TIMES}, {"student", "lab", *TIMES})
    times: dict[tuple[str, str], tuple[datetime | None, datetime | None]] = {}
    for line, row in rows:
        where = f"{path.name}, line {line}"
        key = (_student(row, where, {}), row["lab"])
        if key in times:
            raise GradingError(f"{where}: {row['student']} is there a second time for {row['lab']}, expected once. Keep one.")
        times[key] = _times(row, where)
    return times


def _table(path: Path, needed: set[str], known: set[str] | None) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """As read_table; the two times come together or not at all."""
    columns, rows = read_table(path, needed, known)
    if len(set(TIMES) & set(columns)) == 1:
        raise GradingError(f"{path.name}: only one of the columns submitted and deadline, expected both or none. Add the other.")
    return columns, rows


def _student(row: Mapping[str, str], where: str, names: dict[str, str]) -> str:
    """The student's key; `names` gets the first spelling."""
    name = restored(row["student"]).strip()
    key = key_of(name)
    if not key or not name.isprintable() or len(name) > 100:
        raise GradingError(f"{where}: student is {name[:60]!r}, expected an e-mail address or an ID. Fill it in.")
    names.setdefault(key, name)
    return key


def _number(text: str, what: str, where: str) -> Fraction:
    if not _NUMBER.fullmatch(text):
        raise GradingError(
            f"{where}: {what} is {text[:60]!r}, expected a number of 0 or more such as 27.5. "
            "Correct it; leave it empty where there is no score."
        )
    return Fraction(text.replace(",", "."))


def _times(row: Mapping[str, str], where: str) -> tuple[datetime | None, datetime | None]:
    submitted, deadline = (_time(row.get(what, ""), what, where) for what in TIMES)
    if submitted and deadline and (submitted.tzinfo is None) != (deadline.tzinfo is None):
        raise GradingError(
            f"{where}: only one of submitted and deadline has a time zone, expected both or none. Write it in both."
        )
    return submitted, deadline


def _time(text: str, what: str, where: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise GradingError(
            f"{where}: {what} is {text[:60]!r}, expected a time such as 2026-11-20 23:59 or 2026-11-20T23:59+01:00. Correct it."
        ) from error
