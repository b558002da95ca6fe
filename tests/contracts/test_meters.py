"""What every meter promises: numbers inside their intervals, or a sentence that says what this machine lacks."""

import numpy as np
import pytest

from models_by_hand import linear_onnx, linear_tflite, saved
from projectkit.errors import ArtifactError, NotHere
from projectkit.measure import METERS
from projectkit.metrics import PROFILE_METRICS
from projectkit.types import Artifact

FILES = {"m.tflite": linear_tflite, "m.onnx": linear_onnx}
X = np.random.default_rng(0).random((5, 8, 8, 1), dtype=np.float32)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("meter", METERS)
def test_a_meter_measures_or_says_why_not(meter, name, tmp_path):
    artifact = Artifact.of(saved(tmp_path, name, FILES[name]()))
    before = X.copy()
    try:
        measured = METERS[meter](artifact, X, threads=1, budget=0.05)
    except NotHere as reason:
        assert len(str(reason).split()) >= 5
        return
    assert isinstance(measured, tuple) and measured
    for one in measured:
        assert one.metric in PROFILE_METRICS and PROFILE_METRICS[one.metric].unit
        assert 0 < one.low <= one.value <= one.high and one.n >= 1
    assert len({one.metric for one in measured}) == len(measured)
    np.testing.assert_array_equal(X, before)
    assert Artifact.of(artifact.path) == artifact


@pytest.mark.parametrize("meter", METERS)
def test_a_file_that_cannot_be_opened_is_no_measurement(meter, tmp_path):
    artifact = Artifact.of(saved(tmp_path, "m.onnx", linear_onnx()[:50]))
    with pytest.raises((ArtifactError, NotHere)):
        METERS[meter](artifact, X, threads=1, budget=0.05)
