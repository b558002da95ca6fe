"""What the weights of a file are: kernels that are stored, tables beside them, and a reason where a kernel is computed.

The expected numbers are counted with NumPy from the arrays that went into the files.
"""

import numpy as np
import pytest
from litert_by_hand import LiteRTByHand
from onnx import helper

from models_by_hand import onnx_model, saved
from projectkit.errors import ArtifactError
from projectkit.measure import read_graph, read_patterns, read_symmetric
from projectkit.measure.graph import FREE_OPERATIONS
from projectkit.types import Artifact

RNG = np.random.default_rng(0)
node = helper.make_node


def dense_values(inputs: int, units: int, dtype: str = "float32") -> np.ndarray:
    """No zeros, and no two alike."""
    values = RNG.permutation(np.arange(1, inputs * units + 1)).reshape(units, inputs)
    return (values % 100 + 1).astype(dtype) if dtype == "int8" else values.astype(dtype)


def litert(tmp_path, file: LiteRTByHand, *outputs: int) -> Artifact:
    return Artifact.of(file.save(tmp_path, *outputs))


def onnx(tmp_path, nodes, constants, **options) -> Artifact:
    return Artifact.of(saved(tmp_path, "m.onnx", onnx_model(nodes, constants, **options)))


WEIGHTS = ("nonzero_parameters", "sparsity", "weight_bits")


def assert_hidden(artifact: Artifact, words: str) -> None:
    """Every metric of weights is missing for this reason; the others are there."""
    graph = read_graph(artifact)
    assert graph.operator_count > 1
    for metric in WEIGHTS:
        with pytest.raises(ArtifactError, match=words):
            getattr(graph, metric)
    with pytest.raises(ArtifactError, match=words):
        read_patterns(artifact)
    if artifact.format == "onnx":
        with pytest.raises(ArtifactError, match=words):
            read_symmetric(artifact)


# --- a kernel that is computed, .tflite ---


def computed_in_litert(how: str) -> tuple[LiteRTByHand, int]:
    file, kernel = LiteRTByHand((1, 64)), dense_values(64, 10)
    stored, shape = file.constant(kernel), kernel.shape
    largest = file.add("REDUCE_MAX", [0, file.constant(np.array([0, 1], np.int32))], ())
    rows = file.constant(np.arange(10, dtype=np.int32))
    made = {
        "NEG": lambda: file.add("NEG", [stored], shape),
        "ADD": lambda: file.add("ADD", [stored, file.constant(np.zeros(64, np.float32))], shape),
        "ADD of the image": lambda: file.add("ADD", [stored, largest], shape),
        "GATHER": lambda: file.add("GATHER", [stored, rows], shape),
        "EMBEDDING_LOOKUP": lambda: file.add("EMBEDDING_LOOKUP", [rows, stored], shape),
        "TILE": lambda: file.add("TILE", [file.constant(kernel[:1]), file.constant(np.array([10, 1], np.int32))], shape),
        "BROADCAST_TO": lambda: file.add("BROADCAST_TO", [file.constant(kernel[:1]), file.constant(np.array(shape))], shape),
        "PAD": lambda: file.add("PAD", [file.constant(kernel[:9]), file.constant(np.array([[0, 1], [0, 0]]))], shape),
        "RESHAPE": lambda: file.add("RESHAPE", [file.constant(kernel.ravel()), file.constant(np.array(shape))], shape),
        "SELECT_V2": lambda: file.add("SELECT_V2", [file.constant(kernel > 3), stored, stored], shape),
        "RANGE": lambda: file.add("RANGE", [file.constant(np.float32(value)) for value in (0, 640, 1)], (640,)),
        "FILL": lambda: file.add("FILL", [file.constant(np.array(shape)), file.constant(np.float32(1))], shape),
        "DEQUANTIZE": lambda: file.add("DEQUANTIZE", [file.add("NEG", [file.constant(kernel.astype(np.int8))], shape)], shape),
        "FULLY_CONNECTED": lambda: file.dense(
            file.constant(np.eye(10, dtype=np.float32)), file.constant(kernel.T.copy()), 64, 10
        ),
    }[how]()
    return file, file.dense(0, made, 10)


