"""Rebuilds a grade from its stored measurements, so that a student can be shown the arithmetic."""

from dataclasses import dataclass
from pathlib import Path

from grading.points.award import award
from grading.results.files import read_grade
from grading.results.store import slot_from_json
from grading.rubrics.loading import RUBRICS, load_rubric
from grading.types import Grade, Verdict

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Explanation:
    """A stored grade beside the one that was rebuilt. `same`: every status and every point agree; `remarks` say why not."""

    grade: Grade
    rebuilt: tuple[Verdict, ...]
    same: bool
    remarks: tuple[str, ...]


def explain(result: str | Path, rubrics: Path = RUBRICS) -> Explanation:
    """Awards the points of the result file again, from its measurements and the rubric as it is now, and compares.

    Raises GradingError when the result cannot be read, SubmissionError when its lab has no rubric any more.
    """
    grade = read_grade(Path(result))
    if grade.error is not None:
        return Explanation(grade, (), True, (f"Nothing was graded: {grade.error}",))
    rubric = load_rubric(grade.lab, grade.scale, rubrics)
    slots = {slot: slot_from_json(raw) for slot, raw in grade.measured["slots"].items()}
    rebuilt = award(rubric, slots, grade.answers, grade.problems, grade.study)
    remarks = [] if rubric.digest == grade.digests["rubric"] else ["The rubric has changed since this was graded."]
    remarks += _differences(grade.verdicts, rebuilt)
    return Explanation(grade, rebuilt, not _differences(grade.verdicts, rebuilt), tuple(remarks))


def _differences(stored: tuple[Verdict, ...], rebuilt: tuple[Verdict, ...]) -> list[str]:
    before = {verdict.check.id: verdict for verdict in stored}
    after = {verdict.check.id: verdict for verdict in rebuilt}
    sentences = [f"{name}: in the result but no longer in the rubric." for name in before if name not in after]
    for name, verdict in after.items():
        was = before.get(name)
        if was is None:
            sentences.append(f"{name}: in the rubric but not in the result.")
        elif abs(was.points - verdict.points) > TOLERANCE or was.status != verdict.status:
            sentences.append(f"{name}: stored {was.points:g} ({was.status}), rebuilt {verdict.points:g} ({verdict.status}).")
    return sentences
