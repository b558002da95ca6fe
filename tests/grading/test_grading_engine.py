"""Whole runs over a small course: what is kept, repeated, explained, and shown."""

import csv
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import grading
from grading.engine import Options, grade
from grading.errors import GradingError
from grading.exercises import SOLUTIONS
from grading.measuring import remeasure
from grading.points.explain import explain
from grading.workers import sandbox
from models_by_hand import linear_onnx, linear_tflite, long_onnx, onnx_model, saved, slow_onnx
from projectkit.submit import exercise_inputs, pack

LAB = "l01_quantization"
HEADER = """
lab = "l01_quantization"
title = "A small course"
[formats]
lite = "litert"
[limits]
seconds = 3
budget = 0.02
[scale.quick]
dataset = "digits"
baseline = "wide.onnx"
"""
ROWS = (
    ("first_accuracy", "slot = 'first'", "accuracy", 0.5, 0.8, "gate = true"),
    ("first_macs", "slot = 'first'", "macs", 1, 0.5, "relative = true"),
    ("first_latency", "slot = 'first'", "latency_p50", 100, 50, "relative = true"),
    ("lite_accuracy", "slot = 'lite'", "accuracy", 0.5, 1.0, ""),
    ("lite_memory", "slot = 'lite'", "peak_memory", 1e12, 1e11, ""),
    ("lite_bits", "slot = 'lite'", "weight_bits", 64, 32, ""),
    ("lite_sparsity", "slot = 'lite'", "sparsity", 1, 0, ""),
    ("affine", "exercise = 'affine'", "answer", 0, 1, ""),
)


