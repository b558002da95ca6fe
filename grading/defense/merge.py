"""The sheets of several jurors read back, checked and merged into the scores of the project component.

A spreadsheet writes what its country does, so comma, semicolon or tab may separate, decimals may have a comma, and a byte-order
mark is ignored.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from grading.defense.sheets import COLUMNS
from grading.defense.types import ScoreSheet
from grading.errors import GradingError
from grading.results.cells import harmless, restored
from grading.results.tables import read_table
from grading.semester.names import key_of

NEEDED = {"juror", "student", "criterion", "score"}
_NUMBER = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Mean:
    """What the jurors gave a student for one criterion: `scores` by juror."""

    criterion: str
    scores: Mapping[str, Fraction]
    apart: bool

    @property
    def value(self) -> Fraction:
        """The mean over those who scored."""
        return sum(self.scores.values(), Fraction(0)) / len(self.scores)


@dataclass(frozen=True, slots=True)
class Merged:
    """A student's result; `total` is None when no juror scored anything. `notes` are sentences for the jury."""

    student: str
    means: tuple[Mean, ...]
    total: Fraction | None
    notes: tuple[str, ...] = ()


def read_sheets(paths: Sequence[Path], sheet: ScoreSheet) -> tuple[dict[tuple[str, str, str], Fraction | None], dict[str, str]]:
    """(score by juror, student key and criterion; the students' spelling by key). An empty score is None.

    Raises GradingError naming the line that cannot be understood, is out of range or there twice.
    """
    points = {one.id: one.points for one in sheet.criteria}
    scores: dict[tuple[str, str, str], Fraction | None] = {}
    names: dict[str, str] = {}
    for path in paths:
        for line, row in read_table(path, NEEDED, COLUMNS)[1]:
            where = f"{path.name}, line {line}"
            juror, student = (_name(row[column], column, where) for column in ("juror", "student"))
            criterion = row["criterion"]
            if criterion not in points:
                raise GradingError(
                    f"{where}: criterion is {criterion[:60]!r}, expected one of {', '.join(points)}. Another course's sheet?"
                )
            key = (juror, key_of(student), criterion)
            if key in scores:
                raise GradingError(
                    f"{where}: {juror} scored {student} for {criterion} already, expected once. Keep the line that counts."
                )
            names.setdefault(key_of(student), student)
            scores[key] = _score(row["score"], points[criterion], where)
    if not scores:
        raise GradingError("the sheets hold no line, expected a score for each student and criterion. Check the files.")
    return scores, names


def merge(
    paths: Sequence[Path], sheet: ScoreSheet, known: Mapping[str, str] | None = None
) -> tuple[tuple[Merged, ...], tuple[str, ...]]:
    """Every student's mean over the jurors, and sentences about what a person should look at.

    `known`: the students who are to be there, by key; others are an error, most likely in typing. A juror who left all
    of a student's criteria empty was not there; one who left some empty is an error. Raises GradingError.
    """
    scores, names = read_sheets(paths, sheet)
    if known is not None:
        strangers = sorted(names[key] for key in set(names) - set(known))
        if strangers:
            raise GradingError(
                f"{strangers[0]}: in the sheets but not in the list of students, expected one of those. Correct the spelling."
            )
        names = dict(known)
    jurors = sorted({juror for juror, _, _ in scores})
    merged = tuple(_merge_student(key, name, jurors, scores, sheet) for key, name in names.items())
    notes = [f"{one.student}: {note}" for one in merged for note in one.notes]
    return merged, tuple(notes)


def _merge_student(
    key: str, name: str, jurors: Sequence[str], scores: Mapping[tuple[str, str, str], Fraction | None], sheet: ScoreSheet
) -> Merged:
    present: list[tuple[str, dict[str, Fraction]]] = []
    notes = []
    for juror in jurors:
        found = {one.id: scores.get((juror, key, one.id)) for one in sheet.criteria}
        given = {criterion: score for criterion, score in found.items() if score is not None}
        lacking = [criterion for criterion in found if criterion not in given]
        if lacking and given:
            raise GradingError(
                f"{juror}'s sheet: {name} has no score for {', '.join(lacking)}, expected all criteria or none. Fill them in; 0 "
                "is a score too."
            )
        if lacking:
            notes.append(f"not scored by {juror}.")
        else:
            present.append((juror, given))
    if not present:
        return Merged(name, (), None, ("no juror scored this project.",))
    means = []
    for one in sheet.criteria:
        by_juror = {juror: given[one.id] for juror, given in present}
        apart = _apart(list(by_juror.values()), one.points, sheet)
        means.append(Mean(one.id, by_juror, apart))
        if apart:
            notes.append(f"{one.title}: {_list(by_juror)} of {float(one.points):g}.")
    totals = {juror: sum(given.values(), Fraction(0)) for juror, given in present}
    if _apart(list(totals.values()), sheet.possible, sheet):
        notes.insert(0, f"in sum {_list(totals)} of {float(sheet.possible):g}: the jurors should talk.")
    return Merged(name, tuple(means), sum((mean.value for mean in means), Fraction(0)), tuple(notes))


def _apart(scores: Sequence[Fraction], possible: Fraction, sheet: ScoreSheet) -> bool:
    return max(scores) - min(scores) > possible * sheet.disagreement / 100


def _list(scores: Mapping[str, Fraction]) -> str:
    return ", ".join(f"{juror} {float(score):g}" for juror, score in scores.items())


def component_table(merged: Sequence[Merged], sheet: ScoreSheet) -> str:
    """What `grading gradebook --component` reads: student, score, possible."""
    rows = [(harmless(one.student), "" if one.total is None else _decimal(one.total), _decimal(sheet.possible)) for one in merged]
    return _csv(("student", "score", "possible"), rows)


def details_table(merged: Sequence[Merged]) -> str:
    """One row for each student and criterion: mean, lowest, highest, who scored, whether they are apart."""
    rows = []
    for one in merged:
        for mean in one.means:
            values = mean.scores.values()
            numbers = (_decimal(mean.value), _decimal(min(values)), _decimal(max(values)))
            rows.append(
                (harmless(one.student), mean.criterion, *numbers, harmless("; ".join(mean.scores)), "yes" if mean.apart else "")
            )
    return _csv(("student", "criterion", "mean", "lowest", "highest", "jurors", "apart"), rows)


def _decimal(value: Fraction) -> str:
    """At most 4 decimals, cut and not rounded: rounding must not lift a score over a threshold."""
    cut = int(value * 10_000)
    return f"{cut // 10_000}.{cut % 10_000:04d}".rstrip("0").rstrip(".")


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def _name(cell: str, column: str, where: str) -> str:
    name = restored(cell).strip()
    if not name or not name.isprintable() or len(name) > 100:
        raise GradingError(f"{where}: {column} is {name[:60]!r}, expected a name of 1 to 100 characters. Fill it in.")
    return name


def _score(text: str, most: Fraction, where: str) -> Fraction | None:
    if not text:
        return None
    if not _NUMBER.fullmatch(text) or Fraction(text.replace(",", ".")) > most:
        raise GradingError(
            f"{where}: score is {text[:60]!r}, expected a number from 0 to {float(most):g} such as 7.5. Correct it; leave it "
            "empty only where the juror was not there."
        )
    return Fraction(text.replace(",", "."))
