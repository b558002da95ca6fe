"""The l01 assignment as each peer wants it: one notebook, and the rubric's thresholds as assertions worth the rubric's points."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grading.hidden.data import hidden_data
from grading.reference.build import reference_answers
from grading.rubrics.loading import load_rubric
from grading.types import Check, Rubric

LAB, NOTEBOOK, HERE = "l01_quantization", "l01.ipynb", Path(__file__).parent
CALLS = {"accuracy": "accuracy_ratio", "size": "size_ratio", "latency_p50": "latency_ratio", "weight_bits": "weight_bits"}
INSTRUCTOR_FILES = ("hidden.npz", "expected.npz", "baseline.tflite", "lab_checks.py")
SUFFIXES = {"litert": ".tflite", "onnx": ".onnx"}
OTTER_TEST = """from otter.test_files import test_case

OK_FORMAT = False
name = "{check.id}"
points = {check.points:g}


@test_case(hidden=True)
def test(lab_checks):
    {assertion}
"""


def assertion(check: Check, rubric: Rubric) -> str:
    """The check as a line of Python: full points at its target, none below. These tools know nothing between."""
    if check.exercise:
        return f"assert lab_checks.right_share({check.exercise!r}) >= {check.target}"
    file = _file(check.slot, rubric)
    return f"assert lab_checks.{CALLS[check.metric]}({file!r}) {'>=' if check.target > check.floor else '<='} {check.target}"


def instructor_files(folder: Path, salt: str) -> None:
    """INSTRUCTOR_FILES, which lie beside a notebook when it is graded: hidden data, right answers, baseline, checks."""
    folder.mkdir(parents=True, exist_ok=True)
    rubric = load_rubric(LAB, "quick")
    split = hidden_data(rubric.dataset, salt).split
    np.savez(folder / "hidden.npz", x=split.x, y=split.y)
    np.savez(folder / "expected.npz", **_answers())
    shutil.copy(rubric.baseline, folder / "baseline.tflite")
    shutil.copy(HERE / "lab_checks.py", folder)


def student_files(folder: Path, models: Mapping[str, Path]) -> list[Path]:
    """What a student hands in beside the notebook: the models under their slots' names, and the right answers.

    Everyone gets the same exercise, which is what these tools do unless told otherwise, and spares them work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for slot, path in models.items():
        shutil.copy(path, folder / f"{slot}{path.suffix}")
    np.savez(folder / "answers.npz", **_answers())
    return sorted(folder.iterdir())


def nbgrader_source(path: Path) -> None:
    """nbgrader's source notebook: the assertions are locked cells with points, hidden from the students' version."""
    rubric = load_rubric(LAB, "quick")
    cells = _cells(rubric)
    for check in rubric.checks:
        hidden = f"### BEGIN HIDDEN TESTS\n{assertion(check, rubric)}\n### END HIDDEN TESTS"
        mark = {"schema_version": 3, "grade_id": check.id, "points": check.points, "grade": True, "locked": True}
        cells.append(new_code_cell(hidden, metadata={"nbgrader": mark | {"solution": False, "task": False}}))
    _write(path, cells)


def otter_notebook(path: Path) -> None:
    """The students' notebook for otter-grader; its assertions are in otter_tests."""
    _write(path, _cells(load_rubric(LAB, "quick")))


def otter_tests(folder: Path) -> None:
    """One test file a check."""
    folder.mkdir(parents=True)
    rubric = load_rubric(LAB, "quick")
    for check in rubric.checks:
        (folder / f"{check.id}.py").write_text(OTTER_TEST.format(check=check, assertion=assertion(check, rubric)))


def _cells(rubric: Rubric) -> list:
    text = "# Quantization\n\nHand in your four models and answers.npz beside this notebook."
    # Opened here, because LiteRT says a word on stderr then, and nbgrader gives no points for a cell that wrote to stderr.
    files = ", ".join(repr(_file(slot, rubric)) for slot in rubric.slots)
    opening = f"models = [lab_checks.model(file) for file in ({files}, lab_checks.BASELINE)]"
    return [new_markdown_cell(text), new_code_cell(f"import lab_checks\n\n{opening}")]


def _file(slot: str, rubric: Rubric) -> str:
    return slot + SUFFIXES[rubric.formats[slot]]


def _write(path: Path, cells: list) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def _answers() -> dict[str, np.ndarray]:
    answers = reference_answers(LAB)
    return {f"{exercise}/{name}": np.asarray(array) for exercise, arrays in answers.items() for name, array in arrays.items()}
