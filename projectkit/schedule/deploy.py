"""Really runs plans: processes with opened models that wait for their requests, and the comparison of several plans in turn."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from projectkit.errors import ScheduleError
from projectkit.schedule.arrivals import draw_arrivals
from projectkit.schedule.metrics import Result, result
from projectkit.schedule.processes import Processes, available_cores, started
from projectkit.schedule.simulate import as_trace
from projectkit.schedule.types import Plan, Trace, Workload

HEAD_START = 0.1  # seconds between the command and its first moment, so that every process has read it
PATIENCE = 1.0  # after the last arrival a run goes on for this share of its length, then it is cut


class Deployment:
    """A plan whose processes are up and whose models are open."""

    def __init__(self, workload: Workload, plan: Plan, processes: Processes):
        self._workload, self._plan, self.processes = workload, plan, processes
        self._tasks = list(plan.processes().values())

    def run(self, arrivals: Sequence[np.ndarray], *, span: float) -> Trace:
        """Sends the requests at their times (those of each model, sorted, all below `span` seconds), waits or not, and times
        the answers: latency counts from the arrival, whatever the process was doing then.

        What is unanswered after 2 · `span` seconds stays so. Raises ScheduleError when a process dies.
        """
        start = time.perf_counter() + HEAD_START
        common = {"do": "serve", "order": self._plan.order, "start": start, "limit": span * (1 + PATIENCE)}
        commands = {
            place: common
            | {
                "arrivals": [arrivals[task].tolist() for task in tasks],
                "deadlines": [self._workload.tasks[task].deadline for task in tasks],
                "batches": [self._plan.choices[task].batch for task in tasks],
            }
            for place, tasks in enumerate(self._tasks)
        }
        answers = self.processes.ask(commands)
        rows = [
            (self._tasks[place][model], arrival, np.nan if begin is None else begin, end)
            for place, answer in answers.items()
            for model, arrival, begin, end in answer["rows"]
        ]
        return as_trace(rows, memory=sum(answer["memory"] for answer in answers.values()), span=span)


@contextlib.contextmanager
def deploy(workload: Workload, plan: Plan) -> Iterator[Deployment]:
    """The plan's processes, each on its cores (where the platform can do that), with their models open and warm.

    Raises ScheduleError when there are fewer cores than the plan uses, or a model cannot be opened.
    """
    cores = available_cores()
    wanted = 1 + max(core for choice in plan.choices for core in choice.cores)
    if wanted > len(cores):
        raise ScheduleError(f"The plan is for {wanted} cores, and this process may use {len(cores)}. Give cores = {len(cores)}.")
    groups = list(plan.processes().values())
    with started([", ".join(workload.tasks[task].name for task in tasks) for tasks in groups]) as processes:
        processes.ask({place: _opening(workload, plan, tasks, cores) for place, tasks in enumerate(groups)})
        yield Deployment(workload, plan, processes)


def _opening(workload: Workload, plan: Plan, tasks: tuple[int, ...], cores: list[int]) -> dict[str, Any]:
    files = []
    for task in tasks:
        choice = plan.choices[task]
        path = workload.tasks[task].files[choice.variant]
        files.append({"path": path, "threads": choice.threads, "batches": sorted({1, choice.batch})})
    return {"do": "open", "files": files, "cores": [cores[core] for core in plan.choices[tasks[0]].cores]}


def run(workload: Workload, plan: Plan, *, seconds: float, seed: int) -> Trace:
    """One run of `plan` on the requests of `seed` that arrive within `seconds`."""
    with deploy(workload, plan) as deployment:
        return deployment.run(draw_arrivals(workload, seconds, seed=seed), span=seconds)


@dataclass(frozen=True, slots=True)
class Proof:
    """Several plans, run in turn on the same requests: the result of each plan in each block."""

    results: Mapping[str, tuple[Result, ...]]

    def misses(self, name: str) -> np.ndarray:
        """(blocks,) shares of missed deadlines."""
        return np.array([one.misses for one in self.results[name]])


def prove(workload: Workload, plans: Mapping[str, Plan], *, blocks: int, seconds: float, seed: int = 0) -> Proof:
    """Runs every plan `blocks` times for `seconds`, in turn: block after block with new requests, the same for all plans of a
    block, each block beginning with another plan. All processes are up all the time; those whose turn it is not sleep.
    """
    results: dict[str, list[Result]] = {name: [] for name in plans}
    names = list(plans)
    with contextlib.ExitStack() as stack:
        up = {name: stack.enter_context(deploy(workload, plan)) for name, plan in plans.items()}
        for block in range(blocks):
            arrivals = draw_arrivals(workload, seconds, seed=seed + block)
            for turn in range(len(names)):
                name = names[(block + turn) % len(names)]
                results[name].append(result(workload, up[name].run(arrivals, span=seconds)))
    return Proof({name: tuple(found) for name, found in results.items()})
