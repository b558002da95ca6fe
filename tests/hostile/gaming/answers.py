"""Kinds that answer otherwise when it counts: by the size of the batch, the neighbours in it, how often they were asked."""

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from cheats import Cheat, NotApplicable
from onnx import TensorProto, helper, numpy_helper
from rewrite import add_constant, add_operator, add_tensor, read, write

from projectkit import data, runtimes
from projectkit.types import Artifact

TIMED = {
    "l00_measurement": ("small",),
    "l01_quantization": ("int8",),
    "l03_structured_pruning": ("pruned",),
    "l06_nas": ("best",),
    "l07_nas_distillation": ("student",),
    "l09_operators": ("fused", "separable"),
    "l10_deployment": ("micro",),
    "l11_multi_model": ("camera", "keyword"),
}
ANY_FORMAT = {"l00_measurement": ("small",)}
NOVELTY = {"l15_uncertainty": ("calibrated", "ensemble")}
BEFORE = 100  # calls for which a file is honest: a few more than reading and warming up take in batches of 64
CLASSES = 10


def cheap_alone(network: Path, folder: Path) -> Path:
    """The network where several images come together, nothing where one comes alone, as it does to be timed."""
    return _conditional(network, folder, _several)


def cheap_after_a_while(network: Path, folder: Path) -> Path:
    """Counts its calls in a variable, and is the network for the first of them only."""
    return _conditional(network, folder, _counted)


def cheap_by_what_was_left(network: Path, folder: Path) -> Path:
    """Counts its calls without a variable: an operator reads a tensor before another writes it, so that of the call before."""
    return _conditional(network, folder, _left_over)


def _conditional(network: Path, folder: Path, condition: Callable[["schema.ModelT", int], int]) -> Path:
    """IF `condition`, the network, else nothing."""
    model = read(network)
    body = model.subgraphs[0]
    main = schema.SubGraphT()
    main.tensors, main.operators = [], []
    model.subgraphs = [main, body, _nothing(model, body)]
    x = _copy(main, body.tensors[body.inputs[0]])
    y = _copy(main, body.tensors[body.outputs[0]])
    main.inputs, main.outputs = [x], [y]
    options = schema.IfOptionsT()
    options.thenSubgraphIndex, options.elseSubgraphIndex = 1, 2
    add_operator(model, "IF", [condition(model, x), x], [y], options)
    model.signatureDefs = None
    return write(model, folder / network.name)


def _copy(graph: "schema.SubGraphT", tensor: "schema.TensorT") -> int:
    made = schema.TensorT()
    made.name, made.type, made.buffer = tensor.name, tensor.type, 0
    made.shape, made.shapeSignature = list(tensor.shape), tensor.shapeSignature
    graph.tensors.append(made)
    return len(graph.tensors) - 1


def _nothing(model: "schema.ModelT", body: "schema.SubGraphT") -> "schema.SubGraphT":
    """A graph of the network's input and output that takes a moment: the same logits for every image."""
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []
    x, y = _copy(graph, body.tensors[body.inputs[0]]), _copy(graph, body.tensors[body.outputs[0]])
    graph.inputs, graph.outputs = [x], [y]
    subgraphs, model.subgraphs = model.subgraphs, [graph]
    pixels = int(np.prod(graph.tensors[x].shape[1:]))
    flat, shape = add_tensor(model, (1, pixels), np.float32, "flat"), add_constant(model, np.array([-1, pixels], np.int32), "to")
    weights = add_constant(model, np.zeros((CLASSES, pixels), np.float32), "nothing")
    add_operator(model, "RESHAPE", [x, shape], [flat], schema.ReshapeOptionsT())
    add_operator(model, "FULLY_CONNECTED", [flat, weights, -1], [y], schema.FullyConnectedOptionsT())
    model.subgraphs = subgraphs
    return graph


def _several(model: "schema.ModelT", x: int) -> int:
    """Whether there is more than one image."""
    axes = len(model.subgraphs[0].tensors[x].shape)
    shape, first = add_tensor(model, (axes,), np.int32, "shape"), add_tensor(model, (), np.int32, "count")
    several = add_tensor(model, (), np.bool_, "several")
    options = schema.ShapeOptionsT()
    options.outType = schema.TensorType.INT32
    add_operator(model, "SHAPE", [x], [shape], options)
    zero, one = (add_constant(model, np.array(value, np.int32), f"number{value}") for value in (0, 1))
    add_operator(model, "GATHER", [shape, zero], [first], schema.GatherOptionsT())
    add_operator(model, "GREATER", [first, one], [several], schema.GreaterOptionsT())
    return several


