import io
import json
import subprocess
import sys

import numpy as np
import pytest
from onnx import helper

from models_by_hand import huge_onnx, linear_onnx, onnx_model, saved
from projectkit.errors import ArtifactError
from projectkit.measure import peak_memory
from projectkit.types import Artifact

X = np.zeros((1, 8, 8, 1), np.float32)


def hungry(megabytes: int) -> bytes:
    """The sum over its inputs, by way of a tensor of `megabytes`."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("ReduceSum", ["flat"], ["sum"], keepdims=0),
        helper.make_node("Expand", ["sum", "size"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["total"], keepdims=0),
        helper.make_node("Add", ["flat", "total"], ["y"]),
    ]
    return onnx_model(nodes, {"size": np.array([megabytes, 250_000], np.int64)}, classes=64)


def test_a_tensor_of_known_size_shows_in_the_peak(tmp_path):
    small, large = (peak_memory(Artifact.of(saved(tmp_path, f"{size}.onnx", hungry(size))), X)[0] for size in (1, 100))
    assert (small.metric, small.n) == ("peak_memory", 3)
    assert small.low <= small.value <= small.high
    assert 90e6 < large.value - small.value < 130e6


def test_a_file_that_cannot_be_opened_is_an_error_with_its_reason(tmp_path):
    broken = Artifact.of(saved(tmp_path, "broken.onnx", linear_onnx()[:100]))
    with pytest.raises(ArtifactError, match="cannot load"):
        peak_memory(broken, X)


@pytest.mark.parametrize(("megabytes", "exact"), [(1, False), (300, True)])
def test_where_the_mark_cannot_be_reset_the_interval_says_so(tmp_path, megabytes, exact):
    """As on macOS and Windows: a model smaller than what loading the runtime took can only be bounded."""
    path = saved(tmp_path, "m.onnx", hungry(megabytes))
    code = "import projectkit.measure.memory_child as child; child.CLEAR = child.Path('/nowhere/clear_refs'); child.main()"
    stored = io.BytesIO()
    np.save(stored, X)
    done = subprocess.run(
        [sys.executable, "-c", code, path, "onnx", "1"], input=stored.getvalue(), capture_output=True, check=True
    )
    answer = json.loads(done.stdout)
    assert 0 <= answer["least"] <= answer["most"]
    if exact:
        assert answer["least"] == answer["most"] > 300e6


def test_a_model_that_asks_for_too_much_is_an_error(tmp_path):
    artifact = Artifact.of(saved(tmp_path, "huge.onnx", huge_onnx(10_000)))
    with pytest.raises(ArtifactError):
        peak_memory(artifact, X)