@pytest.mark.parametrize(
    "how",
    [
        *("NEG", "ADD", "ADD of the image", "GATHER", "EMBEDDING_LOOKUP", "TILE", "BROADCAST_TO", "PAD", "RESHAPE", "SELECT_V2"),
        *("RANGE", "FILL", "DEQUANTIZE", "FULLY_CONNECTED"),
    ],
)
def test_a_kernel_that_a_tflite_file_computes_is_no_kernel_that_is_counted(tmp_path, how):
    file, logits = computed_in_litert(how)
    words = "multiplies two tensors that it computes" if how == "ADD of the image" else "computes a kernel of FULLY_CONNECTED"
    assert_hidden(litert(tmp_path, file, logits), words)


def test_what_exporters_write_before_a_kernel_is_allowed(tmp_path):
    """float16 and int8 behind a DEQUANTIZE, and a DENSIFY before it."""
    for dtype, bits in (("float16", 16), ("int8", 8)):
        file, kernel = LiteRTByHand((1, 64)), dense_values(64, 10, dtype)
        kernel[0, :3] = 0
        stored = file.constant(kernel, scales=dtype == "int8")
        packed = file.add("DENSIFY", [stored], kernel.shape, dtype=dtype)
        logits = file.dense(0, file.add("DEQUANTIZE", [packed], kernel.shape), 10)
        graph = read_graph(litert(tmp_path, file, logits))
        assert (graph.nonzero_parameters, graph.weight_bits, graph.macs) == (np.count_nonzero(kernel), bits, 640)
        assert read_patterns(litert(tmp_path, file, logits)).distinct_weights == max(len(set(row)) for row in kernel.tolist())


# --- what else is stored ---


def test_a_float_table_beside_an_int8_layer_shows(tmp_path):
    file, kernel, table = LiteRTByHand((1, 64)), dense_values(64, 64, "int8"), dense_values(64, 32)
    hidden = file.dense(0, file.add("DEQUANTIZE", [file.constant(kernel, scales=1)], kernel.shape), 64)
    wide = file.add("RESHAPE", [hidden, file.constant(np.array([1, 1, 64]))], (1, 1, 64))
    product = file.add("MUL", [wide, file.constant(table)], (1, 32, 64))
    logits = file.add("SUM", [product, file.constant(np.array([2], np.int32))], (1, 32))
    artifact = litert(tmp_path, file, logits)
    graph = read_graph(artifact)
    assert graph.weight_bits == pytest.approx((kernel.size * 8 + table.size * 32) / (kernel.size + table.size))
    assert graph.parameters == kernel.size + table.size
    # The layer that is written as a multiplication counts as one, and so does what its sum reads, but for the usual.
    assert graph.macs == 64 * 64 + 32 * 64 + (32 * 64 - FREE_OPERATIONS * (64 + 64))
    assert read_patterns(artifact).distinct_weights == table.size


def test_biases_and_scales_are_no_weights_unless_they_outweigh_them(tmp_path):
    for units, bits in ((10, 8), (1, (64 * 8 + 300 * 32) / 364)):
        file, kernel = LiteRTByHand((1, 64)), dense_values(64, units, "int8")
        logits = file.dense(0, file.constant(kernel, scales=1), units)
        long = 10 if units == 10 else 300
        scaled = file.add("MUL", [logits, file.constant(np.arange(1, long + 1, dtype=np.float32))], (1, long))
        assert read_graph(litert(tmp_path, file, scaled)).weight_bits == pytest.approx(bits)


def test_only_what_an_output_depends_on_counts(tmp_path):
    """Operators that nobody reads, before, between and behind the others."""
    file, kernel = LiteRTByHand((1, 64)), dense_values(64, 10)
    file.dense(0, file.constant(np.zeros((500, 64), np.float32)), 500)
    logits = file.dense(0, file.constant(kernel), 10)
    file.dense(logits, file.constant(np.zeros((500, 10), np.float32)), 500)
    graph = read_graph(litert(tmp_path, file, logits))
    assert (graph.parameters, graph.sparsity, graph.macs, graph.operator_count) == (640, 0, 640, 1)

    zeros = np.zeros((64, 500), np.float32)
    nodes = [node("Flatten", ["x"], ["flat"]), node("MatMul", ["flat", "z"], ["nobody"]), node("MatMul", ["flat", "w"], ["y"])]
    graph = read_graph(onnx(tmp_path, nodes, {"w": dense_values(10, 64), "z": zeros}))
    assert (graph.parameters, graph.sparsity, graph.macs, graph.operator_count) == (640, 0, 640, 2)


