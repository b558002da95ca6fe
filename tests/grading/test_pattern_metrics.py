"""Compressed size, 2:4 and shared weights, measured by the worker in the sandbox from files of strangers."""

import numpy as np
import pytest

from grading.engine import Options, grade
from models_by_hand import linear_onnx, linear_tflite, linear_weights, saved
from projectkit.submit import pack
from rubrics_by_hand import rubric

LAB = "l02_pruning"
CHECKS = [
    {"slot": "pruned"} | check
    for check in (
        {"id": "accuracy", "metric": "accuracy", "floor": 0.1, "target": 0.5, "gate": True},
        {"id": "two_of_four", "metric": "two_of_four", "floor": 0, "target": 1},
        {"id": "distinct_weights", "metric": "distinct_weights", "floor": 40, "target": 20},
        {"id": "compressed_size", "metric": "compressed_size", "floor": 1, "target": 0.5, "relative": True},
    )
]
RUBRIC = rubric(LAB, "Patterns", CHECKS, baseline="wide.onnx", seconds=10, budget=0.02)


def halved():
    """The weights of `linear_tflite`, rounded, in the 2:4 pattern."""
    w, b = linear_weights()
    w = np.round(w * 4) / 4
    order = np.argsort(-np.abs(w).reshape(16, 4, 10), axis=1)
    np.put_along_axis(by_four := w.reshape(16, 4, 10).copy(), order[:, 2:], 0, axis=1)
    return by_four.reshape(64, 10).astype(np.float32), b


def overlapping():
    """A file whose second half says nothing true of the first: every offset near its end is turned to another place."""
    content = bytearray(linear_tflite())
    content[-400::8] = bytes(0xFF for _ in content[-400::8])
    return bytes(content)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    root = tmp_path_factory.mktemp("patterns")
    saved(root / "rubrics", f"{LAB}.toml", RUBRIC.encode())
    saved(root / "baselines", "wide.onnx", linear_onnx(hidden=512))
    models = {"paired": linear_tflite(w=halved()[0], b=halved()[1]), "dense": linear_tflite(), "torn": overlapping()}
    for name, content in models.items():
        model = saved(root / "models", f"{name}.tflite", content)
        pack(root / "subs" / f"{name}.zip", student=name, lab=LAB, artifacts={"pruned": model}, answers={})
    grades = grade(root / "subs", root / "out", Options(rubrics=root / "rubrics", salt="salt"))
    return {one.student: {verdict.check.id: verdict for verdict in one.verdicts} for one in grades}


def test_a_pattern_earns_its_points(verdicts):
    found = verdicts["paired"]
    assert {name: verdict.status for name, verdict in found.items()} == dict.fromkeys(found, "full")
    assert found["two_of_four"].measured.value == 1
    assert found["distinct_weights"].measured.value == max(len(np.unique(column)) for column in halved()[0].T)
    assert 0 < found["compressed_size"].measured.value < 0.5


def test_weights_without_a_pattern_earn_nothing_for_one(verdicts):
    found = verdicts["dense"]
    assert found["accuracy"].status == "full" and found["compressed_size"].points > 0
    assert found["two_of_four"].points == found["distinct_weights"].points == 0
    assert found["distinct_weights"].measured.value > 40


def test_a_torn_file_gets_sentences_and_no_points(verdicts):
    for verdict in verdicts["torn"].values():
        assert verdict.points == 0 and verdict.message.endswith(".")
