"""Score sheets: TOML files whose every field is checked, and the CSV that a juror fills in.

title = "Project and its defense"
scheme = "gdansk_tech"         # the semester's scheme, and which of its components the sheet is for
component = "project"
disagreement = 15              # percent of what is possible by which jurors may differ before it is pointed out

[outcomes]                     # the course's outcomes
K7_U07 = "Makes and optimizes a model."

[[criterion]]
id = "model"
outcome = "K7_U07"
title = "Model and optimization"
good = "What earns all points."
weak = "What earns few."
points = 25                    # with a scheme in points, the criteria come to the component's points in sum
"""

import csv
import io
import re
import tomllib
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from grading.defense.types import Criterion, ScoreSheet
from grading.errors import GradingError
from grading.results.cells import harmless
from grading.semester.scheme import load_scheme
from grading.toml_fields import FieldError, Table, only, text

SHEETS = Path(__file__).parent / "sheets"
COLUMNS = ("juror", "student", "criterion", "outcome", "title", "possible", "score", "remark")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")


def load_sheet(name: str | Path) -> ScoreSheet:
    """The sheet in the file `name`, or the shipped one of that name. Raises GradingError naming the field that is wrong."""
    path = SHEETS / f"{name}.toml" if (SHEETS / f"{name}.toml").is_file() else Path(name)
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in SHEETS.glob("*.toml")))
        raise GradingError(f"scheme {name}: no score sheet for it, expected a TOML file or one of {shipped}. Check the name.")
    try:
        sheet = _sheet(tomllib.loads(path.read_bytes().decode("utf-8-sig"), parse_float=Decimal))
    except (OSError, ValueError, ArithmeticError, RecursionError) as error:
        raise GradingError(f"{path.name}: not readable as TOML ({error}). Correct the file.") from error
    except FieldError as error:
        raise GradingError(f"{path.name}: {error} Correct the file.") from error
    _check_scheme(sheet, path)
    return sheet


def sheet_table(sheet: ScoreSheet, students: Sequence[str], juror: str) -> str:
    """What a juror fills in: a row for each student and criterion, the columns score and remark empty."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for student in students:
        for one in sheet.criteria:
            row = (juror, student, one.id, one.outcome, one.title, f"{float(one.points):g}", "", "")
            writer.writerow([harmless(cell) for cell in row])
    return stream.getvalue()


def _sheet(table: Table) -> ScoreSheet:
    only(table, {"title", "scheme", "component", "disagreement", "outcomes", "criterion"}, "the file")
    outcomes, rows = table.get("outcomes"), table.get("criterion")
    if not isinstance(outcomes, dict) or not outcomes:
        raise FieldError("[outcomes] is missing, expected at least one outcome with its text.")
    if not isinstance(rows, list) or not rows:
        raise FieldError("there is no [[criterion]], expected at least one.")
    texts = {name: text(outcomes, name, "[outcomes]") for name in outcomes}
    criteria = tuple(_criterion(row, texts) for row in rows)
    ids = [one.id for one in criteria]
    if len(set(ids)) < len(ids):
        raise FieldError(f"criterion {max(ids, key=ids.count)} is there twice, expected once.")
    unused = sorted(set(texts) - {one.outcome for one in criteria})
    if unused:
        raise FieldError(f"outcome {unused[0]} has no criterion, expected at least one.")
    disagreement = _number(table, "disagreement", "the file", most=100)
    title, scheme, component = (text(table, name, "the file") for name in ("title", "scheme", "component"))
    return ScoreSheet(title, scheme, component, disagreement, criteria, texts)


def _criterion(given: object, outcomes: dict[str, str]) -> Criterion:
    where = f"criterion {given.get('id', '?')!r}" if isinstance(given, dict) else "[[criterion]]"
    row = only(given, {"id", "outcome", "title", "good", "weak", "points"}, where)
    texts = {name: text(row, name, where) for name in ("id", "outcome", "title", "good", "weak")}
    if not _ID.fullmatch(texts["id"]):
        raise FieldError(f"{where}: id is {texts['id']!r}, expected letters, digits and _, such as state_of_the_art.")
    if texts["outcome"] not in outcomes:
        raise FieldError(f"{where}: outcome is {texts['outcome']!r}, expected one of {', '.join(outcomes)}.")
    return Criterion(**texts, points=_number(row, "points", where, most=1000))


def _check_scheme(sheet: ScoreSheet, path: Path) -> None:
    """The sheet must fit a component of its scheme, which may lie beside it."""
    beside = path.parent / f"{sheet.scheme}.toml"
    scheme = load_scheme(beside if beside.is_file() and beside != path else sheet.scheme)
    component = next((one for one in scheme.components if one.id == sheet.component), None)
    if component is None:
        known = ", ".join(one.id for one in scheme.components)
        raise GradingError(
            f"{path.name}: component is {sheet.component!r}, expected one of {known} (of {sheet.scheme}). Correct it."
        )
    if scheme.points and sheet.possible != component.worth:
        raise GradingError(
            f"{path.name}: the criteria come to {float(sheet.possible):g} points, expected {float(component.worth):g}, which "
            f"{component.id} is worth in {sheet.scheme}. Correct the points."
        )


def _number(table: Table, name: str, where: str, most: int) -> Fraction:
    value = table.get(name)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        exponent = Decimal(value).as_tuple().exponent  # a letter for what is not finite
        if isinstance(exponent, int) and exponent >= -4 and 0 < value <= most:
            return Fraction(value)
    raise FieldError(f"{where}: {name} is {value!s}, expected a number above 0 and up to {most}, with at most 4 decimals.")
