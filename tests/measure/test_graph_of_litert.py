"""Corners of the LiteRT reader: shapes that lie, and files that are broken anywhere."""

import struct
from contextlib import closing

import numpy as np
import pytest

from models_by_hand import flipped, linear_onnx, linear_tflite
from projectkit import runtimes
from projectkit.errors import ArtifactError
from projectkit.measure import Graph, check_shapes, read_graph
from projectkit.types import Artifact


def graph_of(path, content: bytes) -> Graph:
    path.write_bytes(content)
    return read_graph(Artifact.of(path))


def test_a_model_made_by_hand(tmp_path):
    w, b = np.ones((64, 10), np.float32), np.ones(10, np.float32)
    w[:3, 0] = 0
    graph = graph_of(tmp_path / "m.tflite", linear_tflite(w=w, b=b))
    assert (graph.parameters, graph.nonzero_parameters, graph.macs) == (650, 647, 640)
    assert graph.operators == (("FULLY_CONNECTED", 1),)


def edited(path, target, change) -> Artifact:
    """The file at `path` after `change(graph)`, written to `target`."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    change(model.subgraphs[0])
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(bytes(builder.Output()))
    return Artifact.of(target)


def images(path) -> np.ndarray:
    """Inputs as the file takes them."""
    with closing(runtimes.open(Artifact.of(path))) as session:
        return np.random.default_rng(0).random((3, *session.inputs[0].shape), dtype=np.float32)


def test_an_edited_shape_is_found(files, tmp_path):
    """Editing the shapes of a .tflite file changes what it seems to cost; the runtime computes them anew."""
    honest = Artifact.of(files["residual-float32.tflite"])
    x = images(files["residual-float32.tflite"])
    check_shapes(honest, x)

    def shrink(graph):
        for operator in graph.operators:
            tensor = graph.tensors[operator.outputs[0]]
            tensor.shape = [1] * (len(tensor.shape) - 1) + [tensor.shape[-1]]

    cheaper = edited(files["residual-float32.tflite"], tmp_path / "edited.tflite", shrink)
    assert read_graph(cheaper).macs < read_graph(honest).macs
    with pytest.raises(ArtifactError, match="has shape"):
        check_shapes(cheaper, x)


@pytest.mark.parametrize("kind", ["float32.onnx", "float16.onnx", "qdq.onnx", "qoperator.onnx", "dynamic.onnx"])
@pytest.mark.parametrize("model", ["mlp", "conv", "residual"])
def test_of_every_onnx_file_the_inferred_shapes_are_those_of_a_run(files, model, kind):
    check_shapes(Artifact.of(files[f"{model}-{kind}"]), images(files[f"{model}-{kind}"]))


@pytest.mark.parametrize("kind", ["int8.tflite", "float16.tflite", "float32.tflite"])
@pytest.mark.parametrize("model", ["mlp", "conv", "residual"])
def test_of_every_file_honest_shapes_pass_and_an_edited_one_does_not(files, model, kind, tmp_path):
    path = files[f"{model}-{kind}"]
    x = images(path)
    check_shapes(Artifact.of(path), x)  # raises nothing

    def widen(graph):
        tensor = graph.tensors[graph.operators[-1].outputs[0]]
        tensor.shape = [*tensor.shape[:-1], 2 * tensor.shape[-1]]

    with pytest.raises(ArtifactError, match=r"has shape|cannot be compared"):
        check_shapes(edited(path, tmp_path / "edited.tflite", widen), x)


def test_a_custom_operator_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="CUSTOM"):
        graph_of(tmp_path / "m.tflite", linear_tflite(custom="surprise"))


@pytest.mark.parametrize(("suffix", "make"), [(".tflite", linear_tflite), (".onnx", linear_onnx)])
def test_a_truncated_file_never_counts_as_whole(tmp_path, suffix, make):
    content = make()
    for tenth in range(10):
        with pytest.raises(ArtifactError):
            graph_of(tmp_path / f"m{suffix}", content[: len(content) * tenth // 10])


@pytest.mark.parametrize(("suffix", "make"), [(".tflite", linear_tflite), (".onnx", linear_onnx)])
def test_flipped_bytes_give_a_graph_or_an_artifact_error(tmp_path, suffix, make):
    for broken in flipped(make(), seed=0):
        try:
            graph = graph_of(tmp_path / f"m{suffix}", broken)
            nonzero = graph.nonzero_parameters
        except ArtifactError as error:
            assert str(error).endswith(".")
        else:
            assert 0 <= nonzero <= graph.parameters


def test_a_list_longer_than_the_file_is_refused_at_once(tmp_path):
    content, refused = linear_tflite(), 0
    for place in range(0, len(content) - 4, 4):
        broken = content[:place] + struct.pack("<I", 0x7FFFFFF0) + content[place + 4 :]
        if place < 600 or place > len(content) - 600:
            try:
                graph_of(tmp_path / "m.tflite", broken)
            except ArtifactError:
                refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"\x00" * 64, b"PK\x03\x04" + b"x" * 100, b"\x10\x00\x00\x00TFL3" + b"\xff" * 200]
)
def test_what_is_no_model_is_refused(tmp_path, content):
    for suffix in (".tflite", ".onnx"):
        with pytest.raises(ArtifactError):
            graph_of(tmp_path / f"m{suffix}", content)