def test_of_two_outputs_the_shares_are_those_of_the_first(tmp_path):
    file, kernel = LiteRTByHand((1, 64)), dense_values(64, 10)
    logits = file.dense(0, file.constant(kernel), 10)
    second = file.dense(0, file.constant(np.zeros((500, 64), np.float32)), 500)
    graph = read_graph(litert(tmp_path, file, logits, second))
    assert (graph.parameters, graph.macs) == (510 * 64, 510 * 64)
    assert (graph.nonzero_parameters, graph.sparsity) == (640, 0)
    swapped = read_graph(litert(tmp_path, file, second, logits))
    assert swapped.sparsity == 1


def test_a_buffer_counts_once_and_equal_bytes_in_two_buffers_twice(tmp_path):
    kernel = dense_values(64, 64)
    for shared, parameters in ((True, 64 * 64), (False, 2 * 64 * 64)):
        file = LiteRTByHand((1, 64))
        first = file.constant(kernel)
        second = file.constant(kernel, buffer=file.tensors[first].buffer if shared else 0)
        logits = file.dense(file.dense(0, first, 64), second, 64)
        graph = read_graph(litert(tmp_path, file, logits))
        assert (graph.parameters, graph.nonzero_parameters, graph.macs) == (parameters, parameters, 2 * 64 * 64)


def test_a_buffer_that_is_read_in_two_ways_counts_in_both(tmp_path):
    """As float32 and as four times as many int8: the narrower one does not hide the wider."""
    kernel = dense_values(64, 64)
    file = LiteRTByHand((1, 64))
    first = file.constant(kernel)
    bytes_of_it = np.frombuffer(kernel.tobytes(), np.int8).reshape(256, 64)
    second = file.constant(bytes_of_it, buffer=file.tensors[first].buffer)
    logits = file.dense(file.dense(0, first, 64), second, 256)
    graph = read_graph(litert(tmp_path, file, logits))
    assert graph.parameters == kernel.size + bytes_of_it.size
    assert graph.weight_bits == pytest.approx((kernel.size * 32 + bytes_of_it.size * 8) / graph.parameters)


def test_indices_are_parameters(tmp_path):
    """Of a table of 8 levels, 640 places."""
    file = LiteRTByHand((1, 64))
    places = file.constant((np.arange(640, dtype=np.int32) % 8).reshape(10, 64))
    table = file.add("GATHER", [file.constant(np.arange(8, dtype=np.float32)), places], (10, 64))
    scaled = file.add("MUL", [0, table], (10, 64))
    assert read_graph(litert(tmp_path, file, scaled)).parameters == 648

    nodes = [
        node("Gather", ["levels", "places"], ["table"]),
        node("Flatten", ["x"], ["flat"]),
        node("Mul", ["flat", "table"], ["y"]),
    ]
    constants = {"levels": np.arange(8, dtype=np.float32), "places": np.arange(640).reshape(10, 64) % 8}
    assert read_graph(onnx(tmp_path, nodes, constants, classes=64)).parameters == 648


def test_one_constant_in_two_layouts_keeps_the_pattern_in_neither(tmp_path):
    """2:4 along the first axis of the matrix, which is the input channels of one layer and the filters of the other."""
    paired = np.tile(np.array([[1], [0], [2], [0]], np.float32), (16, 64))
    nodes = [node("Flatten", ["x"], ["flat"]), node("Gemm", ["flat", "w"], ["h"]), node("Gemm", ["h", "w"], ["y"], transB=1)]
    assert read_patterns(onnx(tmp_path, [*nodes[:2], node("Identity", ["h"], ["y"])], {"w": paired}, classes=64)).two_of_four == 1
    assert read_patterns(onnx(tmp_path, nodes, {"w": paired}, classes=64)).two_of_four == pytest.approx(0.5)


# --- a kernel that is computed, .onnx ---

