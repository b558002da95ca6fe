"""The kernels that a model file stores, in one layout for both formats."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, root

if TYPE_CHECKING:
    import onnx

UNPACKING = frozenset({"DEQUANTIZE", "DENSIFY", "CAST", "QUANTIZE", "DequantizeLinear", "Cast", "Identity"})


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The stored values of a layer's weights, (filters, positions, input channels), and which of them do not mean 0.

    Where the file does not say plainly what a filter is (a stored first operand, a kernel that is turned round when the model
    runs), all values are one filter's.
    """

    values: np.ndarray
    nonzero: np.ndarray


def litert_kernels(content: bytes) -> Iterator[Kernel]:
    """Of every operator of a .tflite file that multiplies and accumulates; equal constants once.

    Raises ArtifactError where operators may hide others, and for a kernel of which only the non-zero weights are stored; or
    anything else where the file is damaged.
    """
    from projectkit.measure.litert_file import parse, stored_values
    from projectkit.measure.litert_graph import MACS, PASSING, UNCOUNTED

    file, seen = parse(content), set()
    _refuse_hidden({operation.name for operation in file.operations} & UNCOUNTED)
    producers = {value: operation for operation in file.operations for value in operation.outputs}
    for operation in file.operations:
        for index in operation.inputs[:2] if operation.name in MACS else ():  # a bias is no kernel
            if index is None:
                continue
            tensor = file.tensors[root(index, producers, PASSING)]
            if tensor.data is None or len(tensor.shape) < 2 or not tensor.elements or tensor.buffer in seen:
                continue
            if tensor.sparse:
                raise _sparse(tensor.name)
            seen.add(tensor.buffer)  # so that many layers with one buffer cannot make the work longer than the file
            along = [1] * len(tensor.shape)
            along[tensor.axis] = -1
            zeros = tensor.zero_points[:1] if len(tensor.zero_points) == 1 else tensor.zero_points.reshape(along)
            values = stored_values(tensor).reshape(tensor.shape)
            unpacked = file.tensors[root(index, producers, UNPACKING)] is tensor
            layout = _litert_layout(operation.name if unpacked else "")
            yield Kernel(layout(values), layout(values != zeros))


def _litert_layout(operator: str) -> Callable[[np.ndarray], np.ndarray]:
    if operator == "DEPTHWISE_CONV_2D":  # (1, height, width, filters), one input channel each
        return lambda array: np.moveaxis(array, -1, 0).reshape(array.shape[-1], -1, 1)
    if operator in ("BATCH_MATMUL", ""):
        return lambda array: array.reshape(1, -1, 1)
    return lambda array: array.reshape(array.shape[0], -1, array.shape[-1])  # (filters, …, input channels)


def onnx_kernels(content: bytes) -> Iterator[Kernel]:
    """As `litert_kernels`, of an .onnx file."""
    import onnx

    from projectkit.measure.onnx_graph import constants_of, zero_points_of
    from projectkit.measure.onnx_operators import PASSING, PRODUCTS, UNCOUNTED

    model = onnx.load_from_string(content)
    nodes, constants, seen = list(model.graph.node), constants_of(model.graph), set()
    _refuse_hidden({node.op_type for node in nodes} & UNCOUNTED | {function.name for function in model.functions})
    operations = [Operation(node.op_type, tuple(node.input), tuple(node.output)) for node in nodes]
    producers = {value: operation for operation in operations for value in operation.outputs}
    zero_points = zero_points_of(nodes, constants)
    for node in nodes:
        kind, first, second = PRODUCTS.get(node.op_type, ("", 0, 0))
        for position in (first, second) if kind else ():
            name = root(node.input[position], producers, PASSING)
            if name not in constants or name in seen:
                continue
            stored = constants[name]
            if isinstance(stored, onnx.SparseTensorProto):
                raise _sparse(name)
            seen.add(name)
            array = onnx.numpy_helper.to_array(stored)
            if array.ndim < 2 or not array.size:
                continue
            zeros = zero_points.get(name, np.zeros((), array.dtype))
            if array.dtype.kind not in "iuf":  # int4 and the like: types that NumPy compares only after widening
                array, zeros = array.astype(np.float32), zeros.astype(np.float32)
            plain = position == second and name == root(node.input[position], producers, UNPACKING)
            layout = _onnx_layout(kind if plain else "", node)
            yield Kernel(layout(array), layout(array != zeros))


def _onnx_layout(kind: str, node: "onnx.NodeProto") -> Callable[[np.ndarray], np.ndarray]:
    if kind == "convolution":  # (filters, input channels, …)
        return lambda array: np.moveaxis(array, 1, -1).reshape(array.shape[0], -1, array.shape[1])
    if kind == "transposed":  # (input channels, filters, …)
        return lambda array: np.moveaxis(array, 0, -1).reshape(array.shape[1], -1, array.shape[0])
    if not kind:
        return lambda array: array.reshape(1, -1, 1)
    if any(attribute.name == "transB" and attribute.i for attribute in node.attribute):
        return lambda array: array.reshape(array.shape[0], -1, array.shape[-1])  # (filters, inputs)
    return lambda array: np.moveaxis(array, -1, 0).reshape(array.shape[-1], -1, array.shape[-2])  # (…, inputs, filters)


def _refuse_hidden(names: set[str]) -> None:
    if names:
        raise ArtifactError(f"holds {', '.join(sorted(names))[:200]}, inside which weights cannot be seen. Export it plainly.")


def _sparse(name: str) -> ArtifactError:
    return ArtifactError(f"stores only the non-zero weights of {name!r}. Export it as float32 or int8.")
