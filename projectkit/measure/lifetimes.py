"""How much memory the activations of a model take: when each tensor is made, when it is read for the last time, and what has
to be there at once. Read from the file; nothing runs.

The peak of what is alive is a lower bound: no plan of the memory needs less in this order of the operators. Where the tensors
come to lie in one block is then a packing problem; `plan` is the greedy answer of most interpreters (Y. Pisarchyk and J. Lee,
"Efficient memory management for deep neural net inference", MLSys 2020 workshop: greedy by size).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, Value, live_operations
from projectkit.measure.parsing import parse_file
from projectkit.types import Artifact

# The output is the input, seen in another shape: no byte moves.
VIEWS = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
# Each element of the output needs that element of the inputs only, so that it may be written where an input stood.
ELEMENTWISE = frozenset(
    [
        *("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "RELU", "RELU6", "LEAKY_RELU", "PRELU", "ELU", "LOGISTIC", "TANH"),
        *("HARD_SWISH", "GELU", "ABS", "NEG", "EXP", "SQRT", "RSQRT", "SQUARE"),
        *("Add", "Sub", "Mul", "Div", "Max", "Min", "Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Sigmoid", "Tanh"),
        *("HardSigmoid", "HardSwish", "Gelu", "Abs", "Neg", "Exp", "Sqrt", "BatchNormalization"),
        *("QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu"),
    ]
)


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory of one or several tensors that may share it: needed from operator `first` to operator `last`, both included."""

    name: str
    size: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """The operators of a file in the order in which they run, and the buffers of their activations; bytes for one example."""

    operators: tuple[str, ...]
    buffers: tuple[Buffer, ...]

    @property
    def peak_activations(self) -> int:
        """The most bytes that are alive at once."""
        return max(live_bytes(self.buffers), default=0)


def read_lifetimes(artifact: Artifact, *, in_place: bool = True) -> Lifetimes:
    """The lifetimes of the activations of a .tflite or .onnx file, for one example.

    The input is there from the start, the outputs to the end. What no output depends on does not count. What depends on constants
    only is computed before the first run and is no activation. Reshaped tensors share the memory of what they show. in_place: an
    element-wise operator writes over an input that nobody reads afterwards (never over the model's own input). In an .onnx file,
    a Q/DQ pair belongs to the operators beside it, as runtimes fuse it: a tensor that is only quantized is stored as integers at
    once.

    Raises ArtifactError when the file is damaged, or when it does not say how large a tensor is or what an operator does.
    """
    readers = {"litert": _of_litert, "onnx": _of_onnx}
    return parse_file(artifact, {name: partial(read, in_place=in_place) for name, read in readers.items()})


def live_bytes(buffers: Sequence[Buffer]) -> list[int]:
    """The bytes that are alive while each operator runs, first operator first; to the last at which a buffer is needed."""
    if not buffers:
        return []
    change = [0] * (max(buffer.last for buffer in buffers) + 2)
    for buffer in buffers:
        change[buffer.first] += buffer.size
        change[buffer.last + 1] -= buffer.size
    return np.cumsum(np.array(change, dtype=object))[:-1].tolist()


