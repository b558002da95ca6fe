"""The 2:4 pattern and shared values, found in files of every kind; and what a file weighs after compression."""

from copy import copy

import numpy as np
import pytest
from onnx import helper

from models_by_hand import flipped, linear_onnx, linear_tflite, linear_weights, onnx_model, saved, slow_onnx
from projectkit.errors import ArtifactError
from projectkit.measure import compressed_size, read_patterns
from projectkit.measure.patterns import Patterns
from projectkit.measure.stored_kernels import litert_kernels
from projectkit.types import Artifact

MAKERS = {".tflite": linear_tflite, ".onnx": lambda w, b: onnx_model(LINEAR, {"w": w, "b": b})}
LINEAR = [helper.make_node("Flatten", ["x"], ["flat"], axis=1), helper.make_node("Gemm", ["flat", "w", "b"], ["y"])]


def patterns_of(folder, suffix, content):
    return read_patterns(Artifact.of(saved(folder, f"m{suffix}", content)))


@pytest.mark.parametrize("kind", ["float32.tflite", "float16.tflite", "int8.tflite", "float32.onnx", "float16.onnx"])
def test_a_pattern_is_found_whatever_the_weights_are_stored_in(files, kind):
    assert read_patterns(Artifact.of(files[f"paired-{kind}"])) == Patterns(1.0, 5)


@pytest.mark.parametrize("kind", ["qdq.onnx", "qoperator.onnx", "dynamic.onnx"])
def test_zero_is_what_the_zero_point_says(files, kind):
    assert read_patterns(Artifact.of(files[f"paired-{kind}"])) == Patterns(1.0, 5)


@pytest.mark.parametrize("kind", ["float32.tflite", "int8.tflite", "float32.onnx", "qoperator.onnx"])
def test_dense_networks_have_no_pattern(files, kind):
    assert read_patterns(Artifact.of(files[f"conv-{kind}"])).two_of_four == 0


@pytest.mark.parametrize("suffix", MAKERS)
def test_one_group_of_four_spoils_a_kernel(tmp_path, suffix):
    rng = np.random.default_rng(0)
    w = rng.normal(size=(64, 10)).astype(np.float32)
    w.reshape(16, 4, 10)[:, :2] = 0
    assert patterns_of(tmp_path, suffix, MAKERS[suffix](w=w, b=np.ones(10, np.float32))) == Patterns(1.0, 33)
    w[0, 7] = 1
    assert patterns_of(tmp_path, suffix, MAKERS[suffix](w=w, b=np.ones(10, np.float32))) == Patterns(0.0, 34)


def test_the_share_is_of_weights_and_a_constant_counts_once(tmp_path):
    paired = np.tile(np.array([[1], [0], [2], [0]], np.float32), (16, 64))
    nodes = [LINEAR[0], *(helper.make_node("MatMul", pair, [out]) for pair, out in ((["flat", "v"], "h"), (["h", "v"], "g")))]
    content = onnx_model([*nodes, helper.make_node("MatMul", ["g", "w"], ["y"])], {"v": paired, "w": linear_weights()[0]})
    assert patterns_of(tmp_path, ".onnx", content).two_of_four == pytest.approx(64 * 64 / (64 * 64 + 640))


def test_neighbours_lie_along_the_input_channels_of_a_convolution(tmp_path):
    w = np.ones((3, 4, 2, 2), np.float32)  # (filters, inputs, height, width)
    w[:, [1, 3]] = 0
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"]),
        helper.make_node("GlobalAveragePool", ["h"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    for kernel, share in ((w, 1.0), (np.where(np.arange(4).reshape(2, 2) < 2, 0, np.ones_like(w)), 0.0)):
        content = onnx_model(nodes, {"w": kernel.astype(np.float32)}, shape=(4, 8, 8), classes=3)
        assert patterns_of(tmp_path, ".onnx", content).two_of_four == share


def test_a_kernel_that_cannot_keep_the_pattern_counts_against_it(tmp_path):
    """So that nobody hides the weights in operators of another kind: here depthwise, 8 filters of one input channel."""
    nodes = [
        helper.make_node("Conv", ["x", "d"], ["c"], group=4),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    constants = {"d": np.ones((4, 1, 3, 3), np.float32), "w": np.tile(np.array([[1], [0], [2], [0]], np.float32), (1, 3))}
    found = patterns_of(tmp_path, ".onnx", onnx_model(nodes, constants, shape=(4, 8, 8), classes=3))
    assert found.two_of_four == pytest.approx(12 / 48)
    with pytest.raises(ArtifactError, match="Loop, inside which weights cannot be seen"):
        patterns_of(tmp_path, ".onnx", slow_onnx(turns=1))


def test_a_file_without_kernels_has_no_pattern(tmp_path):
    content = onnx_model([helper.make_node("Flatten", ["x"], ["y"])], {}, classes=64)
    assert patterns_of(tmp_path, ".onnx", content) == Patterns(None, None)


@pytest.mark.parametrize(("suffix", "make"), [(".tflite", linear_tflite), (".onnx", linear_onnx)])
def test_flipped_bytes_give_patterns_or_an_artifact_error(tmp_path, suffix, make):
    for broken in flipped(make(), seed=1):
        try:
            found = patterns_of(tmp_path, suffix, broken)
        except ArtifactError as error:
            assert str(error).endswith(".")
        else:
            assert found.two_of_four is None or 0 <= found.two_of_four <= 1


def test_many_layers_with_one_buffer_are_read_once(tmp_path):
    """The work is bounded by the file's size, however often it names the same bytes, and whatever shapes it claims."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def packed(model):
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    model = schema.ModelT.InitFromPackedBuf(linear_tflite(), 0)
    graph = model.subgraphs[0]
    for copied in range(2000):
        weights, operator = copy(graph.tensors[1]), copy(graph.operators[0])
        graph.tensors.append(weights)
        logits = copy(graph.tensors[3])
        graph.tensors.append(logits)
        operator.inputs, operator.outputs = [0, len(graph.tensors) - 2, 2], [len(graph.tensors) - 1]
        weights.name = f"w{copied}".encode()
        graph.operators.append(operator)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD_N
    code.version = 1
    model.operatorCodes.append(code)
    total = schema.OperatorT()
    total.opcodeIndex, total.inputs = 1, [operator.outputs[0] for operator in graph.operators]
    graph.tensors.append(copy(graph.tensors[3]))
    total.outputs = graph.outputs = [len(graph.tensors) - 1]
    graph.operators.append(total)
    assert len(list(litert_kernels(packed(model)))) == 1
    graph.tensors[1].shape = [2**20, 2**10]
    with pytest.raises(ArtifactError, match="stores 2560 bytes"):
        patterns_of(tmp_path, ".tflite", packed(model))


def test_zeros_are_light_and_noise_is_not(tmp_path):
    noise = np.random.default_rng(0).bytes(100_000)
    assert compressed_size(saved(tmp_path, "noise.bin", noise)) >= 100_000
    assert compressed_size(saved(tmp_path, "zeros.bin", bytes(100_000))) < 300
    with pytest.raises(ArtifactError, match="cannot be read"):
        compressed_size(tmp_path / "none.bin")
