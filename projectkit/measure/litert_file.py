"""The tensors and operators inside a .tflite file, taken from its flatbuffer without a runtime.

The accessors are the ones generated from TensorFlow's schema.fbs. They check nothing: every length and offset in the file
may lie, and many may point at the same place. So lengths are compared with the file's size before they bound a loop, what is
copied is added up, and `read_graph` turns whatever else is raised into an ArtifactError.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, check_written_once

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

BITS = {
    **{"FLOAT32": 32, "FLOAT16": 16, "BFLOAT16": 16, "FLOAT64": 64, "FLOAT8_E4M3FN": 8, "FLOAT8_E5M2": 8, "BOOL": 8},
    **{"INT64": 64, "INT32": 32, "INT16": 16, "INT8": 8, "INT4": 4, "INT2": 2},
    **{"UINT64": 64, "UINT32": 32, "UINT16": 16, "UINT8": 8, "UINT4": 4},
}
DTYPES = {"FLOAT32": "<f4", "FLOAT16": "<f2", "FLOAT64": "<f8", "BOOL": "u1"}  # integers: by their width
AXES_MOST = 8


@dataclass(frozen=True, slots=True, eq=False)
class LiteRTTensor:
    """One tensor. `data`: the stored bytes of a constant, else None; `buffer`: where they are, shared by equal constants;
    `scales`: how many there are, 0 for a tensor that is not quantized; `variable`: whether it outlives a call."""

    name: str
    shape: tuple[int, ...]
    type: str
    data: np.ndarray | None
    buffer: int
    zero_points: np.ndarray  # (1,), or one for each index along `axis`
    axis: int
    sparse: bool
    scales: int
    variable: bool

    @property
    def elements(self) -> int:
        """How many values the tensor has, stored or not."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class LiteRTFile:
    """The main graph. `batch`: how many examples its shapes are for; `options[i]`: `operations[i]` as the flatbuffer has it;
    `input`, `outputs`: the indices of those tensors."""

    tensors: list[LiteRTTensor]
    operations: list[Operation[int]]
    options: list["schema.Operator"]
    outputs: list[int]
    batch: int
    input: int

    def inputs_of(self, operation: Operation[int]) -> dict[int, LiteRTTensor]:
        """The tensors of an operator's inputs by their position, without those that are absent."""
        return {position: self.tensors[index] for position, index in enumerate(operation.inputs) if index is not None}


def parse(content: bytes) -> LiteRTFile:
    """The graph of a .tflite file. Raises ArtifactError, or anything else where the flatbuffer is damaged."""
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != b"TFL3":
        raise ArtifactError("is no .tflite file: the mark TFL3 is missing. Export it again.")
    model = schema.Model.GetRootAs(content, 0)
    if not _bounded(model.SubgraphsLength(), content):
        raise ArtifactError("holds no graph. Export it again.")
    subgraph = model.Subgraphs(0)
    tensors = _tensors(subgraph, _buffers(model, content), content, names_of(schema.TensorType))
    options = [subgraph.Operators(index) for index in range(_bounded(subgraph.OperatorsLength(), content))]
    operations = _operations(options, _operator_names(model, names_of(schema.BuiltinOperator), content), len(tensors), content)
    outputs = [int(index) for index in subgraph.OutputsAsNumpy()]
    _check_order(operations, tensors, int(subgraph.Inputs(0)) if subgraph.InputsLength() else None)
    return LiteRTFile(tensors, operations, options, outputs, _batch(subgraph, tensors), int(subgraph.Inputs(0)))


def stored_values(tensor: LiteRTTensor) -> np.ndarray:
    """The stored values of a constant, (elements,); of types that NumPy lacks, numbers that are 0 where the value is 0.

    A sparse tensor stores fewer than it has elements. Raises ArtifactError when the bytes do not fit the shape, and for a
    tensor that is no constant.
    """
    bits, data = BITS.get(tensor.type), tensor.data
    if data is None:
        raise ArtifactError(f"tensor {tensor.name!r} is computed when the model runs, expected a stored constant.")
    if bits is None:
        raise ArtifactError(f"tensor {tensor.name!r} holds constants of type {tensor.type}, which cannot be counted.")
    if not tensor.sparse and len(data) != math.ceil(tensor.elements * bits / 8):
        raise ArtifactError(f"is damaged: {tensor.name!r} {tensor.shape} stores {len(data)} bytes. Export it again.")
    if bits < 8:
        return _unpacked(data, bits, signed=tensor.type.startswith("INT"))[: None if tensor.sparse else tensor.elements]
    if tensor.type in DTYPES:
        return data.view(DTYPES[tensor.type])
    if "FLOAT" in tensor.type:  # BFLOAT16, FLOAT8: zero is all bits but the sign
        return data.view(f"<u{bits // 8}") & (2 ** (bits - 1) - 1)
    return data.view(f"<{'u' if tensor.type.startswith('U') else 'i'}{bits // 8}")


