"""Every rubric is proven: its reference earns at least 95 %, the unoptimized baseline at most 40 %, an empty submission nothing.

Here with the reference that is kept, at quick scale; in `make proofs` with references that are built anew, at both scales. At
full scale MNIST is needed; where it is not in the data folder, that half is skipped and says so.
"""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grading.baselines.build import RECIPES
from grading.engine import Options, grade
from grading.reference.build import STUDENT, reference_answers
from grading.rubrics.loading import RUBRICS, load_rubric
from projectkit import data
from projectkit.errors import SubmissionError
from projectkit.submit import INPUTS, SLOTS, pack, read
from rubrics_by_hand import unoptimized_model

LABS = sorted(path.stem for path in RUBRICS.glob("*.toml"))
SCALES = ("quick", "full")
KEPT = Path(__file__).parent / "references"
CHANCE = 0.2  # both datasets have ten classes; an untrained network is right on 5 to 15 % of the images
SPREAD = 0.05  # of one file's latency ratio, largest over smallest in 12 processes: measure.aa.*.processes_* in benchmarks
AGAIN = "Run `make references` and commit what it builds."


def available(scale: str) -> bool:
    name = RECIPES[scale][0]
    return any(listing.about.name == name and listing.place != "absent" for listing in data.describe())


CASES = [
    pytest.param(
        lab,
        scale,
        marks=pytest.mark.skipif(not available(scale), reason=f"{RECIPES[scale][0]} is not in {data.data_folder()}"),
    )
    for lab in LABS
    for scale in SCALES
]


@pytest.mark.parametrize("lab", LABS)
def test_a_rubric_is_proven_by_its_kept_reference(lab, tmp_path):
    folder = tmp_path / "submissions"
    folder.mkdir()
    assert not stale(KEPT / f"{lab}.zip", lab, tmp_path / "kept")
    shutil.copy(KEPT / f"{lab}.zip", folder / "reference.zip")
    prove(lab, "quick", folder, tmp_path)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("lab", LABS)
def test_the_points_of_a_latency_are_no_draw(lab, scale):
    """Between floor and target lies more than what measuring again changes."""
    for check in load_rubric(lab, scale).checks:
        if check.metric == "latency_p50":
            assert np.log(check.floor / check.target) >= 2 * SPREAD, check.id


@pytest.mark.proof
@pytest.mark.parametrize(("lab", "scale"), CASES)
def test_a_rubric_is_proven_by_a_reference_built_anew(lab, scale, tmp_path):
    folder = tmp_path / "submissions"
    folder.mkdir()
    # The reference is a program: it runs as one, in a process of its own, as an instructor would run it.
    command = [sys.executable, "-m", f"grading.reference.{lab}", folder / "reference.zip", scale]
    subprocess.run(command, check=True, capture_output=True, timeout=1200)
    assert not stale(folder / "reference.zip", lab, tmp_path / "built", scale)
    prove(lab, scale, folder, tmp_path)


def prove(lab, scale, folder, tmp_path):
    """Grades `folder`/reference.zip beside the baseline and an empty submission, and asserts what each of them earns."""
    rubric = load_rubric(lab, scale)
    unoptimized = {slot: unoptimized_model(slot, rubric, tmp_path) for slot in rubric.slots}
    pack(folder / "baseline.zip", student="baseline@example.edu", lab=lab, scale=scale, artifacts=unoptimized, answers={})
    pack(folder / "empty.zip", student="empty@example.edu", lab=lab, scale=scale, artifacts={}, answers={})

    grades = {grade.student.partition("@")[0]: grade for grade in grade(folder, tmp_path / "out", Options(scale, "a salt"))}

    shares = {name: one.score / one.possible for name, one in grades.items()}
    lost = [(verdict.check.id, verdict.message) for verdict in grades["reference"].verdicts if verdict.status != "full"]
    assert shares["reference"] >= 0.95, lost
    assert shares["baseline"] <= 0.40
    gates = [verdict for verdict in grades["baseline"].verdicts if verdict.check.gate]
    assert all(verdict.measured for verdict in gates), "the baseline was not even measured"
    recognizing = [verdict for verdict in gates if verdict.check.metric == "accuracy" and verdict.check.points]
    assert all(verdict.status == "gated" or verdict.points or verdict.measured.value < CHANCE for verdict in recognizing), (
        "only a network that recognizes nothing, or that is none of those asked for, may earn nothing"
    )
    assert shares["empty"] == 0


def stale(path, lab, folder, scale="quick") -> str:
    """Why the reference at `path` is not one of the lab as it is now: a sentence that says what to do, or nothing."""
    try:
        intake = read(path, folder)
    except SubmissionError as error:
        return f"{error} {AGAIN}"
    handed_in, expected = intake.submission, reference_answers(lab)
    about = {
        "cannot be accepted": (intake.problems, {}),
        "is of another student, lab or scale": ((handed_in.student, handed_in.lab, handed_in.scale), (STUDENT, lab, scale)),
        "has other slots": (set(handed_in.artifacts), set(SLOTS[lab])),
        "answers other exercises": (set(handed_in.answers), set(expected)),
    }
    wrong = [f"{what}: found {got}, expected {wanted}" for what, (got, wanted) in about.items() if got != wanted]
    for exercise, arrays in expected.items():
        given = handed_in.answers.get(exercise, {})
        if set(given) != set(arrays) or not all(alike(given[name], arrays[name]) for name in arrays):
            wrong.append(f"answers {exercise} otherwise than its solution does now")
    return f"{path.name} {'; '.join(wrong)}. {AGAIN}" if wrong else ""


def alike(given, expected) -> bool:
    return np.shape(given) == np.shape(expected) and np.allclose(given, expected, rtol=1e-4)


def test_a_kept_reference_that_no_longer_fits_says_how_to_build_it_anew(tmp_path):
    lab, other = LABS[:2]
    answers = reference_answers(lab)
    del answers[sorted(answers)[0]]
    path = pack(tmp_path / "old.zip", student=STUDENT, lab=lab, artifacts={}, answers=answers)
    for sentence in (
        stale(path, lab, tmp_path / "a"),
        stale(path, other, tmp_path / "b"),
        stale(tmp_path / "none.zip", lab, tmp_path),
    ):
        assert sentence.endswith(AGAIN)
    assert "other slots: found set()" in stale(path, lab, tmp_path / "c")
    assert "answers other exercises" in stale(path, lab, tmp_path / "d")
    assert f"lab or scale: found ('{STUDENT}', '{lab}'" in stale(path, other, tmp_path / "e")


@pytest.mark.parametrize("lab", LABS)
def test_a_rubric_has_a_reference_and_asks_for_answers_that_exist(lab):
    assert callable(importlib.import_module(f"grading.reference.{lab}").make_models)
    for scale in SCALES:
        rubric = load_rubric(lab, scale)
        assert sum(check.points for check in rubric.checks) == 100
        assert set(rubric.exercises) == set(INPUTS[lab]) == set(reference_answers(lab))
        assert {slot: rubric.formats.get(slot) for slot in rubric.slots} == SLOTS[lab]
        gates = [check.slot for check in rubric.checks if check.gate and check.metric == "accuracy" and check.points]
        assert gates == list(rubric.slots), "every model needs an accuracy gate"
