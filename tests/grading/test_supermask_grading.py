"""Supermasks in the grader: measured in the sandbox like every model, and a hostile one spoils only itself."""

import struct

import numpy as np
import pytest

from grading.engine import Options, grade
from models_by_hand import linear_onnx, saved
from projectkit.prune.supermasks import SCORES, Effort, one_shot, prepare
from projectkit.runtimes.supermask import write_supermask
from projectkit.submit import pack

LAB = "l04_supermasks"
HUGE = b"SMSK\x01" + struct.pack("<5H", 1024, 1024, 1024, 0, 10) + b"\x02" + struct.pack("<2H", 4096, 4096) + b"\xff" * 1024


@pytest.fixture(scope="module")
def graded(digits, tmp_path_factory):
    """Verdicts by (student, check)."""
    root = tmp_path_factory.mktemp("class")
    scene = prepare(digits, (300, 100), seed=1)
    good = write_supermask(
        one_shot(scene, SCORES["pgbp_loss"], effort=Effort(steps=600)).supermask(scene), root / "m" / "good.supermask"
    )
    (root / "in").mkdir()
    for student, tiny in (("ann", good.path), ("bob", saved(root / "m", "huge.supermask", HUGE)), ("cyd", None)):
        models = {"accurate": good.path} | ({"tiny": tiny} if tiny else {"tiny": saved(root / "m", "lin.onnx", linear_onnx())})
        pack(root / "in" / f"{student}.zip", student=f"{student}@x.edu", lab=LAB, artifacts=models, answers={})
    grades = grade(root / "in", root / "out", Options("quick", "a salt"))
    return {(one.student.partition("@")[0], verdict.check.id): verdict for one in grades for verdict in one.verdicts}


def test_a_supermask_is_measured_on_hidden_images_and_against_the_whole_network(graded):
    accuracy, left = graded["ann", "accurate_accuracy"], graded["ann", "accurate_parameters"]
    assert accuracy.measured.value > 0.35 and accuracy.points > 0
    assert 0 < left.measured.value < 0.9 and left.points > 0
    assert np.isfinite(left.measured.value)


def test_one_that_would_fill_the_memory_is_told_so_and_spoils_nothing_else(graded):
    assert graded["bob", "tiny_accuracy"].status == "error"
    assert "weights, expected at most" in graded["bob", "tiny_accuracy"].message
    assert graded["bob", "accurate_accuracy"].points == graded["ann", "accurate_accuracy"].points


def test_a_trained_model_is_no_supermask(graded):
    verdict = graded["cyd", "tiny_accuracy"]
    assert verdict.points == 0 and "expected a .supermask file for tiny" in verdict.message
