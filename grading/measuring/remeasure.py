"""The trusted side of measuring: hands inputs to a sandboxed worker, distrusts what comes back, computes quality with the
labels that the worker never saw."""

import dataclasses
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Protocol

import numpy as np

from grading.errors import GradingError
from grading.hidden.data import Hidden
from grading.hidden.probes import Probes, no_probes, order_of
from grading.measuring.layers import unfit
from grading.measuring.quality import quality
from grading.measuring.steady import check_steady
from grading.types import Limits, Rubric, Slot
from grading.workers.pool import ATTACK, MEMORY, MODELS, Inputs, Job, JobResult, Model, Questioner
from grading.workers.results import SlotRecord, SlotReport, slot_reports
from projectkit.errors import MeasureError
from projectkit.measure import Constant, alike
from projectkit.types import Artifact, Measurement, Profile

if TYPE_CHECKING:
    from grading.measuring.black_box import BlackBox

BASELINE = "baseline"
MEMORY_RUNS = 3
DISTURBED = 0.05  # a share of the time off its core from which a reader should know


class Run(Protocol):
    """Runs a job on these inputs, where and when there is room for it; `questioner` asks its questions, where it has some.

    Raises SandboxError when nothing can run it.
    """

    def __call__(self, job: Job, inputs: Inputs, questioner: Questioner | None = None) -> JobResult: ...


@dataclass(frozen=True, slots=True)
class MeasuringTask:
    """What is to be measured: models and wanted metrics by slot, on which data, within which limits; `baseline` is timed in
    turn with each model. `probes`: what some metrics need beside the hidden data; `rules`: by which rule the model of a slot is
    built, where it is by one (grading.measuring.layers)."""

    artifacts: Mapping[str, Artifact]
    metrics: Mapping[str, tuple[str, ...]]
    hidden: Hidden
    inputs: Inputs
    limits: Limits
    baseline: Artifact | None = None
    probes: Probes | None = None
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def probed(self) -> Probes:
        """The probes, empty ones where there are none."""
        return self.probes or no_probes(self.hidden)


@dataclass(slots=True)
class Measured:
    """What was found by slot, and why the other slots could not be measured, in sentences; where, and what it took."""

    slots: dict[str, Slot] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    device: str = ""
    protections: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=lambda: {"total": 0.0, "waited": 0.0, "inference": 0.0, "timing": 0.0})


@dataclass(frozen=True, slots=True)
class _Found:
    """What was reported of one slot in one job; `death` is why the child died of it, if it did."""

    report: SlotReport
    death: str | None = None

    @property
    def reason(self) -> str | None:
        """Why no more was reported."""
        return (self.report.record["problem"] if self.report.record else None) or self.death


def measure_baseline(rubric: Rubric, hidden: Hidden, probes: Probes, inputs: Inputs, run: Run) -> Measured:
    """The rubric's baseline, measured once for all submissions. Raises GradingError."""
    metrics = tuple(sorted({check.metric for check in rubric.checks if check.relative and check.metric != "latency_p50"}))
    artifacts = {BASELINE: Artifact.of(rubric.baseline_file)}
    measured = measure(MeasuringTask(artifacts, {BASELINE: metrics}, hidden, inputs, rubric.limits, probes=probes), run)
    if measured.problems:
        reason = measured.problems[BASELINE]
        raise GradingError(f"{rubric.baseline_file.name}: the baseline cannot be measured. {reason} Build it again.")
    return measured


def measure(task: MeasuringTask, run: Run, baseline: Slot | None = None) -> Measured:
    """Measures the slots of `task` by jobs given to `run`: all that a warm child can see, then memory and the attack, as far as
    wanted.

    A child works through a job's slots; when a model kills it, that slot is given up and another child goes on with the rest.
    """
    measured, start = Measured(), time.perf_counter()
    found = {slot: [one] for slot, one in _gather(task, MODELS, list(task.artifacts), run, measured).items()}
    for slot in [slot for slot in found if found[slot][0].report.outputs is not None]:
        if "peak_memory" in task.metrics[slot]:
            runs = [_gather(task, MEMORY, [slot], run, measured)[slot] for _ in range(MEMORY_RUNS)]
            found[slot].append(_together(runs))
    for slot in task.artifacts:
        try:
            measured.slots[slot] = _slot(task, slot, found[slot], measured.device, baseline)
            if "robust_accuracy" in task.metrics[slot]:
                outputs = _in_order(task, found[slot][0].report.outputs)
                measured.slots[slot] = _attacked(measured.slots[slot], task, slot, outputs, run, measured)
        except MeasureError as error:
            measured.problems[slot] = str(error)
    measured.seconds["total"] = time.perf_counter() - start
    return measured


