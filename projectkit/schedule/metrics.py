"""What a run was worth: missed deadlines, waiting at the tail, throughput, fairness, memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from projectkit.measure.quantiles import quantile
from projectkit.schedule.types import Trace, Workload
from projectkit.types import Measurement


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One model in one run: its requests; the share that was answered too late; the mean seconds from arrival to answer, their
    median, 90th and 99th percentile; answers a second until the last one. Without requests: 0 missed, 0 s.

    A quantile is None where the run has too few requests for its interval: 36 for p90, 368 for p99 (`measure.least_samples`). The
    interval takes requests as independent, which those that queue behind each other are not: compare plans by their blocks.
    """

    name: str
    requests: int
    misses: float
    latency: float
    p50: Measurement | None
    p90: Measurement | None
    p99: Measurement | None
    throughput: float


@dataclass(frozen=True, slots=True)
class Result:
    """One run. misses: the share of missed requests, delay: the mean latency in deadlines of the request's model, each request
    counted with its model's weight; fairness: Jain's index of the shares that were answered in time; memory: bytes of all
    processes together."""

    tasks: tuple[TaskResult, ...]
    misses: float
    delay: float
    fairness: float
    memory: float


def jain(values: Sequence[float]) -> float:
    """(Σx)² / (n · Σx²): 1 when all get the same, 1/n when one gets everything (R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984).

    1 when nobody gets anything: they are equal.
    """
    x = np.asarray(values, dtype=np.float64)
    squares = float(np.sum(x**2))
    return 1.0 if squares == 0 else float(np.sum(x) ** 2 / (len(x) * squares))


def result(workload: Workload, trace: Trace) -> Result:
    """The numbers of one run. A request that was never answered is a missed one; its latency is what it had waited at the
    end."""
    tasks, missed, waited, weights = [], 0.0, 0.0, 0.0
    for place, task in enumerate(workload.tasks):
        mine = trace.task == place
        latency = trace.end[mine] - trace.arrival[mine]
        late = ~(latency <= task.deadline) | np.isnan(trace.begin[mine])
        count = len(latency)
        mean = float(latency.mean()) if count else 0.0
        p50, p90, p99 = (quantile(f"latency_p{percent}", latency, percent / 100) for percent in (50, 90, 99))
        answered = trace.end[mine][~np.isnan(trace.begin[mine])]
        long = max(trace.span, float(answered.max())) if len(answered) else trace.span
        share = float(late.mean()) if count else 0.0
        tasks.append(TaskResult(task.name, count, share, mean, p50, p90, p99, len(answered) / long))
        missed += task.weight * float(late.sum())
        waited += task.weight * count * mean / task.deadline
        weights += task.weight * count
    fairness = jain([1 - task.misses for task in tasks])
    total = weights or 1.0
    return Result(tuple(tasks), missed / total, waited / total, fairness, trace.memory)


# The 97.5 % quantiles of Student's t with 1 to 9 degrees of freedom.
STUDENTS_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """(mean, half width of its 95 % interval by Student's t) of 2 to 10 independent values."""
    x = np.asarray(values, dtype=np.float64)
    return float(x.mean()), float(STUDENTS_T[len(x) - 2] * x.std(ddof=1) / len(x) ** 0.5)
