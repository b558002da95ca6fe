"""Takes fused operators of a .tflite file apart again, to measure what fusing them was worth."""

import copy
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.export.files import write_artifact
from projectkit.types import Artifact

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
ACTIVATIONS = ("RELU", "RELU6")  # the activations of an operator that are operators of the same name, too
TYPES = ("FLOAT32", "INT8")


def unfuse(artifact: Artifact, path: str | Path) -> Artifact:
    """Writes a .tflite file to `path` that answers as `artifact` does, with the operators that a network has before any fusion.

    Every convolution is followed by a multiplication and an addition per channel, as batch normalization is at inference, and by
    its activation as an operator of its own. The weights stay folded, so that the multiplication is by 1 and the addition of 0:
    the answers are the same to the bit, and the time is that of the unfused network. Convolutions of other types than float32
    and int8, or with other activations than ReLU and ReLU6, stay as they are. Raises ArtifactError for a file of another format
    or with more than one graph.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    if artifact.format != "litert":
        raise ArtifactError(f"{artifact.path}: unfuse takes a .tflite file, got format {artifact.format!r}.")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(Path(artifact.path).read_bytes(), 0))
    if len(model.subgraphs) != 1:
        raise ArtifactError(f"{artifact.path}: has {len(model.subgraphs)} graphs, expected one. Export it without loops.")
    graph = _Graph(model, schema)
    graph.unfuse()
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return write_artifact(Path(path), bytes(builder.Output()))


class _Graph:
    """The graph of a model while operators are put between its operators."""

    def __init__(self, model: "schema.ModelT", schema: ModuleType):
        self._model, self._schema, self._graph = model, schema, model.subgraphs[0]

    def unfuse(self) -> None:
        operators = []
        for operator in self._graph.operators:
            code = self._model.operatorCodes[operator.opcodeIndex]
            kind = _name(self._schema.BuiltinOperator, max(code.builtinCode, code.deprecatedBuiltinCode))
            operators += self._apart(operator) if kind in CONVOLUTIONS else [operator]
        self._graph.operators = operators

    def _apart(self, operator: "schema.OperatorT") -> "list[schema.OperatorT]":
        """The convolution, and behind it × 1, + 0 and its activation; what comes last makes the tensor that it made."""
        schema, last = self._schema, int(operator.outputs[0])
        activation = _name(schema.ActivationFunctionType, operator.builtinOptions.fusedActivationFunction)
        kind = _name(schema.TensorType, self._graph.tensors[last].type)
        if activation not in (*ACTIVATIONS, "NONE") or kind not in TYPES:
            return [operator]
        operator = copy.copy(operator)
        operator.builtinOptions = copy.copy(operator.builtinOptions)
        operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
        plan: list[tuple[str, str | None, float | None]] = [("MUL", "MulOptions", 1.0), ("ADD", "AddOptions", 0.0)]
        if activation in ACTIVATIONS:
            plan.append((activation, None, None))
        made, value = [operator], self._like(last)
        operator.outputs = np.array([value], np.int32)
        for step, (kind, options, constant) in enumerate(plan):
            inputs = [value] if constant is None else [value, self._constant(last, constant)]
            value = last if step == len(plan) - 1 else self._like(last)
            made.append(self._operator(kind, options, inputs, value))
        return made

    def _like(self, tensor: int) -> int:
        """A new tensor of the shape, type and scale of another."""
        new = copy.copy(self._graph.tensors[tensor])
        new.name = b"%s/%d" % (new.name or b"", len(self._graph.tensors))
        self._graph.tensors.append(new)
        return len(self._graph.tensors) - 1

    def _constant(self, tensor: int, value: float) -> int:
        """A constant (channels,) that fits `tensor`: 1 or 0, and in int8 exactly that."""
        schema, index = self._schema, self._like(tensor)
        new = self._graph.tensors[index]
        channels = int(new.shape[-1])
        new.shape = np.array([channels], np.int32)
        new.shapeSignature = None
        if new.type == schema.TensorType.INT8:
            # A 0 takes the scale of what it is added to: XNNPACK aborts where the scales of a sum are far apart.
            scale = new.quantization.scale[:1] if value == 0 else [1 / 64]
            new.quantization = schema.QuantizationParametersT()
            new.quantization.scale, new.quantization.zeroPoint = np.array(scale, np.float32), np.array([0], np.int64)
            data = np.full(channels, 64 * value, np.int8)
        else:
            data = np.full(channels, value, np.float32)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        new.buffer = len(self._model.buffers) - 1
        return index

    def _operator(self, kind: str, options: str | None, inputs: list[int], output: int) -> "schema.OperatorT":
        schema = self._schema
        number = getattr(schema.BuiltinOperator, kind)
        codes = self._model.operatorCodes
        known = [index for index, code in enumerate(codes) if max(code.builtinCode, code.deprecatedBuiltinCode) == number]
        if not known:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, number, 2
            codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = known[0] if known else len(codes) - 1
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
        return operator


def _name(enumeration: type, value: int) -> str:
    return next(name for name, number in vars(enumeration).items() if number == value and not name.startswith("_"))