def rubric(points: float = 10) -> str:
    return HEADER + "".join(
        f"[[scale.quick.check]]\nid = {name!r}\ntitle = 'Check {name}'\n{subject}\nmetric = {metric!r}\n"
        f"floor = {floor}\ntarget = {target}\npoints = {points}\n{more}\n"
        for name, subject, metric, floor, target, more in ROWS
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    saved(root / "rubrics", f"{LAB}.toml", rubric().encode())
    saved(root / "baselines", "wide.onnx", linear_onnx(hidden=512))
    saved(root / "models", "lin.onnx", linear_onnx())
    saved(root / "models", "lin.tflite", linear_tflite())
    return root


def submit(course, path, student, **artifacts):
    models = {"first": course / "models" / "lin.onnx", "lite": course / "models" / "lin.tflite"} | artifacts
    answers = {"affine": SOLUTIONS[LAB]["affine"](exercise_inputs(student, LAB, "affine"))}
    artifacts = {slot: model for slot, model in models.items() if model}
    return pack(path, student=student, lab=LAB, artifacts=artifacts, answers=answers, claims={"lite/accuracy": 0.99, "odd": 1})


def options(course, **changes):
    return Options(**({"rubrics": course / "rubrics", "salt": "salt"} | changes))


def test_what_was_packed_at_the_scale_of_the_tests_is_not_graded(course, tmp_path):
    models = {"first": course / "models" / "lin.onnx"}
    zipped = pack(tmp_path / "ada.zip", student="ada@example.edu", lab=LAB, scale="smoke", artifacts=models)
    (one,) = grade(zipped, tmp_path / "out", options(course))
    assert one.score == 0 and one.error.startswith("scale: packed at scale smoke, this run grades scale quick.")


@pytest.fixture(scope="module")
def graded(course):
    """One run over three zips: Ann twice, and Bob, whose first model never ends."""
    submit(course, course / "subs" / "ann_2.zip", "Ann")
    submit(course, course / "subs" / "ann_10.zip", "Ann", lite=None)
    slow = saved(course / "models", "slow.onnx", long_onnx())
    submit(course, course / "subs" / "Bob's zip (final).zip", "Bob", first=slow)
    return {one.file: one for one in grade(course / "subs", course / "out", options(course))}


def test_an_honest_submission_earns_its_points(graded):
    ann = graded["ann_2.zip"]
    found = {verdict.check.id: verdict for verdict in ann.verdicts}
    assert {name: verdict.status for name, verdict in found.items()} == {name: "full" for name, *_ in ROWS} | {
        "lite_accuracy": "partial",
        "lite_sparsity": found["lite_sparsity"].status,
    }
    assert found["first_macs"].measured.value == pytest.approx(640 / (64 * 512 + 512 * 10))
    assert 0.85 < found["lite_accuracy"].measured.value < 1
    assert found["first_latency"].measured.low < found["first_latency"].measured.high
    assert ann.score == sum(verdict.points for verdict in ann.verdicts) <= ann.possible == 80


def test_a_model_that_never_ends_costs_its_slot_only(graded):
    found = {verdict.check.id: verdict for verdict in graded["Bob's zip (final).zip"].verdicts}
    assert found["first_accuracy"].status == found["first_macs"].status == found["first_latency"].status == "error"
    assert "took longer than the 3 s" in found["first_accuracy"].message
    assert found["lite_memory"].status == found["affine"].status == "full"


def test_of_two_zips_in_one_name_the_first_counts(graded, course):
    rows = {row["file"]: row for row in csv.DictReader((course / "out" / "grades.csv").open(newline=""))}
    assert rows["ann_2.zip"]["counts"] == "yes"
    assert rows["ann_10.zip"]["counts"] == "no, ann_2.zip is in the same name"
    for row in rows.values():
        assert (course / "out" / row["report"]).is_file()
        assert float(row["score"]) == pytest.approx(graded[row["file"]].score, abs=0.005)


def test_pages_hold_what_a_student_needs(graded, course):
    page = (course / "out" / "results" / "ann_2.html").read_text()
    ann = graded["ann_2.zip"]
    for verdict in ann.verdicts:
        assert verdict.check.title in page
    for text in (ann.digests["submission"], ann.digests["rubric"], "You claimed 99.0 %", "grading explain"):
        assert text in page
    assert "; ".join(sandbox.protections().sentences) in page
    assert "://" not in page and "<script" not in page


@pytest.fixture
def measurements(monkeypatch):
    """Counts how often something is really measured."""
    calls, lock, real = [], threading.Lock(), remeasure.measure

    def counting(task, run, baseline=None):
        with lock:
            calls.append(tuple(task.artifacts))
        return real(task, run, baseline)

    monkeypatch.setattr(remeasure, "measure", counting)
    return calls


def test_a_second_run_measures_only_what_changed(course, graded, tmp_path, measurements):
    out, subs = tmp_path / "out", tmp_path / "subs"
    submit(course, subs / "a.zip", "Ann")
    submit(course, subs / "b.zip", "Ben")
    grade(subs, out, options(course))
    assert len(measurements) == 3  # the baseline and two submissions
    first = (out / "results" / "a.json").read_bytes()
    grade(subs, out, options(course))
    assert len(measurements) == 3 and (out / "results" / "a.json").read_bytes() == first
    submit(course, subs / "b.zip", "Ben", lite=None)
    grade(subs, out, options(course))
    assert measurements[3:] == [("first",)]
    grade(subs, out, options(course, salt="another"))
    assert len(measurements) == 4 + 3
    for path in (out / "measurements").iterdir():
        path.write_text("{damaged")
    grade(subs, out, options(course, salt="another"))
    assert len(measurements) == 7 + 3


def test_points_are_awarded_afresh_when_the_rubric_changes(course, graded, tmp_path, measurements):
    out = tmp_path / "out"
    path = submit(course, tmp_path / "a.zip", "Ann")
    (tmp_path / "baselines").symlink_to(course / "baselines")
    saved(tmp_path / "rubrics", f"{LAB}.toml", rubric().encode())
    (before,) = grade(path, out, options(course, rubrics=tmp_path / "rubrics"))
    saved(tmp_path / "rubrics", f"{LAB}.toml", rubric(points=20).encode())
    assert not explain(out / "results" / "a.json", tmp_path / "rubrics").same
    (after,) = grade(path, out, options(course, rubrics=tmp_path / "rubrics"))
    assert after.score == pytest.approx(2 * before.score)
    assert measurements.count(("first", "lite")) == 1
    assert explain(out / "results" / "a.json", tmp_path / "rubrics").same


def test_explain_finds_a_changed_point(course, graded, tmp_path):
    stored = course / "out" / "results" / "ann_2.json"
    explanation = explain(stored, course / "rubrics")
    assert explanation.same and explanation.rebuilt == graded["ann_2.zip"].verdicts
    raw = json.loads(stored.read_text())
    raw["verdicts"][3]["points"] += 1
    (tmp_path / "forged.json").write_text(json.dumps(raw))
    forged = explain(tmp_path / "forged.json", course / "rubrics")
    assert not forged.same and "lite_accuracy" in " ".join(forged.remarks)
    (tmp_path / "text.json").write_text("[]")
    with pytest.raises(GradingError, match="not a result"):
        explain(tmp_path / "text.json", course / "rubrics")


def test_a_slot_of_another_format_is_refused(course, graded, tmp_path):
    (one,) = grade(
        submit(course, tmp_path / "a.zip", "Ann", lite=course / "models" / "lin.onnx"), tmp_path / "o", options(course)
    )
    messages = {verdict.check.slot: verdict.message for verdict in one.verdicts}
    assert "expected a .tflite file" in messages["lite"]


def test_the_worker_gets_no_labels_and_memorized_order_does_not_help(course, graded, tmp_path):
    """A model that knows the public test labels by position has but one position to answer, that of an image alone."""
    from projectkit.data import load

    labels = np.eye(10, dtype=np.float32)[load("digits").test.y[:64]]
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "zeros"], ["nothing"]),
        helper.make_node("Shape", ["x"], ["n"], start=0, end=1),
        helper.make_node("Slice", ["labels", "start", "n"], ["some"]),
        helper.make_node("Add", ["nothing", "some"], ["y"]),
    ]
    constants = {"zeros": np.zeros((64, 10), np.float32), "labels": labels, "start": np.array([0], np.int64)}
    path = saved(tmp_path, "memory.onnx", onnx_model(nodes, constants))
    (one,) = grade(submit(course, tmp_path / "a.zip", "Eve", first=path), tmp_path / "out", options(course))
    assert one.verdicts[0].status == "error" and "same output for every input" in one.verdicts[0].message
    assert one.verdicts[1].points == 0


