"""The trusted side of measuring: hands inputs to the sandboxed worker, distrusts what comes back, computes quality with the
labels that the worker never saw."""

import dataclasses
import json
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from grading import sandbox
from grading.errors import GradingError, SandboxError
from grading.hidden import Hidden
from grading.types import Limits, Rubric, Slot
from grading.worker_results import read_outputs, read_record
from projectkit.errors import MeasureError
from projectkit.measure import accuracy, device
from projectkit.types import Artifact, Measurement, Profile

START = 30.0  # seconds granted for starting Python and the runtimes, beyond the rubric's seconds a slot
BASELINE = "baseline"


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What one worker needs to know: models and wanted metrics by slot, data, limits, and the core to stay on (or None)."""

    artifacts: Mapping[str, Artifact]
    metrics: Mapping[str, tuple[str, ...]]
    hidden: Hidden
    inputs: Path
    limits: Limits
    core: int | None = None
    baseline: Artifact | None = None  # timed in turn with each model


def measure_baseline(rubric: Rubric, hidden: Hidden, inputs: Path) -> Slot | None:
    """The rubric's baseline, measured once for all submissions; None when no check is relative. Raises GradingError."""
    if rubric.baseline is None:
        return None
    metrics = tuple(sorted({check.metric for check in rubric.checks if check.relative and check.metric != "latency_p50"}))
    task = Task({BASELINE: Artifact.of(rubric.baseline)}, {BASELINE: metrics}, hidden, inputs, rubric.limits)
    slots, problems = measure(task)
    if problems:
        raise GradingError(f"{rubric.baseline.name}: the baseline cannot be measured. {problems[BASELINE]} Build it again.")
    return slots[BASELINE]


def measure(task: Task, baseline: Slot | None = None) -> tuple[dict[str, Slot], dict[str, str]]:
    """What was measured by slot, and why the other slots could not be, in sentences.

    One worker measures all slots; when a model kills it, that slot is given up and a new worker goes on with the rest.
    Raises SandboxError when a worker did not even start.
    """
    slots, problems = {}, {}
    with tempfile.TemporaryDirectory(prefix="grading-") as scratch:
        results = Path(scratch).resolve() / "results"
        results.mkdir()
        remaining = list(task.artifacts)
        while remaining:
            completed = _run_worker(task, remaining, Path(scratch).resolve())
            records = {slot: read_record(results / f"{slot}.json") for slot in remaining}
            unfinished = [slot for slot in remaining if not (records[slot] and records[slot]["done"])]
            if unfinished and records[unfinished[0]] is None and unfinished[0] == remaining[0]:
                raise SandboxError(f"the worker did not start (exit code {completed.code}): {completed.log[-500:]}")
            upto = remaining.index(unfinished[0]) + 1 if unfinished else len(remaining)
            for slot in remaining[:upto]:
                death = _death(completed, task.limits, records[slot]) if slot in unfinished else None
                try:
                    slots[slot] = _slot(task, slot, records[slot], death, results, baseline)
                except MeasureError as error:
                    problems[slot] = str(error)
            remaining = remaining[upto:]
    return slots, problems


def _run_worker(task: Task, slots: list[str], scratch: Path) -> sandbox.Completed:
    models = {
        slot: dataclasses.replace(task.artifacts[slot], path=str(Path(task.artifacts[slot].path).resolve())) for slot in slots
    }
    baseline = task.baseline and dataclasses.replace(task.baseline, path=str(Path(task.baseline.path).resolve()))
    job = {
        "inputs": str(task.inputs.resolve()),
        "slots": {slot: dataclasses.asdict(model) | {"metrics": list(task.metrics[slot])} for slot, model in models.items()},
        "baseline": baseline and dataclasses.asdict(baseline),
        "seconds": task.limits.seconds,
        "budget": task.limits.budget,
        "core": task.core,
    }
    path = scratch / "job.json"
    path.write_text(json.dumps(job))
    files = [path, task.inputs, *(Path(model.path) for model in models.values())]
    files += [Path(baseline.path)] if baseline else []
    return sandbox.run(
        [sys.executable, "-P", "-m", "grading.worker", str(path)],
        read_only=files,
        writable=scratch / "results",
        limits=task.limits,
        seconds=START + task.limits.seconds * len(slots),
    )