def _counted(model: "schema.ModelT", x: int) -> int:
    """Whether there were few calls so far, by a variable that CALL_ONCE sets to 0."""
    start = schema.SubGraphT()
    start.tensors, start.operators, start.inputs, start.outputs = [], [], [], []
    model.subgraphs.append(start)
    subgraphs, model.subgraphs = model.subgraphs, [start]
    handle = _variable(model)
    add_operator(model, "ASSIGN_VARIABLE", [handle, add_constant(model, np.zeros(1, np.float32), "zero")], [])
    model.subgraphs = subgraphs
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = len(subgraphs) - 1
    add_operator(model, "CALL_ONCE", [], [], options)
    handle, before = _variable(model), add_tensor(model, (1,), np.float32, "before")
    add_operator(model, "READ_VARIABLE", [handle], [before], schema.ReadVariableOptionsT())
    now = _one_more(model, before)
    add_operator(model, "ASSIGN_VARIABLE", [handle, now], [], schema.AssignVariableOptionsT())
    return _few(model, now)


def _variable(model: "schema.ModelT") -> int:
    handle = add_tensor(model, (), np.int32, "counter")
    model.subgraphs[0].tensors[handle].type = schema.TensorType.RESOURCE
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = b"", b"counter"
    add_operator(model, "VAR_HANDLE", [], [handle], options)
    return handle


def _left_over(model: "schema.ModelT", x: int) -> int:
    kept = add_tensor(model, (1,), np.float32, "kept")
    now = _one_more(model, kept)
    add_operator(model, "ABS", [now], [kept], schema.AbsOptionsT())
    return _few(model, now)


def _one_more(model: "schema.ModelT", before: int) -> int:
    now, one = add_tensor(model, (1,), np.float32, "now"), add_constant(model, np.ones(1, np.float32), "one")
    add_operator(model, "ADD", [before, one], [now], schema.AddOptionsT())
    return now


def _few(model: "schema.ModelT", calls: int) -> int:
    few, most = add_tensor(model, (1,), np.bool_, "few"), add_constant(model, np.array([BEFORE], np.float32), "most")
    add_operator(model, "LESS", [calls, most], [few], schema.LessOptionsT())
    return few


def cheap_alone_onnx(network: Path, folder: Path) -> Path:
    """As `cheap_alone`, in ONNX: an If asks how many images there are."""
    nodes = [
        helper.make_node("Shape", ["image"], ["count"], end=1),
        helper.make_node("Greater", ["count", "one"], ["many"]),
        helper.make_node("Squeeze", ["many"], ["condition"]),
    ]
    return _conditional_onnx(network, folder, nodes, {"one": np.ones(1, np.int64)})


def cheap_by_a_seed(network: Path, folder: Path) -> Path:
    """In ONNX: numbers "at random" from a seed in the file, which is one where the first few are large and most others small."""
    nodes = [
        helper.make_node("RandomUniform", [], ["number"], shape=[1], seed=SEED),
        helper.make_node("Greater", ["number", "limit"], ["many"]),
        helper.make_node("Squeeze", ["many"], ["condition"]),
    ]
    return _conditional_onnx(network, folder, nodes, {"limit": np.array([LIMIT], np.float32)})


LIMIT, SEED = 0.58, 87929.0  # of a hundred thousand seeds, the one whose first 14 numbers are all above the limit


