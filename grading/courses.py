"""What the submissions of a lab share, and their measurements, kept from run to run."""

import datetime
import hashlib
import io
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from grading.hidden.data import Hidden, hidden_data
from grading.hidden.probes import Probes, no_probes, order_of, probes_for
from grading.measuring import remeasure
from grading.results.store import FORMAT, digest_of, dump, slot_from_json, slot_to_json, write_atomically
from grading.rubrics.loading import RUBRICS, load_rubric
from grading.types import Rubric, Slot, Stored
from grading.workers.pool import Inputs
from projectkit.submit import Intake
from projectkit.types import Artifact


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to be done. `salt` and `data` choose the hidden data (see grading.hidden.data); 0 workers means one a core;
    `scheduler` is the address of a Dask cluster whose workers measure instead of this machine's; `counts`: of several files in
    one name those that count (see grading.points.names); `recheck_trials`: whether two trials of each study are trained again."""

    scale: str = "quick"
    salt: str | None = None
    data: Path | None = None
    workers: int = 0
    require_sandbox: bool = False
    rubrics: Path = RUBRICS
    scheduler: str | None = None
    counts: tuple[str, ...] = ()
    recheck_trials: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What all submissions of one lab share."""

    rubric: Rubric
    hidden: Hidden
    probes: Probes
    inputs: Inputs  # what workers are given: no labels
    baseline: Artifact | None
    measured: Slot | None  # of the baseline
    salt: str = field(default="", repr=False)


def measured_of(intake: Intake, problems: Mapping[str, str], course: Course, out: Path, run: remeasure.Run) -> Stored:
    """The measurements of a submission: those of an earlier run if nothing that they depend on has changed."""
    rubric, submission = course.rubric, intake.submission
    artifacts = {slot: submission.artifacts[slot] for slot in rubric.slots if slot not in problems}
    metrics = {slot: rubric.metrics(slot) for slot in artifacts}
    relative = any(check.relative and check.metric == "latency_p50" for check in rubric.checks)
    baseline = course.baseline if relative else None
    task = remeasure.MeasuringTask(
        artifacts, metrics, course.hidden, course.inputs, rubric.limits, baseline, course.probes, rubric.layers
    )
    key: dict[str, object] = {
        "format": FORMAT,
        "models": {slot: artifact.sha256 for slot, artifact in artifacts.items()},
        "submission": submission.digest,  # equal models of two students are measured twice: no one's noise is another's
        "metrics": metrics,
        "hidden": course.hidden.digest,
        "inputs": course.inputs.digest,
        "baseline": course.baseline.sha256 if course.baseline else None,
        "limits": asdict(rubric.limits),
        "layers": dict(rubric.layers),
    }
    if rubric.attack:  # a seed's digest, because what is kept may be shown and the seed says how to prepare for the attack
        key["attack"] = [asdict(rubric.attack), digest_of(str(course.probes.seed))]
    return cached(out, key, lambda: remeasure.measure(task, run, course.measured))


def cached(out: Path, key: dict[str, object], measure: Callable[[], remeasure.Measured]) -> Stored:
    """What was measured under this key before, else what `measure` gives, kept for the next run."""
    path = out / "measurements" / f"{digest_of(key)[:32]}.json"
    try:
        stored: Stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] == json.loads(dump(key)):
            return stored
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not measured yet, or a file that was damaged: measure
    measured = measure()
    stored = {
        "key": key,
        "slots": {slot: slot_to_json(value) for slot, value in measured.slots.items()},
        "problems": measured.problems,
        "device": measured.device,
        "protections": list(measured.protections),
        "seconds": measured.seconds,
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_atomically(path, dump(stored))
    kept: Stored = json.loads(dump(stored))  # as a later run will read it
    return kept


def inputs_of(hidden: Hidden, probes: Probes | None = None) -> Inputs:
    """What workers are given: hidden, public test and validation, corrupted and out-of-distribution images, in the order of
    `order_of`, and no label."""
    probes = probes or no_probes(hidden)
    images = [hidden.split.x, hidden.plain.x, hidden.val.x, probes.corrupted.x, probes.out_of_distribution]
    stream = io.BytesIO()
    np.save(stream, np.concatenate(images)[order_of(hidden, probes)], allow_pickle=False)
    content = stream.getvalue()
    return Inputs(hashlib.sha256(content).hexdigest(), content)


class Courses:
    """The course of each lab, made when its first submission arrives and then shared by the threads."""

    def __init__(self, options: Options, salt: str, out: Path, run: remeasure.Run):
        self._options, self._salt, self._out, self._run = options, salt, out, run
        self._lock = threading.Lock()
        self._made: dict[str, Course | Exception] = {}

    def get(self, lab: str) -> Course:
        """Raises SubmissionError when no rubric has this name, GradingError when the lab itself is set up wrongly."""
        with self._lock:
            if lab not in self._made:
                try:
                    self._made[lab] = self._make(lab)
                except Exception as error:  # kept, so that a lab that cannot be graded fails once and not once a student
                    self._made[lab] = error
            made = self._made[lab]
            if isinstance(made, Exception):
                raise made
            return made

    def _make(self, lab: str) -> Course:
        rubric = load_rubric(lab, self._options.scale, self._options.rubrics)
        hidden = hidden_data(rubric.dataset, self._salt, self._options.data)
        probes = probes_for(rubric, hidden, self._salt)
        inputs = inputs_of(hidden, probes)
        baseline = Artifact.of(rubric.baseline) if rubric.baseline else None
        if baseline is None:
            return Course(rubric, hidden, probes, inputs, None, None, self._salt)
        key: dict[str, object] = {"format": FORMAT, "baseline": baseline.sha256, "hidden": hidden.digest}
        key |= {"rubric": rubric.digest, "inputs": inputs.digest}
        stored = cached(self._out, key, lambda: remeasure.measure_baseline(rubric, hidden, probes, inputs, self._run))
        return Course(rubric, hidden, probes, inputs, baseline, slot_from_json(stored["slots"][remeasure.BASELINE]), self._salt)
