"""Simulated annealing."""

import functools
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler

from projectkit.nas.genes import Genes, generator, mutate, uniform
from projectkit.nas.history import History, Seen
from projectkit.nas.sampler import Proposal, StrategySampler


def annealing(
    space: Genes | None = None, *, seed: int, temperature: float = 1.0, cooling: float = 0.95, startup: int = 5
) -> BaseSampler:
    """Simulated annealing (Kirkpatrick et al., 1983): from the best of `startup` random trials, one gene at a time; a step that
    is worse by Δ is taken with probability exp(−Δ / (T·unit)), T = `temperature` · `cooling`^steps.

    `unit` is the mean |Δ| of the steps so far, so that a temperature of 1 means the same for an error and for a latency.
    A temperature of 0 is hill climbing.
    """
    propose = functools.partial(_propose, temperature=temperature, cooling=cooling, startup=startup)
    return StrategySampler(propose, space, seed=seed)


def current(seen: tuple[Seen, ...], *, temperature: float = 1.0, cooling: float = 0.95, startup: int = 5) -> Seen:
    """Where the chain stands after these trials, at least one. Whether a worse step was taken is decided by the luck that was
    drawn when it was proposed, so all workers agree."""
    here = min(seen[:startup], key=lambda trial: trial.score)
    sum_of_differences = 0.0
    for steps, trial in enumerate(seen[startup:], 1):
        worse = trial.score - here.score
        sum_of_differences += abs(worse)
        scale = temperature * cooling**steps * sum_of_differences / steps
        luck = trial.note["luck"] if "luck" in trial.note else generator(trial.number, "luck").random()
        if worse <= 0 or (scale > 0 and luck < np.exp(-worse / scale)):
            here = trial
    return here


def _propose(genes: Genes, known: History, rng: np.random.Generator, *, startup: int, **schedule: Any) -> Proposal:
    note = {"luck": rng.random()}
    if len(known.seen) < startup:
        return Proposal(uniform(genes, rng), note)
    here = current(known.seen, startup=startup, **schedule)
    return Proposal(mutate(genes, here.values, here.active, rng), note)
