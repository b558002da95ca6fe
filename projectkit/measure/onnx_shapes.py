"""The shapes of an ONNX graph's values.

They are inferred anew from the input's shape and the operators: what the file says of its intermediate values is a claim.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from projectkit.errors import ArtifactError
from projectkit.measure.onnx_operators import SHAPED_LIKE, Constant

if TYPE_CHECKING:
    import onnx

CONTRIBUTED = "com.microsoft"  # the domain of ONNX Runtime's own operators


def infer_shapes(model: "onnx.ModelProto", constants: Mapping[str, Constant]) -> tuple[dict[str, tuple[int, ...]], int]:
    """(shape by name wherever it is known, batch size that the shapes are for). A free batch axis becomes 1.

    constants: name → tensor. Raises ArtifactError when there is not one input, with fixed sizes but for its batch axis.
    """
    import onnx

    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    graph = plain.graph
    batch = _pin_batch(graph, constants)
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for node in graph.node:
        if node.domain == CONTRIBUTED and node.op_type in SHAPED_LIKE:
            _translate(node)
    inferred = onnx.shape_inference.infer_shapes(plain, data_prop=True).graph
    shapes = {}
    for value in [*inferred.value_info, *inferred.input, *inferred.output]:
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(axis.HasField("dim_value") for axis in tensor.shape.dim):
            shapes[value.name] = tuple(axis.dim_value for axis in tensor.shape.dim)
    shapes |= {name: tuple(tensor.dims) for name, tensor in constants.items()}
    return shapes, batch


def _pin_batch(graph: "onnx.GraphProto", constants: Mapping[str, Constant]) -> int:
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise ArtifactError(f"has {len(inputs)} inputs, expected one.")
    axes = inputs[0].type.tensor_type.shape.dim
    if not axes or any(axis.dim_value < 1 for axis in axes[1:]):
        raise ArtifactError(f"takes inputs of any size ({inputs[0].name!r}); export with fixed sizes but for the batch axis.")
    if axes[0].dim_value < 1:
        axes[0].dim_value = 1
    return axes[0].dim_value


def _translate(node: "onnx.NodeProto") -> None:
    """Turns one of ONNX Runtime's operators into the ONNX operator whose output has the same shape."""
    operator, positions = SHAPED_LIKE[node.op_type]
    inputs = list(node.input)
    kept = inputs[positions] if isinstance(positions, slice) else [inputs[position] for position in positions]
    if any(attribute.name == "channels_last" and attribute.i for attribute in node.attribute):
        return  # no ONNX operator has this layout: its shape stays unknown
    node.op_type, node.domain = operator, ""
    del node.input[:]
    node.input.extend(kept)
