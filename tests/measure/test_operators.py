"""What the operators of a file compute, move and take."""

import math

import numpy as np
import pytest
from onnx import helper

from models_by_hand import linear_onnx, onnx_model
from projectkit import runtimes
from projectkit.errors import ArtifactError, MeasureError
from projectkit.measure import fusions, operator_times, read_graph, read_operators
from projectkit.measure.litert_times import Cut
from projectkit.runtimes.tensors import to_real
from projectkit.types import Artifact

KINDS = ("float32.tflite", "int8.tflite", "float32.onnx", "qdq.onnx", "float16.tflite", "dynamic.onnx", "qoperator.onnx")


def inputs_of(artifact, n=4):
    return np.random.default_rng(0).random((n, *runtimes.open(artifact).inputs[0].shape), dtype=np.float32)


@pytest.fixture
def convolution(tmp_path):
    """(1, 8, 8, 1) → 4 channels of 6×6, ReLU, flat, (144, 10): three products or so, by hand."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Reshape", ["x", "nchw"], ["image"]),
        helper.make_node("Conv", ["image", "w", "b"], ["convolved"], name="first"),
        helper.make_node("Relu", ["convolved"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["flat"]),
        helper.make_node("MatMul", ["flat", "v"], ["y"], name="last"),
    ]
    constants = {
        "nchw": np.array([1, 1, 8, 8]),
        "w": rng.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "b": rng.normal(size=4).astype(np.float32),
        "v": rng.normal(size=(144, 10)).astype(np.float32),
    }
    (tmp_path / "conv.onnx").write_bytes(onnx_model(nodes, constants))
    return Artifact.of(tmp_path / "conv.onnx")


def test_bytes_and_work_by_hand(convolution):
    first, last = (one for one in read_operators(convolution) if one.macs)
    assert (first.name, first.kind, first.dtype) == ("first", "Conv", "float32")
    assert first.macs == 36 * 4 * 9
    assert first.moved_bytes == 4 * (64 + 36 + 4 + 144)
    assert (last.macs, last.moved_bytes) == (1440, 4 * (144 + 1440 + 10))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["conv", "residual"])
def test_the_work_of_the_operators_is_the_work_of_the_graph(files, model, kind):
    artifact = Artifact.of(files[f"{model}-{kind}"])
    operators = read_operators(artifact)
    assert sum(one.macs for one in operators) == read_graph(artifact).macs
    narrow = any(name in kind for name in ("int8", "qdq", "dynamic", "qoperator"))
    assert {one.dtype for one in operators if one.macs} == {"int8" if narrow else "float32"}


@pytest.mark.parametrize("pair", [("float32.tflite", "int8.tflite"), ("float32.onnx", "qdq.onnx")], ids=["litert", "onnx"])
def test_integers_move_about_a_quarter(files, pair):
    moved = [sum(one.moved_bytes for one in read_operators(Artifact.of(files[f"conv-{kind}"])) if one.macs) for kind in pair]
    assert moved[0] / 4 <= moved[1] < moved[0] / 3  # biases stay 32 bits wide


@pytest.mark.parametrize("kind", ["float32.tflite", "float16.tflite", "int8.tflite"])
@pytest.mark.parametrize("model", ["mlp", "conv", "residual"])
def test_a_file_cut_into_its_operators_answers_as_the_whole(files, model, kind):
    artifact = Artifact.of(files[f"{model}-{kind}"])
    example = inputs_of(artifact, 1)
    times, whole, last = Cut(artifact, 1).run(example)
    session = runtimes.open(artifact)
    assert np.array_equal(to_real(last, session.outputs[0]), session.run(example))
    assert whole > 0 and all(math.isfinite(one) and one >= 0 for one in times)


@pytest.mark.parametrize("kind", ["float32.tflite", "int8.tflite", "float32.onnx", "qdq.onnx"])
def test_every_operator_is_timed(files, kind):
    artifact = Artifact.of(files[f"conv-{kind}"])
    found = operator_times(artifact, inputs_of(artifact), budget=0.1)
    done, needed = sum(one.operator.macs for one in found.operators), read_graph(artifact).macs
    # ONNX Runtime may fill channels up to whole blocks and multiplies what it has filled in, too.
    assert done >= needed if kind == "float32.onnx" else done == needed
    assert all(one.seconds.n >= 50 and one.seconds.low >= 0 for one in found.operators)
    assert any(one.seconds.value > 0 for one in found.operators)
    if kind.endswith(".tflite"):
        assert [one.operator for one in found.operators] == list(read_operators(artifact))


def test_most_of_the_time_is_where_most_of_the_work_is(tmp_path):
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "wide"], ["a"], name="large"),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MatMul", ["r", "narrow"], ["y"], name="small"),
    ]
    rng = np.random.default_rng(0)
    constants = {"wide": rng.random((64, 40_000), dtype=np.float32), "narrow": rng.random((40_000, 1), dtype=np.float32)}
    (tmp_path / "m.onnx").write_bytes(onnx_model(nodes, constants, classes=1))
    artifact = Artifact.of(tmp_path / "m.onnx")
    found = operator_times(artifact, inputs_of(artifact), budget=0.5)
    seconds = {one.operator.name: one.seconds.value for one in found.operators}
    assert max(seconds, key=seconds.get) == "large"
    assert 0.3 < found.explained < 3


def test_an_activation_joins_its_convolution_when_onnx_runtime_may_optimize(convolution):
    stages = {level: dict(operators) for level, operators in fusions(convolution).items()}
    assert stages["none"]["Conv"] == stages["none"]["Relu"] == 1
    assert not any(name == "Relu" for name in stages["extended"] | stages["all"])
    assert any(name.endswith("Conv + Relu") for name in stages["extended"])


def test_what_cannot_be_counted_is_refused(tmp_path):
    node = helper.make_node("Einsum", ["x", "w"], ["y"], equation="nhwc,hwck->nk")
    (tmp_path / "m.onnx").write_bytes(onnx_model([node], {"w": np.ones((8, 8, 1, 10), np.float32)}))
    with pytest.raises(ArtifactError, match="holds Einsum"):
        read_operators(Artifact.of(tmp_path / "m.onnx"))


def test_nonsense_is_refused(tmp_path):
    (tmp_path / "m.onnx").write_bytes(linear_onnx())
    (tmp_path / "broken.tflite").write_bytes(b"    TFL3 and no more")
    artifact, broken = Artifact.of(tmp_path / "m.onnx"), Artifact.of(tmp_path / "broken.tflite")
    with pytest.raises(MeasureError, match="threads"):
        operator_times(artifact, inputs_of(artifact), threads=0)
    with pytest.raises(MeasureError, match="0 inputs"):
        operator_times(artifact, inputs_of(artifact)[:0])
    with pytest.raises(ArtifactError, match="expects inputs"):
        operator_times(artifact, np.zeros((1, 9, 9, 1), np.float32))
    for function in (read_operators, fusions, lambda one: operator_times(one, np.zeros((1, 8, 8, 1)))):
        with pytest.raises(ArtifactError, match=r"broken\.tflite"):
            function(broken)
