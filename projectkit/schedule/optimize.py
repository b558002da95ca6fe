"""Looks for the best plan: `(space, evaluate, *, seed) -> Found`, where less of evaluate(plan) is better."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from projectkit.errors import ScheduleError
from projectkit.schedule.plans import Score, Space
from projectkit.schedule.types import Choice, Plan

EXHAUSTIVE_MOST = 5_000  # plans; at ten milliseconds each, a minute
OPTUNA_TRIALS = 150
RESTARTS = 3

Evaluate = Callable[[Plan], Score]


@dataclass(frozen=True, slots=True)
class Found:
    """The best plan that was seen, its score, and how many different plans were played."""

    plan: Plan
    score: Score
    played: int


class _Memory:
    """Plays a plan once; keeps the best."""

    def __init__(self, evaluate: Evaluate):
        self._evaluate = evaluate
        self._scores: dict[Plan, Score] = {}

    def __call__(self, plan: Plan) -> Score:
        if plan not in self._scores:
            self._scores[plan] = self._evaluate(plan)
        return self._scores[plan]

    def found(self) -> Found:
        plan = min(self._scores, key=self._scores.__getitem__)
        return Found(plan, self._scores[plan], len(self._scores))


def exhaustive(space: Space, evaluate: Evaluate, *, seed: int = 0) -> Found:
    """Plays every plan of the space; of two that are mirror images (core 0 for the last one) only the first.

    Raises ScheduleError where there are more than EXHAUSTIVE_MOST. The seed is not used.
    """
    if len(space) > EXHAUSTIVE_MOST:
        raise ScheduleError(
            f"There are {len(space):,} plans, and exhaustive search plays at most {EXHAUSTIVE_MOST:,}. Choose heuristic or "
            "optuna, or allow fewer batches or files."
        )
    memory, seen = _Memory(evaluate), set()
    last = max(core for mine in space.choices for choice in mine for core in choice.cores)
    for choices in itertools.product(*space.choices):
        placed = tuple(choice.cores for choice in choices)
        mirrored = tuple(tuple(sorted(last - core for core in cores)) for cores in placed)
        if (key := (min(placed, mirrored), tuple((choice.variant, choice.batch) for choice in choices))) in seen:
            continue
        seen.add(key)
        alone = len({choice.process for choice in choices}) == len(choices)  # nobody queues behind another model
        for order in space.orders[:1] if alone else space.orders:
            memory(Plan(choices, order))
    return memory.found()


def heuristic(space: Space, evaluate: Evaluate, *, seed: int = 0) -> Found:
    """Coordinate descent: one model after the other gets the choice that is best while the others stay, then the order, until
    nothing improves.

    Starts from the first choice of every model and from RESTARTS drawn plans; the seed draws them.
    """
    memory, rng = _Memory(evaluate), np.random.default_rng(seed)
    starts = [tuple(mine[0] for mine in space.choices)]
    starts += [tuple(mine[rng.integers(len(mine))] for mine in space.choices) for _ in range(RESTARTS)]
    for choices in starts:
        plan, before = Plan(choices, space.orders[0]), None
        while plan != before:
            before = plan
            for place, mine in enumerate(space.choices):
                plan = min([plan, *(_changed(plan, place, choice) for choice in mine)], key=memory)
            plan = min([plan, *(Plan(plan.choices, order) for order in space.orders)], key=memory)
    return memory.found()


def _changed(plan: Plan, place: int, choice: Choice) -> Plan:
    return Plan((*plan.choices[:place], choice, *plan.choices[place + 1 :]), plan.order)


def with_optuna(space: Space, evaluate: Evaluate, *, seed: int = 0) -> Found:
    """Optuna's tree-structured Parzen estimator, OPTUNA_TRIALS trials: files, batches, cores and the order are its categories.

    It follows one number, so the score becomes misses + a hundredth of delay / (1 + delay), and plans over the memory cap come
    last.
    """
    import optuna

    memory = _Memory(evaluate)

    def play(trial: optuna.Trial) -> float:
        choices = tuple(
            mine[trial.suggest_categorical(f"model {place}", range(len(mine)))] for place, mine in enumerate(space.choices)
        )
        score = memory(Plan(choices, trial.suggest_categorical("order", space.orders)))
        return score.misses + 0.01 * score.delay / (1 + score.delay) + (2 + score.over if score.over else 0)

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed)).optimize(play, n_trials=OPTUNA_TRIALS)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return memory.found()


class Optimizer(Protocol):
    """Looks for the plan of the space with the least score; the same seed finds the same. Raises ScheduleError for a space that
    it cannot search."""

    def __call__(self, space: Space, evaluate: Evaluate, /, *, seed: int = 0) -> Found: ...


OPTIMIZERS: Mapping[str, Optimizer] = {"exhaustive": exhaustive, "heuristic": heuristic, "optuna": with_optuna}
