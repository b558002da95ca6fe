"""A run that is killed, or that cannot write: nothing lost, nothing graded twice, nothing half-written."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from grading.engine import Options, grade
from grading.errors import OutputError
from grading.exercises import SOLUTIONS
from grading.results.store import write_atomically
from models_by_hand import linear_onnx, saved
from projectkit.files import PART
from projectkit.submit import exercise_inputs, pack

LAB = "l01_quantization"
RUBRIC = """
lab = "l01_quantization"
title = "A course that is interrupted"
[limits]
budget = 0.1
[scale.quick]
dataset = "digits"
[[scale.quick.check]]
id = "accuracy"
title = "Accuracy"
slot = "first"
metric = "accuracy"
floor = 0.5
target = 1.0
points = 10
[[scale.quick.check]]
id = "latency"
title = "Latency, generously: it makes a submission take long enough to be interrupted"
slot = "first"
metric = "latency_p50"
floor = 10
target = 1
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


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return course_of(tmp_path_factory.mktemp("interrupted"), 12)


@pytest.fixture(scope="module")
def large_course(tmp_path_factory):
    return course_of(tmp_path_factory.mktemp("large"), 40)


def course_of(root: Path, submissions: int) -> Path:
    """A folder with a rubric and so many submissions."""
    saved(root / "rubrics", f"{LAB}.toml", RUBRIC.encode())
    model = saved(root, "linear.onnx", linear_onnx())
    (root / "submissions").mkdir()
    for index in range(submissions):
        student = f"student{index:02}"
        answers = {"affine": SOLUTIONS[LAB]["affine"](exercise_inputs(student, LAB, "affine"))}
        answers["affine"] |= {"scale": 1.0} if index % 3 == 0 else {}
        pack(root / "submissions" / f"{student}.zip", student=student, lab=LAB, artifacts={"first": model}, answers=answers)
    return root


def count(course: Path) -> int:
    return len(list((course / "submissions").glob("*.zip")))


def command(course: Path, out: Path) -> list[str]:
    words = ["-m", "grading", "run", str(course / "submissions"), "--out", str(out)]
    return [sys.executable, *words, "--rubrics", str(course / "rubrics"), "--salt", "pepper"]


def stamps(out: Path) -> dict[str, int]:
    """When each measurement was written, none before the folder is there; one that is taken again has a new time."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "measurements").glob("*.json")}


def test_killed_at_three_random_points_it_resumes_and_ends_with_the_same_grades(course, tmp_path):
    kill_and_resume(course, tmp_path, kills=3)


@pytest.mark.proof
def test_killed_at_twenty_random_points_it_resumes_and_ends_with_the_same_grades(large_course, tmp_path):
    kill_and_resume(large_course, tmp_path, kills=20)


def kill_and_resume(course, tmp_path, kills):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(command(course, whole), check=True, capture_output=True)
    chance, before = random.Random(0), {}
    for _ in range(kills):
        process = subprocess.Popen(
            [*command(course, broken), "--workers", "1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # At a random moment: before anything is measured anew, or a little after the next measurement.
        wanted = len(before) + chance.choice((0, 1))
        while process.poll() is None and len(stamps(broken)) < wanted:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.15))
        assert process.poll() is None, "the run was over before it could be killed: no test"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        now = stamps(broken)
        assert {name: now[name] for name in before} == before, "something was measured twice, or lost"
        for result in broken.glob("results/*.json"):
            json.loads(result.read_text("utf-8"))  # whole, or not there
        before = now
    subprocess.run(command(course, broken), check=True, capture_output=True)
    after = stamps(broken)
    assert {name: after[name] for name in before} == before
    assert len(after) == count(course)
    assert (broken / "grades.csv").read_bytes() == (whole / "grades.csv").read_bytes()
    assert not list(broken.rglob(f"{PART}*"))


def test_a_disk_that_is_full_stops_the_run_with_a_sentence_and_keeps_what_was_finished(course, tmp_path):
    out = tmp_path / "out"
    few = tmp_path / "few"
    few.mkdir()
    for index in range(3):
        (few / f"s{index}.zip").write_bytes((course / "submissions" / f"student0{index}.zip").read_bytes())
    grade(few, out, Options(rubrics=course / "rubrics", salt="pepper"))
    finished = {path: path.read_bytes() for path in out.rglob("*.json")}
    (few / "s9.zip").write_bytes((course / "submissions" / "student09.zip").read_bytes())
    # No file may grow beyond 3 kB: to the grader that is a disk without room for a report.
    limited = ["sh", "-c", 'ulimit -f 6 && exec "$@"', "sh", *command(course, out)]
    limited[limited.index(str(course / "submissions"))] = str(few)
    done = subprocess.run(limited, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in finished} == finished
    assert not list(out.rglob(f"{PART}*"))


def test_an_output_folder_that_cannot_be_made_is_said_so(course, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Choose another folder"):
        grade(course / "submissions", tmp_path / "file" / "out", Options(rubrics=course / "rubrics"))
    with pytest.raises(OutputError, match="is intact"):
        write_atomically(tmp_path / "file" / "x.json", "{}")


def test_a_worker_that_is_killed_is_replaced_and_costs_nobody_a_point(course, tmp_path):
    kill_workers(course, tmp_path, times=1)


@pytest.mark.proof
def test_workers_that_are_killed_three_times_are_replaced_and_cost_nobody_a_point(large_course, tmp_path):
    kill_workers(large_course, tmp_path, times=3)


def kill_workers(course, tmp_path, times):
    process = subprocess.Popen(command(course, tmp_path / "out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    killed = seen = 0
    while process.poll() is None and killed < times:
        time.sleep(0.05)
        if len(stamps(tmp_path / "out")) > seen + 4:  # the killed ones have been replaced and have worked
            seen = len(stamps(tmp_path / "out"))
            workers = warm_workers(process.pid)
            for worker in workers:
                worker.kill()
            killed += bool(workers)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert killed >= times and f"{count(course)} graded" in printed
    scores = [json.loads(path.read_text())["score"] for path in (tmp_path / "out" / "results").glob("*.json")]
    assert len(scores) == count(course) and min(scores) > 20


def warm_workers(pid: int) -> list[psutil.Process]:
    """The grader's own children; what is below them ends with them."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(pid).children() if "grading.worker" in " ".join(child.cmdline())]
    return []