def test_an_unexpected_failure_of_ours_is_told_and_stops_nobody(course, graded, tmp_path, monkeypatch):
    submit(course, tmp_path / "subs" / "a.zip", "Ann")
    submit(course, tmp_path / "subs" / "b.zip", "Ben")
    from grading import engine

    real = engine.score_answers

    def failing(intake, rubric):
        if intake.submission.student == "Ann":
            raise ZeroDivisionError("of ours")
        return real(intake, rubric)

    monkeypatch.setattr(engine, "score_answers", failing)
    ann, ben = grade(tmp_path / "subs", tmp_path / "out", options(course))
    assert ann.ours and "of ours" in ann.error and ann.score == 0
    assert ben.score > 0 and (tmp_path / "out" / "results" / "a.html").is_file()


def test_wrong_calls(course, tmp_path):
    with pytest.raises(GradingError, match="no such file"):
        grade(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(GradingError, match="no files"):
        grade(tmp_path / "nothing", tmp_path / "out")


def command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "grading", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "160"} | environment,
    )


def test_the_command_line(course, graded, tmp_path):
    (tmp_path / "subs").mkdir()
    (tmp_path / "subs" / "bad.zip").write_bytes(b"no zip")
    submit(course, tmp_path / "subs" / "good.zip", "[bold]Ann")
    flags = ("--rubrics", course / "rubrics", "--workers", 1)
    done = command("run", tmp_path / "subs", "--out", tmp_path / "out", *flags)
    assert done.returncode == 0, done.stderr
    assert "[bold]Ann" in done.stdout and "not a zip" in done.stdout and "Protections:" in done.stdout
    told = command("explain", tmp_path / "out" / "results" / "good.json", "--rubrics", course / "rubrics")
    assert told.returncode == 0 and "the same points" in told.stdout and "Check affine" in told.stdout
    for wrong in (
        ("run", tmp_path / "absent", "--out", tmp_path / "out"),
        ("run", tmp_path / "subs"),
        ("run", tmp_path / "subs", "--out", tmp_path / "out", "--scale", "huge"),
        ("explain", tmp_path / "absent.json"),
    ):
        assert command(*wrong).returncode == 2, wrong


