"""What became of each person in the join table: the grade that counts, or the sentence why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.errors import GradingError
from grading.moodle.join import JoinRow
from grading.moodle.names import comparable, natural, printable
from grading.results.files import counting, read_grade
from grading.types import Grade


@dataclass(frozen=True, slots=True)
class Outcome:
    """One person (the row of the file that counts), and its grade, or None and the `reason`."""

    row: JoinRow
    grade: Grade | None
    reason: str = ""


def outcomes(out: str | Path, rows: Sequence[JoinRow]) -> tuple[list[Outcome], list[str]]:
    """The outcome of each person in `rows`, from the results in `out`/results, and remarks for the instructor.

    Of several files of one person, the last by name that could be graded and counts by grades.csv. Where another's file in the
    same name counts, there is no grade but a sentence, and a remark. Raises GradingError when
    there are no results or one cannot be read.
    """
    results = Path(out) / "results"
    told = counting(Path(out))
    grades = {grade.file: grade for grade in map(read_grade, sorted(results.glob("*.json")))}
    if not grades:
        raise GradingError(f"{results}: no results, expected those of `grading run`. Give the folder that --out named there.")
    people: dict[str, list[JoinRow]] = {}
    for row in rows:
        people.setdefault(row.person, []).append(row)
    found = [_outcome(sorted(own, key=lambda row: natural(row.file)), grades, told) for own in people.values()]
    known = {row.file for row in rows}
    remarks = [f"{printable(file)}: graded, but not in the join table." for file in sorted(grades) if file not in known]
    remarks += [f"{_shown(one.row)}: no grade. {one.reason}" for one in found if one.grade is None and one.row.file in told]
    return found, remarks + _borrowed(found)


def _outcome(rows: Sequence[JoinRow], grades: Mapping[str, Grade], told: Mapping[str, str]) -> Outcome:
    graded = [(row, grades[row.file]) for row in rows if row.file in grades and not grades[row.file].ours]
    good = [(row, grade) for row, grade in graded if grade.error is None]
    counts = [(row, grade) for row, grade in good if told.get(grade.file, "yes") == "yes"]
    if good and not counts:
        return Outcome(
            good[-1][0], None, f"Another file in the name {good[-1][1].student} counts; your instructor is asked which."
        )
    if graded:
        return Outcome(*(counts or graded)[-1])
    last = rows[-1]
    if last.file in grades:
        return Outcome(last, None, grades[last.file].error or "")
    return Outcome(last, None, f"No result for {last.file}: grade the folder again." if last.file else last.note)


def _borrowed(found: Sequence[Outcome]) -> list[str]:
    """A submission carries its student's name, from which its exercises are drawn. One name in the files of two people, or
    the name of another person, is worth a question; it changes no grade."""
    remarks: list[str] = []
    first: dict[str, Outcome] = {}
    names = {text: one for one in found for text in _called(one.row)}
    for one in found:
        if one.grade is None:
            continue
        student = comparable(one.grade.student)
        if not student or student in _called(one.row):
            continue
        other = names.get(student) or first.setdefault(student, one)
        if other.row.person != one.row.person and other.row.file != one.row.file:
            remarks.append(
                f"{_shown(one.row)}: the submission is in the name of {printable(one.grade.student)}, "
                f"which fits {_shown(other.row)}. Ask them."
            )
    return remarks


def _called(row: JoinRow) -> set[str]:
    return {comparable(text) for text in (row.name, row.email, row.id_number)} - {""}


def _shown(row: JoinRow) -> str:
    return f"{printable(row.name)} ({row.identifier})" if row.identifier else printable(row.name)
