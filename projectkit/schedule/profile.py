"""Measures what the models cost: each alone, with 1 to all cores and every batch, and each pair side by side."""

import time
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from projectkit.errors import ScheduleError
from projectkit.schedule.deploy import HEAD_START
from projectkit.schedule.processes import Processes, available_cores, pinned, started
from projectkit.schedule.types import Call, Costs, Workload

LEAST = 5  # calls of each kind, however long they take
ROUNDS = 3  # a pair is timed alone and together in turn, so often
CALLS_SIDE_BY_SIDE = 5  # of the slower model, at least: the window in which two models meet is that long


def profile(workload: Workload, *, seconds: float = 0.3) -> Costs:
    """Seconds and bytes of every call that a plan can make, and how much the models slow each other, on this machine.

    Each kind of call is timed for about `seconds`, in turn with the others of the same threads; the cost is the mean, because a
    queue feels slow calls as well. Two models are timed side by side for ROUNDS windows of at least `seconds`, in turn with
    each alone. Memory is resident memory, in steps as the models are opened. Raises ScheduleError when a model cannot be
    opened or there are fewer cores than the workload says.
    """
    cores = available_cores()
    if workload.cores > len(cores):
        raise ScheduleError(
            f"The plan is for {workload.cores} cores, and this process may use {len(cores)}. Give cores = {len(cores)}."
        )
    alone = [_alone(workload, cores[:threads], seconds) for threads in range(1, workload.cores + 1)]
    times = {call: cost for one in alone for call, cost in one.seconds.items()}
    memory = {call: cost for one in alone for call, cost in one.memory.items()}
    tasks = len(workload.tasks)
    missing = {"placement": reason} if (reason := pinned()) else {}
    half = (workload.cores + 1) // 2
    apart = together = np.ones((tasks, tasks))
    if tasks > 1:
        together = _side_by_side(workload, cores[: workload.cores], cores[: workload.cores], seconds)
        if workload.cores > 1:
            apart = _side_by_side(workload, cores[:half], cores[half : workload.cores], seconds)
        else:
            missing["apart"] = "there is one core"
    return Costs(times, memory, float(np.mean([one.process for one in alone])), apart, together, missing)


@dataclass(frozen=True, slots=True)
class _Alone:
    """What the calls on one set of cores cost, and the bytes of their process without models."""

    seconds: dict[Call, float]
    memory: dict[Call, float]
    process: float


def _alone(workload: Workload, cores: list[int], seconds: float) -> _Alone:
    """Every file and batch of every model on all of `cores`, in turn."""
    variants = [(task, variant) for task, one in enumerate(workload.tasks) for variant in range(len(one.files))]
    batches = sorted(workload.batches)
    calls = [(model, batch) for model in range(len(variants)) for batch in batches]
    with started(["the profile"]) as processes:
        opened = _open(processes, 0, workload, variants, cores, batches)
        samples = _time(processes, {0: calls}, seconds * len(calls), LEAST)[0]
    found = _Alone({}, {}, opened["process"])
    for (model, batch), mine in zip(calls, samples, strict=True):
        call = (*variants[model], len(cores), batch)
        added = opened["added"][model]
        found.seconds[call] = float(np.mean(mine))
        found.memory[call] = float(max(0, added["1"] + (added[str(batch)] if batch > 1 else 0)))
    return found


def _side_by_side(workload: Workload, first: list[int], second: list[int], seconds: float) -> np.ndarray:
    """(tasks, tasks): seconds of a call of model i while model j runs without a break, over its seconds alone; the first file
    of each model, one request a call, as many threads as the process has cores."""
    count = len(workload.tasks)
    slower = np.ones((count, count))
    with started(["the first of two", "the second of two"]) as processes:
        for place, cores in enumerate((first, second)):
            _open(processes, place, workload, [(task, 0) for task in range(count)], cores, [1])
        for i, j in combinations(range(count), 2):
            calls = {0: [(i, 1)], 1: [(j, 1)]}
            alone: dict[int, list[float]] = {0: [], 1: []}
            both: dict[int, list[float]] = {0: [], 1: []}
            window = seconds
            for _ in range(ROUNDS):
                for place in (0, 1):
                    alone[place] += _time(processes, {place: calls[place]}, seconds, LEAST)[place][0]
                window = max(seconds, CALLS_SIDE_BY_SIDE * max(float(np.mean(alone[place])) for place in (0, 1)))
                for place, samples in _time(processes, calls, window, 1).items():
                    both[place] += samples[0]
            slower[i, j], slower[j, i] = (float(np.mean(both[place]) / np.mean(alone[place])) for place in (0, 1))
    return slower


def _open(
    processes: Processes, place: int, workload: Workload, variants: list[tuple[int, int]], cores: list[int], batches: list[int]
) -> dict[str, Any]:
    files = [
        {"path": workload.tasks[task].files[variant], "threads": len(cores), "batches": batches} for task, variant in variants
    ]
    return processes.ask({place: {"do": "open", "files": files, "cores": cores}})[place]


def _time(
    processes: Processes, calls: dict[int, list[tuple[int, int]]], seconds: float, least: int
) -> dict[int, list[list[float]]]:
    """Seconds of the calls of each process, all processes from the same moment on."""
    common = {"do": "time", "start": time.perf_counter() + HEAD_START, "seconds": seconds, "least": least}
    answers = processes.ask({place: common | {"calls": mine} for place, mine in calls.items()})
    return {place: answer["samples"] for place, answer in answers.items()}
