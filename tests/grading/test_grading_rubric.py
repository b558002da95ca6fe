"""A rubric is read whole or refused with a sentence that names the field."""

import pytest

from grading.errors import GradingError
from grading.rubrics.loading import load_rubric
from projectkit.errors import SubmissionError

GOOD = """
lab = "l01_quantization"
title = "Quantization"
[limits]
seconds = 5
[scale.quick]
dataset = "digits"
baseline = "base.onnx"
[[scale.quick.check]]
id = "size"
title = "Small"
slot = "int8"
metric = "size"
floor = 1
target = 0.25
points = 10
relative = true
[[scale.quick.check]]
id = "affine"
title = "Affine"
exercise = "affine"
metric = "answer"
floor = 0.5
target = 1
points = 5
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "base.onnx").write_bytes(b"x")
    return tmp_path / "rubrics"


def load(folder, text):
    (folder / "l01_quantization.toml").write_text(text)
    return load_rubric("l01_quantization", "quick", folder)


def test_a_good_rubric(folder):
    rubric = load(folder, GOOD)
    assert [check.id for check in rubric.checks] == ["size", "affine"]
    assert rubric.slots == ("int8",) and rubric.exercises == ("affine",) and rubric.metrics("int8") == ("size",)
    assert rubric.limits.seconds == 5 and rubric.baseline.name == "base.onnx"
    assert rubric.digest != load(folder, GOOD + "\n").digest


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('lab = "l01_quantization"', 'lab = "l00_measurement"', "as the file is named"),
        ('title = "Small"', "", "lacks title"),
        ("points = 10", 'points = "10"', "points"),
        ("points = 10", "points = -1", "0 or more"),
        ("points = 10", "points = nan", "finite"),
        ("points = 10", "points = true", "finite"),
        ("target = 0.25", "target = 1", "two different"),
        ('metric = "size"', 'metric = "beauty"', "beauty"),
        ('metric = "size"', 'metric = "latency_ratio"', "relative = true"),
        ('metric = "size"', 'metric = "sparsity"', "cannot be relative"),
        ('slot = "int8"', 'slot = "../int8"', "slot"),
        ('slot = "int8"', "", "slot"),
        ('exercise = "affine"', 'exercise = "afine"', "affine"),
        ('id = "affine"', 'id = "size"', "twice"),
        ("relative = true", 'relative = "yes"', "relative"),
        ("relative = true", "relativ = true", "unknown fields relativ"),
        ("base.onnx", "absent.onnx", "absent.onnx"),
        ("base.onnx", "../rubrics/l01_quantization.toml", "not a file in the folder"),
        ('baseline = "base.onnx"', "", "needs a baseline"),
        ("seconds = 5", "seconds = 0", "positive"),
        ("seconds = 5", "second = 5", "unknown fields"),
        ("[scale.quick]", "[scale.quicc]", "unknown fields quicc"),
        ("[limits]", "[formats]\nint8 = 'keras'\n[limits]", "expected one of litert, onnx"),
        ("[limits]", "[formats]\nint9 = 'onnx'\n[limits]", "unknown fields int9"),
        ('lab = "l01_quantization"', "lab = ", "TOML"),
    ],
)
def test_a_slip_is_refused(folder, old, new, says):
    assert old in GOOD
    with pytest.raises(GradingError, match=says):
        load(folder, GOOD.replace(old, new, 1))


def test_an_unknown_lab_is_the_submissions_fault(folder):
    load(folder, GOOD)
    with pytest.raises(SubmissionError, match="l01_quantization"):
        load_rubric("l99_alchemy", "quick", folder)


def test_a_project_is_sent_to_its_jury():
    with pytest.raises(SubmissionError, match="grading defend"):
        load_rubric("project", "quick")
