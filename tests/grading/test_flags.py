"""Flags: what is pointed at, and what is not. None of them costs a point."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from grading.engine import Options, grade
from grading.exercises import SOLUTIONS
from grading.points.flags import answer_digests, flags
from models_by_hand import linear_onnx, onnx_model, saved
from projectkit.data import load
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
        ("same submission", frozenset({"ann_1.zip", "ann_2.zip"})),
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


def repacked(model: bytes) -> bytes:
    """The same weights under other names, in another order, with a note."""
    changed = onnx.load_from_string(model)
    names = {tensor.name: f"other_{tensor.name}" for tensor in changed.graph.initializer}
    for tensor in changed.graph.initializer:
        tensor.name = names[tensor.name]
    for node in changed.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    last_first = list(changed.graph.initializer)[::-1]
    del changed.graph.initializer[:]
    changed.graph.initializer.extend(last_first)
    changed.doc_string = "all my own work"
    return changed.SerializeToString()


def by_heart() -> bytes:
    """A model that knows the public test images and nothing else: it answers by the image that it recognizes exactly."""
    test = load("digits").test
    images, labels = test.x.reshape(len(test), -1), np.eye(10, dtype=np.float32)[test.y]
    constants = {
        "images": np.ascontiguousarray(images.T),
        "norms": (images**2).sum(axis=1),
        "labels": labels,
        "noise": np.random.default_rng(0).normal(0, 1e-3, (64, 10)).astype(np.float32),
        "two": np.float32([2]),
        "little": np.float32([1e-3]),
        "axes": np.int64([1]),
    }
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("Mul", ["flat", "flat"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "axes"], ["norm"]),
        helper.make_node("MatMul", ["flat", "images"], ["products"]),
        helper.make_node("Mul", ["products", "two"], ["twice"]),
        helper.make_node("Sub", ["norms", "twice"], ["partial"]),
        helper.make_node("Add", ["partial", "norm"], ["distance"]),
        helper.make_node("Less", ["distance", "little"], ["equal"]),
        helper.make_node("Cast", ["equal"], ["known"], to=onnx.TensorProto.FLOAT),
        helper.make_node("MatMul", ["known", "labels"], ["answer"]),
        helper.make_node("MatMul", ["flat", "noise"], ["guess"]),
        helper.make_node("Add", ["answer", "guess"], ["y"]),
    ]
    return onnx_model(nodes, constants)


def test_equal_weights_in_other_files_and_models_that_know_only_public_images(tmp_path):
    models = {"Ann": linear_onnx(), "Ben": repacked(linear_onnx()), "Cid": linear_onnx(hidden=70), "Eve": by_heart()}
    (tmp_path / "subs").mkdir()
    for student, content in models.items():
        model = saved(tmp_path / "models" / student, "model.onnx", content)
        pack(tmp_path / "subs" / f"{student}.zip", student=student, lab=LAB, artifacts={"first": model})
    saved(tmp_path / "rubrics", f"{LAB}.toml", RUBRIC.encode())
    found = flags(grade(tmp_path / "subs", tmp_path / "out", Options(rubrics=tmp_path / "rubrics", salt="pepper")))
    assert [(flag.kind, flag.files) for flag in found] == [
        ("same weights", ("Ann.zip", "Ben.zip")),
        ("memorized", ("Eve.zip",)),
        ("known images", ("Eve.zip",)),
    ]
    assert "in files that differ" in found[0].sentence
    assert "100.0 % on public test images" in found[1].sentence
    assert "smaller loss on the public test images than on validation images" in found[2].sentence


def test_answers_are_compared_by_value():
    one, same = {"e": {"a": np.float32([1, 2]), "b": np.int8(3)}}, {"e": {"b": np.float64(3), "a": np.array([1, 2])}}
    assert answer_digests(one) == answer_digests(same)
    for other in ({"a": [1, 3], "b": 3}, {"a": [[1, 2]], "b": 3}, {"a": [1, 2], "c": 3}):
        assert answer_digests({"e": other}) != answer_digests(one)