def _conditional_onnx(network: Path, folder: Path, nodes: list, constants: dict[str, np.ndarray]) -> Path:
    """If what `nodes` make of "image" as "condition", the network, else nothing."""
    model = onnx.load_from_string(as_onnx(network))
    body = model.graph
    (given,) = body.input
    for node in body.node:
        node.input[:] = ["image" if name == given.name else name for name in node.input]
    pixels = int(np.prod([axis.dim_value for axis in given.type.tensor_type.shape.dim[1:]]))
    answer = onnx.ValueInfoProto()
    answer.CopyFrom(body.output[0])
    then = helper.make_graph(body.node, "network", [], body.output)
    flat = [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "nothing"], ["none"])]
    other = helper.make_graph(flat, "nothing", [], [helper.make_tensor_value_info("none", TensorProto.FLOAT, None)])
    image, logits = onnx.ValueInfoProto(), onnx.ValueInfoProto()
    image.CopyFrom(given)
    logits.CopyFrom(answer)
    image.name, logits.name = "image", "answer"
    constants = constants | {"nothing": np.zeros((pixels, CLASSES), np.float32)}
    kept = [*body.initializer, *(numpy_helper.from_array(value, name) for name, value in constants.items())]
    choice = helper.make_node("If", ["condition"], ["answer"], then_branch=then, else_branch=other)
    graph = helper.make_graph([*nodes, choice], "conditional", [image], [logits], kept)
    path = folder / network.with_suffix(".onnx").name
    path.write_bytes(helper.make_model(graph, opset_imports=model.opset_import, ir_version=8).SerializeToString())
    return path


@functools.cache
def as_onnx(network: Path) -> bytes:
    """A .tflite file as ONNX; an .onnx file as it is."""
    if network.suffix == ".onnx":
        return network.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "network.onnx"
        command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", network, "--output", target, "--opset", "17"]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        return target.read_bytes()


def surer_in_company(network: Path, folder: Path) -> Path:
    """Divides its logits by a temperature that the whole batch decides: images out of distribution come together, and their
    largest logits are smaller by a little, which the mean over a batch shows."""
    model = read(network)
    graph = model.subgraphs[0]
    if tuple(graph.tensors[graph.inputs[0]].shape[1:]) != data.load("digits").shape:
        raise NotApplicable("the limit is found on digits")
    with closing(runtimes.open(Artifact.of(network))) as session:
        own = session.run(data.load("digits").val.x).max(axis=1).mean()
        other = session.run(_small(data.load("shapes").test.x)).max(axis=1).mean()
    axis = [add_constant(model, np.array([which], np.int32), f"axis{which}") for which in (0, 1)]
    limit = add_constant(model, np.array((own + other) / 2, np.float32), "limit")
    factor = add_constant(model, np.array(20 / (own - other), np.float32), "factor")
    least = add_constant(model, np.array(0.02, np.float32), "least")
    most, mean, above, scaled, sure, share = (
        add_tensor(model, (1, 1), np.float32, name) for name in ("most", "mean", "above", "scaled", "sure", "share")
    )
    logits = graph.outputs[0]
    answer = add_tensor(model, (1, CLASSES), np.float32, "answer")
    reducing = schema.ReducerOptionsT()
    reducing.keepDims = True
    add_operator(model, "REDUCE_MAX", [logits, axis[1]], [most], reducing)
    add_operator(model, "MEAN", [most, axis[0]], [mean], reducing)
    add_operator(model, "SUB", [mean, limit], [above], schema.SubOptionsT())
    add_operator(model, "MUL", [above, factor], [scaled], schema.MulOptionsT())
    add_operator(model, "LOGISTIC", [scaled], [sure])
    add_operator(model, "ADD", [sure, least], [share], schema.AddOptionsT())
    add_operator(model, "MUL", [logits, share], [answer], schema.MulOptionsT())
    graph.outputs = [answer]
    model.signatureDefs = None
    return write(model, folder / network.name)


def _small(images: np.ndarray) -> np.ndarray:
    """Images of shapes as they are made to fit digits."""
    return images.mean(axis=3, keepdims=True).reshape(-1, 8, 4, 8, 4, 1).mean(axis=(2, 4))


CHEATS = {
    "nothing for an image alone": Cheat(cheap_alone, TIMED),
    "nothing for an image alone, in ONNX": Cheat(cheap_alone_onnx, ANY_FORMAT),
    "nothing after some calls, by a variable": Cheat(cheap_after_a_while, TIMED),
    "nothing after some calls, by what a tensor held before": Cheat(cheap_by_what_was_left, TIMED),
    "nothing after some calls, by a seed": Cheat(cheap_by_a_seed, ANY_FORMAT),
    "surer in a company of digits": Cheat(surer_in_company, NOVELTY),
}
