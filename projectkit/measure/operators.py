"""What each operator of a model file computes and moves, read from the file without running it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Roots, producers_of
from projectkit.measure.parsing import parse_file
from projectkit.types import Artifact

if TYPE_CHECKING:
    import onnx

    from projectkit.measure.onnx_operators import Constant

INTEGERS = {"int8": "int8", "uint8": "int8", "int4": "int8", "uint4": "int8", "int2": "int8", "int16": "int16"}
FOLDED = frozenset({"QuantizeLinear", "DequantizeLinear", "Identity"})  # a runtime makes them a part of their neighbours
UNPACKING = frozenset({"DequantizeLinear", "Identity"})
# ONNX operators whose output has another type than their first input.
MADE = {
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), "INT32"),
    **dict.fromkeys(("DequantizeLinear", "ConstantOfShape"), "FLOAT"),
    **{"DynamicQuantizeLinear": "UINT8", "Shape": "INT64"},
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a file.

    kind         its name in the format: "CONV_2D", "Conv", …
    macs         multiply-accumulates for one example, of convolutions and matrix products; 0 of others
    moved_bytes  for one example: inputs, constants and outputs, each once
    dtype        what is multiplied: "float32", "float16", "int16" or "int8" (also where 4-bit weights are widened to it)
    read_bytes, written_bytes  of moved_bytes, the activations that come from other operators and those that go to them
    """

    name: str
    kind: str
    macs: int
    moved_bytes: int
    dtype: str
    read_bytes: int = 0
    written_bytes: int = 0


def read_operators(artifact: Artifact) -> tuple[Operator, ...]:
    """The operators of a .tflite or .onnx file in the order in which they run.

    Of an .onnx file in QDQ form the Q/DQ pairs are left out and the tensors between them counted as stored, because that is how
    a runtime runs it. Raises ArtifactError when the file is damaged, when the size of a tensor does not follow from it, or when
    it holds operators whose multiply-accumulates cannot be counted.
    """
    return parse_file(artifact, {"litert": _of_litert, "onnx": _of_onnx})


def _of_litert(content: bytes) -> tuple[Operator, ...]:
    from projectkit.measure.litert_file import BITS, parse
    from projectkit.measure.litert_graph import MACS, uncounted
    from projectkit.measure.litert_operators import PASSING, is_data

    file = parse(content)
    if reason := uncounted(file):
        raise ArtifactError(reason.reason)
    roots = Roots(producers_of(file.operations), PASSING)

    def size(index: int) -> int:
        tensor = file.tensors[index]
        return math.ceil(tensor.elements * BITS[tensor.type] / 8)

    operators = []
    for operation, options in zip(file.operations, file.options, strict=True):
        inputs = file.inputs_of(operation)
        output = file.tensors[operation.outputs[0]]
        count = MACS[operation.name](options, inputs, output) if operation.name in MACS else 0
        weights = file.tensors[roots(operation.input(1))] if count else None
        narrow = weights is not None and weights.type in ("INT8", "INT4", "INT2") and inputs[1].type == weights.type
        computed = (tensor for place, tensor in inputs.items() if is_data(operation.name, place))
        data = next((tensor for tensor in computed if tensor.data is None), output)
        operators.append(
            Operator(
                name=output.name,
                kind=operation.name,
                macs=count,
                moved_bytes=sum(size(index) for index in {*operation.present, *operation.outputs}),
                # Float activations with int8 weights are quantized at run time and multiplied as int8.
                dtype="int8" if narrow and data.type != "INT16" else multiplied_type(data.type.lower()),
                read_bytes=sum(size(index) for index in {*operation.present} if file.tensors[index].data is None),
                written_bytes=sum(size(index) for index in operation.outputs),
            )
        )
    return tuple(operators)


def _of_onnx(content: bytes) -> tuple[Operator, ...]:
    from projectkit.measure.onnx_file import parse_onnx
    from projectkit.measure.onnx_graph import check_counted, macs_of
    from projectkit.measure.onnx_operators import PRODUCTS
    from projectkit.measure.onnx_shapes import infer_shapes

    file = parse_onnx(content)
    check_counted(file)
    constants, nodes, operations = file.constants, file.nodes, file.operations
    shapes, batch = infer_shapes(file.model, constants)
    bits = bits_of(file.model, nodes, constants)
    roots = Roots(producers_of(operations), UNPACKING)
    quantized = {operation.input(0): operation.outputs[0] for operation in operations if operation.name == "QuantizeLinear"}

    def size(name: str) -> int:
        if name not in shapes:
            raise ArtifactError(f"the shape of {name!r} does not follow from the input's; export with fixed shapes.")
        whole = math.ceil(math.prod(shapes[name]) * bits[name][0] / 8)
        return whole if name in constants else whole // batch

    operators = []
    for index, (node, operation) in enumerate(zip(nodes, operations, strict=True)):
        if node.op_type in FOLDED:
            continue
        inputs = [roots(name) for name in operation.present]
        outputs = [quantized.get(name, name) for name in operation.outputs]
        operators.append(
            Operator(
                name=node.name or f"{node.op_type}_{index}",
                kind=node.op_type,
                macs=macs_of(node, operation, shapes) // batch if node.op_type in PRODUCTS else 0,
                moved_bytes=sum(size(name) for name in {*inputs, *outputs}),
                dtype=multiplied_type(bits[next((name for name in inputs if name not in constants), outputs[0])][1]),
                read_bytes=sum(size(name) for name in {*inputs} if name not in constants),
                written_bytes=sum(size(name) for name in outputs),
            )
        )
    return tuple(operators)


def bits_of(
    model: "onnx.ModelProto", nodes: Sequence["onnx.NodeProto"], constants: Mapping[str, "Constant"]
) -> dict[str, tuple[int, str]]:
    """(bits, name of the type) of every value: as the file states it, else as of the first input of what makes it."""
    import onnx

    def of(data_type: int) -> tuple[int, str]:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(data_type)
        return (4 if "int4" in dtype.name else 8 * dtype.itemsize), dtype.name

    found = {value.name: of(value.type.tensor_type.elem_type) for value in model.graph.input}
    for name, tensor in constants.items():
        found[name] = of((tensor.values if isinstance(tensor, onnx.SparseTensorProto) else tensor).data_type)
    for node in nodes:
        if node.op_type == "QuantizeLinear":  # as its zero point, and uint8 without one
            own = found[node.input[2]] if len(node.input) > 2 else of(onnx.TensorProto.UINT8)
        elif node.op_type == "Cast":
            own = of(next(attribute.i for attribute in node.attribute if attribute.name == "to"))
        elif node.op_type in MADE:
            own = of(getattr(onnx.TensorProto, MADE[node.op_type]))
        else:
            own = found[node.input[0]]
        found |= dict.fromkeys(node.output, own)
    return found


def multiplied_type(dtype: str) -> str:
    """The type that is multiplied, of the type that is stored."""
    return INTEGERS.get(dtype, dtype)
