"""Moodle's offline grading worksheet: which column is which, and who is in it. Its header is in the downloader's language.

Source: mod/assign/gradingtable.php (columns), feedback/offline/importgradeslib.php (what is read back).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.errors import GradingError
from grading.moodle.cells import Table, read_table

# English and Russian language packs. In other languages the columns that hold numbers are found by what is in them.
HEADERS: Mapping[str, frozenset[str]] = {
    "identifier": frozenset({"identifier", "идентификатор"}),
    "name": frozenset({"full name", "полное имя"}),
    "id_number": frozenset({"id number", "индивидуальный номер"}),
    "email": frozenset({"email address", "адрес электронной почты"}),
    "group": frozenset({"group", "группа"}),
    "grade": frozenset({"grade", "оценка"}),
    "maximum": frozenset({"maximum grade", "максимальная оценка"}),
    "scale": frozenset({"scale", "шкала"}),
    "open": frozenset({"grade can be changed", "оценка может быть изменена"}),
    "comment": frozenset({"feedback comments", "отзыв в виде комментария"}),
}
_LOCKED = frozenset({"no", "нет", "nie", "nein", "non", "não", "nej"})
_OPEN = frozenset({"yes", "да", "tak", "ja", "oui", "sim", "sí", "sì"})
_IDENTIFIER = re.compile(r"(?P<label>.*?)\s*(?P<number>\d+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Person:
    """A row of the worksheet. `row` is its index in the table; what the worksheet has no column for is "" (`maximum`: None).

    `label` is what stands before the number in the identifier ("Participant"), `open` whether the grade can be changed.
    """

    row: int
    number: str
    label: str
    name: str
    email: str
    id_number: str
    group: str
    grade: str
    maximum: float | None
    open: bool
    comment: str


@dataclass(frozen=True, slots=True)
class Worksheet:
    """The worksheet's table, its columns by the keys of HEADERS, its people, its decimal sign, and what is odd about it."""

    table: Table
    columns: Mapping[str, int]
    people: tuple[Person, ...]
    decimal: str
    remarks: tuple[str, ...]


def read_worksheet(
    path: str | Path, *, encoding: str | None = None, grade_column: str | None = None, comment_column: str | None = None
) -> Worksheet:
    """The grading worksheet at `path`, as downloaded. `grade_column` and `comment_column` are headers to use instead of what
    is found. Raises GradingError when the file cannot be read or nobody's identifier can."""
    path = Path(path)
    table = read_table(path, _known, encoding)
    columns = _columns(table, {"grade": grade_column, "comment": comment_column})
    people: list[Person] = []
    remarks: list[str] = []
    for index, row in enumerate(table.rows[1:], start=1):
        if len(row) != len(table.rows[0]):
            remarks.append(f"Row {index + 1} has {len(row)} cells, expected {len(table.rows[0])}: left as it is.")
            continue
        person = _person(index, [cell.value.strip() for cell in row], columns)
        if person is None:
            remarks.append(f"Row {index + 1} has no participant's number in its first column: left as it is.")
        elif any(person.number == other.number for other in people):
            raise GradingError(f"{path.name}: participant {person.number} is there twice, expected once. Download it again.")
        else:
            people.append(person)
    if not people and len(table.rows) > 1:
        raise GradingError(
            f"{path.name}: no row names a participant, expected Moodle's grading worksheet with cells like 'Participant 123'. "
            "Download the grading worksheet of the assignment."
        )
    return Worksheet(table, columns, tuple(people), _decimal(people, table, columns), tuple(remarks))


def number_in(text: str) -> float | None:
    """The number in a cell, with a decimal comma or point; None when there is none."""
    try:
        value = float(re.sub(r"\s", "", text).replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _known(header: str) -> bool:
    return any(header.casefold() in names for names in HEADERS.values())


def _columns(table: Table, given: Mapping[str, str | None]) -> dict[str, int]:
    headers = table.headers
    columns: dict[str, int] = {}
    for key, names in HEADERS.items():
        found = [index for index, header in enumerate(headers) if header.casefold() in names]
        columns |= {key: found[0]} if len(found) == 1 else {}
    columns.setdefault("identifier", 0)
    rows = [[cell.value.strip() for cell in row] for row in table.rows[1:] if len(row) == len(table.rows[0])]
    columns |= _number_columns(rows) if "grade" not in columns and "maximum" not in columns else {}
    columns |= _yes_or_no_column(rows) if "open" not in columns else {}
    for key, header in given.items():
        if header is None:
            continue
        if headers.count(header) != 1:
            raise GradingError(f"The {key} column is {header!r}, expected one of {', '.join(headers)}. Correct the option.")
        columns[key] = headers.index(header)
    return columns


def _number_columns(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """The grade and maximum columns of a worksheet in another language: the only neighbours of which the right one holds the
    same positive number everywhere and the left one nothing, or numbers up to that. None when there are more such pairs."""
    pairs = []
    for right in range(2, len(rows[0]) if rows else 0):
        top = {number_in(row[right]) for row in rows}
        if len(top) != 1 or (most := top.pop()) is None or most <= 0:
            continue
        left = [row[right - 1] for row in rows]
        if all(not text or ((value := number_in(text)) is not None and 0 <= value <= most) for text in left):
            pairs.append({"grade": right - 1, "maximum": right})
    return pairs[0] if len(pairs) == 1 else {}


def _yes_or_no_column(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """The column that says whether the grade can be changed: the only one with yes or no, in some language, everywhere."""
    width = len(rows[0]) if rows else 0
    found = [column for column in range(1, width) if all(row[column].casefold() in _LOCKED | _OPEN for row in rows)]
    return {"open": found[0]} if len(found) == 1 else {}


def _person(index: int, cells: Sequence[str], columns: Mapping[str, int]) -> Person | None:
    def cell(key: str) -> str:
        return cells[columns[key]] if key in columns else ""

    found = _IDENTIFIER.fullmatch(cell("identifier"))
    if not found:
        return None
    return Person(
        index,
        found["number"],
        found["label"],
        cell("name"),
        cell("email"),
        cell("id_number"),
        cell("group"),
        cell("grade"),
        number_in(cell("maximum")),
        cell("open").casefold() not in _LOCKED,
        cell("comment"),
    )


def _decimal(people: Sequence[Person], table: Table, columns: Mapping[str, int]) -> str:
    """A comma where the worksheet's own numbers have one; else a point, which Moodle reads in every language."""
    numbers = [table.rows[person.row][columns[key]].value for person in people for key in ("grade", "maximum") if key in columns]
    return "," if any("," in text for text in numbers) else "."
