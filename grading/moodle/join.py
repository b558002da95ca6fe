"""The join table: who handed in which file. A CSV that an instructor may read and correct, one row a person and file."""

import csv
import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.errors import GradingError
from grading.results.cells import is_formula
from grading.results.store import write_atomically


@dataclass(frozen=True, slots=True)
class JoinRow:
    """One file of one person, or a person without a file and the `note` that says why.

    `identifier` is the participant's number in this assignment, "" when it is not known. `handed_in` is the file as the
    student named it, `file` its name in the folder that is graded.
    """

    identifier: str
    name: str
    email: str
    id_number: str
    group: str
    file: str
    handed_in: str
    note: str

    @property
    def person(self) -> str:
        """The same for all rows of one person and of no other."""
        return self.identifier or f"group {self.group}"


COLUMNS = tuple(field.name for field in dataclasses.fields(JoinRow))


def write_join(rows: Sequence[JoinRow], path: Path) -> None:
    """Writes the join table as UTF-8 with a byte-order mark, which spreadsheets need to show names right."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    writer.writerows([_harmless(cell) for cell in dataclasses.astuple(row)] for row in rows)
    write_atomically(path, "\ufeff" + stream.getvalue())


def read_join(path: str | Path) -> list[JoinRow]:
    """The rows that `write_join` wrote. Raises GradingError when the file is no join table."""
    path = Path(path)
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
        if tuple(lines[0]) != COLUMNS:
            raise ValueError(f"columns {', '.join(lines[0])[:80]}")
        return [JoinRow(*(_restored(cell) for cell in line)) for line in lines[1:] if line]
    except (OSError, ValueError, IndexError, TypeError, csv.Error) as error:
        raise GradingError(
            f"{path}: not a join table ({error}), expected the columns {', '.join(COLUMNS)}. Give the join.csv that "
            "`grading moodle in` wrote."
        ) from error


def _harmless(cell: str) -> str:
    """A spreadsheet takes a cell that begins with = + - @ for a formula; an apostrophe makes it text. One more is put before
    an apostrophe that is there already, so that `_restored` gives back every text."""
    return "'" + cell if cell.lstrip(" ").startswith("'") or is_formula(cell) else cell


def _restored(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell
