"""Counts what is inside an .onnx file, without a runtime."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, data_values, root
from projectkit.measure.graph import Graph, Layer, count_operators
from projectkit.measure.onnx_operators import PASSING, PRODUCTS, UNCOUNTED, ZERO_POINTS, Constant, is_data, operation_of
from projectkit.measure.onnx_shapes import infer_shapes

if TYPE_CHECKING:
    import onnx


def read_onnx(content: bytes) -> Graph:
    """The graph of an .onnx file. Raises ArtifactError, or anything else where the file is damaged."""
    import onnx

    model = onnx.load_from_string(content)
    if not model.graph.node:
        raise ArtifactError("is no .onnx file, or an empty one: it holds no operator. Export it again.")
    _refuse_external_data(model)
    if model.functions:
        import onnx.inliner

        model = onnx.inliner.inline_local_functions(model)
    nodes = list(model.graph.node)
    uncounted = sorted({node.op_type for node in nodes} & UNCOUNTED)
    if uncounted:
        raise ArtifactError(f"holds {', '.join(uncounted)}, whose multiply-accumulates cannot be counted from the file.")
    operations = [operation_of(node) for node in nodes]
    constants = constants_of(model.graph)
    outputs = [value.name for value in model.graph.output]
    scales = _products_of_scales(operations)

    def is_data_here(operation: Operation[str], position: int) -> bool:
        return is_data(operation.name, position) and operation.inputs[position] not in scales

    data = data_values(operations, outputs, is_data_here)
    used = [name for name in constants if name in data]
    zero_points = zero_points_of(nodes, constants)
    layers = _layers(nodes, operations, constants, model)
    return Graph(
        parameters=sum(_elements(constants[name]) for name in used),
        nonzero_parameters=sum(_nonzero(constants[name], zero_points.get(name)) for name in used),
        macs=sum(layer.macs for layer in layers),
        operators=count_operators(node.op_type for node in nodes if node.op_type != "Constant"),
        layers=tuple(layers),
    )


def _refuse_external_data(model: "onnx.ModelProto") -> None:
    """A file that points at other files could point anywhere; a model is one file here."""
    import onnx

    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ArtifactError(
                f"keeps the weights {tensor.name!r} in another file, expected all in one. "
                "Save it with onnx.save(model, path, save_as_external_data=False)."
            )


def _tensors(message: "onnx.ModelProto") -> Iterator["onnx.TensorProto"]:
    """Every TensorProto inside a protobuf message, however deep."""
    import onnx

    pending = [message]
    while pending:
        message = pending.pop()
        if isinstance(message, onnx.TensorProto):
            yield message
            continue
        for field, value in message.ListFields():
            if field.type == field.TYPE_MESSAGE:
                pending.extend([value] if hasattr(value, "ListFields") else value)


def constants_of(graph: "onnx.GraphProto") -> dict[str, Constant]:
    """name → TensorProto or SparseTensorProto of initializers and of Constant nodes."""
    import onnx

    constants: dict[str, Constant] = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {tensor.values.name: tensor for tensor in graph.sparse_initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute:
            value = onnx.helper.get_attribute_value(node.attribute[0])
            is_tensor = isinstance(value, onnx.TensorProto | onnx.SparseTensorProto)
            constants[node.output[0]] = value if is_tensor else _from_plain(value)
    return constants


def _from_plain(value: object) -> "onnx.TensorProto":
    """The tensor of a Constant node that gives its value as a number or a list of numbers."""
    import onnx

    array = np.asarray(value)
    if array.dtype.kind not in "if":
        array = np.empty(0, np.float32)  # text: nothing that counts
    return onnx.numpy_helper.from_array(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))


def _products_of_scales(operations: Sequence[Operation[str]]) -> set[str]:
    """Constants that are multiplied with a scale found at run time are scales too (dynamic quantization)."""
    dynamic = {operation.outputs[1] for operation in operations if operation.name == "DynamicQuantizeLinear"}
    scales: set[str] = set()
    for operation in operations:
        if operation.name == "Mul" and dynamic & set(operation.present):
            scales |= set(operation.present) - dynamic
    return scales


def _layers(
    nodes: Sequence["onnx.NodeProto"],
    operations: Sequence[Operation[str]],
    constants: Mapping[str, Constant],
    model: "onnx.ModelProto",
) -> list[Layer]:
    shapes, batch = infer_shapes(model, constants)
    producers = {value: operation for operation in operations for value in operation.outputs}
    layers = []
    for index, (node, operation) in enumerate(zip(nodes, operations, strict=True)):
        if node.op_type not in PRODUCTS:
            continue
        macs = macs_of(node, operation, shapes)
        names = {
            root(name, producers, PASSING)
            for position, name in enumerate(operation.inputs)
            if name is not None and is_data(node.op_type, position)
        }
        weights = [constants[name] for name in names if name in constants]
        widest = max(weights, key=_elements, default=None)
        layers.append(
            Layer(
                name=node.name or f"{node.op_type}_{index}",
                operator=node.op_type,
                macs=macs // batch,
                parameters=sum(_elements(tensor) for tensor in weights),
                weights=_elements(widest) if widest is not None else 0,
                bits=_bits(widest) if widest is not None else 0,
            )
        )
    return layers


def macs_of(node: "onnx.NodeProto", operation: Operation[str], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Of a node of PRODUCTS, for all examples of the batch. Raises ArtifactError where a shape that it needs is unknown."""
    kind, first, second = PRODUCTS[node.op_type]
    needed = (operation.input(first), operation.input(second), operation.outputs[0])
    unknown = [name for name in needed if name not in shapes]
    if unknown:
        raise ArtifactError(f"the shape of {unknown[0]!r} does not follow from the input's; export with fixed shapes.")
    left, right, output = (shapes[name] for name in needed)
    if kind == "convolution":  # filter (out, in / groups, height, width): every output element sums over its filter
        return math.prod(output) * math.prod(right[1:])
    if kind == "transposed":  # filter (in, out / groups, height, width): every input element is spread over its filter
        return math.prod(left) * math.prod(right[1:])
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(output) * left[-2 if transposed else -1]


