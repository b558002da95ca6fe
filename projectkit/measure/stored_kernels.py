"""The weights that a model file stores, in one layout for both formats."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import live_operations
from projectkit.measure.layer_weights import weights_among

if TYPE_CHECKING:
    from projectkit.measure.litert_graph import Key

Layout = TypeVar("Layout")
Place = TypeVar("Place")
LAYOUTS_MOST = 4  # in which one constant may be used: so that the work is bounded by the file's size


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The stored values of a layer's weights, (filters, positions, input channels), and which of them do not mean 0.

    Where the file does not say plainly what a filter is (a stored first operand, a kernel that is turned round when the model
    runs, a table that is no kernel of a layer), all values are one filter's.
    """

    values: np.ndarray
    nonzero: np.ndarray


def litert_kernels(content: bytes) -> Iterator[Kernel]:
    """Of a .tflite file: the kernels that its first output depends on, and all other constants that are weights (see
    `layer_weights`); a constant that is used in one layout once.

    Raises ArtifactError where operators may hide weights or a kernel is computed, and for weights of which only the non-zero ones
    are stored; or anything else where the file is damaged.
    """
    from projectkit.measure.litert_file import parse, stored_values
    from projectkit.measure.litert_graph import constant_of, constants_among, key_of, stored_kernels

    file = parse(content)
    outputs = file.outputs[:1]
    operations = live_operations(file.operations, outputs)
    uses: dict[Key, dict[tuple[str, tuple[int, ...]], int]] = {}
    for kernel in stored_kernels(file, operations):
        tensor = file.tensors[kernel.value]
        own = uses.setdefault(key_of(tensor), {})
        own[kernel.operation.name if kernel.plain and kernel.position == 1 else "", tensor.shape] = kernel.value
    constants = constants_among(file, operations, outputs)
    weights = weights_among({key: constant_of(tensor) for key, tensor in constants.items()}, uses)
    for key, tensor in constants.items():
        if key not in weights:
            continue
        for (name, _), index in _few(uses.get(key, {("", ()): -1})).items():
            used = tensor if index < 0 else file.tensors[index]
            if not used.elements:
                continue
            if used.sparse:
                raise _sparse(used.name)
            along = [1] * len(used.shape)
            if len(used.zero_points) > 1:
                along[used.axis] = -1
            zeros = used.zero_points[0] if len(used.zero_points) == 1 else used.zero_points.reshape(along)
            values = stored_values(used).reshape(used.shape)
            layout = _litert_layout(name if len(used.shape) > 1 else "")
            yield Kernel(layout(values), layout(values != zeros))


def _few(layouts: dict[Layout, Place]) -> dict[Layout, Place]:
    if len(layouts) > LAYOUTS_MOST:
        raise ArtifactError("uses one constant as the kernel of many different layers. Export it again.")
    return layouts


def _litert_layout(operator: str) -> Callable[[np.ndarray], np.ndarray]:
    if operator == "DEPTHWISE_CONV_2D":  # (1, height, width, filters), one input channel each
        return lambda array: np.moveaxis(array, -1, 0).reshape(array.shape[-1], -1, 1)
    if operator in ("BATCH_MATMUL", ""):
        return lambda array: array.reshape(1, -1, 1)
    return lambda array: array.reshape(array.shape[0], -1, array.shape[-1])  # (filters, …, input channels)


def onnx_kernels(content: bytes) -> Iterator[Kernel]:
    """As `litert_kernels`, of an .onnx file."""
    import onnx

    from projectkit.measure.onnx_file import parse_onnx
    from projectkit.measure.onnx_graph import constants_among, counted, stored_kernels, zero_points_of
    from projectkit.measure.onnx_operators import PRODUCTS

    file = parse_onnx(content)
    outputs = file.outputs[:1]
    nodes, operations = file.live(outputs)
    uses: dict[str, dict[tuple[str, bool], None]] = {}
    by_output = {node.output[0]: node for node in nodes}
    for kernel in stored_kernels(file, operations):
        kind, _, second = PRODUCTS[kernel.operation.name]
        plain = kernel.plain and kernel.position == second
        turned = any(attribute.name == "transB" and attribute.i for attribute in by_output[kernel.operation.outputs[0]].attribute)
        uses.setdefault(kernel.value, {})[kind if plain else "", plain and turned] = None
    constants = constants_among(file, operations, outputs)
    weights = weights_among({name: counted(tensor) for name, tensor in constants.items()}, uses)
    zero_points = zero_points_of(nodes, file.constants)
    for name, stored in constants.items():
        if name not in weights:
            continue
        if isinstance(stored, onnx.SparseTensorProto):
            raise _sparse(name)
        array = onnx.numpy_helper.to_array(stored)
        if not array.size:
            continue
        zeros = zero_points.get(name, np.zeros((), array.dtype))
        if array.dtype.kind not in "iuf":  # int4 and the like: types that NumPy compares only after widening
            array, zeros = array.astype(np.float32), zeros.astype(np.float32)
        for kind, turned in _few(uses.get(name, {("", False): None})):
            layout = _onnx_layout(kind if array.ndim > 1 else "", turned)
            yield Kernel(layout(array), layout(array != zeros))


def _onnx_layout(kind: str, turned: bool) -> Callable[[np.ndarray], np.ndarray]:
    if kind == "convolution":  # (filters, input channels, …)
        return lambda array: np.moveaxis(array, 1, -1).reshape(array.shape[0], -1, array.shape[1])
    if kind == "transposed":  # (input channels, filters, …)
        return lambda array: np.moveaxis(array, 0, -1).reshape(array.shape[1], -1, array.shape[0])
    if not kind:
        return lambda array: array.reshape(1, -1, 1)
    if turned:
        return lambda array: array.reshape(array.shape[0], -1, array.shape[-1])  # (filters, inputs)
    return lambda array: np.moveaxis(array, -1, 0).reshape(array.shape[-1], -1, array.shape[-2])  # (…, inputs, filters)


def _sparse(name: str) -> ArtifactError:
    return ArtifactError(f"stores only the non-zero weights of {name!r}. Export it as float32 or int8.")
