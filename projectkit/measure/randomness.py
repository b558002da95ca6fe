"""Whether a model file draws random numbers, so that its answer to an image is another one each time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from projectkit.measure.parsing import parse_file
from projectkit.types import Artifact

if TYPE_CHECKING:
    import onnx


def random_operators(artifact: Artifact) -> tuple[str, ...]:
    """The operators of a file that answer differently from call to call, by name, wherever in it they stand; () for none.

    Those that draw numbers, Dropout that is told that it is training, and in .tflite files tensors that are read and that nobody
    ever writes: what is in memory there is chance, too. Raises ArtifactError for a damaged file.
    """
    return parse_file(artifact, {"litert": _of_litert, "onnx": _of_onnx, "supermask": lambda content: ()})


def _of_litert(content: bytes) -> tuple[str, ...]:
    from ai_edge_litert import schema_py_generated as schema

    from projectkit.measure.litert_file import names_of, parse
    from projectkit.measure.litert_operators import RANDOM

    file = parse(content)
    model, names = schema.Model.GetRootAs(content, 0), names_of(schema.BuiltinOperator)
    codes = [model.OperatorCodes(index) for index in range(min(model.OperatorCodesLength(), len(content) // 4))]
    found = {names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "") for code in codes} & RANDOM
    written = {file.input, *(index for operation in file.operations for index in operation.outputs)}
    for operation in file.operations:
        for tensor in (file.tensors[index] for index in operation.present if index not in written):
            if tensor.data is None and tensor.elements and not tensor.variable:
                found.add(f"a tensor that nobody writes ({tensor.name!r})")
    return tuple(sorted(found))


def _of_onnx(content: bytes) -> tuple[str, ...]:
    import onnx

    from projectkit.measure.onnx_file import constants_of
    from projectkit.measure.onnx_operators import RANDOM

    model = onnx.load_from_string(content)
    constants = constants_of(model.graph)
    found = set()
    for node in _nodes(model):
        if node.op_type in RANDOM:
            found.add(node.op_type)
        elif node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
            training = constants.get(node.input[2])
            if not isinstance(training, onnx.TensorProto) or onnx.numpy_helper.to_array(training).any():
                found.add("Dropout while training")
    return tuple(sorted(found))


def _nodes(model: "onnx.ModelProto") -> Iterator["onnx.NodeProto"]:
    """Every node of a model, also of its functions and inside loops."""
    pending = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            pending.extend(attribute.g.node)
            pending.extend(inner for graph in attribute.graphs for inner in graph.node)