def zero_points_of(nodes: Sequence["onnx.NodeProto"], constants: Mapping[str, Constant]) -> dict[str, np.ndarray]:
    """name of a quantized constant → its zero points, in a shape that broadcasts against it."""
    found = {}
    for node in nodes:
        for position, name in enumerate(node.input):
            place, axis = ZERO_POINTS.get((node.op_type, position), (None, 0))
            if name not in constants or place is None or place >= len(node.input) or node.input[place] not in constants:
                continue
            attributes = {attribute.name: attribute.i for attribute in node.attribute}
            if node.op_type == "QGemm":
                axis = 0 if attributes.get("transB") else -1
            zero_point = _array(constants[node.input[place]])
            found[name] = _broadcastable(zero_point, constants[name].dims, attributes.get("axis", axis), attributes)
    return found


def _broadcastable(zero_point: np.ndarray, dims: Sequence[int], axis: int, attributes: Mapping[str, int]) -> np.ndarray:
    if zero_point.size == 1:
        return zero_point.reshape(())
    if attributes.get("block_size") and zero_point.ndim == len(dims):  # one zero point for a block along the axis
        return np.repeat(zero_point, attributes["block_size"], axis).take(range(dims[axis]), axis)
    along = [1] * len(dims)
    along[axis] = -1
    return zero_point.reshape(along)


def _nonzero(tensor: Constant, zero_points: np.ndarray | None) -> int:
    """How many stored values differ from their zero point; of a sparse tensor, which stores no others, how many it stores."""
    values = _array(tensor)
    if zero_points is None or values.shape != tuple(tensor.dims):
        return int(np.count_nonzero(values))
    # int4 and the like are types that NumPy compares only after widening.
    return int(np.count_nonzero(values.astype(np.int64) != zero_points.astype(np.int64)))


def _array(tensor: Constant) -> np.ndarray:
    import onnx

    stored = tensor.values if isinstance(tensor, onnx.SparseTensorProto) else tensor
    return onnx.numpy_helper.to_array(stored)


def _elements(tensor: Constant) -> int:
    return math.prod(tensor.dims)


def _bits(tensor: Constant) -> int:
    import onnx

    stored = tensor.values if isinstance(tensor, onnx.SparseTensorProto) else tensor
    name = onnx.TensorProto.DataType.Name(stored.data_type)
    digits = "".join(character for character in name.split("E")[0] if character.isdigit())  # FLOAT8E4M3FN, INT4, UINT16
    return int(digits) if digits else {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}.get(name, 0)
