"""Cuts a .tflite file into files of one operator each."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.measure.litert_file import names_of
from projectkit.measure.litert_operators import PASSING

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema


Table = TypeVar("Table")  # one of the schema's


@dataclass(frozen=True, slots=True)
class Part:
    """A .tflite file of one operator. inputs, outputs: the indices that its tensors have in the whole model, in its own order."""

    content: bytes
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def cut_litert(content: bytes) -> list[Part | None]:
    """A part for each operator of the .tflite file `content`, in their order; None for an operator that only unpacks constants.

    The inputs of a part are those of its operator that the model computes at run time; its constants come along, together with
    the operators that unpack them (float16 weights are stored behind a DEQUANTIZE). Raises ArtifactError, or anything else
    where the flatbuffer is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    if len(model.subgraphs) != 1:
        raise ArtifactError(f"has {len(model.subgraphs)} graphs, expected one: its operators cannot be run on their own.")
    graph, names = model.subgraphs[0], names_of(schema.BuiltinOperator)
    constant = {index for index, tensor in enumerate(graph.tensors) if _stored(model.buffers[tensor.buffer])}
    unpacked: dict[int, list[schema.OperatorT]] = {}  # tensor → the operators that make it of constants
    parts: list[Part | None] = []
    for operator in graph.operators:
        inputs = [int(index) for index in operator.inputs if index >= 0]
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name in PASSING and all(index in constant or index in unpacked for index in inputs):
            chain = [before for index in inputs for before in unpacked.get(index, [])]
            unpacked |= {int(index): [*chain, operator] for index in operator.outputs}
            parts.append(None)
            continue
        before = [one for index in inputs for one in unpacked.get(index, [])]
        known = constant | unpacked.keys()
        inputs = [index for index in dict.fromkeys(inputs) if index not in known]
        outputs = [int(index) for index in operator.outputs]
        parts.append(Part(_pack(model, [*before, operator], inputs, outputs), tuple(inputs), tuple(outputs)))
    return parts


def _stored(buffer: "schema.BufferT") -> bool:
    return (buffer.data is not None and len(buffer.data) > 0) or buffer.offset > 1


def _pack(
    model: "schema.ModelT", operators: Sequence["schema.OperatorT"], inputs: Sequence[int], outputs: Sequence[int]
) -> bytes:
    """A file of `operators`."""
    import flatbuffers

    graph = model.subgraphs[0]
    used = [*inputs, *(int(index) for one in operators for index in (*one.inputs, *one.outputs) if index >= 0)]
    place = {index: position for position, index in enumerate(dict.fromkeys(used))}
    buffers = list(dict.fromkeys([0, *(graph.tensors[index].buffer for index in place)]))

    def moved(indices: Iterable[int]) -> np.ndarray:
        return np.array([place.get(int(index), -1) for index in indices], np.int32)

    def changed(table: Table, **fields: object) -> Table:
        new = copy.copy(table)
        for field, value in fields.items():
            setattr(new, field, value)
        return new

    part = changed(
        graph,
        tensors=[changed(graph.tensors[index], buffer=buffers.index(graph.tensors[index].buffer)) for index in place],
        operators=[changed(one, inputs=moved(one.inputs), outputs=moved(one.outputs), intermediates=None) for one in operators],
        inputs=moved(inputs),
        outputs=moved(outputs),
    )
    file = changed(
        model,
        subgraphs=[part],
        buffers=[model.buffers[index] for index in buffers],
        metadata=None,
        metadataBuffer=None,
        signatureDefs=None,
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())
