"""The two strategies that learn nothing: every other has to be better than these."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from projectkit.errors import ModelError
from projectkit.nas import history
from projectkit.nas.genes import Genes, Values, generator, levels, uniform, value_at
from projectkit.nas.history import History
from projectkit.nas.sampler import Proposal, StrategySampler, checked, checked_seed

LEVELS_OF_A_CONTINUOUS_GENE = 5


def random(space: Genes | None = None, *, seed: int) -> BaseSampler:
    """Every gene at a uniform position, on its own (logarithmic where it says so). Bergstra and Bengio, "Random search for
    hyper-parameter optimization", 2012."""
    return StrategySampler(lambda genes, known, rng: Proposal(uniform(genes, rng)), space, seed=seed, several=True)


def grid(space: Genes | None = None, *, seed: int, continuous: int = LEVELS_OF_A_CONTINUOUS_GENE) -> BaseSampler:
    """Every combination once, in an order by the seed, then the study stops. Combinations that differ only in genes that the
    objective does not ask for are run once. A continuous gene has `continuous` levels. Raises ModelError without a space."""
    if space is None:
        raise ModelError("A grid was asked for without a space; expected every parameter beforehand. Give space.genes().")
    if continuous < 2:
        raise ModelError(f"A grid with {continuous} levels of a continuous parameter; expected at least 2. Give continuous=5.")
    checked(space)
    return _Grid(space, checked_seed(seed), continuous)


class _Grid(StrategySampler):
    def __init__(self, space: Genes, seed: int, continuous: int):
        super().__init__(self._next, space, seed=seed, several=True)
        self._asked = space
        self._sizes = [levels(gene) or continuous for gene in space.values()]
        # i → start + i·stride visits every cell once when the stride has no divisor in common with their number.
        self._cells, rng = math.prod(self._sizes), generator(seed)
        self._start = int(rng.integers(min(self._cells, 2**62)))
        self._stride = int(rng.integers(1, min(self._cells, 2**62) + 1))
        while math.gcd(self._stride, self._cells) > 1:
            self._stride += 1

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        known = history.of(study, self._asked, trial.number)
        if next(self._open(self._asked, replace(known, taken=(*known.taken, trial.params))), None) is None:
            try:
                study.stop()
            except RuntimeError:  # the trial was asked for by hand: there is no loop to stop
                return

    def _next(self, genes: Genes, known: History, rng: np.random.Generator) -> Proposal:
        cell = next(self._open(genes, known), None)
        return Proposal(self._cell(genes, 0) if cell is None else cell)

    def _open(self, genes: Genes, known: History) -> Iterator[Values]:
        tried = known.tried()
        cells = (self._cell(genes, index) for index in range(self._cells))
        return (values for values in cells if not tried(values))

    def _cell(self, genes: Genes, index: int) -> Values:
        number, values = (self._start + index * self._stride) % self._cells, {}
        for (name, gene), size in zip(genes.items(), self._sizes, strict=True):
            number, level = divmod(number, size)
            values[name] = value_at(gene, (level + 0.5) / size)
        return values
