"""Kinds that deceive what is counted in an .onnx file: the share of weights that is computed in symmetric int8."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from cheats import Cheat
from onnx import helper, numpy_helper

STEP = 0.25  # of the logits, which the layer that is shown rounds to int8
Hider = Callable[[str, str], list[onnx.NodeProto]]  # (kernel, its name when it is computed) → the nodes


def by_nothing_of_the_image(kernel: str, made: str) -> list[onnx.NodeProto]:
    return [helper.make_node("Add", [kernel, "nothing"], [made])]


def by_one_of_the_image(kernel: str, made: str) -> list[onnx.NodeProto]:
    """W · e^(0 · max(x))."""
    return [helper.make_node("Exp", ["nothing"], [f"{made}_one"]), helper.make_node("Mul", [kernel, f"{made}_one"], [made])]


def by_places_in_the_image(kernel: str, made: str) -> list[onnx.NodeProto]:
    """The kernel is the only row of a table, and the image says which."""
    nodes = [helper.make_node("Cast", ["nothing"], [f"{made}_place"], to=onnx.TensorProto.INT64)]
    nodes += [helper.make_node("Unsqueeze", [kernel, "first_axis"], [f"{made}_table"])]
    return [*nodes, helper.make_node("Gather", [f"{made}_table", f"{made}_place"], [made])]


def by_choice_of_the_image(kernel: str, made: str) -> list[onnx.NodeProto]:
    test = helper.make_node("LessOrEqual", ["nothing", "zero"], [f"{made}_test"])
    return [test, helper.make_node("Where", [f"{made}_test", kernel, "zero"], [made])]


def by_sign(kernel: str, made: str) -> list[onnx.NodeProto]:
    """The kernel is known before the image is: a runtime could compute it once."""
    return [helper.make_node("Neg", [kernel], [f"{made}_less"]), helper.make_node("Neg", [f"{made}_less"], [made])]


def one_symmetric_layer(network: Path, folder: Path, *, hider: Hider, output: bool = False) -> Path:
    """All kernels are computed from the image; an identity behind the logits is in symmetric int8. output: it is none of the
    answer but the second output."""
    model = onnx.load(network)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    logits = graph.output[0].name
    classes = graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    nodes = [
        helper.make_node("ReduceMax", [graph.input[0].name], ["largest"], keepdims=0),
        helper.make_node("Mul", ["largest", "zero"], ["nothing"]),
    ]
    for node in graph.node:
        if not output and node.op_type in ("Conv", "MatMul", "Gemm") and node.input[1] in constants:
            nodes += hider(node.input[1], f"{node.input[1]}_made")
            node.input[1] += "_made"
        node.output[:] = ["logits" if name == logits and not output else name for name in node.output]
        node.input[:] = ["logits" if name == logits and not output else name for name in node.input]
        nodes.append(node)
    source, shown = (logits, "shown") if output else ("logits", logits)
    nodes += [
        helper.make_node("QuantizeLinear", [source, "step", "point"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["rounded", "step", "point"], ["real"]),
        helper.make_node("DequantizeLinear", ["eye", "ones", "points"], ["identity"], axis=1),
        helper.make_node("MatMul", ["real", "identity"], [shown]),
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    if output:
        graph.output.append(helper.make_tensor_value_info(shown, onnx.TensorProto.FLOAT, None))
    more = {
        "zero": np.float32(0),
        "first_axis": np.array([0], np.int64),
        "step": np.float32(STEP),
        "point": np.int8(0),
        "eye": np.eye(classes, dtype=np.int8),
        "ones": np.ones(classes, np.float32),
        "points": np.zeros(classes, np.int8),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in more.items())
    onnx.save(model, folder / network.name)
    return folder / network.name


SLOTS = {"l10_deployment": ("tensorrt",)}
HIDERS: dict[str, Hider] = {
    "W + 0 · max(x)": by_nothing_of_the_image,
    "W · e^(0 · max(x))": by_one_of_the_image,
    "Gather at 0 · max(x)": by_places_in_the_image,
    "Where(0 · max(x) ≤ 0, W, 0)": by_choice_of_the_image,
    "two signs": by_sign,
}
CHEATS = {f"kernels by {name}": Cheat(partial(one_symmetric_layer, hider=hider), SLOTS) for name, hider in HIDERS.items()} | {
    "a symmetric layer as second output": Cheat(partial(one_symmetric_layer, hider=by_sign, output=True), SLOTS)
}
