"""Grades a folder: every file through intake, measurement and award, in parallel, and none can stop another."""

import datetime
import json
import os
import queue
import re
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from grading import remeasure, sandbox
from grading.award import award
from grading.errors import GradingError
from grading.gradebook import write_grade, write_overview
from grading.hidden import Hidden, choose_salt, hidden_data
from grading.intake import problems_of, score_answers
from grading.rubric import RUBRICS, load_rubric
from grading.store import FORMAT, digest_of, dump, slot_from_json, slot_to_json, write_atomically
from grading.types import Grade, Rubric, Slot
from projectkit.errors import SubmissionError
from projectkit.submit import Intake, read
from projectkit.types import Artifact

_PLAIN = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)$)[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to be done. `salt` and `data` choose the hidden data (see grading.hidden); jobs 0 means one a core."""

    scale: str = "quick"
    salt: str | None = None
    data: Path | None = None
    jobs: int = 0
    require_sandbox: bool = False
    rubrics: Path = RUBRICS


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """What all submissions of one lab share."""

    rubric: Rubric
    hidden: Hidden
    inputs: Path  # the hidden inputs as .npy; the labels are in no file
    baseline: Artifact | None
    measured: Slot | None  # of the baseline


def grade(
    submissions: str | Path, out: str | Path, options: Options | None = None, progress: Callable[[Grade], None] = lambda _: None
) -> list[Grade]:
    """Grades the zip, or every file of the folder, `submissions`; writes results, grades.csv and index.html into `out`.

    What was measured before with the same models, checks, hidden data and baseline is not measured again; points are always
    awarded afresh. `progress` is called with each grade as it is done. Raises GradingError when called wrongly, SandboxError
    when a sandbox is required and there is none, before any file is opened.
    """
    options = options or Options()
    if options.require_sandbox:
        sandbox.require()
    submissions, out = Path(submissions), Path(out)
    files = _files(submissions)
    out.mkdir(parents=True, exist_ok=True)
    salt = choose_salt(options.salt, out)
    with tempfile.TemporaryDirectory(prefix="grading-") as shared:
        courses = _Courses(options, salt, out, Path(shared))
        cores = _cores(options.jobs)

        def task(name: str, path: Path) -> Grade:
            core = cores.get()
            try:
                done = _grade_safely(name, path, out, courses, core)
            finally:
                cores.put(core)
            progress(done)
            return done

        with ThreadPoolExecutor(cores.qsize()) as pool:
            grades = list(pool.map(task, _names(files), files))
    write_overview(grades, out)
    return grades


def _grade_safely(name: str, path: Path, out: Path, courses: "_Courses", core: int | None) -> Grade:
    """The grade of one file, written down; whatever goes wrong becomes a grade with an error."""
    try:
        done = _grade(name, path, out, courses, core)
        write_grade(done, out)
        return done
    except SubmissionError as error:
        done = Grade(_shown(path), name, error=str(error)[:600])
    except Exception as error:
        # Ours, not the student's: the grade says so, the run goes on, and the exit code tells the instructor.
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = str(error) if isinstance(error, GradingError) else f"{type(error).__name__} in {where.name}: {error}"
        done = Grade(
            _shown(path), name, error=f"The grader failed on this file, which is not the student's fault: {what[:400]}", ours=True
        )
    write_grade(done, out)
    return done


def _grade(name: str, path: Path, out: Path, courses: "_Courses", core: int | None) -> Grade:
    with tempfile.TemporaryDirectory(prefix="grading-") as scratch:
        intake = read(path, scratch)
        submission = intake.submission
        done = Grade(_shown(path), name, submission.student, submission.lab, scale=submission.scale)
        done = replace(done, claims=submission.claims, digests={"submission": submission.digest})
        try:
            course = courses.get(submission.lab)
            problems = problems_of(intake, course.rubric)
        except SubmissionError as error:
            return replace(done, error=str(error)[:600])
        measured = _measured(intake, course, out, core)
    slots = {slot: slot_from_json(raw) for slot, raw in measured["slots"].items()}
    problems |= measured["problems"]
    answers = score_answers(intake, course.rubric)
    digests = {"rubric": course.rubric.digest, "hidden": course.hidden.digest}
    digests |= {"baseline": course.baseline.sha256} if course.baseline else {}
    return replace(
        done,
        title=course.rubric.title,
        verdicts=award(course.rubric, slots, answers, problems),
        digests=dict(done.digests) | digests,
        measured=measured,
        answers=answers,
        problems=problems,
    )


def _measured(intake: Intake, course: _Course, out: Path, core: int | None) -> Mapping:
    """The measurements of a submission: those of an earlier run if nothing that they depend on has changed."""
    rubric, submission = course.rubric, intake.submission
    artifacts = {slot: submission.artifacts[slot] for slot in rubric.slots if slot in submission.artifacts}
    metrics = {slot: rubric.metrics(slot) for slot in artifacts}
    relative = any(check.relative and check.metric == "latency_p50" for check in rubric.checks)
    task = remeasure.Task(
        artifacts, metrics, course.hidden, course.inputs, rubric.limits, core, course.baseline if relative else None
    )
    key = {
        "format": FORMAT,
        "models": {slot: artifact.sha256 for slot, artifact in artifacts.items()},
        "submission": submission.digest,  # equal models of two students are measured twice: no one's noise is another's
        "metrics": metrics,
        "hidden": course.hidden.digest,
        "baseline": course.baseline.sha256 if course.baseline else None,
        "limits": asdict(rubric.limits),
    }
    return _cached(out, key, lambda: remeasure.measure(task, course.measured))


def _cached(out: Path, key: Mapping, measure: Callable[[], tuple[dict[str, Slot], dict[str, str]]]) -> Mapping:
    path = out / "measurements" / f"{digest_of(key)[:32]}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] == json.loads(dump(key)):
            return stored
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not measured yet, or a file that was damaged: measure
    slots, problems = measure()
    stored = {
        "key": key,
        "slots": {slot: slot_to_json(value) for slot, value in slots.items()},
        "problems": problems,
        "device": remeasure.device(),
        "protections": list(sandbox.protections().sentences),
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_atomically(path, dump(stored))
    return json.loads(dump(stored))


class _Courses:
    """The course of each lab, made when its first submission arrives and then shared by the threads."""

    def __init__(self, options: Options, salt: str, out: Path, shared: Path):
        self._options, self._salt, self._out, self._shared = options, salt, out, shared
        self._lock, self._made = threading.Lock(), {}

    def get(self, lab: str) -> _Course:
        """Raises SubmissionError when no rubric has this name, GradingError when the lab itself is set up wrongly."""
        with self._lock:
            if lab not in self._made:
                try:
                    self._made[lab] = self._make(lab)
                except Exception as error:  # kept, so that a lab that cannot be graded fails once and not once a student
                    self._made[lab] = error
            if isinstance(self._made[lab], Exception):
                raise self._made[lab]
            return self._made[lab]

    def _make(self, lab: str) -> _Course:
        rubric = load_rubric(lab, self._options.scale, self._options.rubrics)
        hidden = hidden_data(rubric.dataset, self._salt, self._options.data)
        inputs = self._shared / f"{rubric.dataset}.npy"
        np.save(inputs, hidden.split.x, allow_pickle=False)
        baseline = Artifact.of(rubric.baseline) if rubric.baseline else None
        if baseline is None:
            return _Course(rubric, hidden, inputs, None, None)
        key = {"format": FORMAT, "baseline": baseline.sha256, "hidden": hidden.digest, "rubric": rubric.digest}
        stored = _cached(self._out, key, lambda: ({remeasure.BASELINE: remeasure.measure_baseline(rubric, hidden, inputs)}, {}))
        return _Course(rubric, hidden, inputs, baseline, slot_from_json(stored["slots"][remeasure.BASELINE]))


def _files(submissions: Path) -> list[Path]:
    if submissions.is_file():
        return [submissions]
    if not submissions.is_dir():
        raise GradingError(f"{submissions}: no such file or folder, expected a zip or a folder of zips. Check the path.")
    files = sorted((path for path in submissions.iterdir() if path.is_file() and not path.name.startswith(".")), key=_natural)
    if not files:
        raise GradingError(f"{submissions}: the folder holds no files, expected submissions. Check the path.")
    return files


def _shown(path: Path) -> str:
    """The file's name as text that can be written as UTF-8, whatever bytes the file system holds."""
    return path.name.encode("utf-8", "replace").decode()


def _natural(path: Path) -> list:
    """Sorts anna_2 before anna_10."""
    parts = re.split(r"([0-9]+)", path.name)  # texts and numbers in turn
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _names(files: list[Path]) -> list[str]:
    """A name for the results of each file: its own where that is plain and unique, else with a digest behind it."""
    stems = [path.stem.lower() for path in files]
    names = []
    for path, stem in zip(files, stems, strict=True):
        plain = _PLAIN.fullmatch(path.stem) and stems.count(stem) == 1
        safe = re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem)[:50]
        names.append(path.stem if plain else f"{safe}-{digest_of(ascii(path.name))[:8]}")
    return names


def _cores(jobs: int) -> queue.SimpleQueue:
    """One core a job: workers that are kept apart do not disturb each other's timings. None where cores cannot be chosen."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None] * (os.cpu_count() or 1)
    tickets = queue.SimpleQueue()
    for index in range(jobs or len(cores)):
        tickets.put(cores[index % len(cores)])
    return tickets
