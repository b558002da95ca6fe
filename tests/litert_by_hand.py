"""Small .tflite files written operator by operator, without TensorFlow."""

from dataclasses import dataclass, field
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from projectkit.measure.litert_file import names_of

OPERATORS = {name: code for code, name in names_of(schema.BuiltinOperator).items()}


@dataclass
class LiteRTByHand:
    """A graph whose input is tensor 0, "x". Each method that adds something returns the index of its tensor."""

    shape: tuple[int, ...]
    tensors: list[schema.TensorT] = field(default_factory=list)
    buffers: list[schema.BufferT] = field(default_factory=lambda: [schema.BufferT()])
    operators: list[schema.OperatorT] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tensor(self.shape, name="x")

    def tensor(self, shape: tuple[int, ...], dtype: str = "float32", buffer: int = 0, name: str = "", scales: int = 0) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.buffer = (name or f"t{len(self.tensors)}").encode(), list(shape), buffer
        made.type = getattr(schema.TensorType, dtype.upper())
        if scales:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [0.5] * scales, [0] * scales
        self.tensors.append(made)
        return len(self.tensors) - 1

    def constant(self, value: np.ndarray, *, buffer: int = 0, scales: int = 0) -> int:
        """With a `buffer` of another constant, a second tensor of the same bytes."""
        value = np.asarray(value)
        if not buffer:
            made = schema.BufferT()
            made.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
            self.buffers.append(made)
            buffer = len(self.buffers) - 1
        return self.tensor(value.shape, value.dtype.name, buffer, scales=scales)

    def add(self, name: str, inputs: list[int], *shapes: tuple[int, ...], options: object = None, dtype: str = "float32") -> int:
        """An operator with one output of each of `shapes`; the index of the first."""
        made, outputs = schema.OperatorT(), [self.tensor(shape, dtype) for shape in shapes]
        if name not in self.codes:
            self.codes.append(name)
        made.opcodeIndex, made.inputs, made.outputs = self.codes.index(name), inputs, outputs
        if options is not None:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            made.builtinOptions = options
        self.operators.append(made)
        return outputs[0] if outputs else -1

    def dense(self, source: int, kernel: int, units: int, rows: int = 1) -> int:
        return self.add("FULLY_CONNECTED", [source, kernel, -1], (rows, units), options=schema.FullyConnectedOptionsT())

    def content(self, *outputs: int) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [0], list(outputs)
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, []
        for name in self.codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = OPERATORS[name], min(OPERATORS[name], 127), 1
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def save(self, folder: Path, *outputs: int) -> Path:
        path = folder / "by_hand.tflite"
        path.write_bytes(self.content(*outputs))
        return path
