"""A plan, played with known costs: a discrete-event simulation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from projectkit.schedule.types import Costs, Plan, Trace, Workload
from projectkit.schedule.waiting import Queue


@dataclass(slots=True)
class _Call:
    """What a process is at: `left` seconds of work as if it ran alone."""

    task: int
    arrivals: list[float]
    begin: float
    left: float


def simulate(workload: Workload, plan: Plan, costs: Costs, arrivals: Sequence[np.ndarray], *, span: float) -> Trace:
    """Every request of `arrivals` (those of each model, sorted) answered under `plan`; `span`: seconds in which they were
    drawn.

    A process answers one call after the other. While calls of several processes run at once, each is slower by the product of
    the others' slowdowns in `costs`; whenever one begins or ends, the speeds of the others change. Ends when the last request
    is answered, however late.
    """
    processes = list(plan.processes().values())
    queues = [_queue(workload, plan, tasks, arrivals) for tasks in processes]
    slowdowns = costs.slowdowns(plan).tolist()
    running: dict[int, _Call] = {}
    rows: list[tuple[int, float, float, float]] = []
    now = 0.0
    while True:
        for number, queue in enumerate(queues):
            if number not in running and (taken := queue.take(now)):
                task = processes[number][taken[0]]
                running[number] = _Call(task, taken[1], now, _alone(plan, costs, task, len(taken[1])))
        comes = min([queue.next_arrival() for number, queue in enumerate(queues) if number not in running], default=math.inf)
        if not running:
            if comes == math.inf:
                return as_trace(rows, memory=costs.memory_of(plan), span=span)
            now = comes
            continue
        slower = {
            number: math.prod([slowdowns[call.task][other.task] for other in running.values()])
            for number, call in running.items()
        }
        first = min(running, key=lambda number: running[number].left * slower[number])
        ends = now + running[first].left * slower[first]
        then = min(ends, comes)
        for number, call in running.items():
            call.left = max(0.0, call.left - (then - now) / slower[number])
        now = then
        if ends <= comes:
            done = running.pop(first)
            rows += [(done.task, arrival, done.begin, now) for arrival in done.arrivals]


def as_trace(rows: list[tuple[int, float, float, float]], *, memory: float, span: float) -> Trace:
    """The requests (task, arrival, begin, end) as arrays, in the order of their ends."""
    columns = np.array(sorted(rows, key=lambda row: row[3]), dtype=np.float64).reshape(-1, 4)
    task, arrival, begin, end = columns.T
    return Trace(task.astype(np.int64), arrival, begin, end, memory=memory, span=span)


def _queue(workload: Workload, plan: Plan, tasks: tuple[int, ...], arrivals: Sequence[np.ndarray]) -> Queue:
    return Queue(
        [arrivals[task] for task in tasks],
        [workload.tasks[task].deadline for task in tasks],
        [plan.choices[task].batch for task in tasks],
        plan.order,
    )


def _alone(plan: Plan, costs: Costs, task: int, count: int) -> float:
    """Seconds of a call that answers `count` requests, when nothing else runs."""
    choice = plan.choices[task]
    return costs.seconds[task, choice.variant, choice.threads, count]
