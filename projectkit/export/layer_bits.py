"""Few bits for the weights of a .tflite file, layer by layer, with litert-quantizer."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from projectkit.errors import ExportError
from projectkit.quiet import quiet
from projectkit.runtimes.tensors import first_line

WIDTHS = (4, 8)
EVERY_LAYER = (".*", "^.*")  # two spellings: litert-quantizer keeps one rule for each


@dataclass(frozen=True, slots=True)
class Weighted:
    """An operator with stored weights: the names of its outputs, by which litert-quantizer finds it, of the Keras layers
    that it came from, and the type of its weights as the file's schema numbers it."""

    scope: str
    origins: frozenset[str]
    stored: int


def quantize_weights(float_file: bytes, layers: list[str], bits: Mapping[str, int]) -> bytes:
    """A float32 .tflite file with the weights of the named layers in 4 or 8 bits, per output channel.

    bits: {layer name: 4 or 8}; "*" stands for every layer that is not named, and where LiteRT has no 4-bit kernel for one of
    those (depthwise convolutions) it gets 8. `layers`: the model's layers that have a kernel.
    Raises ExportError for other widths, for other layers, and for a named layer whose width LiteRT cannot run.
    """
    operators = _weighted(float_file)
    named = {name: width for name, width in bits.items() if name != "*"}
    scopes = {name: [operator.scope for operator in operators if name in operator.origins] for name in named}
    _refuse_nonsense(bits, layers, scopes)
    rules = list(zip(EVERY_LAYER, (8, bits["*"]), strict=True)) if "*" in bits else []
    rules += [(f"^{re.escape(scope)}", width) for name, width in named.items() for scope in scopes[name]]
    content = _apply(float_file, rules)
    _check_widths(_weighted(content), named)
    return content


def _apply(float_file: bytes, rules: list[tuple[str, int]]) -> bytes:
    """Of several rules that match an operator the last one wins that LiteRT has a kernel for."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        from litert_quantizer import qtyping, quantizer

        source = Path(folder) / "float32.tflite"
        source.write_bytes(float_file)
        tool = quantizer.Quantizer(str(source))
        for regex, width in rules:
            tool.add_dynamic_config(regex=regex, operation_name=qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=width)
        try:
            return bytes(tool.quantize().quantized_model)
        except Exception as error:  # litert-quantizer promises no class of its own
            raise ExportError(f"litert-quantizer cannot quantize these layers ({first_line(error)}). Name others.") from error


def _weighted(content: bytes) -> list[Weighted]:
    """The operators of the file whose second input is stored: convolutions and matrix products."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        weights = graph.tensors[operator.inputs[1]] if len(operator.inputs) > 1 else None
        if weights is None or model.buffers[weights.buffer].data is None or len(weights.shape) < 2:
            continue
        outputs = "".join(f"{graph.tensors[index].name.decode()};" for index in operator.outputs)
        # The weights, unlike the outputs of the last layer, always keep their layer's name between slashes.
        origins = frozenset(re.split("[/;]", f"{outputs}{weights.name.decode()}"))
        found.append(Weighted(outputs, origins, weights.type))
    return found


def _refuse_nonsense(bits: Mapping[str, int], layers: list[str], scopes: dict[str, list[str]]) -> None:
    if not bits:
        raise ExportError(f'No layer is named; give the bits by layer, for example {{"*": 8, "{layers[-1]}": 4}}.')
    for name, width in bits.items():
        if name != "*" and name not in layers:
            raise ExportError(f"The model has no layer {name!r} with a kernel; those that have one are {', '.join(layers)}.")
        if width not in WIDTHS:
            raise ExportError(f"Weights of {name!r} can have 4 or 8 bits, got {width}.")
        if name != "*" and not scopes[name]:
            raise ExportError(f'The converter left no operator of layer {name!r} in the file; set its bits by "*".')


def _check_widths(operators: list[Weighted], named: dict[str, int]) -> None:
    from ai_edge_litert import schema_py_generated as schema

    types = {4: schema.TensorType.INT4, 8: schema.TensorType.INT8}
    for name, width in named.items():
        if any(name in operator.origins and operator.stored != types[width] for operator in operators):
            other = 8 if width == 4 else 4
            raise ExportError(f"LiteRT has no kernel with {width}-bit weights for layer {name!r}. Give it {other}.")