def _unpacked(data: np.ndarray, bits: int, *, signed: bool) -> np.ndarray:
    """Values of 4 or 2 bits, packed into bytes from the lowest bits on, as int8."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values = ((data[:, None] >> shifts) & (2**bits - 1)).reshape(-1).astype(np.int8)
    return np.where(values >= 2 ** (bits - 1), values - 2**bits, values) if signed else values


def _bounded(length: int, content: bytes) -> int:
    """`length` of a vector, whose elements take four bytes or more each in the file."""
    if length > len(content) // 4:
        raise ArtifactError("is damaged: a list in it is longer than the file. Export it again.")
    return length


def _buffers(model: "schema.Model", content: bytes) -> list[np.ndarray | None]:
    """The bytes of every buffer, None for empty ones. Together they cannot be longer than the file."""
    buffers: list[np.ndarray | None] = []
    total = 0
    for index in range(_bounded(model.BuffersLength(), content)):
        buffer = model.Buffers(index)
        offset, size = buffer.Offset(), buffer.Size()  # set where a file is too large for 32-bit offsets
        data: np.ndarray | None = buffer.DataAsNumpy() if buffer.DataLength() else None
        if offset > 1:
            data = np.frombuffer(content, np.uint8, size, offset)
        total += 0 if data is None else len(data)
        buffers.append(data)
    if total > len(content):
        raise ArtifactError("is damaged: its weights overlap. Export it again.")
    return buffers


def _tensors(
    subgraph: "schema.SubGraph", buffers: list[np.ndarray | None], content: bytes, types: dict[int, str]
) -> list[LiteRTTensor]:
    tensors: list[LiteRTTensor] = []
    letters = 0
    for index in range(_bounded(subgraph.TensorsLength(), content)):
        tensors.append(_tensor(subgraph.Tensors(index), buffers, types))
        letters += len(tensors[-1].name)
        if letters > len(content):
            raise ArtifactError("is damaged: its names are longer than the file. Export it again.")
    return tensors


def _tensor(tensor: "schema.Tensor", buffers: list[np.ndarray | None], types: dict[int, str]) -> LiteRTTensor:
    quantization = tensor.Quantization()
    zero_points = quantization.ZeroPointAsNumpy() if quantization is not None and quantization.ZeroPointLength() else [0]
    if tensor.ShapeLength() > AXES_MOST:
        raise ArtifactError(f"is damaged: a tensor has {tensor.ShapeLength()} axes. Export it again.")
    shape = tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    name = (tensor.Name() or b"").decode(errors="replace").split(";")[0]
    if min(shape, default=0) < 0:
        raise ArtifactError(f"is damaged: tensor {name!r} has shape {shape}. Export it again.")
    return LiteRTTensor(
        name=name,
        shape=shape,
        type=types[tensor.Type()],
        data=buffers[tensor.Buffer()],
        buffer=tensor.Buffer(),
        zero_points=np.asarray(zero_points, dtype=np.int64),
        axis=quantization.QuantizedDimension() if quantization is not None else 0,
        sparse=tensor.Sparsity() is not None,
        scales=quantization.ScaleLength() if quantization is not None else 0,
        variable=bool(tensor.IsVariable()),
    )


def names_of(enumeration: type) -> dict[int, str]:
    """Number → name of one of the schema's enumerations, a class of ai_edge_litert.schema_py_generated."""
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _operator_names(model: "schema.Model", names: dict[int, str], content: bytes) -> list[str]:
    codes = [model.OperatorCodes(index) for index in range(_bounded(model.OperatorCodesLength(), content))]
    # Codes up to 127 stand in the older, one-byte field.
    return [names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes]


def _operations(raw: list["schema.Operator"], names: list[str], tensors: int, content: bytes) -> list[Operation[int]]:
    operations: list[Operation[int]] = []
    total = 0
    for operator in raw:
        total = _bounded(total + operator.InputsLength() + operator.OutputsLength(), content)
        inputs = [int(index) for index in operator.InputsAsNumpy()] if operator.InputsLength() else []
        outputs = [int(index) for index in operator.OutputsAsNumpy()] if operator.OutputsLength() else []
        if not all(-1 <= index < tensors for index in inputs + outputs):
            raise ArtifactError("is damaged: an operator names a tensor that does not exist. Export it again.")
        present = tuple(None if index < 0 else index for index in inputs)  # -1: an optional input left out
        operations.append(Operation(names[operator.OpcodeIndex()], present, tuple(outputs)))
    return operations


def _check_order(operations: list[Operation[int]], tensors: list[LiteRTTensor], given: int | None) -> None:
    """Raises ArtifactError unless every tensor is written once, and before it is read: the runtime takes the operators in the
    order of the file, so that a tensor of the last call could be read in the next."""
    check_written_once(
        operations, {-1 if given is None else given, *(index for index, tensor in enumerate(tensors) if tensor.data is not None)}
    )
    later = {value for operation in operations for value in operation.outputs}
    for operation in operations:
        if later.intersection(operation.present):
            raise ArtifactError(f"is damaged: {operation.name} reads a tensor that is written after it. Export it again.")
        later.difference_update(operation.outputs)


def _batch(subgraph: "schema.SubGraph", tensors: list[LiteRTTensor]) -> int:
    """How many examples the shapes in the file are for (a free batch axis is stored as 1)."""
    if subgraph.InputsLength() != 1:
        raise ArtifactError(f"has {subgraph.InputsLength()} inputs, expected one.")
    index = int(subgraph.Inputs(0))
    tensor = subgraph.Tensors(index)
    signature = tuple(int(size) for size in tensor.ShapeSignatureAsNumpy()) if tensor.ShapeSignatureLength() else ()
    if min(signature[1:], default=0) < 0:
        raise ArtifactError(f"takes inputs of any size {signature}; export with fixed sizes but for the batch axis.")
    shape = tensors[index].shape
    return max(1, shape[0]) if shape else 1