def _gather(
    task: MeasuringTask, what: str, slots: Sequence[str], run: Run, measured: Measured, black_box: "BlackBox | None" = None
) -> dict[str, _Found]:
    """What is reported of each of `slots`, by as many children as it takes."""
    found: dict[str, _Found] = {}
    remaining = list(slots)
    while remaining:
        models = {slot: _model(task.artifacts[slot], task.metrics[slot]) for slot in remaining}
        baseline = _model(task.baseline) if task.baseline and what == MODELS else None
        if black_box:
            ended = run(Job(what, models, task.limits, rounds=black_box.rounds, board=black_box.board), task.inputs, black_box)
        else:
            ended = run(Job(what, models, task.limits, baseline), task.inputs)
        reports = slot_reports(ended.stream, remaining)
        done = {slot for slot, report in reports.items() if report.record and report.record["done"]}
        unfinished = [slot for slot in remaining if slot not in done]
        upto = remaining.index(unfinished[0]) + 1 if unfinished else len(remaining)
        for slot in remaining[:upto]:
            found[slot] = _Found(reports[slot], _death(ended, task.limits, reports[slot].record) if slot in unfinished else None)
        remaining = remaining[upto:]
        _note(measured, ended, reports)
    return found


def _note(measured: Measured, ended: JobResult, reports: Mapping[str, SlotReport]) -> None:
    measured.device, measured.protections = ended.device, tuple(ended.protections)
    measured.seconds["waited"] += ended.waited
    for one in reports.values():
        if one.record:
            measured.seconds["inference"] += one.record["inference"]
            measured.seconds["timing"] += one.record["timing"]


def _model(artifact: Artifact, metrics: tuple[str, ...] = ()) -> Model:
    return Model(artifact.format, artifact.sha256, Path(artifact.path).read_bytes(), metrics)


def _together(runs: Sequence[_Found]) -> _Found:
    """Several runs of the memory job as one: the median, the least and the most."""
    records = [one.report.record for one in runs if one.report.record]
    values = [record["values"]["peak_memory"] for record in records if "peak_memory" in record["values"]]
    if len(values) < len(runs) or any(one.death for one in runs):
        return next((one for one in runs if one.death), runs[0])
    joined = Measurement(
        "peak_memory",
        median(one.value for one in values),
        min(one.low for one in values),
        max(one.high for one in values),
        len(values),
    )
    return _Found(SlotReport({**records[0], "values": {"peak_memory": joined}}))


