"""How a strategy becomes an Optuna sampler.

Everything is a function of the seed, the number of the trial and the trials before it. A search that was stopped goes on as if
it had not been; workers in other processes see one state; and two workers with one seed do not propose the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from projectkit.errors import ModelError
from projectkit.nas import history
from projectkit.nas.genes import Genes, Values, generator, value_at
from projectkit.nas.history import NOTE, VALUES, History


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value for every gene, and what the strategy wants to find beside the trial later (JSON)."""

    values: Values
    note: Mapping[str, Any] = field(default_factory=dict)


Strategy = Callable[[Genes, History, np.random.Generator], Proposal]


class StrategySampler(BaseSampler):
    """Proposes a value for every gene; Optuna takes those that the objective asks for.

    Without a space, the genes are those that earlier trials were asked for, and new ones are drawn uniformly. `several`:
    the strategy can serve a study with several objectives. `seed`: at least 0.
    """

    def __init__(self, propose: Strategy, space: Genes | None, *, seed: int, several: bool = False):
        self._propose, self._space, self._seed, self._several = propose, checked(space), checked_seed(seed), several

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if len(study.directions) > 1 and not self._several:
            raise ModelError(
                f"This strategy was given a study of {len(study.directions)} objectives and follows one. "
                "Use nsga2, tpe, random or grid, or make one number of the objectives."
            )
        return dict(history.genes_of(study) if self._space is None else self._space)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> Values:
        if not search_space:
            return {}
        known = history.of(study, search_space, trial.number)
        proposal = self._propose(search_space, known, generator(self._seed, trial.number))
        remember(study, trial, proposal)
        return proposal.values

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        return value_at(param_distribution, generator(self._seed, trial.number, param_name).random())


class OptunaSampler(BaseSampler):
    """A sampler of Optuna's own, made anew for every trial with a seed of its own.

    One that lives on would draw its first numbers again after a restart, and two workers with one seed would run the same
    trials. `make`: seed -> sampler.
    """

    def __init__(self, make: Callable[[int], BaseSampler], *, seed: int):
        self._make, self._seed = make, checked_seed(seed)
        self._of_trial: dict[int, BaseSampler] = {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._sampler(trial).before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        return self._sampler(trial).sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        return self._sampler(trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._sampler(trial).after_trial(study, trial, state, values)
        self._of_trial.pop(trial._trial_id, None)

    def _sampler(self, trial: FrozenTrial) -> BaseSampler:
        key = trial._trial_id
        if key not in self._of_trial:
            self._of_trial[key] = self._make(int(generator(self._seed, trial.number).integers(2**31)))
        return self._of_trial[key]


def remember(study: Study, trial: FrozenTrial, proposal: Proposal) -> None:
    """Writes the proposal beside the trial, where every worker finds it."""
    for key, value in ((VALUES, proposal.values), (NOTE, dict(proposal.note))):
        if value:
            study._storage.set_trial_system_attr(trial._trial_id, key, value)


def checked(space: Genes | None) -> Genes | None:
    """The space itself. Raises ModelError when there is nothing in it to choose."""
    if space is None:
        return space
    if not isinstance(space, Mapping) or not all(isinstance(gene, BaseDistribution) for gene in space.values()):
        raise ModelError(
            f"A search space of {type(space).__name__}: expected a dict of Optuna's distributions by name. Give space.genes()."
        )
    if all(gene.single() for gene in space.values()):
        raise ModelError("The search space is empty; expected a parameter with more than one value. Widen its choices.")
    return space


def checked_seed(seed: int) -> int:
    """The seed itself. Raises ModelError when it is none."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ModelError(f"The seed is {seed!r}; expected a whole number of at least 0. Give seed=0.")
    return seed