MADE = {
    "Neg": [node("Neg", ["w"], ["k"])],
    "Add": [node("Add", ["w", "zero"], ["k"])],
    "Mul": [node("Mul", ["w", "one"], ["k"])],
    "Concat": [node("Split", ["w"], ["a", "b"], axis=0), node("Concat", ["a", "b"], ["k"], axis=0)],
    "Gather": [node("Gather", ["w", "rows"], ["k"])],
    "Expand": [node("Slice", ["w", "first", "second"], ["row"]), node("Expand", ["row", "size"], ["k"])],
    "Where": [node("Where", ["yes", "w", "zero"], ["k"])],
    "Gemm": [node("MatMul", ["eye", "w"], ["k"])],
    "DequantizeLinear of a sum": [
        node("Cast", ["w"], ["stored"], to=3),
        node("Add", ["stored", "stored"], ["twice"]),
        node("DequantizeLinear", ["twice", "one"], ["k"]),
    ],
    "DequantizeLinear by a computed scale": [
        node("Cast", ["w"], ["stored"], to=3),
        node("Neg", ["one"], ["less"]),
        node("DequantizeLinear", ["stored", "less"], ["k"]),
    ],
}
OF_THE_IMAGE = {
    "Add": [node("Add", ["w", "nothing"], ["k"])],
    "Mul": [node("Exp", ["nothing"], ["o"]), node("Mul", ["w", "o"], ["k"])],
    "behind an identity": [node("Add", ["w", "nothing"], ["j"]), node("MatMul", ["eye", "j"], ["k"])],
    "Max": [node("Sub", ["nothing", "huge"], ["low"]), node("Max", ["w", "low"], ["k"])],
}
CONSTANTS = {
    **{"w": dense_values(10, 64), "eye": np.eye(64, dtype=np.float32), "rows": np.arange(64), "yes": np.array(True)},
    **{"zero": np.float32(0), "one": np.float32(1), "huge": np.float32(1e9)},
    **{"first": np.array([0]), "second": np.array([1]), "size": np.array([64, 10])},
}


@pytest.mark.parametrize("how", MADE)
def test_a_kernel_that_an_onnx_file_computes_is_no_kernel_that_is_counted(tmp_path, how):
    nodes = [node("Flatten", ["x"], ["flat"]), *MADE[how], node("MatMul", ["flat", "k"], ["y"])]
    assert_hidden(
        onnx(tmp_path, nodes, {name: np.asarray(value) for name, value in CONSTANTS.items()}), "computes a kernel of MatMul"
    )


@pytest.mark.parametrize("how", OF_THE_IMAGE)
def test_nor_is_one_that_needs_the_image(tmp_path, how):
    nodes = [
        node("Flatten", ["x"], ["flat"]),
        node("ReduceMax", ["x"], ["largest"], keepdims=0),
        node("Mul", ["largest", "zero"], ["nothing"]),
        *OF_THE_IMAGE[how],
        node("MatMul", ["flat", "k"], ["y"]),
    ]
    artifact = onnx(tmp_path, nodes, {name: np.asarray(value) for name, value in CONSTANTS.items()})
    assert_hidden(artifact, "multiplies two tensors that it computes")


def test_weights_that_are_stored_as_text_are_refused(tmp_path):
    import onnx as onnx_format

    nodes = [node("Cast", ["text"], ["k"], to=1), node("Flatten", ["x"], ["flat"]), node("MatMul", ["flat", "k"], ["y"])]
    model = onnx_format.load(onnx(tmp_path, nodes, {}).path)
    text = onnx_format.helper.make_tensor("text", onnx_format.TensorProto.STRING, [64, 10], [b"0.5"] * 640)
    model.graph.initializer.append(text)
    onnx_format.save(model, tmp_path / "text.onnx")
    with pytest.raises(ArtifactError, match="constants of type STRING"):
        _ = read_graph(Artifact.of(tmp_path / "text.onnx")).weight_bits


def test_scales_that_are_the_weights_are_refused(tmp_path):
    """640 ones, each with a scale of its own, turned into a matrix."""
    nodes = [
        node("Flatten", ["x"], ["flat"]),
        node("DequantizeLinear", ["ones", "scales"], ["column"], axis=0),
        node("Reshape", ["column", "shape"], ["k"]),
        node("MatMul", ["flat", "k"], ["y"]),
    ]
    constants = {"ones": np.ones(640, np.int8), "scales": np.arange(640, dtype=np.float32), "shape": np.array([64, 10])}
    assert_hidden(onnx(tmp_path, nodes, constants), "a scale for each weight")


def test_a_channel_scaled_by_dequantizing_is_work_and_a_parameter(tmp_path):
    """The image times 64 scales: a multiplication that calls itself a number format."""
    nodes = [
        node("Flatten", ["x"], ["flat"]),
        node("QuantizeLinear", ["flat", "step", "point"], ["q"]),
        node("DequantizeLinear", ["q", "scales", "points"], ["scaled"], axis=1),
        node("MatMul", ["scaled", "w"], ["y"]),
    ]
    constants = {
        **{"step": np.float32(0.1), "point": np.int8(0), "scales": np.arange(1, 65, dtype=np.float32)},
        **{"points": np.zeros(64, np.int8), "w": dense_values(10, 64)},
    }
    graph = read_graph(onnx(tmp_path, nodes, {name: np.asarray(value) for name, value in constants.items()}))
    assert (graph.parameters, graph.macs) == (640 + 64, 640 + 64)
