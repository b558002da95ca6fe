"""The plans that there are, those that need no thought, and what a plan is worth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from projectkit.errors import ScheduleError
from projectkit.schedule.arrivals import draw_arrivals
from projectkit.schedule.metrics import result
from projectkit.schedule.simulate import simulate
from projectkit.schedule.types import ORDERS, Choice, Costs, Plan, Workload


def all_threads(workload: Workload) -> Plan:
    """Naive: every model in a process of its own, all at once, each with a thread for every core."""
    cores = tuple(range(workload.cores))
    return Plan(tuple(Choice(0, len(cores), 1, cores, place) for place in range(len(workload.tasks))), "fifo")


def one_after_another(workload: Workload) -> Plan:
    """Naive: one process that has all cores answers one request after the other, in the order in which they came."""
    cores = tuple(range(workload.cores))
    return Plan(tuple(Choice(0, len(cores), 1, cores, 0) for _ in workload.tasks), "fifo")


NAIVE: Mapping[str, Callable[[Workload], Plan]] = {"all_threads": all_threads, "one_after_another": one_after_another}


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """What a plan is worth; less is better, the first number that differs decides.

    over: bytes above the memory cap; misses: weighted share of missed deadlines; delay: weighted mean latency, in deadlines of
    the request's model; memory: bytes. No quantile: among plans that miss equally often, that of a few requests would decide by
    chance.
    """

    over: float
    misses: float
    delay: float
    memory: float


@dataclass(frozen=True, slots=True)
class Space:
    """The plans among which an optimizer looks: the choices of each model, and the orders."""

    choices: tuple[tuple[Choice, ...], ...]
    orders: tuple[str, ...] = ORDERS

    def __len__(self) -> int:
        """How many combinations there are."""
        return int(np.prod([len(mine) for mine in self.choices], dtype=object)) * len(self.orders)


def space(workload: Workload, costs: Costs) -> Space:
    """For each model: each of its files, each batch, each run of neighbouring cores.

    Models with the same cores share a process. A call has as many threads as make it shortest on these cores: more never help.
    """
    runs = [tuple(range(begin, end)) for begin in range(workload.cores) for end in range(begin + 1, workload.cores + 1)]
    return Space(
        tuple(
            tuple(
                Choice(variant, costs.fastest_threads(place, variant, batch, len(cores)), batch, cores, process)
                for process, cores in enumerate(runs)
                for variant in range(len(task.files))
                for batch in workload.batches
            )
            for place, task in enumerate(workload.tasks)
        )
    )


def evaluation(workload: Workload, costs: Costs, *, seconds: float, seed: int) -> Callable[[Plan], Score]:
    """A function that plays a plan on one drawn stream of requests, the same for every plan, and scores it."""
    arrivals = draw_arrivals(workload, seconds, seed=seed)
    if not sum(map(len, arrivals)):
        raise ScheduleError(f"No request arrives within {seconds} s, so that no plan can be judged. Simulate longer.")
    cap = float("inf") if workload.memory_cap is None else workload.memory_cap

    def evaluate(plan: Plan) -> Score:
        outcome = result(workload, simulate(workload, plan, costs, arrivals, span=seconds))
        return Score(max(0.0, outcome.memory - cap), outcome.misses, outcome.delay, outcome.memory)

    return evaluate
