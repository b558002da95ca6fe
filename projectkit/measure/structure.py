"""Which layers a model file has, in one form for all formats, so that a file can be compared with the network that it is from."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, Roots, Value, live_operations, producers_of
from projectkit.measure.parsing import parse_file
from projectkit.types import Artifact

if TYPE_CHECKING:
    import onnx

LAYERS_MOST = 400
COMPARED_MOST = 10**9  # products of a comparison: a stranger's file may claim to have any number of filters


class KernelShape(NamedTuple):
    """Of a layer's weights: how many filters, at how many positions each looks (9 for 3×3, 1 for a matrix product), and how many
    input channels it sees there (1 for a depthwise convolution)."""

    filters: int
    positions: int
    channels: int


@dataclass(frozen=True, slots=True)
class Structure:
    """kernels: of every convolution and matrix product, in the order in which they run; operators: the names of all operators,
    each once; computed: how many kernels are not stored but computed when the model runs."""

    kernels: tuple[KernelShape, ...]
    operators: tuple[str, ...]
    computed: int = 0


def read_structure(artifact: Artifact) -> Structure:
    """Reads the layers of `artifact`, without a runtime. Raises ArtifactError when the file is malformed, or has more layers or
    other operators inside it than can be read."""
    return parse_file(artifact, {"litert": _litert, "onnx": _onnx, "supermask": _supermask})


def kinship(artifact: Artifact, start: Artifact) -> float | None:
    """How much the filters of a .tflite file are some of the filters of `start`. Of each filter, the largest cosine with one of
    the start's; of each layer from the second on, the median of these; of the layers, the least. Channels that the layer
    before no longer has are left out of both. About 0.2 for networks of these shapes that have nothing to do with each other.

    None where the files are not of that format, store their weights sparsely, or have not as many layers with as many positions
    and as many filters or fewer. Raises ArtifactError when a file is malformed.
    """
    if artifact.format != "litert" or start.format != "litert" or "DENSIFY" in read_structure(artifact).operators:
        return None
    mine, theirs = (parse_file(one, {"litert": _values}) for one in (artifact, start))
    if len(mine) != len(theirs) or len(mine) < 2:
        return None
    cosines: list[float] = []
    came_from = np.arange(theirs[0].shape[2])
    for kernel, whole in zip(mine, theirs, strict=True):
        fits = kernel.shape[1] == whole.shape[1] and kernel.shape[2] == len(came_from) and len(kernel) <= len(whole)
        if not fits or kernel.size * len(whole) > COMPARED_MOST:
            return None
        alike = _directions(kernel) @ _directions(whole[:, :, came_from]).T
        came_from = alike.argmax(axis=1)
        cosines.append(float(np.median(alike.max(axis=1))))
    return min(cosines[1:])


def _directions(kernel: np.ndarray) -> np.ndarray:
    """(filters, …) as vectors of length 1: batch normalization scales filters when it is folded into them."""
    rows = kernel.reshape(len(kernel), -1).astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _values(content: bytes) -> list[np.ndarray]:
    """The kernels (filters, positions, input channels) in the order in which they run. Raises ArtifactError where one is computed
    or where there are too many."""
    from projectkit.measure.litert_file import parse, stored_values
    from projectkit.measure.litert_graph import MACS
    from projectkit.measure.litert_operators import PASSING

    file = parse(content)
    operations = live_operations(file.operations, file.outputs[:1])
    roots = Roots(producers_of(operations), PASSING)
    products = [operation for operation in operations if operation.name in MACS]
    if len(products) > LAYERS_MOST:
        raise ArtifactError(f"has {len(products)} layers, of which at most {LAYERS_MOST} can be compared.")
    kernels = []
    for operation in products:
        tensor = file.tensors[roots(operation.input(1))]
        values, zeros = stored_values(tensor).astype(np.float32).reshape(tensor.shape), tensor.zero_points
        if len(zeros) > 1:
            zeros = zeros.reshape([-1 if axis == tensor.axis else 1 for axis in range(len(tensor.shape))])
        kernels.append(_by_filter(operation.name, values - zeros))
    return kernels


def _by_filter(operator: str, kernel: np.ndarray) -> np.ndarray:
    filters, positions, channels = _litert_shape(operator, kernel.shape)
    if operator in ("DEPTHWISE_CONV_2D", "BATCH_MATMUL"):
        kernel = np.moveaxis(kernel, -1, 0)
    return kernel.reshape(filters, positions, channels)


def _structure(operations: Sequence[Operation[Value]], kernels: Sequence[KernelShape], computed: int) -> Structure:
    if len(kernels) > LAYERS_MOST:
        raise ArtifactError(f"has {len(kernels)} layers, of which at most {LAYERS_MOST} can be compared.")
    names = tuple(sorted({operation.name for operation in operations}))
    return Structure(tuple(kernels), names, computed)


def _litert(content: bytes) -> Structure:
    from projectkit.measure.litert_file import parse
    from projectkit.measure.litert_graph import MACS
    from projectkit.measure.litert_operators import PASSING

    file = parse(content)
    operations = live_operations(file.operations, file.outputs[:1])
    roots = Roots(producers_of(operations), PASSING)
    kernels: list[KernelShape] = []
    computed = 0
    for operation in operations:
        if operation.name not in MACS:
            continue
        tensor = file.tensors[roots(operation.input(1))]
        computed += tensor.data is None
        kernels.append(_litert_shape(operation.name, tensor.shape))
    return _structure(operations, kernels, computed)


def _litert_shape(operator: str, shape: tuple[int, ...]) -> KernelShape:
    if operator == "DEPTHWISE_CONV_2D":  # (1, height, width, filters)
        return KernelShape(shape[-1], math.prod(shape[1:-1]), 1)
    if operator == "BATCH_MATMUL":  # (…, inputs, units), as a rule
        return KernelShape(shape[-1], 1, math.prod(shape[:-1]))
    return KernelShape(shape[0], math.prod(shape[1:-1]), shape[-1])  # (filters, …, input channels)


def _onnx(content: bytes) -> Structure:
    from projectkit.measure.onnx_file import parse_onnx
    from projectkit.measure.onnx_operators import PASSING, PRODUCTS

    file = parse_onnx(content)
    nodes, operations = file.live(file.outputs)
    roots = Roots(producers_of(operations), PASSING)
    kernels: list[KernelShape] = []
    computed = 0
    for node, operation in zip(nodes, operations, strict=True):
        if operation.name not in PRODUCTS:
            continue
        kind, _, position = PRODUCTS[operation.name]
        stored = file.constants.get(roots(operation.input(position)))
        computed += stored is None
        shape = () if stored is None else tuple(getattr(stored, "dims", ()))
        kernels.append(_onnx_shape(kind, node, shape))
    return _structure(operations, kernels, computed)


def _onnx_shape(kind: str, node: "onnx.NodeProto", shape: tuple[int, ...]) -> KernelShape:
    if len(shape) < 2:
        return KernelShape(0, 0, 0)
    if kind == "convolution":  # (filters, input channels, …)
        return KernelShape(shape[0], math.prod(shape[2:]), shape[1])
    if kind == "transposed":  # (input channels, filters, …)
        return KernelShape(shape[1], math.prod(shape[2:]), shape[0])
    if any(attribute.name == "transB" and attribute.i for attribute in node.attribute):
        return KernelShape(shape[0], 1, shape[-1])
    return KernelShape(shape[-1], 1, math.prod(shape[:-1]))


def _supermask(content: bytes) -> Structure:
    """The whole network, before anything is removed."""
    from projectkit.runtimes.supermask import parse_supermask

    units = parse_supermask(content).units
    return Structure(tuple(_dense(units)), ("MatMul",))


def _dense(units: tuple[int, ...]) -> Iterator[KernelShape]:
    for inputs, outputs in pairwise(units):
        yield KernelShape(outputs, 1, inputs)
