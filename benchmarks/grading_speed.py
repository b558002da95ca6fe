"""What grading costs: seconds beyond pure inference for one l01 submission, and submissions a minute for a class of 100.

The class hands in the reference's models, each student with their own answers. Every run grades into a fresh folder, so
that nothing is reused.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from grading.engine import Options, grade
from grading.hidden import hidden_data
from grading.reference.build import reference_answers
from grading.rubric import load_rubric
from projectkit import runtimes
from projectkit.measure import interleave
from projectkit.submit import pack, read
from projectkit.types import Artifact
from record import Raw, row, write_rows

COMMAND = "python benchmarks/grading_speed.py"
LAB, SALT = "l01_quantization", "benchmark"
CLASS, ROUNDS_ONE, ROUNDS_CLASS = 100, 5, 3


def class_of(count: int, models: dict[str, Path], folder: Path) -> Path:
    """A folder of `count` submissions with the same models and each student's own answers."""
    folder.mkdir()
    for index in range(count):
        student = f"student{index:03}@example.edu"
        answers = reference_answers(LAB, student)
        pack(folder / f"student{index:03}.zip", student=student, lab=LAB, artifacts=models, answers=answers)
    return folder


def grading_seconds(submissions: Path, jobs: int) -> float:
    """Wall-clock seconds of a whole run into a fresh folder. Fails when a submission earns less than it should."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        grades = grade(submissions, out, Options("quick", SALT, workers=jobs))
        seconds = time.perf_counter() - start
    if min(one.score / one.possible for one in grades) < 0.9:
        raise SystemExit("A reference submission lost points: the machine is too noisy to measure on, or something is broken.")
    return seconds


def inference_seconds(models: dict[str, Path]) -> float:
    """What the models themselves take: their answers to the hidden inputs, and the timing of those whose latency counts."""
    rubric = load_rubric(LAB, "quick")
    x = hidden_data(rubric.dataset, SALT).split.x
    start = time.perf_counter()
    for slot, path in models.items():
        with closing(runtimes.open(Artifact.of(path))) as session:
            session.run(x)
            if "latency_p50" in rubric.metrics(slot):
                with closing(runtimes.open(Artifact.of(rubric.baseline))) as baseline:
                    interleave([session, baseline], x, budget=rubric.limits.budget)
    return time.perf_counter() - start


def main() -> None:
    raw = Raw("grading")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        subprocess.run(
            [sys.executable, "-m", f"grading.reference.{LAB}", scratch / "reference.zip"], check=True, capture_output=True
        )
        reference = read(scratch / "reference.zip", scratch / "models").submission
        models = {slot: Path(artifact.path) for slot, artifact in reference.artifacts.items()}
        one, many = class_of(1, models, scratch / "one"), class_of(CLASS, models, scratch / "many")
        overhead = []
        for index in range(ROUNDS_ONE):
            pure = raw.take(f"inference.{index}", lambda: inference_seconds(models))
            overhead.append(raw.take(f"one.{index}", lambda: grading_seconds(one, 1)) - pure)
        rates = []
        for index in range(ROUNDS_CLASS):
            seconds = raw.take(f"class.{index}", lambda: grading_seconds(many, os.cpu_count()))
            rates.append(60 * CLASS / seconds)
    note = "one l01 submission of four models in a fresh run: hidden data, baseline, sandbox and report included"
    rows = [row("grading.overhead", overhead, "s", COMMAND, note)]
    note = f"{CLASS} l01 submissions of four models on {os.cpu_count()} cores, nothing reused; each latency timed for 2 × 0.5 s"
    rows.append(row("grading.per_minute", rates, "1/min", COMMAND, note))
    write_rows("grading", rows)


if __name__ == "__main__":
    main()