def _slot(task: MeasuringTask, slot: str, found: Sequence[_Found], device: str, baseline: Slot | None) -> Slot:
    """One slot's values, from what was reported in the job for models and, where there was one, for memory.

    Raises MeasureError when the model gave no usable outputs: then nothing else about it counts.
    """
    artifact, name, first = task.artifacts[slot], Path(task.artifacts[slot].path).name, found[0]
    if first.report.outputs is None:
        raise MeasureError(_sentence(name, first.reason or "the model gave no readable outputs"))
    outputs = first.report.outputs
    found_in = quality(_in_order(task, outputs), task.hidden, task.probed, task.metrics[slot], name)
    check_steady(outputs, first.report.again, first.report.together, name)
    values = {**found_in.values, "size": Measurement.exact("size", artifact.size)}
    ratios: dict[str, Measurement] = {}
    missing: dict[str, str] = {}
    remarks: list[str] = []
    weights: tuple[Constant, ...] = ()
    wanted = [metric for metric in task.metrics[slot] if metric not in values]
    for one, metrics in zip(found, ([metric for metric in wanted if metric != "peak_memory"], ["peak_memory"]), strict=False):
        if record := one.report.record:
            values |= {metric: value for metric, value in record["values"].items() if metric in wanted}
            missing |= record["missing"]
            ratios |= record["ratios"]
            weights = weights or record["weights"]
            if record["off_core"] > DISTURBED:
                remarks.append(f"Timed while other programs took {100 * record['off_core']:.0f} % of its core.")
        if one.reason:
            missing |= {metric: _sentence(name, one.reason) for metric in metrics}
    missing = {metric: reason for metric, reason in missing.items() if metric in wanted and metric not in values}
    profile = Profile(dataclasses.replace(artifact, path=name), device, values, missing)
    ratios = _ratios(values, ratios, baseline)
    theirs = baseline.weights if baseline else ()
    as_started = bool(weights) and {one.exact for one in weights} == {one.exact for one in theirs}
    weights = tuple(one for one in weights if not any(alike(one, other) for other in theirs))
    layers = first.report.record["layers"] if first.report.record else None
    wrong = unfit(task.rules.get(slot, ""), layers, baseline.layers if baseline else None)
    return Slot(
        profile,
        ratios,
        found_in.classes,
        found_in.plain,
        weights,
        tuple(remarks),
        found_in.known,
        layers,
        _sentence(name, wrong) if wrong else "",
        found_in.looked_up,
        as_started,
    )


def _in_order(task: MeasuringTask, outputs: np.ndarray | None) -> np.ndarray:
    """Outputs to the mixed images, as the images were before; as they are where they are not as many."""
    order = order_of(task.hidden, task.probed)
    if outputs is None or outputs.shape[:1] != order.shape:
        return np.empty(0) if outputs is None else outputs
    return outputs[np.argsort(order)]


def _attacked(slot: Slot, task: MeasuringTask, name: str, outputs: np.ndarray, run: Run, measured: Measured) -> Slot:
    """The slot with its robust accuracy, from a child of its own, or with the reason why it has none."""
    from grading.measuring.black_box import BlackBox  # which loads a room that few rubrics need

    black_box = BlackBox(task.hidden.split, task.hidden.classes, task.probed, outputs[: len(task.hidden.split)])
    found = _gather(task, ATTACK, [name], run, measured, black_box)[name]
    try:
        if found.reason:
            raise MeasureError(found.reason)
        values = dict(slot.profile.values) | {"robust_accuracy": black_box.result()}
        profile = dataclasses.replace(slot.profile, values=values)
    except MeasureError as error:
        missing = dict(slot.profile.missing) | {"robust_accuracy": _sentence(slot.profile.artifact.path, str(error))}
        profile = dataclasses.replace(slot.profile, missing=missing)
    return dataclasses.replace(slot, profile=profile)


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


def _death(ended: JobResult, limits: Limits, record: SlotRecord | None) -> str:
    """Why the child died, in words for the student."""
    step = record["step"] if record else "opening the model"
    if ended.flooded:
        return f"{step} made the worker say more than any model needs to, and was stopped"
    if ended.timed_out or ended.signal in (_number("SIGALRM"), _number("SIGXCPU")):
        return f"{step} took longer than the {limits.seconds:g} s that are allowed, and was stopped"
    if "MemoryError" in ended.log or "bad_alloc" in ended.log:
        return f"{step} needed more memory than the {limits.memory / 1e9:.1f} GB that are allowed"
    if ended.signal == _number("SIGXFSZ"):
        return f"{step} wrote more than the {limits.file_bytes / 1e6:.0f} MB that are allowed"
    names = {number.value: number.name for number in signal.Signals}
    how = names.get(ended.signal, f"exit code {ended.code}")
    return f"{step} crashed the runtime ({how}); the file is damaged, or needs more memory than is allowed"


def _number(name: str) -> int:
    return getattr(signal, name, -1)  # Windows has few of them


def _sentence(name: str, reason: str) -> str:
    text = reason if reason.startswith(name) else f"{name}: {reason}"
    return text if text.endswith(".") else text + "."
