"""Fills the instructor's own grading worksheet: grade and feedback comment, every other byte as it was.

Moodle skips some rows on import without a word (mod/assign/feedback/offline/locallib.php); each of them is named here.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from grading.errors import GradingError
from grading.moodle.cells import replace_cells
from grading.moodle.names import printable, same_name
from grading.moodle.outcome import Outcome
from grading.moodle.worksheet import Person, Worksheet, number_in
from grading.results.report import number
from grading.types import FULL, Grade

KEYS = ("identifier", "email", "id_number")
_COMMENT = 3000  # characters; the report has the rest


@dataclass(frozen=True, slots=True)
class Filled:
    """The worksheet's new bytes, how many grades are in them, and a sentence for each row that Moodle will not take or that
    needs a look."""

    content: bytes
    grades: int
    remarks: tuple[str, ...]


def fill(
    worksheet: Worksheet,
    found: Sequence[Outcome],
    *,
    by: str = "identifier",
    maximum: float | None = None,
    replace_comments: bool = False,
) -> Filled:
    """Writes each outcome into its person's row: points as a share of Moodle's maximum, and a comment of the checks.

    `by`: "identifier" within one assignment; "email" or "id_number" across assignments, whose identifiers differ. `maximum`:
    points, where the worksheet has no column for it. A comment that is there already stays unless `replace_comments`.
    Raises GradingError when there is no grade column, a scale instead of points, or two people have one key.
    """
    _check_columns(worksheet, by)
    lookup = _lookup(worksheet, by)
    values: dict[tuple[int, int], str] = {}
    remarks, seen, grades = list(worksheet.remarks), set(), 0
    if "comment" not in worksheet.columns:
        remarks.append("No column for feedback comments is known: comments are left out. Name it with --comment-column.")
    if "open" not in worksheet.columns:
        remarks.append("No column 'Grade can be changed' is known: rows that Moodle would skip as locked are not named.")
    for one in found:
        key = one.row.identifier if by == "identifier" else getattr(one.row, by).casefold()
        person = lookup.get(key) if key else None
        if person is None:
            problem: str | None = f"not in the worksheet by {by}. Is it this assignment's?"
        elif (problem := _mismatch(one, person, by)) is None:
            seen.add(person.number)
            new, problem = _grade_cell(one, person, worksheet.decimal, maximum)
            if new is not None:
                values[person.row, worksheet.columns["grade"]] = new
                grades += 1
            if "comment" in worksheet.columns and person.open and _for_student(one):
                problem = _comment(worksheet, one, person, values, replace_comments) or problem
        if problem:
            remarks.append(f"{printable(one.row.name)}{_numbered(one)}: {problem}")
    remarks += [
        f"{printable(person.name or person.label)} ({person.number}): not in the join table, left as it is."
        for person in worksheet.people
        if person.number not in seen and not any(_same(person, one, by) for one in found)
    ]
    return Filled(replace_cells(worksheet.table, values), grades, tuple(remarks))


def comment_of(grade: Grade | None, reason: str = "") -> str:
    """The feedback comment as HTML, which is how Moodle reads it: the points of each check, everything else escaped."""
    if grade is None or grade.error is not None:
        return f"<p>{html.escape((grade.error if grade else reason) or 'Not graded.')}</p>"
    lines = [f"{html.escape(grade.title)}: {number(grade.score)} of {number(grade.possible)} points."]
    for verdict in grade.verdicts:
        line = f"{verdict.check.title}: {number(verdict.points)} of {number(verdict.check.points)}."
        line = html.escape(line if verdict.status == FULL else f"{line} {verdict.message}")
        if sum(map(len, lines)) + len(line) > _COMMENT:
            lines.append("The report has the rest.")
            break
        lines.append(line)
    return f"<p>{'<br>'.join(lines)}</p>"


def _check_columns(worksheet: Worksheet, by: str) -> None:
    headers = ", ".join(worksheet.table.headers)
    if by not in KEYS:
        raise GradingError(f"by is {by!r}, expected one of {', '.join(KEYS)}. Correct --by.")
    if by not in worksheet.columns:
        raise GradingError(f"The worksheet has no column known as {by} ({headers}). Choose another --by.")
    if "scale" in worksheet.columns and "maximum" not in worksheet.columns:
        raise GradingError("The assignment is graded by a scale, expected points. In its settings, choose the type Point.")
    if "grade" not in worksheet.columns:
        raise GradingError(f"Which column holds the grade is not clear from {headers}. Name it with --grade-column.")


def _lookup(worksheet: Worksheet, by: str) -> dict[str, Person]:
    keyed = {}
    for person in worksheet.people:
        key = person.number if by == "identifier" else getattr(person, by).casefold()
        if key in keyed and key:
            raise GradingError(f"Two rows of the worksheet have the {by} {printable(key)}, expected one. Choose another --by.")
        keyed[key] = person
    return keyed


def _same(person: Person, one: Outcome, by: str) -> bool:
    if by == "identifier":
        return person.number == one.row.identifier
    return bool(getattr(person, by)) and getattr(person, by).casefold() == getattr(one.row, by).casefold()


def _mismatch(one: Outcome, person: Person, by: str) -> str | None:
    """Why the row is not this person's. Numbers of another assignment fit other people, so names have to agree as well."""
    if by != "identifier":
        return None
    mail, other_mail = person.email.casefold(), one.row.email.casefold()
    if mail and other_mail:
        differs = mail != other_mail
    else:
        called = [text for text in (person.name, person.label) if text]
        differs = bool(person.name and one.row.name) and not any(same_name(text, one.row.name) for text in called)
    if differs:
        return f"the worksheet calls this participant {printable(person.name or person.email)}, so nothing is filled in."
    return None


def _grade_cell(one: Outcome, person: Person, decimal: str, maximum: float | None) -> tuple[str | None, str | None]:
    """The new text of the grade cell, None to leave it; and what the instructor should know."""
    if one.grade is None:
        return None, f"no grade. {one.reason}"
    most = maximum if maximum is not None else person.maximum
    if most is None or most <= 0:
        return None, "the worksheet says no maximum grade for this row, so nothing is filled in. Give --maximum."
    if not person.open:
        return None, "Moodle would skip this row: its grade cannot be changed (locked or overridden)."
    value = round(most * one.grade.score / one.grade.possible, 2) if one.grade.possible else 0.0
    if not 0 <= value <= most:
        return None, f"Moodle would skip this row: {value:g} is not between 0 and {most:g}."
    was = number_in(person.grade)
    if was == value:
        return None, f"Moodle would skip this row: its grade is {person.grade} already."
    text = f"{value:.2f}".replace(".", decimal)
    return text, f"the grade {printable(person.grade)} becomes {text}." if person.grade else None


def _comment(worksheet: Worksheet, one: Outcome, person: Person, values: dict[tuple[int, int], str], replace: bool) -> str | None:
    """Puts the comment into `values`; a sentence when somebody's own comment is in its place."""
    text = comment_of(one.grade, one.reason)
    if person.comment and person.comment != text and not replace:
        return "has a feedback comment already, which is kept. Replace it with --replace-comments."
    if person.comment != text:
        values[person.row, worksheet.columns["comment"]] = text
    return None


def _for_student(one: Outcome) -> bool:
    """Whether there is something to tell the student: a grade, or that what was handed in is no zip. That the grader failed,
    or has not run yet, is the instructor's matter."""
    return one.grade is not None or (bool(one.row.handed_in) and not one.row.file)


def _numbered(one: Outcome) -> str:
    return f" ({one.row.identifier})" if one.row.identifier else ""
