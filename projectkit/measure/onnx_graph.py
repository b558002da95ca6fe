"""Counts what is inside an .onnx file, without a runtime."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, Roots, data_values, producers_of
from projectkit.measure.graph import (
    Graph,
    Hidden,
    Layer,
    Unknown,
    Weights,
    count_operators,
    free_operations,
    sentence,
)
from projectkit.measure.layer_weights import Constant as Counted
from projectkit.measure.layer_weights import Kernel, kernels_of, mean_bits, weights_among
from projectkit.measure.onnx_file import OnnxFile, hiding_in, parse_onnx
from projectkit.measure.onnx_operators import (
    JOINING,
    KNOWN,
    LOOKUPS,
    NOT_DATA,
    PAIRING,
    PASSING,
    PRODUCTS,
    QUANTIZING,
    SCALES,
    UNPACKING,
    ZERO_POINTS,
    Constant,
    is_data,
    operands,
    operations_of,
)
from projectkit.measure.onnx_shapes import infer_shapes

if TYPE_CHECKING:
    import onnx


def read_onnx(content: bytes) -> Graph:
    """The graph of an .onnx file. Raises ArtifactError, or anything else where the file is damaged."""
    file = parse_onnx(content)
    if hiding := hiding_in(file):
        raise ArtifactError(sentence(hiding).reason)
    nodes, operations = file.live(file.outputs)
    try:
        work, layers = _work(file, nodes, operations)
    except ArtifactError as error:
        work, layers = Unknown(str(error)), ()
    constants = constants_among(file, operations, file.outputs)
    return Graph(
        parameters=sum(map(_elements, constants.values())),
        operators=count_operators(node.op_type for node in nodes),
        layers=layers,
        work=work,
        stored=_stored(file, constants),
    )


def check_counted(file: OnnxFile) -> None:
    """Raises ArtifactError for a file whose work cannot be counted. Operators that no output depends on have to be known, too."""
    if unknown := file.names - KNOWN:
        raise ArtifactError(sentence(unknown).reason)
    for operation in file.operations:
        place = LOOKUPS.get(operation.name)
        if place is not None and operation.input(place) in file.computed:
            raise ArtifactError(
                f"looks values up in a table, by places that it computes ({operation.name}): that stands for work that cannot be "
                "counted. Export it without a lookup."
            )


def _work(
    file: OnnxFile, nodes: Sequence["onnx.NodeProto"], operations: Sequence[Operation[str]]
) -> tuple[int | Unknown, tuple[Layer, ...]]:
    check_counted(file)
    shapes, batch = infer_shapes(file.model, file.constants)
    roots = Roots(producers_of(file.operations), PASSING)

    def elements(name: str) -> int:
        if name not in shapes:
            raise ArtifactError(f"the shape of {name!r} does not follow from the input's; export with fixed shapes.")
        return math.prod(shapes[name]) // batch

    layers: list[Layer] = []
    hidden = Hidden(sum(free_operations(elements(name)) for name in file.inputs))
    for index, (node, operation) in enumerate(zip(nodes, operations, strict=True)):
        if operation.name in PRODUCTS:
            layers.append(_layer(file, index, node, operation, macs_of(node, operation, shapes) // batch, roots))
            hidden.add_layer(elements(operation.outputs[0]), layers[-1].macs)
        elif names := {*operation.present} & file.computed:
            scaled, pairs, joins = _scales_channels(file, operation), operation.name in PAIRING, operation.name in JOINING
            if not (scaled or pairs or joins or operations_of(node, operation.name, 1, 1)):
                continue
            read, written = [elements(name) for name in names], elements(operation.outputs[0])
            others = [_shaped(shapes[name]) for name in operation.present if name not in file.computed and name in shapes]
            beside = [other.elements for other in others] if operation.name in ("Concat", "QLinearConcat") else []
            hidden.add(
                written if scaled else operations_of(node, operation.name, sum(read), written),
                written,
                read + beside,
                table=scaled or (operation.name != "PRelu" and any(other.is_table for other in others)),
                joins=joins,
                pairs=pairs or scaled,
            )
    return sum(layer.macs for layer in layers) + hidden.macs, tuple(layers)


def _shaped(shape: tuple[int, ...]) -> Counted:
    """A tensor of float32 that does not depend on the image, stored or not."""
    return Counted(shape, math.prod(shape), 32)


def _scales_channels(file: OnnxFile, operation: Operation[str]) -> bool:
    """Whether it multiplies each channel of what it is given by a scale of its own, as exporters do with weights only."""
    if operation.name not in ("QuantizeLinear", "DequantizeLinear") or operation.input(0) not in file.computed:
        return False
    scale = file.constants.get(operation.input(1))
    return scale is None or _elements(scale) > 1


def _layer(file: OnnxFile, index: int, node: "onnx.NodeProto", operation: Operation[str], macs: int, roots: Roots[str]) -> Layer:
    inputs = [name for place, name in enumerate(operation.inputs) if name is not None and is_data(operation.name, place)]
    weights = [file.constants[name] for name in sorted({roots(name) for name in inputs}) if name in file.constants]
    widest = max(weights, key=_elements, default=None)
    return Layer(
        name=node.name or f"{node.op_type}_{index}",
        operator=node.op_type,
        macs=macs,
        parameters=sum(map(_elements, weights)),
        weights=_elements(widest) if widest is not None else 0,
        bits=_bits(widest) if widest is not None else 0,
    )


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


def constants_among(file: OnnxFile, operations: Sequence[Operation[str]], outputs: Collection[str]) -> dict[str, Constant]:
    """The stored constants that count, of live `operations`: what flows into `outputs` as data, and all that are large, but for
    the scales and zero points of a quantized tensor."""
    scales = _products_of_scales(file, operations)

    def flows(operation: Operation[str], position: int) -> bool:
        if position == 1 and _scales_channels(file, operation):
            return True
        return is_data(operation.name, position) and operation.inputs[position] not in scales

    data = data_values(operations, outputs, flows)
    for operation in operations:
        quantized = NOT_DATA.get(operation.name, ()) if operation.name in QUANTIZING else ()
        for position, name in enumerate(operation.inputs):
            is_scale = position in quantized or (operation.name == "QLinearConcat" and position % 3 != 2) or name in scales
            if name in file.constants and not is_scale and counted(file.constants[name]).is_large:
                data.add(name)
    return {name: tensor for name, tensor in file.constants.items() if name in data}


def _products_of_scales(file: OnnxFile, operations: Sequence[Operation[str]]) -> set[str]:
    """Constants that are multiplied with a scale found at run time are scales too (dynamic quantization)."""
    dynamic = {operation.outputs[1] for operation in operations if operation.name == "DynamicQuantizeLinear"}
    scales: set[str] = set()
    for operation in operations:
        if operation.name == "Mul" and dynamic & set(operation.present):
            scales |= {name for name in operation.present if name in file.constants and len(file.constants[name].dims) < 2}
    return scales


def stored_kernels(file: OnnxFile, operations: Sequence[Operation[str]]) -> list[Kernel[str]]:
    """The kernels of the live `operations`. Raises ArtifactError where one is computed, or an operator is not known."""
    if unknown := file.names - KNOWN:
        raise ArtifactError(f"holds {', '.join(sorted(unknown))[:200]}, inside which weights cannot be seen. Export it plainly.")
    kernels = kernels_of(operations, file.constants, file.computed, lambda operation: operands(operation.name), UNPACKING)
    for kernel in kernels:
        if _scales_of(file, kernel) >= _elements(file.constants[kernel.value]) > 1:
            raise ArtifactError(
                f"stores a scale for each weight of {kernel.value!r}: its weights are the scales. Export it again."
            )
    return kernels


def _scales_of(file: OnnxFile, kernel: Kernel[str]) -> int:
    """How many scales a kernel has, 0 where there is one for each of its channels and no more."""
    place = SCALES.get((kernel.operation.name, kernel.position), len(kernel.operation.inputs))
    names = (*kernel.scales, *kernel.operation.inputs[place : place + 1])
    scales = [file.constants[name] for name in names if name in file.constants]
    if kernel.plain:
        scales = [scale for scale in scales if sum(size > 1 for size in scale.dims) > 1]
    return sum(map(_elements, scales))


def _stored(file: OnnxFile, constants: Mapping[str, Constant]) -> Weights | Unknown:
    first = file.outputs[:1]
    _, needed = file.live(first)
    try:
        kernels = stored_kernels(file, needed)
    except ArtifactError as error:
        return Unknown(str(error))
    own = constants_among(file, needed, first)
    zero_points = zero_points_of(file.nodes, file.constants)
    nonzero = {name: _nonzero(tensor, zero_points.get(name)) for name, tensor in constants.items()}
    scales = {kernel.value: _scales_of(file, kernel) for kernel in kernels}
    elements = sum(map(_elements, own.values()))
    sparsity = 1 - sum(nonzero[name] for name in own) / elements if elements else 0.0
    sizes = {name: counted(tensor, scales.get(name, 0)) for name, tensor in own.items()}
    bits = mean_bits([sizes[name] for name in weights_among(sizes, scales)])
    return Weights(sum(nonzero.values()), sparsity, bits)


def counted(tensor: Constant, scales: int = 0) -> Counted:
    """What is counted of a constant."""
    return Counted(tuple(tensor.dims), _elements(tensor), _bits(tensor), scales)


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
    bits = int(digits) if digits else {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}.get(name, 0)
    if not bits and _elements(tensor):
        raise ArtifactError(
            f"holds constants of type {name}, expected numbers: a Cast could turn them into weights. Export it again."
        )
    return bits
