"""Whether an .onnx file says in the way that TensorRT and DLA read how its layers are computed in int8."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, data_values, root
from projectkit.measure.parsing import parse_file
from projectkit.types import Artifact

if TYPE_CHECKING:
    import onnx

    from projectkit.measure.onnx_operators import Constant

RESHAPED = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"})
STORED = RESHAPED | {"DequantizeLinear", "QuantizeLinear", "Cast", "Identity"}
KERNELS = {"Conv": 0, "ConvTranspose": 1, "Gemm": None, "MatMul": 1}  # operator → the axis of the kernel that its outputs lie on


@dataclass(frozen=True, slots=True)
class Symmetric:
    """symmetric_int8: the share of the weights whose layer is computed in symmetric int8: its input and its kernel both come
    out of a DequantizeLinear of int8 with zero point 0, the kernel with one scale for each output channel. None when no layer
    has a kernel.
    """

    symmetric_int8: float | None


def read_symmetric(artifact: Artifact) -> Symmetric:
    """Counts it from the file, without a runtime. Raises ArtifactError for a damaged file, and for other formats than .onnx."""
    return parse_file(artifact, {"onnx": _of_onnx, "litert": _no_pairs, "supermask": _no_pairs})


def _no_pairs(content: bytes) -> Symmetric:
    raise ArtifactError("only .onnx files hold the QuantizeLinear and DequantizeLinear pairs that TensorRT reads")


def _of_onnx(content: bytes) -> Symmetric:
    import onnx

    from projectkit.measure.onnx_graph import constants_of
    from projectkit.measure.onnx_operators import PRODUCTS, UNCOUNTED

    model = onnx.load_from_string(content)
    graph, constants = model.graph, constants_of(model.graph)
    if hidden := sorted({node.op_type for node in graph.node} & UNCOUNTED.union(function.name for function in model.functions)):
        raise ArtifactError(f"holds {', '.join(hidden)}, which may hide weights. Export it again, without loops and functions.")
    nodes = {name: node for node in graph.node for name in node.output}
    producers = {name: Operation(node.op_type, tuple(node.input), tuple(node.output)) for name, node in nodes.items()}
    made = {value.name for value in graph.input} - set(constants)
    used = data_values(list(producers.values()), [value.name for value in graph.output], lambda operation, position: True)
    whole = fitting = 0
    for node in graph.node:
        made.update(node.output if made & set(node.input) else ())
        if node.op_type not in PRODUCTS or not used & set(node.output):
            continue
        second = node.input[PRODUCTS[node.op_type][2]]
        kernel = root(second, producers, STORED)
        if kernel in constants:
            weights = math.prod(constants[kernel].dims)
            whole += weights
            fitting += weights * _is_read(node, nodes, producers, constants, kernel)
        elif second not in made:
            raise ArtifactError(f"computes the kernel {second!r} when it runs, instead of storing it. Export it again.")
    return Symmetric(fitting / whole if whole else None)


def _is_read(
    node: "onnx.NodeProto",
    nodes: Mapping[str, "onnx.NodeProto"],
    producers: Mapping[str, Operation[str]],
    constants: Mapping[str, "Constant"],
    kernel: str,
) -> bool:
    """Whether TensorRT computes the layer in int8."""
    if node.op_type not in KERNELS:
        return False
    pairs = [nodes.get(root(name, producers, RESHAPED)) for name in node.input[:2]]
    dequantized = [pair for pair in pairs if pair is not None and _is_symmetric(pair, nodes, constants)]
    return len(dequantized) == len(pairs) and _per_channel(node, dequantized[1], constants, kernel)


def _is_symmetric(node: "onnx.NodeProto", nodes: Mapping[str, "onnx.NodeProto"], constants: Mapping[str, "Constant"]) -> bool:
    """Whether `node` is a DequantizeLinear of int8 with zero point 0, and its QuantizeLinear, if any, has the same."""
    if node.op_type != "DequantizeLinear":
        return False
    pair = [node] + [made for made in [nodes.get(node.input[0])] if made is not None and made.op_type == "QuantizeLinear"]
    return all(len(one.input) > 2 and _all_zero(one.input[2], constants) for one in pair)


def _all_zero(name: str, constants: Mapping[str, "Constant"]) -> bool:
    import onnx

    zeros = constants.get(name)
    if not isinstance(zeros, onnx.TensorProto) or zeros.data_type != onnx.TensorProto.INT8:
        return False
    return not np.any(onnx.numpy_helper.to_array(zeros))


def _per_channel(node: "onnx.NodeProto", dequantize: "onnx.NodeProto", constants: Mapping[str, "Constant"], kernel: str) -> bool:
    """Whether the kernel's scale is a list as long as there are output channels."""
    axis = KERNELS[node.op_type]
    if axis is None:  # Gemm: (in, out), or (out, in) when it is turned round
        axis = 0 if any(attribute.name == "transB" and attribute.i for attribute in node.attribute) else 1
    scale = constants.get(dequantize.input[1])
    return scale is not None and math.prod(scale.dims) == constants[kernel].dims[axis]
