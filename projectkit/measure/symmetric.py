"""Whether an .onnx file says in the way that TensorRT and DLA read how its layers are computed in int8."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Roots, producers_of
from projectkit.measure.layer_weights import Kernel, weights_among
from projectkit.measure.onnx_file import parse_onnx
from projectkit.measure.onnx_graph import constants_among, counted, stored_kernels
from projectkit.measure.parsing import parse_file
from projectkit.types import Artifact

if TYPE_CHECKING:
    import onnx

    from projectkit.measure.onnx_operators import Constant

RESHAPED = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"})
KERNELS = {"Conv": 0, "ConvTranspose": 1, "Gemm": None, "MatMul": 1}  # operator → the axis of the kernel that its outputs lie on


@dataclass(frozen=True, slots=True)
class Symmetric:
    """symmetric_int8: the share of the weights whose layer is computed in symmetric int8: its input and its kernel both come
    out of a DequantizeLinear of int8 with zero point 0, the kernel with one scale for each output channel. Weights of the first
    output; other large constants among them, such as tables, are weights that are not. None when there are none.
    """

    symmetric_int8: float | None


def read_symmetric(artifact: Artifact) -> Symmetric:
    """Counts it from the file, without a runtime. Raises ArtifactError for a damaged file, and for other formats than .onnx."""
    return parse_file(artifact, {"onnx": _of_onnx, "litert": _no_pairs, "supermask": _no_pairs})


def _no_pairs(content: bytes) -> Symmetric:
    raise ArtifactError("only .onnx files hold the QuantizeLinear and DequantizeLinear pairs that TensorRT reads")


def _of_onnx(content: bytes) -> Symmetric:
    file = parse_onnx(content)
    outputs = file.outputs[:1]
    nodes, operations = file.live(outputs)
    kernels = stored_kernels(file, operations)
    makers = {name: node for node in nodes for name in node.output}
    shapers = Roots(producers_of(operations), RESHAPED)
    sizes = {name: counted(tensor) for name, tensor in constants_among(file, operations, outputs).items()}
    weights = weights_among(sizes, {kernel.value for kernel in kernels})
    beside = weights - {kernel.value for kernel in kernels}  # tables, which no layer computes in int8
    whole, fitting = sum(sizes[name].elements for name in beside), 0
    for kernel in kernels:
        own = math.prod(file.constants[kernel.value].dims)
        whole += own
        fitting += own * _is_read(makers[kernel.operation.outputs[0]], makers, shapers, file.constants, kernel)
    return Symmetric(fitting / whole if whole else None)


def _is_read(
    node: "onnx.NodeProto",
    nodes: Mapping[str, "onnx.NodeProto"],
    shapers: Roots[str],
    constants: Mapping[str, "Constant"],
    kernel: Kernel[str],
) -> bool:
    """Whether TensorRT computes the layer of `kernel` in int8."""
    if kernel.operation.name not in KERNELS or kernel.position != 1:
        return False
    pairs = [nodes.get(shapers(name)) for name in node.input[:2]]
    dequantized = [pair for pair in pairs if pair is not None and _is_symmetric(pair, nodes, constants)]
    return len(dequantized) == len(pairs) and _per_channel(node, dequantized[1], constants, kernel.value)


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
