"""Strategies with a population: regularized evolution, NSGA-II, CMA-ES."""

import functools
import warnings
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from projectkit.nas.genes import Genes, Values, levels, mutate, uniform, value_at
from projectkit.nas.history import History, Seen, all_values, genes_of, of
from projectkit.nas.sampler import OptunaSampler, Proposal, StrategySampler, checked, remember


def evolution(space: Genes | None = None, *, seed: int, population: int = 12, tournament: int = 4) -> BaseSampler:
    """Regularized evolution (Real et al., "Regularized evolution for image classifier architecture search", 2019, algorithm 1):
    the best of `tournament` random members has a child with one gene changed; the oldest member dies, however good it is."""
    return StrategySampler(functools.partial(_evolve, size=population, tournament=tournament), space, seed=seed)


def alive(seen: tuple[Seen, ...], size: int) -> tuple[Seen, ...]:
    """The population: the `size` youngest of those that were evaluated."""
    return seen[-size:]


def _evolve(genes: Genes, known: History, rng: np.random.Generator, *, size: int, tournament: int) -> Proposal:
    members = alive(known.seen, size)
    if len(members) < size:
        return Proposal(uniform(genes, rng))
    drawn = rng.choice(size, min(tournament, size), replace=False)
    parent = min((members[index] for index in drawn), key=lambda member: member.score)
    return Proposal(mutate(genes, parent.values, parent.active, rng))


def nsga2(space: Genes | None = None, *, seed: int, population: int = 10) -> BaseSampler:
    """NSGA-II (Deb et al., 2002) for one objective or several: selection by Optuna, which sorts by dominance and crowding;
    our children, because Optuna's know no conditional genes: each gene from either parent, then one in so many changed."""
    return _Nsga2(checked(space), seed=seed, population=population)


class _Nsga2(OptunaSampler):
    def __init__(self, space: Genes | None, *, seed: int, population: int):
        super().__init__(self._make_one, seed=seed)
        self._space, self._population = space, population

    def _make_one(self, own_seed: int) -> BaseSampler:
        rng = np.random.default_rng(own_seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the way to give it children of our own
            return NSGAIISampler(
                seed=own_seed,
                population_size=self._population,
                child_generation_strategy=lambda study, genes, parents: _child(study, genes, parents, rng),
            )

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(genes_of(study) if self._space is None else self._space)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> Values:
        values = super().sample_relative(study, trial, search_space)
        if values:
            remember(study, trial, Proposal(values))
        return values


def _child(study: Study, genes: Genes, parents: list[FrozenTrial], rng: np.random.Generator) -> Values:
    mother, father = (all_values(_tournament(study, parents, rng), genes) for _ in range(2))
    child = {name: (mother if rng.random() < 0.5 else father)[name] for name in genes}
    for name in genes:
        if rng.random() < 1 / len(genes):
            child = mutate(genes, child, (name,), rng)
    # Late in a search parents are alike, and their child is one of them: evaluated again, it would teach nothing.
    return mutate(genes, child, tuple(genes), rng) if of(study, genes, -1).tried()(child) else child


def _tournament(study: Study, parents: list[FrozenTrial], rng: np.random.Generator) -> FrozenTrial:
    """Of two random parents the one that dominates the other, or else the first."""
    signs = [-1.0 if direction == StudyDirection.MAXIMIZE else 1.0 for direction in study.directions]
    first, second = (parents[index] for index in rng.integers(len(parents), size=2))
    better = [sign * (b - a) for sign, a, b in zip(signs, first.values, second.values, strict=True)]
    return second if max(better) <= 0 and min(better) < 0 else first


def cmaes(space: Genes | None = None, *, seed: int, population: int | None = None, sigma: float = 0.25) -> BaseSampler:
    """CMA-ES with margin (Hansen, "The CMA evolution strategy: a tutorial", 2016; Hamano et al., 2022, for whole numbers), by the
    package cmaes, on the genes' positions. Optuna's own sampler leaves choices and conditional genes to chance.

    The distribution is found again by telling it the generations of the trials in their order.
    """
    return StrategySampler(functools.partial(_cma, population=population, sigma=sigma), space, seed=seed)


def _cma(genes: Genes, known: History, rng: np.random.Generator, *, population: int | None, sigma: float) -> Proposal:
    from cmaes import CMAwM

    genes_free = {name: gene for name, gene in genes.items() if not gene.single()}
    steps = np.array([_step(gene) for gene in genes_free.values()])
    if not genes_free:
        return Proposal(uniform(genes, rng))
    bounds = np.tile([0.0, 1.0], (len(steps), 1))
    search = CMAwM(mean=np.full(len(steps), 0.5), sigma=sigma, bounds=bounds, steps=steps, population_size=population, seed=0)
    search.reseed_rng(int(rng.integers(2**31)))
    while True:
        told = [t for t in known.seen if t.note.get("generation") == search.generation and set(t.note["x"]) == set(genes_free)]
        if len(told) < search.population_size or search.should_stop():
            break
        told = told[: search.population_size]
        search.tell([(np.array([trial.note["x"][name] for name in genes_free]), trial.score) for trial in told])
    shown, x = search.ask()
    values = {name: _value(genes_free[name], place) for name, place in zip(genes_free, shown.tolist(), strict=True)}
    note = {"generation": search.generation, "x": dict(zip(genes_free, x.tolist(), strict=True))}
    return Proposal(uniform(genes, rng) | values, note)


def _step(gene: BaseDistribution) -> float:
    count = levels(gene)
    return 0.0 if count is None else 1 / (count - 1)


def _value(gene: BaseDistribution, place: float) -> Any:
    """The value of a place whose levels lie on 0, 1/(n-1), …, 1."""
    count = levels(gene)
    return value_at(gene, place if count is None else (round(place * (count - 1)) + 0.5) / count)
