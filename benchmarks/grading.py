"""What grading a class of 100 takes, beside nbgrader and otter-grader on equal checks, in turn in one run.

The class hands in the reference's models of l01, each student with their own answers. Every round grades into a fresh
folder with two workers, so that nothing is reused; then each of the others grades 25 students' work, as it comes (one
submission after another) and sharded by hand over two processes.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

# This program has the name of the package that it measures: the package must be found first, its own folder last.
HERE = Path(__file__).resolve().parent
sys.path = [str(HERE.parent), *(path for path in sys.path if Path(path or ".").resolve() != HERE), str(HERE), str(HERE / "peers")]

import psutil  # noqa: E402
from measure import nbgrader_seconds, otter_seconds  # noqa: E402

from grading import engine  # noqa: E402
from grading.reference.build import reference_answers  # noqa: E402
from grading.workers import turns  # noqa: E402
from projectkit.submit import pack, read  # noqa: E402
from record import Raw, row, write_rows  # noqa: E402

COMMAND = "python benchmarks/grading.py"
LAB, SALT, WORKERS = "l01_quantization", "benchmark", 2
CLASS, ROUNDS, PEERS_CLASS = 100, 4, 25


# (tool, way) → what grades `count` students' work. `otter grade` knows containers only; without them there is `otter run`.
PEERS = {
    ("nbgrader", "as it comes"): functools.partial(nbgrader_seconds, processes=1),
    ("nbgrader", "two processes"): nbgrader_seconds,
    ("otter", "as it comes"): functools.partial(otter_seconds, processes=1, api=False),
    ("otter", "two processes"): otter_seconds,
}


def main() -> None:
    raw = Raw("grading")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        models = reference_models(scratch)
        submissions = class_of(CLASS, models, scratch / "class")
        rounds = [one_round(raw, index, models, submissions, scratch) for index in range(ROUNDS)]
    write_rows("grading", rows_of(rounds))


def one_round(raw: Raw, index: int, models: dict[str, Path], submissions: Path, scratch: Path) -> dict:
    """Ours once, and each peer in each way, one after the other."""
    taken = {"ours": raw.take(f"{index}.ours", lambda: our_run(submissions, scratch / f"out{index}"))}
    for number, ((tool, way), measure) in enumerate(PEERS.items()):
        folder = scratch / f"{index}.{number}"
        folder.mkdir()
        taken[tool, way] = raw.take(f"{index}.{tool}.{way}", functools.partial(measure, models, PEERS_CLASS, folder))
    return taken


def rows_of(rounds: list[dict]) -> list[dict]:
    """The figures: medians over rounds, the overhead over all submissions of all rounds."""
    ours = [one["ours"] for one in rounds]
    setting = f"{CLASS} l01 submissions of four models, {WORKERS} workers, nothing reused, started from the command line"
    rows = [row("grading.hundred", [one["seconds"] for one in ours], "s", COMMAND, setting)]
    each = {key: [one[key]["seconds_each"] for one in rounds] for key in PEERS}
    beside = {f"{tool}, {way}": statistics.median(values) for (tool, way), values in each.items()}
    note = f"wall clock a submission; the others grade {PEERS_CLASS} students a round on equal checks, without training"
    rows.append(row("grading.each", [one["seconds"] / CLASS for one in ours], "s", COMMAND, note, beside))
    overheads = [seconds for one in ours for seconds in one["overheads"]]
    # The range is that of the rounds' medians: single submissions vary with whatever else the machine does.
    medians = row("grading.overhead", [statistics.median(one["overheads"]) for one in ours], "s", COMMAND)
    note = "wall clock of one submission but for inference, timing loops and waiting for its turn to be timed"
    rows.append(medians | {"value": statistics.median(overheads), "n": len(overheads), "note": note})
    note = f"largest sum over the grader's processes ({ours[0]['memory_is']}), seen every 0.1 s"
    rows.append(row("grading.memory", [one["memory"] for one in ours], "B", COMMAND, note))
    return rows + [ratio_row(rounds, peer) for peer in ("nbgrader", "otter")]


def ratio_row(rounds: list[dict], peer: str) -> dict:
    """A peer's time a submission over ours, as it comes; beside, in two processes."""
    ratios = {
        way: [one[peer, way]["seconds_each"] / (one["ours"]["seconds"] / CLASS) for one in rounds]
        for way in ("as it comes", "two processes")
    }
    tool = rounds[0][peer, "as it comes"]
    note = f"time a submission over ours; {tool['tool']} {tool['version']}, {tool['how']}"
    beside = {"two processes": statistics.median(ratios["two processes"])}
    return row(f"grading.ratio.{peer}", ratios["as it comes"], "×", COMMAND, note, beside)