def test_require_sandbox_fails_before_anything_is_opened(course, graded, tmp_path):
    (tmp_path / "subs").mkdir()
    submit(course, tmp_path / "subs" / "good.zip", "Ann")
    flags = ("--out", tmp_path / "out", "--rubrics", course / "rubrics", "--require-sandbox")
    done = command("run", tmp_path / "subs", *flags, PATH="")
    assert done.returncode == 2 and "bubblewrap" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_checks_as_pytest_tests(course, graded):
    folder = Path(grading.__file__).parent
    base = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(folder)]
    nothing = subprocess.run(base, capture_output=True, text=True)
    assert nothing.returncode == 5 and "give --submission my.zip" in nothing.stdout
    given = [*base, "--rubrics", str(course / "rubrics"), "--submission"]
    done = subprocess.run([*given, str(course / "subs" / "ann_10.zip")], capture_output=True, text=True)
    assert done.returncode == 1 and "No model was handed in for lite" in done.stdout
    assert "4 failed, 4 passed" in done.stdout
    assert re.search(r"^ +[0-9.]+ of +80.00  in all$", done.stdout, re.MULTILINE)
    chosen = subprocess.run([*given, str(course / "subs" / "ann_10.zip"), "-k", "affine"], capture_output=True, text=True)
    assert chosen.returncode == 0 and "  10.00 of  10.00  affine" in chosen.stdout


def test_no_tensorflow_on_the_grading_path(course, graded, tmp_path):
    """Neither in the process that grades nor in the worker."""
    code = (
        "import sys, grading.cli, grading.engine, grading.conftest\n"
        "from pathlib import Path\n"
        "heavy = {'tensorflow', 'tf_keras', 'keras', 'sklearn', 'scipy', 'matplotlib', 'onnxruntime', 'ai_edge_litert'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "zip, out, rubrics = map(Path, sys.argv[1:])\n"
        "from grading.engine import Options, grade\n"
        "(one,) = grade(zip, out, Options(rubrics=rubrics))\n"
        "assert one.score > 0\n"
        "assert not {'tensorflow', 'tf_keras', 'keras', 'onnxruntime', 'ai_edge_litert'} & set(sys.modules)\n"
    )
    arguments = (course / "subs" / "ann_2.zip", tmp_path / "out", course / "rubrics")
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = "import sys; from grading.worker.measuring import preload; preload(); assert 'tensorflow' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_shapes_that_were_edited_in_the_file_cannot_be_counted(course, graded, tmp_path):
    """An edited LiteRT shape, and a loop, of which nothing counts; no reason names a path of ours."""
    honest = linear_tflite()
    shape = np.array([1, 10], np.int32).tobytes()
    assert honest.count(shape) >= 1
    edited = saved(tmp_path, "edited.tflite", honest.replace(shape, np.array([1, 5], np.int32).tobytes()))
    few = saved(tmp_path, "loop.onnx", slow_onnx(turns=2))
    (one,) = grade(submit(course, tmp_path / "a.zip", "Eve", first=few, lite=edited), tmp_path / "out", options(course))
    found = {verdict.check.id: verdict for verdict in one.verdicts}
    for name in ("first_accuracy", "first_macs", "lite_bits"):
        assert found[name].status == "error", found[name].message
        assert str(tmp_path) not in found[name].message and "/grading-" not in found[name].message
    assert "holds Loop" in found["first_accuracy"].message
