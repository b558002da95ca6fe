"""Small model files that ask for much: each costs its own slot and its own seconds, whatever a runtime does with it."""

import heavy_models
import pytest

from grading.engine import Options, grade
from hostile_submissions import LAB, submission
from models_by_hand import saved
from rubrics_by_hand import rubric

SECONDS = 4
CASES = {f"onnx {name}": ("onnx.onnx", make) for name, make in heavy_models.ONNX.items()}
CASES |= {f"lite {name}": ("lite.tflite", make) for name, make in heavy_models.LITE.items()}
# These use their seconds up, or nearly; of each kind one is tried always.
SLOW = {"onnx doubles", "onnx loops", "onnx long"}
HARMLESS = {"onnx long", "lite claims_much"}  # they answer as they should, and may
RUBRIC = rubric(
    LAB,
    "Heavy",
    [
        {"id": "lite", "slot": "lite", "metric": "accuracy", "floor": 0.5, "target": 0.8, "gate": True},
        {"id": "lite_macs", "slot": "lite", "metric": "macs", "floor": 100000, "target": 10000},
        {"id": "onnx", "slot": "onnx", "metric": "accuracy", "floor": 0.5, "target": 0.8, "gate": True},
        {"id": "onnx_macs", "slot": "onnx", "metric": "macs", "floor": 100000, "target": 10000},
    ],
    seconds=SECONDS,
    memory=2_000_000_000,
    budget=0.02,
)


@pytest.mark.parametrize(
    "names",
    [pytest.param([*CASES], marks=pytest.mark.proof), [name for name in CASES if name not in SLOW]],
    ids=["all", "quick ones"],
)
def test_each_costs_its_own_slot_and_its_own_seconds(names, tmp_path):
    rubrics = saved(tmp_path / "rubrics", f"{LAB}.toml", RUBRIC.encode()).parent
    for name in names:
        file, make = CASES[name]
        saved(tmp_path / "in", f"{name.replace(' ', '_')}.zip", submission(name, files={file: make()}))
    grades = {one.student: one for one in grade(tmp_path / "in", tmp_path / "out", Options(rubrics=rubrics, salt="s"))}
    for name in names:
        one, heavy = grades[name], CASES[name][0].partition(".")[0]
        assert one.error is None, (name, one.error)
        for verdict in one.verdicts:
            if verdict.check.slot != heavy:
                assert verdict.status == "full", (name, verdict.message)
            elif name not in HARMLESS:
                assert verdict.points == 0 and 40 < len(verdict.message) < 600, (name, verdict.message)
        # One job for the file, one for what is left after it killed the child; each slot has its seconds.
        assert one.measured["seconds"]["total"] - one.measured["seconds"]["waited"] < 4 * SECONDS + 10, name
