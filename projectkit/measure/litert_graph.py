"""Counts what is inside a .tflite file."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import (
    Operation,
    Roots,
    computed_values,
    data_values,
    live_operations,
    live_positions,
    producers_of,
)
from projectkit.measure.graph import (
    Graph,
    Hidden,
    Layer,
    Unknown,
    Weights,
    count_operators,
    free_operations,
    sentence,
)
from projectkit.measure.layer_weights import Constant, Kernel, kernels_of, mean_bits, weights_among
from projectkit.measure.litert_file import BITS, LiteRTFile, LiteRTTensor, parse, stored_values
from projectkit.measure.litert_operators import (
    HIDING,
    JOINING,
    KNOWN,
    LOOKUPS,
    PAIRING,
    PASSING,
    UNPACKING,
    is_data,
    operands,
    operations_of,
)

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

VIEWS_MOST = 8  # ways in which one buffer may be read: so that the work is bounded by the file's size

# What is stored: a buffer, and as what it is read.
Key = tuple[int, str, tuple[int, ...], bytes]


def read_litert(content: bytes) -> Graph:
    """The graph of a .tflite file. Raises ArtifactError, or anything else where the flatbuffer is damaged."""
    file = parse(content)
    names = {operation.name for operation in file.operations}
    if hiding := names & HIDING:
        raise ArtifactError(sentence(hiding).reason)
    operations = live_operations(file.operations, file.outputs)
    work, layers = _work(file)
    constants = constants_among(file, operations, file.outputs)
    return Graph(
        parameters=sum(tensor.elements for tensor in constants.values()),
        operators=count_operators(operation.name for operation in operations),
        layers=layers,
        work=work,
        stored=_stored(file, constants),
    )


def uncounted(file: LiteRTFile) -> Unknown | None:
    """Why the work of a file cannot be counted; None when it can. Also operators that no output depends on have to be known."""
    if unknown := {operation.name for operation in file.operations} - KNOWN:
        return sentence(unknown)
    if file.batch > 1:
        return Unknown(
            f"is made for {file.batch} examples at once, so that the work for one is not in it. Export it with a batch size of 1."
        )
    computed = computed_values(file.operations, [file.input])
    for operation in file.operations:
        place = LOOKUPS.get(operation.name)
        if place is not None and operation.input(place) in computed:
            return Unknown(
                f"looks values up in a table, by places that it computes ({operation.name}): that stands for work that cannot be "
                "counted. Export it without a lookup."
            )
        for tensor in map(file.tensors.__getitem__, operation.outputs):
            if tensor.scales > 1:
                return Unknown(
                    f"gives {tensor.name!r}, which it computes, {tensor.scales} scales, expected one: to scale every channel on "
                    "its own is work that cannot be counted. Export it again."
                )
        if operation.name == "RESHAPE":
            before, after = file.tensors[operation.input(0)], file.tensors[operation.outputs[0]]
            if before.elements != after.elements:  # a size that only the run knows is stored as 1
                return Unknown(
                    f"does not fix the shapes inside it (a RESHAPE from {before.shape} to {after.shape}): its work cannot be "
                    "counted. Export it with a batch size of 1."
                )
    return None


def _work(file: LiteRTFile) -> tuple[int | Unknown, tuple[Layer, ...]]:
    if reason := uncounted(file):
        return reason, ()
    producers, computed = producers_of(file.operations), computed_values(file.operations, [file.input])
    roots = Roots(producers, PASSING)
    layers = []
    hidden = Hidden(free_operations(file.tensors[file.input].elements))
    for place in live_positions(file.operations, file.outputs):
        operation, options = file.operations[place], file.options[place]
        output = file.tensors[operation.outputs[0]]
        if operation.name in MACS:
            layers.append(_layer(file, operation, options, roots))
            hidden.add_layer(output.elements, layers[-1].macs)
        elif read := [file.tensors[index].elements for index in {*operation.present} & computed]:
            others = [file.tensors[index] for index in operation.present if index not in computed]
            beside = [tensor.elements for tensor in others] if operation.name in ("CONCATENATION", "PACK") else []
            hidden.add(
                operations_of(operation.name, options, sum(read), output.elements),
                output.elements,
                read + beside,
                table=operation.name != "PRELU" and any(constant_of(tensor).is_table for tensor in others),
                joins=operation.name in JOINING,
                pairs=operation.name in PAIRING,
            )
    return sum(layer.macs for layer in layers) + hidden.macs, tuple(layers)


def _layer(file: LiteRTFile, operation: Operation[int], options: "schema.Operator", roots: Roots[int]) -> Layer:
    output = file.tensors[operation.outputs[0]]
    inputs = [index for place, index in enumerate(operation.inputs) if index is not None and is_data(operation.name, place)]
    behind = [file.tensors[index] for index in sorted({roots(index) for index in inputs})]
    constants = [tensor for tensor in behind if tensor.data is not None]
    weights = max(constants, key=lambda tensor: tensor.elements, default=None)
    return Layer(
        name=output.name,
        operator=operation.name,
        macs=MACS[operation.name](options, file.inputs_of(operation), output),
        parameters=sum(tensor.elements for tensor in constants),
        weights=weights.elements if weights else 0,
        bits=BITS.get(weights.type, 0) if weights else 0,
    )


def key_of(tensor: LiteRTTensor) -> Key:
    """What is stored under a constant tensor: two with one buffer, read in one way, are one."""
    return tensor.buffer, tensor.type, tensor.shape if tensor.sparse else (tensor.elements,), tensor.zero_points.tobytes()


def constant_of(tensor: LiteRTTensor) -> Constant:
    return Constant(tensor.shape, tensor.elements, BITS.get(tensor.type, 0))


def constants_among(file: LiteRTFile, operations: Sequence[Operation[int]], outputs: Collection[int]) -> dict[Key, LiteRTTensor]:
    """The stored constants that count, of live `operations`: what flows into `outputs` as data, and all that are large."""
    data = data_values(operations, outputs, lambda operation, position: is_data(operation.name, position))
    read = {index for operation in operations for index in operation.present} | data
    found: dict[Key, LiteRTTensor] = {}
    views: dict[int, int] = {}
    for index in sorted(read):
        tensor = file.tensors[index]
        if tensor.data is None or not (index in data or constant_of(tensor).is_large):
            continue
        key = key_of(tensor)
        if key in found:
            found[key] = max(found[key], tensor, key=_long_axes)
        else:
            found[key] = tensor
            views[tensor.buffer] = views.get(tensor.buffer, 0) + 1
            if views[tensor.buffer] > VIEWS_MOST:
                raise ArtifactError("is damaged: it reads one buffer as many different tensors. Export it again.")
    return found


def _long_axes(tensor: LiteRTTensor) -> int:
    return sum(size > 1 for size in tensor.shape)


def stored_kernels(file: LiteRTFile, operations: Sequence[Operation[int]]) -> list[Kernel[int]]:
    """The kernels of the live `operations`. Raises ArtifactError where one is computed, or an operator is not known."""
    if unknown := {operation.name for operation in file.operations} - KNOWN:
        raise ArtifactError(f"holds {', '.join(sorted(unknown))[:200]}, inside which weights cannot be seen. Export it plainly.")
    constants = {index for index, tensor in enumerate(file.tensors) if tensor.data is not None}
    computed = computed_values(operations, [file.input])
    return kernels_of(operations, constants, computed, lambda operation: operands(operation.name), UNPACKING)


def _stored(file: LiteRTFile, constants: Mapping[Key, LiteRTTensor]) -> Weights | Unknown:
    needed = live_operations(file.operations, file.outputs[:1])
    own = constants_among(file, needed, file.outputs[:1])
    try:
        kernels = {key_of(file.tensors[kernel.value]) for kernel in stored_kernels(file, needed)}
    except ArtifactError as error:
        return Unknown(str(error))
    nonzero = {key: _nonzero(tensor) for key, tensor in constants.items()}
    elements = sum(tensor.elements for tensor in own.values())
    sparsity = 1 - sum(nonzero[key] for key in own) / elements if elements else 0.0
    counted = {key: constant_of(tensor) for key, tensor in own.items()}
    bits = mean_bits([counted[key] for key in weights_among(counted, kernels)])
    return Weights(sum(nonzero.values()), sparsity, bits)


class MacCounter(Protocol):
    """How many multiply-accumulates one operator takes, for all examples of the batch that the file's shapes are for.

    options: the operator as the flatbuffer has it; inputs: its tensors by their position, without absent ones; output: the
    first. Raises whatever a damaged operator makes it raise.
    """

    def __call__(self, options: "schema.Operator", inputs: Mapping[int, LiteRTTensor], output: LiteRTTensor) -> int: ...


def _convolution(options: "schema.Operator", inputs: Mapping[int, LiteRTTensor], output: LiteRTTensor) -> int:
    """Every output element sums over its filter. Filter: (out, height, width, in / groups)."""
    return math.prod(output.shape) * math.prod(inputs[1].shape[1:])


def _depthwise(options: "schema.Operator", inputs: Mapping[int, LiteRTTensor], output: LiteRTTensor) -> int:
    """Every output element sums over one channel of the filter: (1, height, width, channels)."""
    return math.prod(output.shape) * math.prod(inputs[1].shape[1:3])


def _fully_connected(options: "schema.Operator", inputs: Mapping[int, LiteRTTensor], output: LiteRTTensor) -> int:
    """Weights: (units, in), applied to every row of the input."""
    return math.prod(inputs[0].shape) * inputs[1].shape[0]


def _transposed(options: "schema.Operator", inputs: Mapping[int, LiteRTTensor], output: LiteRTTensor) -> int:
    """Every input element is spread over a filter: (out, height, width, in). Inputs: output shape, filter, input."""
    return math.prod(inputs[2].shape) * math.prod(inputs[1].shape[:3])


def _matrix_product(options: "schema.Operator", inputs: Mapping[int, LiteRTTensor], output: LiteRTTensor) -> int:
    """Every output element sums over the axis that the two operands share."""
    from ai_edge_litert import schema_py_generated as schema

    table, fields = options.BuiltinOptions(), schema.BatchMatMulOptions()
    fields.Init(table.Bytes, table.Pos)
    return math.prod(output.shape) * inputs[0].shape[-2 if fields.AdjX() else -1]


MACS: Mapping[str, MacCounter] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transposed,
    "BATCH_MATMUL": _matrix_product,
}


def _nonzero(tensor: LiteRTTensor) -> int:
    """How many stored values differ from their zero point. A sparse tensor stores no others, but may pad its blocks."""
    values = stored_values(tensor)
    if tensor.sparse or len(tensor.zero_points) == 1:
        return int(np.count_nonzero(values != tensor.zero_points[0]))
    along = [1] * len(tensor.shape)
    along[tensor.axis] = -1
    return int(np.count_nonzero(values.reshape(tensor.shape) != tensor.zero_points.reshape(along)))
