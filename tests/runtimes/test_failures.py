"""A runtime's refusal reaches a reader in words of ours: what the cause is, without source files, addresses or templates."""

import re

import numpy as np
import onnx
import pytest
from onnx import helper

from models_by_hand import custom_onnx, external_onnx, huge_onnx, linear_onnx, linear_tflite, onnx_model, saved
from projectkit import runtimes
from projectkit.errors import ArtifactError
from projectkit.runtimes.failures import in_words
from projectkit.types import Artifact

node = helper.make_node
FLAT = node("Flatten", ["x"], ["f"])
MATRIX = np.ones((64, 10), np.float32)
RAW = re.compile(r"ONNXRuntimeError|\.(cc|h|cpp):\d|::|std|0x|Error\b|_src/|\bNode \(")


def newer(field: str) -> bytes:
    model = onnx.load_from_string(linear_onnx())
    if field == "ir_version":
        model.ir_version = 99
    else:
        model.opset_import[0].version = 99
    return model.SerializeToString()


REFUSED = {
    "no model": (".onnx", b"abc", "no intact model file"),
    "cut": (".onnx", linear_onnx()[:200], "no intact model file"),
    "unknown operator": (".onnx", onnx_model([FLAT, node("Nope", ["f"], ["y"])], {}), "does not have the operator Nope"),
    "unknown domain": (".onnx", custom_onnx(), "domain of one of its operators"),
    "types": (
        ".onnx",
        onnx_model([FLAT, node("MatMul", ["f", "w"], ["y"])], {"w": MATRIX.astype(float)}),
        "MatMul differ in type",
    ),
    "shapes": (
        ".onnx",
        onnx_model([FLAT, node("MatMul", ["f", "w"], ["y"])], {"w": MATRIX[:63]}),
        "shapes at the operator MatMul",
    ),
    "external": (".onnx", external_onnx("w.bin"), "External data"),
    "newer opset": (".onnx", newer("opset"), "newer version of the format"),
    "newer file": (".onnx", newer("ir_version"), "newer version of the format"),
    "no tflite": (".tflite", b"TFL3" * 50, "no intact model file"),
    "custom operator": (".tflite", linear_tflite(custom="Mine"), "does not have the operator Mine"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_refused(tmp_path, name):
    suffix, content, words = REFUSED[name]
    with pytest.raises(ArtifactError, match=words) as caught:
        runtimes.open(Artifact.of(saved(tmp_path, f"m{suffix}", content)))
    assert not RAW.search(str(caught.value)), str(caught.value)
    assert str(caught.value.__cause__), "whoever looks for the cause finds the runtime's own words"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            onnx_model([FLAT, node("Reshape", ["f", "s"], ["y"])], {"s": np.array([-1, 7])}),
            "the operator Reshape failed while it ran",
        ),
        (huge_onnx(3000), "failed to allocate the memory"),
    ],
)
def test_a_file_that_fails(tmp_path, content, words):
    session = runtimes.open(Artifact.of(saved(tmp_path, "m.onnx", content)))
    with pytest.raises(ArtifactError, match=words) as caught:
        session.run(np.zeros((1, 8, 8, 1), np.float32))
    assert not RAW.search(str(caught.value)), str(caught.value)
    session.set_input(np.zeros((1, 8, 8, 1), np.float32))
    with pytest.raises(ArtifactError, match=words):  # step by step, as it is timed
        session.invoke()


def test_a_cause_that_is_not_known_is_not_quoted():
    said = in_words(RuntimeError("/build/secret/core.cc:17 boost::any<T>::get() 0x7f33"))
    assert "secret" not in said and said.endswith("export it again")
