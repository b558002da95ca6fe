"""Whether a model file can keep something from one call to the next. Under attack a model is asked hundreds of times about nearly
the same image: one that remembers would be measured by its memory."""

from pathlib import Path

from projectkit.errors import ArtifactError
from projectkit.types import Artifact

REMEMBERING = frozenset(
    [
        *("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"),
        *("HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE"),
        *("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN", "SVDF"),
        *("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM"),
    ]
)


def refuse_memory(artifact: Artifact) -> None:
    """Raises ArtifactError for a .tflite file with variables. The other formats have none: each call begins anew."""
    if artifact.format != "litert":
        return
    try:
        found = _remembering(Path(artifact.path).read_bytes())
    except Exception as error:  # a flatbuffer from a stranger: reading it may raise anything
        raise ArtifactError(f"{artifact.path}: is no intact litert file ({type(error).__name__}). Export it again.") from error
    if found:
        raise ArtifactError(
            f"{artifact.path}: holds {', '.join(found)}, with which it could remember what it was asked before; expected a model "
            "that answers each image by itself. Export it without variables and recurrent layers."
        )


def _remembering(content: bytes) -> list[str]:
    """What keeps state in the file, sorted: operators anywhere in it, and variable tensors."""
    from ai_edge_litert import schema_py_generated as schema

    from projectkit.measure.litert_file import names_of

    model, names = schema.Model.GetRootAs(content, 0), names_of(schema.BuiltinOperator)
    codes = (model.OperatorCodes(index) for index in range(model.OperatorCodesLength()))
    found = {names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "") for code in codes} & REMEMBERING
    graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
    if any(graph.Tensors(index).IsVariable() for graph in graphs for index in range(graph.TensorsLength())):
        found.add("variable tensors")
    return sorted(found)
