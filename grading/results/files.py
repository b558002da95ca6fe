"""Writes what came out: JSON and HTML for each file, grades.csv and index.html for the class."""

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from grading.errors import GradingError
from grading.points.flags import flags
from grading.points.names import superseded
from grading.results.cells import harmless, restored
from grading.results.report import overview_page, student_page
from grading.results.store import (
    FORMAT,
    answer_from_json,
    dump,
    finding_from_json,
    verdict_from_json,
    verdict_to_json,
    write_atomically,
)
from grading.types import Grade, Recheck

COLUMNS = ("file", "student", "lab", "scale", "score", "possible", "percent", "counts", "message", "report")


def write_grade(grade: Grade, out: Path) -> None:
    """Writes `out`/results/NAME.json, which holds everything the grade was made from, and the page NAME.html."""
    write_atomically(out / "results" / f"{grade.name}.json", dump(_to_json(grade)))
    write_atomically(out / "results" / f"{grade.name}.html", student_page(grade))


def read_grade(path: Path) -> Grade:
    """The grade in a result file. Raises GradingError when the file is none of ours."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") != FORMAT:
            raise ValueError("another format")
        for derived in ("score", "possible"):
            raw.pop(derived)
        verdicts = tuple(verdict_from_json(verdict) for verdict in raw.pop("verdicts"))
        answers = {exercise: answer_from_json(answer) for exercise, answer in raw.pop("answers").items()}
        study = {claim: finding_from_json(finding) for claim, finding in raw.pop("study", {}).items()}
        if recheck := raw.pop("recheck", None):
            raw["recheck"] = Recheck(**recheck)
        return Grade(**raw, verdicts=verdicts, answers=answers, study=study)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GradingError(
            f"{path}: not a result that can be read ({error}), expected a file like OUT/results/NAME.json. Check the path."
        ) from error


def write_overview(grades: Sequence[Grade], out: Path, chosen: Collection[str] = ()) -> None:
    """Writes `out`/grades.csv, one row a file, and the page index.html. `chosen`: see superseded."""
    replaced = superseded(grades, chosen)
    write_atomically(out / "grades.csv", _table(grades, replaced))
    write_atomically(out / "index.html", overview_page(grades, replaced, flags(grades)))


def counting(out: Path) -> Mapping[str, str]:
    """What grades.csv says of each file: "yes" where it counts, else why not. Empty where there is no table."""
    try:
        rows = csv.DictReader(io.StringIO((out / "grades.csv").read_text("utf-8"), newline=""))
        return {restored(row["file"]): row["counts"] for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError):
        return {}


def _to_json(grade: Grade) -> dict[str, object]:
    return {
        "format": FORMAT,
        "file": grade.file,
        "name": grade.name,
        "student": grade.student,
        "lab": grade.lab,
        "title": grade.title,
        "scale": grade.scale,
        "verdicts": [verdict_to_json(verdict) for verdict in grade.verdicts],
        "digests": dict(grade.digests),
        "measured": dict(grade.measured),
        "answers": {name: {"fraction": a.fraction, "sentence": a.sentence} for name, a in grade.answers.items()},
        "study": {claim: {"value": one.value, "sentence": one.sentence} for claim, one in grade.study.items()},
        "problems": dict(grade.problems),
        "claims": dict(grade.claims),
        "error": grade.error,
        "ours": grade.ours,
        "changed": grade.changed,
        "recheck": grade.recheck and asdict(grade.recheck),
        "score": grade.score,
        "possible": grade.possible,
    }


def _table(grades: Sequence[Grade], replaced: Mapping[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for grade in grades:
        possible = grade.possible
        counts = f"no, {replaced[grade.file]} is in the same name" if grade.file in replaced else "yes"
        message = grade.error or " ".join(dict.fromkeys(grade.problems.values()))
        row = [grade.file, grade.student, grade.lab, grade.scale, f"{grade.score:.2f}"]
        row += [f"{possible:.2f}" if possible else "", f"{100 * grade.score / possible:.1f}" if possible else ""]
        writer.writerow([harmless(cell) for cell in [*row, counts, message, f"results/{grade.name}.html"]])
    return stream.getvalue()
