"""Whether a model file can keep something from one call to the next. Everything that is graded is asked in many calls, and a file
that remembers, counts them, or draws numbers could answer one and be timed for another."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from projectkit.errors import ArtifactError
from projectkit.types import Artifact

if TYPE_CHECKING:
    import onnx
    from ai_edge_litert import schema_py_generated as schema

REMEMBERING = frozenset(
    [
        *("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"),
        *("HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE"),
        *("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN", "SVDF"),
        *("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM"),
        *("RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL", "STABLEHLO_RNG_BIT_GENERATOR"),
        *("WHILE", "STABLEHLO_WHILE", "CUSTOM", "STABLEHLO_CUSTOM_CALL"),  # the last two: nobody knows what they keep
    ]
)
REMEMBERING_ONNX = frozenset(
    [
        *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"),
        *("Loop", "Scan", "SequenceMap"),
        *("BiasDropout", "BitmaskDropout", "BitmaskBiasDropout"),
    ]
)


def refuse_memory(artifact: Artifact) -> None:
    """Raises ArtifactError for a .tflite or .onnx file that may answer one image differently from call to call: with variables,
    numbers drawn at random or loops, or with tensors that are read before they are written. Other formats have nothing of it."""
    readers = {"litert": _in_litert, "onnx": _in_onnx}
    if artifact.format not in readers:
        return
    try:
        found = sorted(readers[artifact.format](Path(artifact.path).read_bytes()))
    except Exception as error:  # a file from a stranger: reading it may raise anything
        raise ArtifactError(
            f"{artifact.path}: is no intact {artifact.format} file ({type(error).__name__}). Export it again."
        ) from error
    if found:
        raise ArtifactError(
            f"{artifact.path}: holds {', '.join(found)}, with which its answer could differ from call to call; expected a "
            "model that answers each image by itself. Export it without variables, recurrent layers, loops and random numbers."
        )


def _in_onnx(content: bytes) -> set[str]:
    """The operators, anywhere in the file, of which a call could depend on those before."""
    import onnx

    model = onnx.load_from_string(content)
    nodes = _nodes([model.graph.node, *(function.node for function in model.functions)])
    return {
        "Dropout in training" if node.op_type == "Dropout" else node.op_type
        for node in nodes
        if node.op_type in REMEMBERING_ONNX or (node.op_type == "Dropout" and len(node.input) > 2 and node.input[2])
    }


def _nodes(pending: list[Iterable["onnx.NodeProto"]]) -> Iterator["onnx.NodeProto"]:
    """All nodes, those in branches too."""
    while pending:
        for node in pending.pop():
            yield node
            for attribute in node.attribute:
                pending.extend(graph.node for graph in (attribute.g, *attribute.graphs) if graph.node)


def _in_litert(content: bytes) -> set[str]:
    """What keeps state in the file: operators anywhere in it, variable tensors, tensors with what the call before has left."""
    from ai_edge_litert import schema_py_generated as schema

    from projectkit.measure.litert_file import names_of

    model, names = schema.Model.GetRootAs(content, 0), names_of(schema.BuiltinOperator)
    codes = (model.OperatorCodes(index) for index in range(model.OperatorCodesLength()))
    found = {names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "") for code in codes} & REMEMBERING
    graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
    if any(graph.Tensors(index).IsVariable() for graph in graphs for index in range(graph.TensorsLength())):
        found.add("variable tensors")
    stored = [bool(buffer.DataLength() or buffer.Size()) for buffer in map(model.Buffers, range(model.BuffersLength()))]
    if any(_left_over(graph, stored) for graph in graphs):
        found.add("tensors that are read before they are written, or written twice")
    return found


def _left_over(graph: "schema.SubGraph", stored: list[bool]) -> bool:
    """Whether an operator reads what none before it has written, or writes what is there already: then a tensor may hold what the
    call before has left in it."""
    written = {index for index in range(graph.TensorsLength()) if stored[graph.Tensors(index).Buffer()]}
    written |= {int(index) for index in (graph.Inputs(place) for place in range(graph.InputsLength()))}
    early: set[int] = set()
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        early |= {operator.Inputs(place) for place in range(operator.InputsLength())} - written
        made = [operator.Outputs(place) for place in range(operator.OutputsLength()) if operator.Outputs(place) >= 0]
        if (early | written) & set(made) or len(set(made)) < len(made):
            return True
        written.update(made)
    return False
