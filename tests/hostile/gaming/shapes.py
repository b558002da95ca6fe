"""Kinds that claim other shapes than the runtime computes: the count of multiply-accumulates follows the claim.

All but two put an operator in front of the network that changes nothing, and whose output has a shape that is computed from the
image: what comes behind it is sized when it runs, and what the file says of it is looked at by nobody.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from answers import as_onnx
from cheats import Cheat
from onnx import helper, numpy_helper
from rewrite import add_constant, add_operator, add_tensor, read, write

COUNTED = {
    "l00_measurement": ("small",),
    "l03_structured_pruning": ("pruned", "tiny"),
    "l05_distillation": ("student",),
    "l06_nas": ("best",),
    "l07_nas_distillation": ("student",),
    "l09_operators": ("fused", "separable"),
    "l10_deployment": ("micro",),
}
ANY_FORMAT = {"l00_measurement": ("small",)}
FOLDED = 64  # images that a file claims to take at once

Front = Callable[["schema.ModelT", int, int, tuple[int, ...]], None]


def claimed(network: Path, folder: Path) -> Path:
    """The network as it is; its shapes are said to be those of one pixel."""
    model = read(network)
    _shrink(model, after={model.subgraphs[0].inputs[0]})
    return write(model, folder / network.name)


def folded(network: Path, folder: Path) -> Path:
    """Answers the first image of a batch, and claims to take many at once: a share of the work is said to be each's."""
    model = read(network)
    graph = model.subgraphs[0]
    x, y = graph.inputs[0], graph.outputs[0]
    shape = tuple(int(size) for size in graph.tensors[x].shape)
    first = _in_front(model, x, shape)
    begin = add_constant(model, np.zeros(len(shape), np.int32), "begin")
    size = add_constant(model, np.array([1, *shape[1:]], np.int32), "size")
    add_operator(model, "SLICE", [x, begin, size], [first], schema.SliceOptionsT(), at=0)
    graph.tensors[x].shape, graph.tensors[x].shapeSignature = [FOLDED, *shape[1:]], [-1, *shape[1:]]
    graph.tensors[y].shapeSignature = None
    return write(model, folder / network.name)


def dynamic(front: Front, network: Path, folder: Path) -> Path:
    """The network behind an operator whose output has a shape that the image decides, as far as the runtime can know."""
    model = read(network)
    graph = model.subgraphs[0]
    x = graph.inputs[0]
    shape = tuple(int(size) for size in graph.tensors[x].shape)
    seen = _in_front(model, x, shape)
    behind, graph.operators = graph.operators, []
    front(model, x, seen, shape)
    graph.operators = [*graph.operators, *behind]
    _shrink(model, after={seen})
    return write(model, folder / network.name)


def _in_front(model: "schema.ModelT", x: int, shape: tuple[int, ...]) -> int:
    """A new tensor that all readers of the input read in its place."""
    graph = model.subgraphs[0]
    seen = add_tensor(model, shape, np.float32, "seen")
    for operator in graph.operators:
        operator.inputs = [seen if index == x else index for index in operator.inputs]
    return seen


def _shrink(model: "schema.ModelT", after: set[int]) -> None:
    """Says of all that is computed behind these tensors that it has one row and one column, or whatever is least."""
    graph, known = model.subgraphs[0], set(after)
    for operator in graph.operators:
        if known & set(operator.inputs):
            for index in operator.outputs:
                known.add(index)
                if index not in graph.outputs:
                    graph.tensors[index].shape = [1] * len(graph.tensors[index].shape)
                    graph.tensors[index].shapeSignature = None


def _zero(model: "schema.ModelT", x: int) -> int:
    """The whole number 0, computed from the image."""
    light, none, zero = (
        add_tensor(model, (), dtype, name) for dtype, name in ((np.float32, "l"), (np.float32, "n"), (np.int32, "z"))
    )
    axes = add_constant(model, np.arange(len(model.subgraphs[0].tensors[x].shape), dtype=np.int32), "axes")
    add_operator(model, "REDUCE_MIN", [x, axes], [light], schema.ReducerOptionsT())
    add_operator(model, "MUL", [light, add_constant(model, np.array(0, np.float32), "nought")], [none], schema.MulOptionsT())
    add_operator(model, "CAST", [none], [zero], schema.CastOptionsT())
    return zero


def _plus_zero(model: "schema.ModelT", x: int, numbers: np.ndarray) -> int:
    """The whole numbers, computed from the image."""
    sum_ = add_tensor(model, numbers.shape, np.int32, "numbers")
    given = add_constant(model, numbers.astype(np.int32), "given")
    add_operator(model, "ADD", [given, _zero(model, x)], [sum_], schema.AddOptionsT())
    return sum_


def _reshape(model: "schema.ModelT", x: int, seen: int, shape: tuple[int, ...]) -> None:
    add_operator(model, "RESHAPE", [x, _plus_zero(model, x, np.array([-1, *shape[1:]]))], [seen], schema.ReshapeOptionsT())


def _slice(model: "schema.ModelT", x: int, seen: int, shape: tuple[int, ...]) -> None:
    begin, size = add_constant(model, np.zeros(len(shape), np.int32), "begin"), _plus_zero(model, x, np.array([-1, *shape[1:]]))
    add_operator(model, "SLICE", [x, begin, size], [seen], schema.SliceOptionsT())