def plan(buffers: Sequence[Buffer], *, alignment: int = 1) -> tuple[tuple[int, ...], int]:
    """(offset of each buffer in one block of memory, bytes of the block), greedily: the largest first, each at the lowest place
    that is free as long as it lives. Offsets are multiples of `alignment`. The block is at least as large as the peak."""
    offsets: dict[int, int] = {}
    for index in sorted(range(len(buffers)), key=lambda index: (-buffers[index].size, buffers[index].first)):
        own, place = buffers[index], 0
        beside = [other for other in offsets if buffers[other].first <= own.last and own.first <= buffers[other].last]
        for other in sorted(beside, key=offsets.__getitem__):
            if place + own.size <= offsets[other]:
                break
            end = offsets[other] + buffers[other].size
            place = max(place, -(-end // alignment) * alignment)
        offsets[index] = place
    placed = tuple(offsets[index] for index in range(len(buffers)))
    return placed, max((place + buffer.size for place, buffer in zip(placed, buffers, strict=True)), default=0)


def _of_litert(content: bytes, in_place: bool) -> Lifetimes:
    from projectkit.measure.litert_file import BITS, parse
    from projectkit.measure.litert_operators import HIDING

    file = parse(content)
    tensors = file.tensors
    _refuse_hidden({operation.name for operation in file.operations} & HIDING)
    if file.batch > 1:
        raise ArtifactError(f"is made for {file.batch} examples at once. Export it with a batch size of 1.")
    constants = {index for index, tensor in enumerate(tensors) if tensor.data is not None}
    sizes = {
        index: math.ceil(tensor.elements * BITS[tensor.type] / 8)
        for index, tensor in enumerate(tensors)
        if index not in constants
    }
    names = {index: tensor.name for index, tensor in enumerate(tensors)}
    operations = live_operations(file.operations, file.outputs)
    return _lifetimes(operations, [file.input], file.outputs, sizes, names, in_place)


def _of_onnx(content: bytes, in_place: bool) -> Lifetimes:
    from projectkit.measure.onnx_file import hiding_in, parse_onnx
    from projectkit.measure.onnx_shapes import infer_shapes
    from projectkit.measure.operators import bits_of

    file = parse_onnx(content)
    _refuse_hidden(hiding_in(file))
    nodes, operations = file.live(file.outputs)
    shapes, batch = infer_shapes(file.model, file.constants)
    bits = bits_of(file.model, nodes, file.constants)
    made = _from_input(operations, file.inputs)
    if unknown := sorted(made - set(shapes)):
        raise ArtifactError(f"the shape of {unknown[0]!r} does not follow from the input's; export with fixed shapes.")
    sizes = {name: math.ceil(math.prod(shapes[name]) * bits[name][0] / 8) // batch for name in made}
    return _lifetimes(operations, list(file.inputs), list(file.outputs), sizes, {name: name for name in made}, in_place)


def _refuse_hidden(hidden: set[str]) -> None:
    if hidden:
        raise ArtifactError(f"holds {', '.join(sorted(hidden))}, inside which tensors live that the graph does not show.")


def _from_input(operations: Sequence[Operation[Value]], inputs: Iterable[Value]) -> set[Value]:
    """The values that depend on the model's input."""
    made = set(inputs)
    for operation in operations:
        if made & set(operation.present):
            made |= set(operation.outputs)
    return made


@dataclass(slots=True)
class _Shared(Generic[Value]):
    """A buffer while it is found out which tensors share it. kept: it must not be written over."""

    value: Value
    size: int
    first: int
    last: int
    kept: bool

    def join(self, size: int, last: int) -> None:
        self.size, self.last = min(self.size, size), max(self.last, last)


def _lifetimes(
    operations: Sequence[Operation[Value]],
    inputs: list[Value],
    outputs: list[Value],
    sizes: Mapping[Value, int],
    names: Mapping[Value, str],
    in_place: bool,
) -> Lifetimes:
    """`sizes` (bytes) and `names` by value."""
    made = _from_input(operations, inputs)
    operations = [operation for operation in operations if made & set(operation.present)]
    last = {value: number for number, operation in enumerate(operations) for value in operation.present}
    last |= dict.fromkeys(outputs, len(operations) - 1)
    kept = {*inputs, *outputs}
    only_quantized = _only_quantized(operations) - kept
    buffers = {value: _Shared(value, sizes[value], 0, last.get(value, 0), True) for value in inputs}
    for number, operation in enumerate(operations):
        source = next(value for value in operation.present if value in made)
        shared: _Shared[Value] | None = None
        stored = operation.name == "QuantizeLinear" and source in only_quantized and not buffers[source].kept
        unpacked = operation.name == "DequantizeLinear" and operation.outputs[0] not in kept
        viewed = operation.name in VIEWS and sizes[source] == sizes[operation.outputs[0]]
        if viewed or stored or unpacked:
            shared = buffers[source]
        elif in_place and operation.name in ELEMENTWISE:
            shared = _overwritten(operation, number, buffers, sizes)
        for value in operation.outputs:
            end = last.get(value, number)
            if shared is None:
                buffers[value] = _Shared(value, sizes[value], number, end, value in kept)
            else:
                buffers[value], shared.kept = shared, shared.kept or value in kept
                shared.join(sizes[value], end)
            shared = None  # only the first output can stand where an input stood
    found = {id(buffer): buffer for buffer in buffers.values()}.values()
    return Lifetimes(
        tuple(operation.name for operation in operations),
        tuple(Buffer(names[buffer.value], buffer.size, buffer.first, buffer.last) for buffer in found),
    )


def _overwritten(
    operation: Operation[Value], number: int, buffers: Mapping[Value, _Shared[Value]], sizes: Mapping[Value, int]
) -> _Shared[Value] | None:
    """The buffer of an input that the output of operator `number` may be written over."""
    for value in operation.present:
        buffer = buffers.get(value)
        if buffer and buffer.last == number and not buffer.kept and sizes[value] == sizes[operation.outputs[0]]:
            return buffer
    return None


def _only_quantized(operations: Sequence[Operation[Value]]) -> set[Value]:
    """The values that nobody reads but QuantizeLinear."""
    read = Counter(value for operation in operations for value in operation.present)
    quantized = Counter(operation.input(0) for operation in operations if operation.name == "QuantizeLinear")
    return {value for value, count in quantized.items() if read[value] == count}
