"""Every rubric is proven: its reference earns at least 95 %, the unoptimized baseline at most 40 %, an empty submission nothing.

At full scale MNIST is needed; where it is not in the data folder, that half is skipped and says so.
"""

import importlib
import subprocess
import sys

import pytest

from grading.baselines.build import RECIPES
from grading.engine import Options, grade
from grading.reference.build import reference_answers
from grading.rubrics.loading import RUBRICS, load_rubric
from projectkit import data
from projectkit.submit import INPUTS, SLOTS, pack

LABS = sorted(path.stem for path in RUBRICS.glob("*.toml"))
SCALES = ("quick", "full")
CHANCE = 0.2  # both datasets have ten classes; an untrained network is right on 5 to 15 % of the images


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


@pytest.mark.parametrize(("lab", "scale"), CASES)
def test_a_rubric_is_proven(lab, scale, tmp_path):
    rubric = load_rubric(lab, scale)
    folder = tmp_path / "submissions"
    folder.mkdir()
    # The reference is a program: it runs as one, in a process of its own, as an instructor would run it.
    command = [sys.executable, "-m", f"grading.reference.{lab}", folder / "reference.zip", scale]
    subprocess.run(command, check=True, capture_output=True, timeout=1200)
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
    at_chance = all(verdict.measured.value < CHANCE for verdict in gates)
    assert shares["baseline"] > 0 or at_chance, "only a network that recognizes nothing may earn nothing"
    assert shares["empty"] == 0


def unoptimized_model(slot, rubric, folder):
    """The baseline in the format that the slot asks for."""
    if rubric.formats.get(slot) != "onnx":
        return rubric.baseline
    target = folder / f"{slot}.onnx"
    command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", rubric.baseline, "--output", target, "--opset", "17"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return target


@pytest.mark.parametrize("lab", LABS)
def test_a_rubric_has_a_reference_and_asks_for_answers_that_exist(lab):
    assert callable(importlib.import_module(f"grading.reference.{lab}").make_models)
    for scale in SCALES:
        rubric = load_rubric(lab, scale)
        assert sum(check.points for check in rubric.checks) == 100
        assert set(rubric.exercises) == set(INPUTS[lab]) == set(reference_answers(lab))
        assert {slot: rubric.formats.get(slot) for slot in rubric.slots} == SLOTS[lab]
        assert [check.slot for check in rubric.checks if check.gate] == list(rubric.slots), "every model needs an accuracy gate"