def _slot(task: Task, slot: str, record: dict | None, death: str | None, results: Path, baseline: Slot | None) -> Slot:
    """One slot's values. Raises MeasureError when the model gave no usable outputs: then nothing else about it counts."""
    artifact, name = task.artifacts[slot], Path(task.artifacts[slot].path).name
    record = record or {"values": {}, "ratios": {}, "missing": {}, "problem": None}
    if record["problem"]:
        raise MeasureError(_sentence(name, record["problem"]))
    outputs = read_outputs(results / f"{slot}.npy")
    if outputs is None:
        raise MeasureError(_sentence(name, death or "the model gave no readable outputs"))
    quality = _quality(outputs, task.hidden, name)
    values = {"accuracy": quality, "size": Measurement.exact("size", artifact.size)} | record["values"]
    missing = dict(record["missing"])
    if death:
        missing |= {metric: death for metric in task.metrics[slot] if metric not in values}
    values = {metric: value for metric, value in values.items() if metric in (*task.metrics[slot], "accuracy", "size")}
    profile = Profile(dataclasses.replace(artifact, path=name), device(), values, missing)
    return Slot(profile, _ratios(values, record["ratios"], baseline))


def _quality(outputs: np.ndarray, hidden: Hidden, name: str) -> Measurement:
    expected = (len(hidden.split), hidden.classes)
    if outputs.shape != expected:
        raise MeasureError(
            f"{name}: its outputs have shape {outputs.shape}, expected {expected}: one logit a class for each input."
        )
    if np.isfinite(outputs).all() and np.ptp(outputs, axis=0).max() == 0:
        raise MeasureError(f"{name}: it gives the same output for every input, expected outputs that depend on the image.")
    try:
        return accuracy(outputs, hidden.split.y)
    except MeasureError as error:
        raise MeasureError(f"{name}: {error}") from error


def _ratios(
    values: Mapping[str, Measurement], interleaved: Mapping[str, Measurement], baseline: Slot | None
) -> dict[str, Measurement]:
    """Each value over the baseline's. Latency comes from timing both in turn, which is worth more than a quotient."""
    ratios = {}
    for metric, base in (baseline.profile.values if baseline else {}).items():
        if metric in values and base.low > 0:
            value = values[metric]
            ratios[metric] = Measurement(
                f"{metric}_ratio", value.value / base.value, value.low / base.high, value.high / base.low, value.n
            )
    return ratios | dict(interleaved)


def _death(completed: sandbox.Completed, limits: Limits, record: dict | None) -> str:
    """Why the worker died, in words for the student."""
    step = record["step"] if record else "opening the model"
    if completed.timed_out or completed.signal in (_number("SIGALRM"), _number("SIGXCPU")):
        return f"{step} took longer than the {limits.seconds:g} s that are allowed, and was stopped"
    if "MemoryError" in completed.log or "bad_alloc" in completed.log:
        return f"{step} needed more memory than the {limits.memory / 1e9:.1f} GB that are allowed"
    if completed.signal == _number("SIGXFSZ"):
        return f"{step} wrote more than the {limits.file_bytes / 1e6:.0f} MB that are allowed"
    names = {number.value: number.name for number in signal.Signals}
    how = names.get(completed.signal, f"exit code {completed.code}")
    return f"{step} crashed the runtime ({how}); the file is damaged, or needs more memory than is allowed"


def _number(name: str) -> int:
    return getattr(signal, name, -1)  # Windows has few of them


def _sentence(name: str, reason: str) -> str:
    text = reason if reason.startswith(name) else f"{name}: {reason}"
    return text if text.endswith(".") else text + "."
