"""Counts what is inside a .tflite file."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, data_values, root
from projectkit.measure.graph import Graph, Layer, count_operators
from projectkit.measure.litert_file import BITS, LiteRTFile, LiteRTTensor, parse, stored_values

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

AXIS_AT_1 = ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL", "ARG_MAX", "ARG_MIN", "CUMSUM")
SHAPE_AT_1 = ("RESHAPE", "TRANSPOSE", "PAD", "MIRROR_PAD", "TILE", "EXPAND_DIMS", "BROADCAST_TO", "REVERSE_V2")
# Inputs that say how to arrange or select, by operator; every other input is data.
NOT_DATA = {
    **dict.fromkeys(AXIS_AT_1 + SHAPE_AT_1, (1,)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "GATHER", "GATHER_ND", "TOPK_V2"), (1,)),
    **dict.fromkeys(("SHAPE", "RANK", "SPLIT", "FILL", "TRANSPOSE_CONV"), (0,)),
    **dict.fromkeys(("PADV2", "SLICE", "SPLIT_V", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), (1, 2)),
    **{"STRIDED_SLICE": (1, 2, 3), "ONE_HOT": (1, 2, 3), "RANGE": (0, 1, 2), "EMBEDDING_LOOKUP": (0,)},
}
PASSING = frozenset({"DEQUANTIZE", "DENSIFY", "QUANTIZE", "CAST", "RESHAPE", "TRANSPOSE"})
# They multiply, but how often stands nowhere in the file, or no lab needs them: no number is better than a wrong one.
UNCOUNTED = frozenset(
    [
        "CALL",
        "CALL_ONCE",
        "IF",
        "WHILE",
        "LSTM",
        "RNN",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "CONV_3D",
        "CONV_3D_TRANSPOSE",
        "STABLEHLO_CONVOLUTION",
        "STABLEHLO_DOT_GENERAL",
        "STABLEHLO_WHILE",
        "STABLEHLO_CASE",
        "STABLEHLO_COMPOSITE",
        "STABLEHLO_CUSTOM_CALL",
        "CUSTOM",
    ]
)


def read_litert(content: bytes) -> Graph:
    """The graph of a .tflite file. Raises ArtifactError, or anything else where the flatbuffer is damaged."""
    file = parse(content)
    uncounted = sorted({operation.name for operation in file.operations} & UNCOUNTED)
    if uncounted:
        raise ArtifactError(f"holds {', '.join(uncounted)}, whose multiply-accumulates cannot be counted from the file.")
    _check_reshapes(file)
    data = data_values(
        file.operations, file.outputs, lambda operation, position: position not in NOT_DATA.get(operation.name, ())
    )
    constants = {file.tensors[index].buffer: file.tensors[index] for index in data if file.tensors[index].data is not None}
    layers = _layers(file)
    return Graph(
        parameters=sum(tensor.elements for tensor in constants.values()),
        nonzero_parameters=sum(_nonzero(tensor) for tensor in constants.values()),
        macs=sum(layer.macs for layer in layers),
        operators=count_operators(operation.name for operation in file.operations),
        layers=tuple(layers),
    )


def _check_reshapes(file: LiteRTFile) -> None:
    """A size that only the run knows is stored as 1; a reshape is where that shows, since it keeps every element."""
    for operation in file.operations:
        if operation.name == "RESHAPE":
            before, after = file.tensors[operation.input(0)], file.tensors[operation.outputs[0]]
            if before.elements != after.elements:
                raise ArtifactError(
                    f"does not fix the shapes inside it (a RESHAPE from {before.shape} to {after.shape}): its work cannot be "
                    "counted. Export it with a batch size of 1."
                )


def _layers(file: LiteRTFile) -> list[Layer]:
    producers = {value: operation for operation in file.operations for value in operation.outputs}
    layers = []
    for operation, options in zip(file.operations, file.options, strict=True):
        if operation.name not in MACS:
            continue
        output = file.tensors[operation.outputs[0]]
        constants = _constants(operation, producers, file.tensors)
        weights = max(constants, key=lambda tensor: tensor.elements, default=None)
        layers.append(
            Layer(
                name=output.name,
                operator=operation.name,
                macs=MACS[operation.name](options, file.inputs_of(operation), output) // file.batch,
                parameters=sum(tensor.elements for tensor in constants),
                weights=weights.elements if weights else 0,
                bits=BITS.get(weights.type, 0) if weights else 0,
            )
        )
    return layers


def _constants(
    operation: Operation[int], producers: dict[int, Operation[int]], tensors: list[LiteRTTensor]
) -> list[LiteRTTensor]:
    """The constants that flow into `operation` as data, straight or through a DEQUANTIZE and the like."""
    skipped = NOT_DATA.get(operation.name, ())
    inputs = [index for place, index in enumerate(operation.inputs) if index is not None and place not in skipped]
    roots = {root(index, producers, PASSING) for index in inputs}
    return [tensors[index] for index in sorted(roots) if tensors[index].data is not None]


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