def reference_models(scratch: Path) -> dict[str, Path]:
    """The reference's models by slot, trained anew."""
    path = scratch / "reference.zip"
    subprocess.run([sys.executable, "-m", f"grading.reference.{LAB}", path], check=True, capture_output=True)
    artifacts = read(path, scratch / "models").submission.artifacts
    return {slot: Path(artifact.path) for slot, artifact in artifacts.items()}


def class_of(count: int, models: dict[str, Path], folder: Path) -> Path:
    """A folder of `count` submissions with the same models and each student's own answers."""
    folder.mkdir()
    for index in range(count):
        student = f"student{index:03}@example.edu"
        answers = reference_answers(LAB, student)
        pack(folder / f"student{index:03}.zip", student=student, lab=LAB, artifacts=models, answers=answers)
    return folder


def our_run(submissions: Path, out: Path) -> dict:
    """One whole run in a process of its own: wall-clock seconds, overhead of each submission, peak memory in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, "--grade", submissions, out], stdout=subprocess.PIPE, env=os.environ | {"PYTHONHASHSEED": "0"}
    )
    samples, over = [0], threading.Event()
    watcher = threading.Thread(target=lambda: watch(process.pid, samples, over))
    watcher.start()
    printed, _ = process.communicate()
    seconds = time.perf_counter() - start
    over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit("The grading run failed; see above.")
    kind = (
        "proportional set size" if hasattr(psutil.Process().memory_full_info(), "pss") else "resident, shared pages counted twice"
    )
    return {"seconds": seconds, "overheads": json.loads(printed), "memory": max(samples), "memory_is": kind}


def watch(pid: int, samples: list[int], over: threading.Event) -> None:
    """Appends the memory of process `pid` and all below it, until it is over."""
    while not over.wait(0.1):
        total = 0
        try:
            for process in (root := psutil.Process(pid), *root.children(recursive=True)):
                try:
                    used = process.memory_full_info()
                    total += getattr(used, "pss", used.rss)
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
        except psutil.NoSuchProcess:
            return
        samples.append(total)


def grade_and_time(submissions: Path, out: Path) -> list[float]:
    """Grades, and gives the overhead of each submission in seconds."""
    overheads, real = [], engine._grade_safely

    def timed(*arguments):
        start, waited = time.perf_counter(), turns.waited()
        grade = real(*arguments)
        elapsed = time.perf_counter() - start - (turns.waited() - waited)
        if grade.error:
            raise SystemExit(grade.error)
        measured = grade.measured["seconds"]
        overheads.append(elapsed - measured["inference"] - measured["timing"])
        return grade

    engine._grade_safely = timed  # the one place through which every file goes, from its zip to its written page
    grades = engine.grade(submissions, out, engine.Options("quick", SALT, workers=WORKERS))
    if min(one.score / one.possible for one in grades) < 0.9:
        raise SystemExit("A reference submission lost points: the machine is too noisy to measure on, or something is broken.")
    return overheads


if __name__ == "__main__":
    if sys.argv[1:2] == ["--grade"]:
        print(json.dumps(grade_and_time(Path(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main()
