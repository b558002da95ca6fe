"""A CSV file as cells with their place in the text, so that some can be replaced and every other byte stays as it was.

A parsed and rewritten CSV would lose its byte-order mark, line ends and quoting, and Moodle refuses or misreads some of those.
"""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grading.errors import GradingError

DELIMITERS = (",", ";", "\t")
MAXIMAL_BYTES = 64 * 1024**2
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what it says, and from where to where it stands in the text, quotes included."""

    value: str
    start: int
    end: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Table:
    """The text of a CSV file and its cells, row by row; the first row holds the headers. Empty lines are no rows."""

    text: str
    encoding: str
    delimiter: str
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def headers(self) -> list[str]:
        """What the cells of the first row say."""
        return [cell.value.strip() for cell in self.rows[0]]


def read_table(path: Path, known: Callable[[str], bool], encoding: str | None = None) -> Table:
    """The table in the file at `path`. The delimiter is the one with which most headers are `known`, then the one that
    gives most columns; the encoding is UTF-8, or UTF-16 by its byte-order mark, unless it is given.

    Raises GradingError when the file cannot be read, decoded and encoded again to the same bytes, or has an open quote.
    """
    try:
        if path.stat().st_size > MAXIMAL_BYTES:
            raise GradingError(f"{path.name}: larger than {MAXIMAL_BYTES} bytes, expected a table of a class. Check the path.")
        content = path.read_bytes()
    except OSError as error:
        raise GradingError(f"{path}: cannot be read ({error.strerror}), expected a CSV file. Check the path.") from error
    encoding = encoding or _encoding(content)
    try:
        text = content.decode(encoding)
        same = text.encode(encoding) == content
    except (UnicodeError, LookupError):
        same = False
    if not same:
        raise GradingError(
            f"{path.name}: not readable as {encoding}. Download it again, or say which encoding it was saved in, "
            "for example --encoding cp1250 (Polish) or cp1251 (Russian)."
        )
    delimiter = max(DELIMITERS, key=lambda one: _plausible(text, one, known))
    rows = _rows(text, delimiter, path.name)
    if not rows:
        raise GradingError(f"{path.name}: the file is empty, expected a row of headers. Download it again.")
    return Table(text, encoding, delimiter, rows)


def replace_cells(table: Table, values: Mapping[tuple[int, int], str]) -> bytes:
    """The file's bytes with the cells at (row, column) saying `values`: a cell keeps its quotes, and gets them where it
    needs them. Characters that the file's encoding lacks become question marks."""
    pieces, at = [], 0
    for (row, column), value in sorted(values.items()):
        cell = table.rows[row][column]
        writable = value.encode(table.encoding, "replace").decode(table.encoding)
        pieces += [table.text[at : cell.start], _raw(writable, table.delimiter, cell.quoted)]
        at = cell.end
    return "".join([*pieces, table.text[at:]]).encode(table.encoding)


def _encoding(content: bytes) -> str:
    marks = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    return next((name for mark, name in marks.items() if content.startswith(mark)), "utf-8")


def _plausible(text: str, delimiter: str, known: Callable[[str], bool]) -> tuple[int, int]:
    try:
        headers = next(iter(_rows(text, delimiter, "", only_first=True)), ())
    except GradingError:
        return (-1, 0)
    return sum(known(cell.value.strip()) for cell in headers), len(headers)


def _rows(text: str, delimiter: str, name: str, only_first: bool = False) -> tuple[tuple[Cell, ...], ...]:
    plain = re.compile(f"[^{delimiter}\r\n]*")
    rows, row, at = [], [], len(_MARK) if text.startswith(_MARK) else 0
    while at < len(text):
        cell = _cell(text, at, delimiter, plain)
        if cell is None:
            line = text.count("\n", 0, at) + 1
            raise GradingError(f"{name}: a quote opens in line {line} and never closes. Download the file again.")
        row.append(cell)
        at = cell.end
        if text[at : at + 1] == delimiter:
            at += 1
            if at < len(text):
                continue
            row.append(Cell("", at, at, False))  # the file ends with a delimiter, so with an empty cell
        at += 2 if text.startswith("\r\n", at) else 1
        if len(row) > 1 or row[0].end > row[0].start:
            rows.append(tuple(row))
            if only_first:
                break
        row = []
    return tuple(rows)


def _cell(text: str, start: int, delimiter: str, plain: re.Pattern[str]) -> Cell | None:
    """The cell that begins at `start`; None when its quote never closes. A quote closes only before a delimiter or a line's
    end: Moodle's writer does not double a quote behind a backslash."""
    if text[start : start + 1] != '"':
        found = plain.match(text, start)
        end = found.end() if found else start
        return Cell(text[start:end], start, end, False)
    at = text.find('"', start + 1)
    while at >= 0:
        behind = text[at + 1 : at + 2]
        if behind in ("", delimiter, "\r", "\n"):
            return Cell(text[start + 1 : at].replace('""', '"'), start, at + 1, True)
        at = text.find('"', at + (2 if behind == '"' else 1))
    return None


def _raw(value: str, delimiter: str, quoted: bool) -> str:
    if quoted or any(sign in value for sign in (delimiter, '"', "\r", "\n", " ")):
        return '"' + value.replace('"', '""') + '"'
    return value
