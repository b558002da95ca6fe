"""Strategies that predict which values are good: Optuna's TPE, and a Gaussian process."""

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, TPESampler

from projectkit.nas.genes import Genes, Values, levels, mutate, neighbour, ordered, position_of, uniform
from projectkit.nas.history import History, Seen
from projectkit.nas.sampler import OptunaSampler, Proposal, StrategySampler, checked


def tpe(space: Genes | None = None, *, seed: int, startup: int = 10) -> BaseSampler:
    """Tree-structured Parzen estimator, all genes of a branch together (Bergstra et al., "Algorithms for hyper-parameter
    optimization", 2011; Falkner et al., "BOHB", 2018). The first `startup` trials are random. The space is found in the
    trials."""
    checked(space)

    def make(own_seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # `group`: conditional genes, needed here
            return TPESampler(seed=own_seed, n_startup_trials=startup, multivariate=True, group=True, constant_liar=True)

    return OptunaSampler(make, seed=seed)


def gp(space: Genes | None = None, *, seed: int, startup: int = 10, at_most: int = 150) -> BaseSampler:
    """Gaussian process with a Matérn 5/2 kernel and expected improvement (Snoek et al., "Practical Bayesian optimization of
    machine learning algorithms", 2012) over random candidates and neighbours of the best. Nothing that was tried is
    proposed again.

    Silent genes take part with the values proposed for them. Its work grows with the cube of the trials: beyond `at_most`, the
    better half and the latest count.
    """
    return StrategySampler(functools.partial(_gp, startup=startup, at_most=at_most), space, seed=seed)


def _gp(genes: Genes, known: History, rng: np.random.Generator, *, startup: int, at_most: int) -> Proposal:
    seen = known.seen
    if len(seen) < startup:
        return Proposal(uniform(genes, rng))
    if len(seen) > at_most:
        best = sorted(seen, key=lambda trial: trial.score)[: at_most // 2]
        seen = (*best, *[trial for trial in seen if trial not in best][-(at_most - len(best)) :])
    tried = known.tried()
    candidates = [values for values in _candidates(genes, seen, rng) if not tried(values)]
    if not candidates:
        return Proposal(uniform(genes, rng))
    improvement = _expected_improvement(genes, seen, candidates, rng)
    return Proposal(candidates[int(np.argmax(improvement))])


def _candidates(genes: Genes, seen: tuple[Seen, ...], rng: np.random.Generator) -> list[Values]:
    candidates = [uniform(genes, rng) for _ in range(200)]
    for trial in sorted(seen, key=lambda trial: trial.score)[:5]:
        for _ in range(40):
            values = mutate(genes, trial.values, trial.active, rng)
            candidates.append(mutate(genes, values, trial.active, rng) if rng.random() < 0.5 else values)
    best = min(seen, key=lambda trial: trial.score).values
    free = {name: gene for name, gene in genes.items() if levels(gene) is None}
    for step in (0.1, 0.03, 0.01):  # all continuous genes at once, nearer and nearer
        for _ in range(30 if free else 0):
            candidates.append(best | {name: neighbour(gene, best[name], rng, step=step) for name, gene in free.items()})
    return candidates


def _expected_improvement(genes: Genes, seen: tuple[Seen, ...], candidates: list[Values], rng: np.random.Generator) -> np.ndarray:
    from scipy import stats
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    scores = np.array([trial.score for trial in seen])
    scores = (scores - scores.mean()) / (scores.std() or 1.0)
    columns = functools.cache(lambda name, value: _columns(genes[name], value))  # few values, hundreds of candidates

    def features_of(values: Values) -> list[float]:
        return [column for name in genes for column in columns(name, values[name])]

    features = np.array([features_of(trial.values) for trial in seen])
    kernel = ConstantKernel(1.0, (0.05, 20.0)) * Matern(np.full(features.shape[1], 0.5), (0.05, 10.0), nu=2.5)
    process = GaussianProcessRegressor(kernel + WhiteKernel(1e-3, (1e-6, 0.3)), alpha=1e-8, optimizer=_few_steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound says that a gene does not matter
        process.fit(features, scores)
    mean, deviation = process.predict(np.array([features_of(values) for values in candidates]), return_std=True)
    better = scores.min() - mean
    deviation = np.maximum(deviation, 1e-9)
    return better * stats.norm.cdf(better / deviation) + deviation * stats.norm.pdf(better / deviation)


def _few_steps(
    negative_likelihood: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray, bounds: np.ndarray
) -> tuple[np.ndarray, float]:
    """The kernel's sizes by a few steps of L-BFGS: they change little from trial to trial and need not be exact."""
    from scipy import optimize

    result = optimize.minimize(negative_likelihood, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 12})
    return result.x, result.fun


def _columns(gene: BaseDistribution, value: Any) -> tuple[float, ...]:
    """The position; for a name without an order one column a choice, so that all choices are equally far from each other."""
    if not isinstance(gene, CategoricalDistribution) or ordered(gene) or levels(gene) == 2:
        return (position_of(gene, value),)
    return tuple(math.sqrt(0.5) * (choice == value) for choice in gene.choices)
