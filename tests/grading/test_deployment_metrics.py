"""Peak activations, arenas and symmetric int8, measured by the worker in the sandbox from files of strangers."""

import importlib.util

import numpy as np
import pytest
from onnx import helper

from grading.engine import Options, grade
from models_by_hand import linear_onnx, linear_tflite, linear_weights, onnx_model, saved
from projectkit.submit import pack
from rubrics_by_hand import rubric

LAB = "l10_deployment"
CHECKS = [
    {"id": "micro", "slot": "micro", "metric": "accuracy", "floor": 0.1, "target": 0.5, "gate": True},
    {"id": "activations", "slot": "micro", "metric": "peak_activations", "floor": 1.0, "target": 0.2, "relative": True},
    {"id": "arena", "slot": "micro", "metric": "arena", "floor": 100_000, "target": 10_000},
    {"id": "tensorrt", "slot": "tensorrt", "metric": "accuracy", "floor": 0.1, "target": 0.5, "gate": True},
    {"id": "symmetric", "slot": "tensorrt", "metric": "symmetric_int8", "floor": 0, "target": 1},
]
RUBRIC = rubric(LAB, "Devices", CHECKS, baseline="wide.onnx", seconds=20, budget=0.02)


def symmetric_onnx():
    """Logistic regression on the digits with Q/DQ pairs of int8, zero points 0, one scale a class."""
    w, b = linear_weights()
    constants = {"w": w, "b": b, "s": np.array(1 / 127, np.float32), "z": np.array(0, np.int8)}
    constants |= {"ws": np.abs(w).max(axis=0) / np.float32(127), "wz": np.zeros(10, np.int8)}
    nodes = [helper.make_node("Flatten", ["x"], ["flat"], axis=1)]
    nodes += [
        helper.make_node("QuantizeLinear", ["flat", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", list("qsz"), ["d"]),
    ]
    nodes += [helper.make_node("QuantizeLinear", ["w", "ws", "wz"], ["wq"], axis=1)]
    nodes += [helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["wd"], axis=1)]
    return onnx_model([*nodes, helper.make_node("Gemm", ["d", "wd", "b"], ["y"])], constants)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    root = tmp_path_factory.mktemp("deployment")
    saved(root / "rubrics", f"{LAB}.toml", RUBRIC.encode())
    saved(root / "baselines", "wide.onnx", linear_onnx(hidden=512))
    for name, pairs in (("good", symmetric_onnx()), ("plain", linear_onnx())):
        models = {
            "micro": saved(root / name, "micro.tflite", linear_tflite()),
            "tensorrt": saved(root / name, "tensorrt.onnx", pairs),
        }
        pack(root / "subs" / f"{name}.zip", student=name, lab=LAB, artifacts=models, answers={})
    grades = grade(root / "subs", root / "out", Options(rubrics=root / "rubrics", salt="salt"))
    return {one.student: {verdict.check.id: verdict for verdict in one.verdicts} for one in grades}


def test_activations_are_counted_and_compared_with_the_baseline(verdicts):
    """An image and the classes, 64 and 10 float32, beside the baseline's image and 512 hidden units."""
    assert verdicts["good"]["activations"].measured.value == pytest.approx((64 + 10) / (64 + 512))


@pytest.mark.skipif(importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is not installed")
def test_the_arena_is_measured_in_the_sandbox(verdicts):
    found = verdicts["good"]["arena"]
    assert 4 * (64 + 10) < found.measured.value < 10_000 and found.points == found.check.points


def test_pairs_earn_what_they_are_worth(verdicts):
    assert verdicts["good"]["symmetric"].measured.value == 1 and verdicts["good"]["tensorrt"].points > 0
    assert verdicts["plain"]["symmetric"].measured.value == 0 and verdicts["plain"]["symmetric"].points == 0
