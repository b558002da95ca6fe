"""Flags: what is pointed at, and what is not. None of them costs a point."""

from pathlib import Path

import numpy as np
import pytest

from grading.engine import Options, grade
from grading.exercises import SOLUTIONS
from grading.flags import answer_digests, flags
from models_by_hand import linear_onnx, saved
from projectkit.submit import exercise_inputs, pack

LAB = "l01_quantization"
RUBRIC = """
lab = "l01_quantization"
title = "A course with copies"
[scale.quick]
dataset = "digits"
[[scale.quick.check]]
id = "accuracy"
title = "Accuracy"
slot = "first"
metric = "accuracy"
floor = 0.5
target = 0.8
points = 10
[[scale.quick.check]]
id = "affine"
title = "Affine"
exercise = "affine"
metric = "answer"
floor = 0
target = 1
points = 10
"""
CLAIMS = {
    "Dishonest": {"first/accuracy": 1.5, "first/size": 10},
    "Close": {"first/accuracy": 0.9},
    "Odd": {"nothing/accuracy": 1, "x": 9},
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Ann and <Ben> share a model, Cid hands in Ann's answers, Ann hands in twice, the others only claim things."""
    root = tmp_path_factory.mktemp("copies")
    saved(root / "rubrics", f"{LAB}.toml", RUBRIC.encode())
    (root / "subs").mkdir()

    def hand_in(name: str, student: str, *, hidden: int, answers_of: str = ""):
        model = saved(root / "models" / name, "model.onnx", linear_onnx(hidden=hidden))
        answers = {"affine": SOLUTIONS[LAB]["affine"](exercise_inputs(answers_of or student, LAB, "affine"))}
        claims = CLAIMS.get(student, {})
        pack(root / "subs" / f"{name}.zip", student=student, lab=LAB, artifacts={"first": model}, answers=answers, claims=claims)

    hand_in("ann_1", "Ann", hidden=64)
    hand_in("ann_2", "Ann", hidden=64)
    hand_in("ben", "<Ben>", hidden=64)
    hand_in("cid", "Cid", hidden=65, answers_of="Ann")
    for index, name in enumerate(CLAIMS):
        hand_in(name.lower(), name, hidden=70 + index)
    out = root / "out"
    return grade(root / "subs", out, Options(rubrics=root / "rubrics", salt="salt")), out


def test_copies_and_far_claims_are_flagged_and_nothing_else(graded):
    found = flags(graded[0])
    assert {(flag.kind, frozenset(flag.files)) for flag in found} == {
        ("same model", frozenset({"ann_1.zip", "ann_2.zip", "ben.zip"})),
        ("same answers", frozenset({"ann_1.zip", "ann_2.zip", "cid.zip"})),
        ("claim", frozenset({"dishonest.zip"})),
    }
    assert sum(flag.kind == "claim" for flag in found) == 2
    assert any("Ann and <Ben>" in flag.sentence for flag in found)


def test_a_flag_costs_no_point(graded):
    scores = {one.student: one.score for one in graded[0]}
    assert scores["<Ben>"] == scores["Ann"] == scores["Dishonest"] == 20


def test_the_page_of_the_class_shows_them_escaped(graded):
    page = (Path(graded[1]) / "index.html").read_text("utf-8")
    assert "To look at" in page and "Ann and &lt;Ben&gt; handed in the same model file for first." in page
    assert "<Ben>" not in page


def test_answers_are_compared_by_value():
    one, same = {"e": {"a": np.float32([1, 2]), "b": np.int8(3)}}, {"e": {"b": np.float64(3), "a": np.array([1, 2])}}
    assert answer_digests(one) == answer_digests(same)
    for other in ({"a": [1, 3], "b": 3}, {"a": [[1, 2]], "b": 3}, {"a": [1, 2], "c": 3}):
        assert answer_digests({"e": other}) != answer_digests(one)
