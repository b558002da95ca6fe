"""What nbgrader and otter-grader take to grade the same work on equal checks: `python benchmarks/peers/measure.py --count 3`.

Only grading is timed: no installation, no `nbgrader generate_assignment`, no `otter generate`, no export of grades. Both
grade as many notebooks at once as told, though neither offers that by itself. `otter grade` knows containers only; without
them otter has `otter run`, one submission a process, and an API that spares the start of Python for each.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # its neighbours, also when it is imported from another folder
from assignment import (
    INSTRUCTOR_FILES,
    LAB,
    NOTEBOOK,
    instructor_files,
    nbgrader_source,
    otter_notebook,
    otter_tests,
    student_files,
)
from environment import environment, version

from projectkit.submit import read

NAME, SALT, PROCESSES = "l01", "benchmark", 2
# Read once before the clock starts, so that no tool pays for a cold disk.
MODULES = {"nbgrader": "nbgrader.apps, rfc3987_syntax", "otter-grader": "otter.api, otter.execute.preprocessor"}
WARM_UP = "import ipykernel.kernelapp, nbconvert, numpy, onnxruntime, ai_edge_litert.interpreter"
Run = Callable[..., str]
Points = Sequence[tuple[float, float]]  # earned and possible, by student


def nbgrader_seconds(models: Mapping[str, Path], count: int, scratch: Path, processes: int = PROCESSES) -> dict:
    """Wall-clock seconds of `nbgrader autograde` for `count` students who hand in `models` (by slot).

    Works in the new folder nbgrader of `scratch`. Several processes take a share of the students each, by --student, and
    write to one gradebook. Raises SystemExit when nbgrader fails, or when anyone gets less than full points.
    """
    course = scratch / "nbgrader"
    source, groups = course / "source" / NAME, range(min(processes, count))
    instructor_files(source, SALT)
    nbgrader_source(source / NOTEBOOK)
    run = _runner("nbgrader", course)
    run("nbgrader", "generate_assignment", NAME)
    notebook = (course / "release" / NAME / NOTEBOOK).read_bytes()
    for index in range(count):
        folder = course / "submitted" / f"group{index % len(groups)}_student{index:03}" / NAME
        student_files(folder, models)
        (folder / NOTEBOOK).write_bytes(notebook)
    start = time.perf_counter()
    _at_once(processes, lambda group: run("nbgrader", "autograde", NAME, "--student", f"group{group}_*"), groups)
    seconds = time.perf_counter() - start
    run("nbgrader", "export", "--to", "grades.csv")
    with (course / "grades.csv").open(newline="") as file:
        points = [(float(line["score"]), float(line["max_score"])) for line in csv.DictReader(file)]
    return _result("nbgrader", f"nbgrader autograde × {processes}", count, seconds, points)


def otter_seconds(models: Mapping[str, Path], count: int, scratch: Path, processes: int = PROCESSES, api: bool = True) -> dict:
    """Wall-clock seconds of otter-grader without containers for `count` students who hand in `models` (by slot).

    With `api`, otter.api.grade_submission in processes that stay; else one `otter run` a submission. Works in a new folder
    of `scratch`. Raises SystemExit when otter fails, or when anyone gets less than full points.
    """
    course = scratch / ("otter_api" if api else "otter_run")
    instructor_files(course, SALT)
    otter_tests(course / "tests")
    run = _runner("otter-grader", course)
    options = ["--no-config", "--no-requirements", "--no-environment"]
    run("otter", "generate", "-t", "tests", "-o", "autograder.zip", *options, *INSTRUCTOR_FILES)
    otter_notebook(course / "student" / NOTEBOOK)
    files = student_files(course / "student", models)
    students = [f"student{index:03}" for index in range(count)]
    for student in students:
        (course / student).mkdir()
        with zipfile.ZipFile(course / f"{student}.zip", "w") as archive:
            for file in files:
                archive.write(file, file.name)
    submissions = [f"{student}.zip" for student in students]
    start = time.perf_counter()
    if api:
        program = Path(__file__).parent / "otter_class.py"
        points = json.loads(run("python", str(program), "autograder.zip", str(processes), *submissions))
        seconds = time.perf_counter() - start
        return _result("otter-grader", f"otter.api.grade_submission in {processes} processes", count, seconds, points)
    _at_once(
        processes, lambda name: run("otter", "run", "-a", "autograder.zip", "-o", name, "--no-logo", f"{name}.zip"), students
    )
    seconds = time.perf_counter() - start
    points = [_otter_points(course / student / "results.json") for student in students]
    return _result("otter-grader", f"otter run × {processes}", count, seconds, points)


def _runner(tool: str, folder: Path) -> Run:
    """A function that runs a program of the environment of `tool` in `folder`, and gives what it prints."""
    programs = environment(tool)
    home = folder / "home"
    home.mkdir(parents=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON", "PYTHON"))}
    # One thread a process, as in our own grader; and nobody's own Jupyter settings.
    variables |= {"HOME": str(home), "OMP_NUM_THREADS": "1", "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}

    def run(program: str, *arguments: str | Path) -> str:
        command = [programs / program, *arguments]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{program} {' '.join(map(str, arguments[:2]))} failed: {(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    run("python", "-c", f"{WARM_UP}, {MODULES[tool]}")
    return run


def _at_once(processes: int, work: Callable, items: Sequence) -> None:
    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(work, items))


def _otter_points(path: Path) -> tuple[float, float]:
    tests = json.loads(path.read_text())["tests"]
    scored = [test for test in tests if "max_score" in test]
    return sum(test["score"] for test in scored), sum(test["max_score"] for test in scored)


def _result(tool: str, how: str, count: int, seconds: float, points: Points) -> dict:
    """What was measured. A grade that is not full means that the tool did not do the work that is timed."""
    if len(points) != count or any(earned < possible or not possible for earned, possible in points):
        raise SystemExit(f"{how}: expected full points for {count} students, got {points}. Look at the notebooks it wrote.")
    return {
        "tool": tool,
        "version": version(tool),
        "how": how,
        "count": count,
        "seconds": seconds,
        "seconds_each": seconds / count,
        "points": points[0][1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--reference", type=Path, help="a packed reference submission, else a new one is trained")
    parser.add_argument("--every", action="store_true", help="one process at a time, and `otter run`, as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        reference = given.reference or scratch / "reference.zip"
        if given.reference is None:
            subprocess.run([sys.executable, "-m", f"grading.reference.{LAB}", reference], check=True, capture_output=True)
        artifacts = read(reference, scratch / "models").submission.artifacts
        models = {slot: Path(artifact.path) for slot, artifact in artifacts.items()}
        ways = [(nbgrader_seconds, {}), (otter_seconds, {})]
        if given.every:
            ways += [(nbgrader_seconds, {"processes": 1}), (otter_seconds, {"processes": 1}), (otter_seconds, {"api": False})]
        for index, (measure, options) in enumerate(ways):
            folder = scratch / str(index)
            folder.mkdir()
            print(json.dumps(measure(models, given.count, folder, **options)), flush=True)


if __name__ == "__main__":
    main()
