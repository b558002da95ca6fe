"""Reads a project's zip and measures its models in the sandbox, on hidden data of the project's own dataset."""

import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from grading.courses import cached, inputs_of
from grading.defense.types import BASELINE, SLOTS, Work
from grading.hidden.data import Hidden, hidden_data
from grading.intake.batch import files_of
from grading.measuring import remeasure
from grading.results.store import FORMAT, slot_from_json
from grading.types import Limits
from grading.workers.pool import Inputs
from projectkit.data import LOADERS
from projectkit.errors import ProjectkitError, SubmissionError
from projectkit.metrics import PROFILE_METRICS
from projectkit.submit import Intake, read
from projectkit.types import Artifact

LAB = "project"
MEASURED = tuple(metric for metric in PROFILE_METRICS if metric != "latency_ratio")
LIMITS = Limits(budget=1.0)  # a defense measures few models, so each gets more time than in a class


@dataclass(slots=True)
class Bench:
    """What the projects of a run share: where results are kept, the worker's `run`, the salt, the instructor's own datasets by
    name, limits. Hidden data are made once a dataset and kept in `made`."""

    out: Path
    run: remeasure.Run
    salt: str
    data: Mapping[str, Path] = field(default_factory=dict)
    limits: Limits = LIMITS
    made: dict[str, tuple[Hidden, Inputs] | str] = field(default_factory=dict)

    def hidden(self, dataset: str) -> tuple[Hidden, Inputs] | str:
        """The hidden data and what workers get of them, or the sentence why there are none."""
        if dataset not in self.made:
            self.made[dataset] = self._make(dataset)
        return self.made[dataset]

    def _make(self, dataset: str) -> tuple[Hidden, Inputs] | str:
        # A name from a stranger: it must not become a path.
        if dataset not in LOADERS and dataset not in self.data:
            return (
                f"The dataset {dataset[:60]!r} is none of the course's ({', '.join(LOADERS)}), so there is nothing to measure "
                "on. With the student's file, run again with --data NAME=FILE.npz."
            )
        try:
            name = str(self.data[dataset]) if dataset in self.data else dataset
            hidden = hidden_data(name, self.salt, plain=None)  # claims are about all public test images
        except ProjectkitError as error:
            return f"The dataset cannot be had here: {error}"
        return hidden, inputs_of(hidden)


def measure_work(path: Path, bench: Bench) -> Work:
    """The project in the zip at `path`, measured; an earlier run's measurements of the same bytes are taken.

    Raises SubmissionError when it is no readable project.
    """
    with tempfile.TemporaryDirectory(prefix="grading-") as scratch:
        intake = read(path, scratch)
        submission = intake.submission
        if submission.lab != LAB or submission.project is None:
            raise SubmissionError(
                f"{path.name}: a submission for {submission.lab}, expected one for {LAB}. Pack it with `projectkit pack {LAB}`."
            )
        project = submission.project
        work = Work(
            path.name, safe_name(submission.student), submission.student, project.title, project.dataset, project.report,
            submission.claims, {}, _unreadable(intake), submission.digest,
        )  # fmt: skip
        made = bench.hidden(project.dataset)
        if isinstance(made, str):
            return replace(work, problems={slot: made for slot in submission.artifacts} | dict(work.problems))
        hidden, inputs = made
        key = {
            "format": FORMAT,
            "purpose": "defense",
            "submission": submission.digest,
            "hidden": hidden.digest,
            "inputs": inputs.digest,
            "metrics": MEASURED,
            "limits": asdict(bench.limits),
        }
        stored = cached(bench.out, key, lambda: _measure(submission.artifacts, hidden, inputs, bench))
    return replace(
        work,
        slots={slot: slot_from_json(stored["slots"][slot]) for slot in _ordered(stored["slots"])},
        problems=dict(work.problems) | dict(stored["problems"]),
        hidden=hidden.digest,
        device=stored["device"],
        protections=tuple(stored["protections"]),
    )


def _measure(artifacts: Mapping[str, Artifact], hidden: Hidden, inputs: Inputs, bench: Bench) -> remeasure.Measured:
    """The baseline first and alone: one that cannot run must not spoil the models that would be timed in turn with it."""
    first, rest = [name for name in artifacts if name == BASELINE], [name for name in _ordered(artifacts) if name != BASELINE]
    made = remeasure.Measured()
    for names in (first, rest):
        if not names:
            continue
        task = remeasure.MeasuringTask(
            artifacts={name: artifacts[name] for name in names},
            metrics={name: MEASURED for name in names},
            hidden=hidden,
            inputs=inputs,
            limits=bench.limits,
            baseline=artifacts[BASELINE] if BASELINE in made.slots else None,
        )
        found = remeasure.measure(task, bench.run, made.slots.get(BASELINE))
        seconds = {what: made.seconds[what] + found.seconds[what] for what in made.seconds}
        made = replace(found, slots=made.slots | found.slots, problems=made.problems | found.problems, seconds=seconds)
    return made


def _unreadable(intake: Intake) -> dict[str, str]:
    return {slot: sentence for slot, sentence in intake.problems.items() if not slot.startswith("answers")}


def _ordered(slots: Mapping[str, object]) -> list[str]:
    return sorted(slots, key=lambda slot: (SLOTS.index(slot) if slot in SLOTS else len(SLOTS), slot))


def safe_name(student: str) -> str:
    """A file's name for a student's pages: readable, safe on every file system, never shared by two students."""
    readable = re.sub(r"[^A-Za-z0-9-]+", "_", student).strip("_")[:40]
    return f"{readable or 'student'}_{hashlib.sha256(student.encode('utf-8', 'replace')).hexdigest()[:8]}"


def project_files(submissions: list[Path]) -> list[Path]:
    """The zips, and every file of the folders among them. Raises GradingError for what is neither."""
    return [file for path in submissions for file in files_of(path)]
