"""Ant colony."""

import functools
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler

from projectkit.nas.genes import Genes
from projectkit.nas.history import History, Seen
from projectkit.nas.reinforce import bin_of, bins, in_bin
from projectkit.nas.sampler import Proposal, StrategySampler

START, DECAY, GREEDY, COLONY = 0.1, 0.1, 0.5, 5


def ants(
    space: Genes | None = None, *, seed: int, decay: float = DECAY, greedy: float = GREEDY, colony: int = COLONY
) -> BaseSampler:
    """Ant colony system (Dorigo and Gambardella, 1997), as Byla and Pang, "DeepSwarm", 2019, use it for networks: a trial is an
    ant that makes one choice a gene, with probability `greedy` the one of most pheromone, else in proportion to it.

    After each ant, on its choices: τ ← (1 − decay)·τ + decay·τ₀. After each `colony` of them, on the choices of the best so
    far: τ ← (1 − decay)·τ + decay·1. So τ stays in [τ₀, 1]. Only genes that the objective asked for count.
    """
    return StrategySampler(functools.partial(_propose, decay=decay, greedy=greedy, colony=colony), space, seed=seed)


def pheromones(genes: Genes, seen: tuple[Seen, ...], *, decay: float = DECAY, colony: int = COLONY) -> dict[str, np.ndarray]:
    """The pheromone on each choice of each gene after these trials, (choices,)."""
    trails = {name: np.full(bins(gene), START) for name, gene in genes.items()}
    best = None
    for count, ant in enumerate(seen, 1):
        _lay(trails, genes, ant, START, decay)
        best = ant if best is None or ant.score < best.score else best
        if count % colony == 0:
            _lay(trails, genes, best, 1.0, decay)
    return trails


def _lay(trails: dict[str, np.ndarray], genes: Genes, ant: Seen, amount: float, decay: float) -> None:
    for name in ant.active:
        index = bin_of(genes[name], ant.values[name])
        trails[name][index] = (1 - decay) * trails[name][index] + decay * amount


def _propose(genes: Genes, known: History, rng: np.random.Generator, *, greedy: float, **options: Any) -> Proposal:
    trails, values = pheromones(genes, known.seen, **options), {}
    for name, gene in genes.items():
        trail = trails[name]
        most = np.flatnonzero(trail == trail.max())
        index = rng.choice(most) if rng.random() < greedy else rng.choice(len(trail), p=trail / trail.sum())
        values[name] = in_bin(gene, int(index), rng)
    return Proposal(values)
