"""Particle swarm."""

import functools

import numpy as np
from optuna.samplers import BaseSampler

from projectkit.nas.genes import Genes, position_of, value_at
from projectkit.nas.history import History, Seen
from projectkit.nas.sampler import Proposal, StrategySampler


def swarm(
    space: Genes | None = None,
    *,
    seed: int,
    particles: int = 8,
    inertia: float = 0.7,
    to_own: float = 1.5,
    to_all: float = 1.5,
) -> BaseSampler:
    """Particle swarm (Kennedy and Eberhart, 1995, with the inertia of Shi and Eberhart, 1998) on the genes' positions in [0, 1]:
    v ← inertia·v + to_own·r₁·(own best − x) + to_all·r₂·(best of all − x), x ← x + v. A wall stops a particle.
    It starts at a random place, with half the speed to another.

    Trial n moves particle n mod `particles`.
    """
    propose = functools.partial(_propose, particles=particles, weights=(inertia, to_own, to_all))
    return StrategySampler(propose, space, seed=seed)


def _propose(
    genes: Genes, known: History, rng: np.random.Generator, *, particles: int, weights: tuple[float, float, float]
) -> Proposal:
    own = [trial for trial in known.seen if trial.number % particles == known.number % particles]
    if not own:
        x, target = rng.random((2, len(genes)))
        return _arrive(genes, x, (target - x) / 2)
    (x, v), best_own, best = _state(genes, own[-1]), min(own, key=_score), min(known.seen, key=_score)
    inertia, to_own, to_all = weights
    pull_own = to_own * rng.random(len(genes)) * (_state(genes, best_own)[0] - x)
    pull_all = to_all * rng.random(len(genes)) * (_state(genes, best)[0] - x)
    v = inertia * v + pull_own + pull_all
    inside = np.clip(x + v, 0.0, 1.0)
    return _arrive(genes, inside, np.where(inside == x + v, v, 0.0))


def _arrive(genes: Genes, x: np.ndarray, v: np.ndarray) -> Proposal:
    values = {name: value_at(gene, place) for (name, gene), place in zip(genes.items(), x.tolist(), strict=True)}
    return Proposal(values, {"x": dict(zip(genes, x.tolist(), strict=True)), "v": dict(zip(genes, v.tolist(), strict=True))})


def _state(genes: Genes, trial: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Position and velocity at a trial, each (genes,)."""
    x = [trial.note.get("x", {}).get(name, position_of(gene, trial.values[name])) for name, gene in genes.items()]
    return np.array(x), np.array([trial.note.get("v", {}).get(name, 0.0) for name in genes])


def _score(trial: Seen) -> float:
    return trial.score
