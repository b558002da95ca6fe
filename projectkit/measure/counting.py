"""Counts what is inside a model file without running it."""

from projectkit.measure.graph import Graph
from projectkit.measure.litert_graph import read_litert
from projectkit.measure.onnx_graph import read_onnx
from projectkit.measure.parsing import parse_file
from projectkit.measure.supermask_graph import read_supermask
from projectkit.types import Artifact


def read_graph(artifact: Artifact) -> Graph:
    """Counts what is inside `artifact`. Raises ArtifactError when the file is malformed or cannot be counted."""
    return parse_file(artifact, {"litert": read_litert, "onnx": read_onnx, "supermask": read_supermask})
