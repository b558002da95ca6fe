"""Takes a .tflite file apart and puts it together again: what the kinds of this folder change files with."""

from dataclasses import dataclass
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from projectkit.measure.litert_file import names_of

NAMES = names_of(schema.BuiltinOperator)
OPERATORS = {name: code for code, name in NAMES.items()}


def read(path: Path) -> "schema.ModelT":
    """The file as objects, which can be changed."""
    return schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)


def write(model: "schema.ModelT", path: Path) -> Path:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path


def code_of(model: "schema.ModelT", operator: str, version: int = 1) -> int:
    """The index by which operators of this name are written in the file; added where it is missing."""
    number = OPERATORS[operator]
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == number and code.version >= version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def add_constant(model: "schema.ModelT", value: np.ndarray, name: str) -> int:
    """The index of a new constant tensor in the first graph."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
    model.buffers.append(buffer)
    return add_tensor(model, value.shape, value.dtype, name, len(model.buffers) - 1)


def add_tensor(model: "schema.ModelT", shape: tuple[int, ...], dtype: "np.dtype | type", name: str, buffer: int = 0) -> int:
    """The index of a new tensor in the first graph; without a buffer it is computed."""
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name.encode(), list(shape), buffer
    tensor.type = getattr(schema.TensorType, np.dtype(dtype).name.upper())
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def add_operator(
    model: "schema.ModelT", operator: str, inputs: list[int], outputs: list[int], options: object = None, at: int | None = None
) -> "schema.OperatorT":
    """A new operator of the first graph, before the operator `at` or at the end. options: an object of the schema."""
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code_of(model, operator), inputs, outputs
    if options is not None:
        made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        made.builtinOptions = options
    operators = model.subgraphs[0].operators
    operators.insert(len(operators) if at is None else at, made)
    return made


@dataclass
class Pen:
    """Writes operators into the first graph, one behind the other, from the place `at` on."""

    model: "schema.ModelT"
    at: int

    def write(
        self,
        operator: str,
        inputs: list[int],
        shape: tuple[int, ...],
        options: object = None,
        dtype: "np.dtype | type" = np.float32,
    ) -> int:
        """A new operator; the index of what it writes."""
        made = add_tensor(self.model, shape, dtype, f"{operator.lower()}{self.at}")
        add_operator(self.model, operator, inputs, [made], options, self.at)
        self.at += 1
        return made

    def constant(self, value: np.ndarray) -> int:
        """A new constant; its index."""
        return add_constant(self.model, value, f"constant{len(self.model.buffers)}")

    def reshaped(self, tensor: int, shape: tuple[int, ...]) -> int:
        """`tensor` in another shape, whose first axis is the batch where it is -1."""
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        fixed = tuple(abs(size) for size in shape)
        return self.write("RESHAPE", [tensor, self.constant(np.array(shape, np.int32))], fixed, options)


def value_of(model: "schema.ModelT", index: int) -> np.ndarray:
    """The value of a float32 constant."""
    tensor = model.subgraphs[0].tensors[index]
    return np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32).reshape([int(size) for size in tensor.shape])


def shape_of(model: "schema.ModelT", index: int) -> tuple[int, ...]:
    return tuple(int(size) for size in model.subgraphs[0].tensors[index].shape)


def kind_of(model: "schema.ModelT", operator: "schema.OperatorT") -> str:
    """The operator's name."""
    code = model.operatorCodes[operator.opcodeIndex]
    return NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
