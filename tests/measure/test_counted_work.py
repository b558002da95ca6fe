"""Multiply-accumulates: what multiplies is counted however it is written, and of an operator that is not known nothing is."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from litert_by_hand import LiteRTByHand
from onnx import TensorProto, helper

from models_by_hand import onnx_model, saved
from projectkit.errors import ArtifactError
from projectkit.measure import read_graph, read_lifetimes, read_operators
from projectkit.measure.litert_operators import HIDING, KNOWN, OPERANDS
from projectkit.measure.onnx_operators import KNOWN as ONNX_KNOWN
from projectkit.types import Artifact

node = helper.make_node
KERNEL = np.arange(1, 641, dtype=np.float32).reshape(64, 10)


def litert(tmp_path, file: LiteRTByHand, *outputs: int) -> Artifact:
    return Artifact.of(file.save(tmp_path, *outputs))


def onnx(tmp_path, nodes, constants=(), **options) -> Artifact:
    constants = {name: np.asarray(value) for name, value in dict(constants).items()}
    return Artifact.of(saved(tmp_path, "m.onnx", onnx_model(nodes, constants, **options)))


# --- a matrix product in other words: 64 inputs, 10 outputs ---


def product_in_litert(how: str) -> tuple[LiteRTByHand, int]:
    file = LiteRTByHand((1, 64))
    axis, matrix = file.constant(np.array([1], np.int32)), file.constant(KERNEL)
    column = file.add("RESHAPE", [0, file.constant(np.array([-1, 64, 1]))], (1, 64, 1))
    wide = (1, 64, 10)

    def tiled() -> int:
        return file.add("TILE", [column, file.constant(np.array([1, 1, 10]))], wide)

    def of_the_image() -> int:
        largest = file.add("REDUCE_MAX", [0, axis], ())
        return file.add("ADD", [matrix, largest], (64, 10))

    def doubled() -> int:
        return file.add("CONCATENATION", [column] * 10, wide, options=schema.ConcatenationOptionsT())

    def flat_table() -> int:
        row = file.add("GATHER", [0, file.constant(np.repeat(np.arange(64, dtype=np.int32), 10))], (1, 640))
        product = file.add("MUL", [row, file.constant(KERNEL.ravel())], (1, 640))
        return file.add("RESHAPE", [product, file.constant(np.array([-1, 64, 10]))], wide)

    every = {
        "MUL": lambda: file.add("MUL", [column, matrix], wide),
        "NEG": lambda: file.add("MUL", [doubled(), file.add("NEG", [matrix], (64, 10))], wide),
        "DIV": lambda: file.add("DIV", [column, file.constant(1 / KERNEL)], wide),
        "SQUARED_DIFFERENCE": lambda: file.add("SQUARED_DIFFERENCE", [column, matrix], wide),
        "SUB": lambda: file.add("ABS", [file.add("SUB", [column, matrix], wide)], wide),
        "MAXIMUM": lambda: file.add("MAXIMUM", [column, matrix], wide),
        "TILE": lambda: file.add("MUL", [tiled(), matrix], wide),
        "BROADCAST_TO": lambda: file.add("MUL", [file.add("BROADCAST_TO", [column, axis], wide), matrix], wide),
        "copies": lambda: file.add("MUL", [doubled(), matrix], wide),
        "a table of the image": lambda: file.add("MUL", [column, of_the_image()], wide),
        "a flat table": flat_table,
        "SELECT_V2": lambda: file.add(
            "SELECT_V2", [file.add("GREATER", [column, matrix], wide, dtype="bool"), column, matrix], wide
        ),
    }[how]()
    return file, file.add("SUM", [every, axis], (1, 10))


@pytest.mark.parametrize(
    "how",
    [
        *("MUL", "NEG", "DIV", "SQUARED_DIFFERENCE", "SUB", "MAXIMUM", "TILE", "BROADCAST_TO", "copies", "a table of the image"),
        *("a flat table", "SELECT_V2"),
    ],
)
def test_a_product_in_other_words_counts_no_less_than_the_product(tmp_path, how):
    file, logits = product_in_litert(how)
    assert read_graph(litert(tmp_path, file, logits)).macs >= 640


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Mul", ["column", "w"], ["every"]), node("ReduceSum", ["every", "one"], ["y"], keepdims=0)],
        [node("Mul", ["column", "w"], ["every"]), node("ReduceMean", ["every"], ["y"], axes=[1], keepdims=0)],
        [
            *(node("Sub", ["column", "w"], ["apart"]), node("Mul", ["apart", "apart"], ["every"])),
            node("ReduceSum", ["every", "one"], ["y"], keepdims=0),
        ],
        [
            *(node("Expand", ["column", "size"], ["copies"]), node("Mul", ["copies", "w"], ["every"])),
            node("ReduceSum", ["every", "one"], ["y"], keepdims=0),
        ],
        [node("Sub", ["column", "w"], ["apart"]), node("ReduceL2", ["apart"], ["y"], axes=[1], keepdims=0)],
        [
            node("Less", ["column", "w"], ["below"]),
            node("Where", ["below", "column", "w"], ["e"]),
            node("ReduceL1", ["e"], ["y"]),
        ],
    ],
    ids=["Mul ReduceSum", "Mul ReduceMean", "a distance", "Expand", "ReduceL2", "Where"],
)
def test_so_it_does_in_onnx(tmp_path, nodes):
    constants = {"w": KERNEL, "one": np.array([1]), "shape": np.array([1, 64, 1]), "size": np.array([1, 64, 10])}
    found = read_graph(onnx(tmp_path, [node("Reshape", ["x", "shape"], ["column"]), *nodes], constants))
    assert found.macs >= 640


def test_what_honest_networks_do_beside_their_layers_counts_nothing(tmp_path):
    """Scale and offset a channel, x · relu6(x + 3) / 6, a gate, a shortcut, a mean: as in published counts."""
    file, channels = LiteRTByHand((1, 8, 8, 16)), (1, 8, 8, 16)
    per_channel = [file.constant(np.arange(1, 17, dtype=np.float32)) for _ in range(2)]
    kernel = file.constant(np.ones((16, 3, 3, 16), np.float32))
    convolved = file.add("CONV_2D", [0, kernel, -1], channels, options=schema.Conv2DOptionsT())
    normal = file.add("ADD", [file.add("MUL", [convolved, per_channel[0]], channels), per_channel[1]], channels)
    gate = file.add("RELU6", [file.add("ADD", [normal, file.constant(np.float32(3))], channels)], channels)
    swish = file.add("MUL", [normal, gate], channels)
    axes = file.constant(np.array([1, 2], np.int32))
    squeezed = file.add("LOGISTIC", [file.add("MEAN", [swish, axes], (1, 1, 1, 16))], (1, 1, 1, 16))
    excited = file.add("MUL", [swish, squeezed], channels)
    joined = file.add("ADD", [excited, convolved], channels)
    pooled = file.add("MEAN", [joined, axes], (1, 16))
    assert read_graph(litert(tmp_path, file, pooled)).macs == 64 * 16 * 9 * 16


@pytest.mark.parametrize("name", sorted({"GATHER", "EMBEDDING_LOOKUP"}))
def test_a_lookup_by_computed_places_is_a_reason(tmp_path, name):
    file = LiteRTByHand((1, 64))
    place = file.add("ARG_MAX", [0, file.constant(np.array(1, np.int32))], (1,), dtype="int32")
    inputs = [file.constant(KERNEL), place]
    logits = file.add(name, inputs if name == "GATHER" else inputs[::-1], (1, 10))
    with pytest.raises(ArtifactError, match=f"looks values up in a table.*{name}"):
        _ = read_graph(litert(tmp_path, file, logits)).macs
    nodes = [
        *(node("Flatten", ["x"], ["flat"]), node("ArgMax", ["flat"], ["place"], axis=1, keepdims=0)),
        node("Gather", ["w", "place"], ["y"]),
    ]
    with pytest.raises(ArtifactError, match="looks values up in a table"):
        _ = read_graph(onnx(tmp_path, nodes, {"w": KERNEL})).macs


# --- operators that are not known ---

ALL = sorted(name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int))


@pytest.mark.parametrize("name", [name for name in ALL if name not in KNOWN])
def test_an_operator_that_is_not_known_is_a_reason_alive_or_not(tmp_path, name):
    """Of all operators of the schema; read_operators says the same."""
    for alive in (True, False):
        file = LiteRTByHand((1, 64))
        unknown = file.add(name, [0], (1, 64))
        logits = file.dense(unknown if alive else 0, file.constant(KERNEL.T.copy()), 10)
        artifact = litert(tmp_path, file, logits)
        with pytest.raises(ArtifactError, match=f"holds {name}, whose multiply-accumulates"):
            _ = read_graph(artifact).macs
        with pytest.raises(ArtifactError, match=f"holds {name}, whose multiply-accumulates"):
            read_operators(artifact)


def test_no_operator_is_in_two_tables():
    assert not KNOWN & HIDING
    assert len(OPERANDS) == 5


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        *(("Einsum", ""), ("LSTM", ""), ("RandomNormalLike", ""), ("ScatterND", ""), ("NonZero", ""), ("DFT", "")),
        *(("Conv", "mine.example"), ("Scaler", "ai.onnx.ml"), ("LinearClassifier", "ai.onnx.ml"), ("Attention", "com.microsoft")),
        *(("Relu", "com.microsoft"), ("SparseToDenseMatMul", "com.microsoft"), ("MatMulNBits", "com.microsoft")),
    ],
)
def test_of_onnx_operators_neither(tmp_path, name, domain):
    assert name not in ONNX_KNOWN or domain
    nodes = [node("Flatten", ["x"], ["flat"]), node(name, ["flat"], ["h"], domain=domain), node("MatMul", ["h", "w"], ["y"])]
    with pytest.raises(ArtifactError, match=f"holds .*{name}.*, whose multiply-accumulates"):
        _ = read_graph(onnx(tmp_path, nodes, {"w": KERNEL})).macs


def test_parameters_are_there_where_the_work_is_unknown(tmp_path):
    nodes = [node("Flatten", ["x"], ["flat"]), node("Einsum", ["flat", "w"], ["y"], equation="ni,io->no")]
    assert read_graph(onnx(tmp_path, nodes, {"w": KERNEL})).parameters == 640


def test_shapes_for_many_examples_are_a_reason(tmp_path):
    """A file for a thousand images that takes only the first would do a thousandth of the work for each."""
    file = LiteRTByHand((1000, 64))
    where = [file.constant(np.array(one, np.int32)) for one in ([0, 0], [1, 64], [1, 1])]
    first = file.add("STRIDED_SLICE", [0, *where], (1, 64), options=schema.StridedSliceOptionsT())
    logits = file.dense(first, file.constant(KERNEL.T.copy()), 10)
    artifact = litert(tmp_path, file, logits)
    with pytest.raises(ArtifactError, match="made for 1000 examples"):
        _ = read_graph(artifact).macs
    with pytest.raises(ArtifactError, match="made for 1000 examples"):
        read_lifetimes(artifact)


def test_scales_of_what_is_computed_are_a_reason(tmp_path):
    file = LiteRTByHand((1, 64))
    scaled = file.add("QUANTIZE", [0], (1, 64), dtype="int8")
    file.tensors[scaled].quantization = file.tensors[file.constant(np.zeros(64, np.int8), scales=64)].quantization
    logits = file.add("DEQUANTIZE", [scaled], (1, 64))
    with pytest.raises(ArtifactError, match="64 scales, expected one"):
        _ = read_graph(litert(tmp_path, file, logits)).macs


# --- graphs that are not what they seem ---


@pytest.mark.parametrize("how", ["twice", "constant", "input", "before"])
def test_a_tensor_that_changes_under_the_reader_is_refused(tmp_path, how):
    file = LiteRTByHand((1, 64))
    kernel = file.constant(KERNEL.T.copy())
    logits = file.dense(0, kernel, 10)
    made = file.add("NEG", [kernel], (10, 64))
    other = file.dense(made, kernel, 10)
    file.operators[1].outputs = [{"twice": logits, "constant": kernel, "input": 0, "before": made}[how]]
    if how == "before":
        file.operators.append(file.operators.pop(1))
    with pytest.raises(ArtifactError, match=r"writes over a tensor|is written after it"):
        read_graph(litert(tmp_path, file, other))


def test_two_constants_of_one_name_are_refused(tmp_path):
    import onnx as onnx_format

    path = onnx(tmp_path, [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])], {"w": KERNEL}).path
    model = onnx_format.load(path)
    model.graph.initializer.append(onnx_format.numpy_helper.from_array(KERNEL * 0, "w"))
    onnx_format.save(model, path)
    with pytest.raises(ArtifactError, match="two of its constants have one name"):
        read_graph(Artifact.of(path))


# --- activations ---


def test_operators_that_nobody_reads_hold_no_activations(tmp_path):
    file = LiteRTByHand((1, 64))
    file.dense(0, file.constant(np.zeros((5000, 64), np.float32)), 5000)
    logits = file.dense(0, file.constant(KERNEL.T.copy()), 10)
    assert read_lifetimes(litert(tmp_path, file, logits)).peak_activations == 256 + 40


def test_a_view_that_is_smaller_than_what_it_shows_is_none(tmp_path):
    """Cast in disguise: 64 float32 that are said to be 64 int8."""
    file = LiteRTByHand((1, 64))
    shown = file.add("RESHAPE", [0, file.constant(np.array([-1, 64]))], (1, 64), dtype="int8")
    logits = file.dense(shown, file.constant(KERNEL.T.copy()), 10)
    assert read_lifetimes(litert(tmp_path, file, logits)).peak_activations == 256 + 64


def test_what_is_inside_of_functions_is_counted(tmp_path):
    import onnx as onnx_format

    nodes = [node("Flatten", ["x"], ["flat"]), node("Relu", ["flat", "w"], ["y"], domain="mine")]
    model = onnx_format.load(onnx(tmp_path, nodes, {"w": KERNEL}).path)
    product = helper.make_function(
        "mine", "Relu", ["a", "b"], ["c"], [node("MatMul", ["a", "b"], ["c"])], [helper.make_opsetid("", 17)]
    )
    model.functions.append(product)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    onnx_format.save(model, tmp_path / "m.onnx")
    graph = read_graph(Artifact.of(tmp_path / "m.onnx"))
    assert (graph.macs, graph.weight_bits) == (640, 32)


def test_a_loop_that_nobody_reads_is_a_reason_as_well(tmp_path):
    body = helper.make_graph(
        [node("Identity", ["going"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, [])],
    )
    nodes = [node("Flatten", ["x"], ["flat"]), node("Loop", ["n", "yes"], [], body=body), node("MatMul", ["flat", "w"], ["y"])]
    with pytest.raises(ArtifactError, match="holds Loop"):
        read_graph(onnx(tmp_path, nodes, {"w": KERNEL, "n": np.array(3), "yes": np.array(True)}))