def _pad(model: "schema.ModelT", x: int, seen: int, shape: tuple[int, ...]) -> None:
    add_operator(model, "PAD", [x, _plus_zero(model, x, np.zeros((len(shape), 2)))], [seen], schema.PadOptionsT())


def _tile(model: "schema.ModelT", x: int, seen: int, shape: tuple[int, ...]) -> None:
    add_operator(model, "TILE", [x, _plus_zero(model, x, np.ones(len(shape)))], [seen], schema.TileOptionsT())


def _strided(model: "schema.ModelT", x: int, seen: int, shape: tuple[int, ...]) -> None:
    begin = _plus_zero(model, x, np.zeros(len(shape)))
    end, step = (
        add_constant(model, np.array(value, np.int32), name) for name, value in (("end", shape), ("step", [1] * len(shape)))
    )
    options = schema.StridedSliceOptionsT()
    options.beginMask, options.endMask = 1, 1
    add_operator(model, "STRIDED_SLICE", [x, begin, end, step], [seen], options)


def _resize(model: "schema.ModelT", x: int, seen: int, shape: tuple[int, ...]) -> None:
    size = _plus_zero(model, x, np.array(shape[1:3]))
    add_operator(model, "RESIZE_NEAREST_NEIGHBOR", [x, size], [seen], schema.ResizeNearestNeighborOptionsT())


def _where(model: "schema.ModelT", x: int, seen: int, shape: tuple[int, ...]) -> None:
    """The places of all pixels that are above -1, then the pixels of these places: how many there are, only the run knows."""
    all_, places, pixels = (
        add_tensor(model, size, dtype, name)
        for size, dtype, name in ((shape, np.bool_, "all"), ((64, len(shape)), np.int64, "places"), ((64,), np.float32, "pixels"))
    )
    less = add_constant(model, np.array(-1, np.float32), "less")
    add_operator(model, "GREATER", [x, less], [all_], schema.GreaterOptionsT())
    add_operator(model, "WHERE", [all_], [places], schema.WhereOptionsT())
    add_operator(model, "GATHER_ND", [x, places], [pixels], schema.GatherNdOptionsT())
    to = add_constant(model, np.array([-1, *shape[1:]], np.int32), "to")
    add_operator(model, "RESHAPE", [pixels, to], [seen], schema.ReshapeOptionsT())


FRONTS: Mapping[str, Front] = {
    "reshaped": _reshape,
    "sliced": _slice,
    "padded": _pad,
    "tiled": _tile,
    "strided": _strided,
    "resized": _resize,
    "gathered": _where,
}


def dynamic_onnx(nodes: list, network: Path, folder: Path) -> Path:
    """The network behind `nodes`, which make "seen" of "image" and change nothing."""
    model = onnx.load_from_string(as_onnx(network))
    graph = model.graph
    (given,) = graph.input
    size = [axis.dim_value for axis in given.type.tensor_type.shape.dim[1:]]
    for node in graph.node:
        node.input[:] = ["seen" if name == given.name else name for name in node.input]
    given.name = "image"
    behind = list(graph.node)
    del graph.node[:]
    graph.node.extend([*ZERO, *nodes, *behind])
    constants = {"to": [-1, *size], "nought": 0, "ones": [1] * (len(size) + 1), "zeros": [0] * (2 * len(size) + 2), "flat": [-1]}
    graph.initializer.extend(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items())
    graph.initializer.append(numpy_helper.from_array(np.array(-1, np.float32), "less"))
    del graph.value_info[:]
    path = folder / network.with_suffix(".onnx").name
    path.write_bytes(model.SerializeToString())
    return path


ZERO = [
    helper.make_node("ReduceMin", ["image"], ["light"], keepdims=0),
    helper.make_node("Cast", ["light"], ["whole"], to=onnx.TensorProto.INT64),
    helper.make_node("Mul", ["whole", "nought"], ["zero"]),
]
ONNX_FRONTS = {
    "reshaped": [helper.make_node("Add", ["to", "zero"], ["size"]), helper.make_node("Reshape", ["image", "size"], ["seen"])],
    "tiled": [helper.make_node("Add", ["ones", "zero"], ["size"]), helper.make_node("Tile", ["image", "size"], ["seen"])],
    "padded": [helper.make_node("Add", ["zeros", "zero"], ["size"]), helper.make_node("Pad", ["image", "size"], ["seen"])],
    "compressed": [
        helper.make_node("Greater", ["image", "less"], ["all"]),
        helper.make_node("Reshape", ["all", "flat"], ["chosen"]),
        helper.make_node("Compress", ["image", "chosen"], ["pixels"]),
        helper.make_node("Reshape", ["pixels", "to"], ["seen"]),
    ],
}
CHEATS = {
    "shapes of one pixel": Cheat(claimed, COUNTED),
    "the work of many images at once": Cheat(folded, COUNTED),
    **{f"{name} by data, then shapes of one pixel": Cheat(partial(dynamic, front), COUNTED) for name, front in FRONTS.items()},
    **{f"{name} by data, in ONNX": Cheat(partial(dynamic_onnx, nodes), ANY_FORMAT) for name, nodes in ONNX_FRONTS.items()},
}
