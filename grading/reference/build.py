"""What the reference programs share."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from grading.exercises import SOLUTIONS
from projectkit.submit import exercise_inputs, pack
from projectkit.submit.study import STUDY
from projectkit.types import Arrays

STUDENT = "reference@example.edu"


def reference_answers(lab: str, student: str = STUDENT) -> dict[str, Arrays]:
    """The right answers to every exercise of `lab` for `student`."""
    return {exercise: solve(exercise_inputs(student, lab, exercise)) for exercise, solve in SOLUTIONS[lab].items()}


def build(lab: str, scale: str, path: str | Path, make_models: Callable[[str, Path], dict[str, Path]]) -> Path:
    """Packs the models of `make_models(scale, folder)` and the right answers into the zip `path`; a study.json that it leaves in
    the folder, too."""
    with tempfile.TemporaryDirectory() as folder:
        models = make_models(scale, Path(folder))
        study = Path(folder) / STUDY
        answers = reference_answers(lab)
        searched = study if study.exists() else None
        return pack(path, student=STUDENT, lab=lab, scale=scale, artifacts=models, answers=answers, study=searched)


def main(lab: str, make_models: Callable[[str, Path], dict[str, Path]]) -> None:
    """The command line of a reference program: OUT.zip [quick|full]."""
    if len(sys.argv) not in (2, 3):
        raise SystemExit(f"Usage: python -m grading.reference.{lab} OUT.zip [quick|full]")
    scale = sys.argv[2] if len(sys.argv) == 3 else "quick"
    print(build(lab, scale, sys.argv[1], make_models))
