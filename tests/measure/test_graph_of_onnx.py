"""Corners of the ONNX reader, on graphs made by hand."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models_by_hand import custom_onnx, external_onnx, linear_onnx, onnx_model, slow_onnx
from projectkit.errors import ArtifactError
from projectkit.measure import Graph, read_graph
from projectkit.types import Artifact

node = helper.make_node


def graph_of(tmp_path, content: bytes) -> Graph:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    return read_graph(Artifact.of(path))


def test_constants_of_shapes_bounds_and_scales_are_no_parameters(tmp_path):
    constants = {
        "minus": np.array([-1], np.int64),
        "first": np.array([0], np.int64),
        "low": np.array(0, np.float32),
        "high": np.array(6, np.float32),
        "w": np.ones((64, 10), np.float32),
        "offset": np.array([1, 0, 2, 3, 4, 5, 6, 7, 8, 9], np.float32),
    }
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "first"], ["batch"]),
        node("Concat", ["batch", "minus"], ["flat_shape"], axis=0),
        node("Reshape", ["x", "flat_shape"], ["flat"]),
        node("Clip", ["flat", "low", "high"], ["clipped"]),
        node("MatMul", ["clipped", "w"], ["product"]),
        node("Add", ["product", "offset"], ["y"]),
    ]
    graph = graph_of(tmp_path, onnx_model(nodes, constants))
    assert (graph.parameters, graph.nonzero_parameters, graph.macs) == (64 * 10 + 10, 64 * 10 + 9, 64 * 10)


def test_constant_nodes_count_and_each_constant_once(tmp_path):
    value = numpy_helper.from_array(np.eye(64, dtype=np.float32))
    nodes = [
        node("Flatten", ["x"], ["flat"]),
        node("Constant", [], ["square"], value=value),
        node("Constant", [], ["half"], value_float=0.5),
        node("MatMul", ["flat", "square"], ["once"]),
        node("MatMul", ["once", "square"], ["twice"]),
        node("Mul", ["twice", "half"], ["y"]),
    ]
    graph = graph_of(tmp_path, onnx_model(nodes, {}, classes=64))
    assert (graph.parameters, graph.nonzero_parameters, graph.macs) == (64 * 64 + 1, 64 + 1, 2 * 64 * 64)
    assert "Constant" not in dict(graph.operators)


def test_grouped_and_transposed_convolution(tmp_path):
    nodes = [
        node("Conv", ["x", "w"], ["h"], group=2, strides=[2, 2], pads=[1, 1, 1, 1]),
        node("ConvTranspose", ["h", "v"], ["u"], strides=[2, 2]),
        node("Flatten", ["u"], ["y"]),
    ]
    constants = {"w": np.ones((6, 2, 3, 3), np.float32), "v": np.ones((6, 5, 2, 2), np.float32)}
    graph = graph_of(tmp_path, onnx_model(nodes, constants, shape=(4, 7, 7), classes=5 * 8 * 8))
    # 7 → (7 + 2 - 3) / 2 + 1 = 4, each of the 6 outputs sums 2 channels of 3x3; then each of the 6 spreads over 5 of 2x2
    assert [layer.macs for layer in graph.layers] == [4 * 4 * 6 * 2 * 3 * 3, 4 * 4 * 6 * 5 * 2 * 2]


def test_gemm_with_transposed_weights_and_a_fixed_batch(tmp_path):
    content = onnx_model(
        [node("Flatten", ["x"], ["flat"]), node("Gemm", ["flat", "w", "b"], ["y"], transB=1)],
        {"w": np.ones((10, 64), np.float32), "b": np.zeros(10, np.float32)},
    )
    model = onnx.load_from_string(content)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 16
    for one in (content, model.SerializeToString()):
        graph = graph_of(tmp_path, one)
        assert (graph.parameters, graph.nonzero_parameters, graph.macs) == (650, 640, 640)


def test_weights_with_a_zero_point_for_each_channel(tmp_path):
    stored = np.array([[3, 5], [4, 5]], np.uint8)  # per column zero points 3 and 5: only the 4 is not zero
    constants = {
        "stored": stored,
        "scale": np.ones(2, np.float32),
        "zero": np.array([3, 5], np.uint8),
    }
    nodes = [
        node("Flatten", ["x"], ["flat"]),
        node("DequantizeLinear", ["stored", "scale", "zero"], ["w"], axis=1),
        node("MatMul", ["flat", "w"], ["y"]),
    ]
    graph = graph_of(tmp_path, onnx_model(nodes, constants, shape=(2,), classes=2))
    assert (graph.parameters, graph.nonzero_parameters) == (4, 1)
    assert graph.layers[0].bits == 8


def test_int4_weights(tmp_path):
    stored = helper.make_tensor("stored", TensorProto.INT4, [3, 3], np.array([1, 0, -8, 7, 0, 0, 2, 3, -1]))
    model = onnx.load_from_string(
        onnx_model(
            [
                node("Flatten", ["x"], ["flat"]),
                node("DequantizeLinear", ["stored", "scale"], ["w"]),
                node("MatMul", ["flat", "w"], ["y"]),
            ],
            {"scale": np.array(0.5, np.float32)},
            shape=(3,),
            classes=3,
            opset=21,
        )
    )
    model.graph.initializer.append(stored)
    graph = graph_of(tmp_path, model.SerializeToString())
    assert (graph.parameters, graph.nonzero_parameters, graph.layers[0].bits) == (9, 6, 4)


def test_local_functions_are_counted(tmp_path):
    model = onnx.load_from_string(linear_onnx())
    inner = helper.make_function(
        "hidden.example",
        "Twice",
        ["a", "m"],
        ["c"],
        [node("MatMul", ["a", "m"], ["b"]), node("MatMul", ["b", "m"], ["c"])],
        [helper.make_opsetid("", 17)],
    )
    model.functions.append(inner)
    model.opset_import.append(helper.make_opsetid("hidden.example", 1))
    model.graph.node[-1].input[0] = "more"
    model.graph.node.insert(1, node("Twice", ["flat", "m"], ["more"], domain="hidden.example"))
    model.graph.initializer.append(numpy_helper.from_array(np.eye(64, dtype=np.float32), "m"))
    assert graph_of(tmp_path, model.SerializeToString()).macs == 64 * 10 + 2 * 64 * 64


def test_claimed_shapes_inside_the_file_change_nothing(tmp_path):
    model = onnx.load_from_string(linear_onnx(hidden=100))
    honest = graph_of(tmp_path, model.SerializeToString()).macs
    model.graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, 1]))
    model.graph.value_info.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, [1, 1]))
    assert graph_of(tmp_path, model.SerializeToString()).macs == honest == 64 * 100 + 100 * 10


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (external_onnx("../../secret"), "in another file"),
        (slow_onnx(), "Loop"),
        (b"", "no operator"),
        (onnx_model([node("Flatten", ["x"], ["y"])], {}, shape=("rows", 8), classes=64), "any size"),
        (onnx_model([node("MatMul", ["x", "w"], ["y"])], {"w": np.ones((8, 2), np.float32)}, shape=(7,)), "shape"),
    ],
    ids=["external", "loop", "empty", "free axes", "shapes that do not fit"],
)
def test_what_cannot_be_counted_is_refused_with_a_reason(tmp_path, content, words):
    with pytest.raises(ArtifactError, match=words):
        _ = graph_of(tmp_path, content).macs


def test_of_an_unknown_operator_nothing_is_known(tmp_path):
    model = onnx.load_from_string(custom_onnx())
    model.opset_import.append(helper.make_opsetid("unknown.example", 1))
    with pytest.raises(ArtifactError, match=r"unknown\.example\.Surprise"):
        graph_of(tmp_path, model.SerializeToString())
