"""What converters and runtimes have fused, read from the graphs."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from projectkit.errors import ArtifactError
from projectkit.measure.graph import count_operators
from projectkit.measure.litert_file import names_of
from projectkit.measure.parsing import parse_file
from projectkit.runtimes.failures import in_words
from projectkit.runtimes.onnx import LEVELS
from projectkit.types import Artifact

if TYPE_CHECKING:
    import onnx
    from ai_edge_litert import schema_py_generated as schema

Counts = Mapping[str, tuple[tuple[str, int], ...]]

# Operators of LiteRT that can carry an activation, and the table of options that says which.
OPTIONS = {
    **{"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "FULLY_CONNECTED": "FullyConnectedOptions"},
    **{"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "CONCATENATION": "ConcatenationOptions"},
    **{"MAX_POOL_2D": "Pool2DOptions", "AVERAGE_POOL_2D": "Pool2DOptions", "TRANSPOSE_CONV": "TransposeConvOptions"},
}


def fusions(artifact: Artifact) -> Counts:
    """The operators of a file, (name, how many), most frequent first, at every stage that can be looked at.

    An activation that is a part of its operator is written behind it: "CONV_2D + RELU", "FusedConv + Relu".
    .tflite   {"file": what the converter has written}; the runtime's own kernels cannot be looked at.
    .onnx     {"none", "basic", "extended", "all": what ONNX Runtime runs at each of its optimization levels}; "none" is the file.
              At "all" layouts are chosen for this processor, and an operator may hide more than its name says.
    Raises ArtifactError when the file is damaged or its runtime refuses it.
    """
    return parse_file(artifact, {"litert": _of_litert, "onnx": _of_onnx})


def _of_litert(content: bytes) -> Counts:
    from projectkit.measure.litert_file import parse

    file = parse(content)
    pairs = zip(file.operations, file.options, strict=True)
    return {"file": count_operators(_with_activation(operation.name, options) for operation, options in pairs)}


def _with_activation(name: str, options: "schema.Operator") -> str:
    from ai_edge_litert import schema_py_generated as schema

    table = options.BuiltinOptions()
    if name not in OPTIONS or table is None:
        return name
    fields = getattr(schema, OPTIONS[name])()
    fields.Init(table.Bytes, table.Pos)
    function = fields.FusedActivationFunction()
    if function == schema.ActivationFunctionType.NONE:
        return name
    return f"{name} + {names_of(schema.ActivationFunctionType)[function]}"


def _of_onnx(content: bytes) -> Counts:
    return {level: count_operators(map(_described, optimized(content, level).graph.node)) for level in LEVELS}


def _described(node: "onnx.NodeProto") -> str:
    activation = next((attribute.s.decode() for attribute in node.attribute if attribute.name == "activation"), "")
    return f"{node.op_type} + {activation}" if activation else node.op_type


def optimized(content: bytes, level: str) -> "onnx.ModelProto":
    """The ONNX model that ONNX Runtime makes of an .onnx file's bytes at a level of LEVELS, for this processor.

    Raises ArtifactError for a file that it refuses.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, LEVELS[level])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(path)
        try:
            onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise ArtifactError(f"ONNX Runtime cannot load this file ({in_words(error)}).") from error
        return onnx.load(path)
