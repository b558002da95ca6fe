"""An .onnx file as the counters read it, without a runtime."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, check_written_once, computed_values, live_positions
from projectkit.measure.onnx_operators import Constant, name_of, operation_of

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """nodes: all but the Constant ones, which are among `constants` (name → tensor); operations[i]: nodes[i]; functions of the
    model's own are written out."""

    model: "onnx.ModelProto"
    nodes: Sequence["onnx.NodeProto"]
    operations: Sequence[Operation[str]]
    constants: dict[str, Constant]
    inputs: Sequence[str]
    outputs: Sequence[str]

    @cached_property
    def names(self) -> set[str]:
        """Of its operators."""
        return {operation.name for operation in self.operations}

    @cached_property
    def computed(self) -> set[str]:
        """The values that depend on the input's values."""
        return computed_values(self.operations, self.inputs)

    def live(self, outputs: Collection[str]) -> tuple[list["onnx.NodeProto"], list[Operation[str]]]:
        """The nodes that `outputs` depend on, and the same as operations."""
        places = live_positions(self.operations, outputs)
        return [self.nodes[place] for place in places], [self.operations[place] for place in places]


def parse_onnx(content: bytes) -> OnnxFile:
    """Reads an .onnx file. Raises ArtifactError, or anything else where the file is damaged."""
    import onnx

    model = onnx.load_from_string(content)
    if not model.graph.node:
        raise ArtifactError("is no .onnx file, or an empty one: it holds no operator. Export it again.")
    _refuse_external_data(model)
    if model.functions:
        import onnx.inliner

        model = onnx.inliner.inline_local_functions(model)
    graph = model.graph
    constants = constants_of(graph)
    nodes = [node for node in graph.node if name_of(node) != "Constant"]
    operations = [operation_of(node) for node in nodes]
    inputs = [value.name for value in graph.input if value.name not in constants]
    check_written_once(operations, {*inputs, *constants})
    return OnnxFile(model, nodes, operations, constants, inputs, [value.name for value in graph.output])


def hiding_in(file: OnnxFile) -> set[str]:
    """The operators of a file behind which lie constants or operators that its graph does not show: those that hold graphs, and
    those of a foreign domain."""
    import onnx

    graphs = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return {
        operation.name
        for node, operation in zip(file.nodes, file.operations, strict=True)
        if (operation.name != node.op_type and node.domain != "com.microsoft")
        or any(attribute.type in graphs for attribute in node.attribute)
    }


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
    """name → TensorProto or SparseTensorProto of initializers and of Constant nodes. Raises ArtifactError where two have one
    name."""
    import onnx

    found: list[tuple[str, Constant]] = [(tensor.name, tensor) for tensor in graph.initializer]
    found += [(tensor.values.name, tensor) for tensor in graph.sparse_initializer]
    for node in graph.node:
        if name_of(node) == "Constant" and node.attribute:
            value = onnx.helper.get_attribute_value(node.attribute[0])
            is_tensor = isinstance(value, onnx.TensorProto | onnx.SparseTensorProto)
            found.append((node.output[0], value if is_tensor else _from_plain(value)))
    constants = dict(found)
    if len(constants) < len(found):
        raise ArtifactError("is damaged: two of its constants have one name. Export it again.")
    return constants


def _from_plain(value: object) -> "onnx.TensorProto":
    """The tensor of a Constant node that gives its value as a number or a list of numbers."""
    import onnx

    array = np.asarray(value)
    if array.dtype.kind not in "if":
        array = np.empty(0, np.float32)  # text: nothing that counts
    return onnx.numpy_helper.from_array(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))
