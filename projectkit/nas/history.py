"""What a study knows, as the strategies see it: rebuilt from its trials each time, so that a strategy has no state to lose."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from projectkit.nas.genes import Genes, Values, generator, holds, value_at

VALUES, NOTE = "nas:values", "nas:note"
SAME_AS = "same_as"  # attribute of a trial: the number of the one that tried its architecture before
MOST_REPEATS = 100  # in a row: a strategy that proposes only what it knows has come to its end


@dataclass(frozen=True, slots=True)
class Seen:
    """One finished trial. `score`: lower is better, whatever the study's direction. `values`: of every gene, the silent ones
    too. `active`: the genes that the objective asked for. `note`: what the strategy wrote beside it, nothing if another
    made it."""

    number: int
    values: Values
    active: tuple[str, ...]
    score: float
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """`number`: of the trial that is to be proposed. `seen`: finished trials with a finite value, in the order of their numbers;
    none in a study of several objectives. `taken`: what all trials, also running, refused and failed ones, have tried."""

    number: int
    seen: tuple[Seen, ...]
    taken: tuple[Values, ...] = ()

    def tried(self) -> Callable[[Values], bool]:
        """A test of values: was some trial equal to them in all genes that it was asked for?"""
        by_genes: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}
        for values in self.taken:
            if values:
                by_genes.setdefault(tuple(values), set()).add(tuple(values.values()))
        return lambda values: any(tuple(map(values.get, names)) in group for names, group in by_genes.items())


def of(study: Study, genes: Genes, number: int) -> History:
    """The history before trial `number`."""
    trials = sorted((t for t in study.get_trials(deepcopy=False) if t.number != number), key=lambda t: t.number)
    one, sign = len(study.directions) == 1, -1.0 if study.directions[0] == StudyDirection.MAXIMIZE else 1.0
    whole = {frozenset(trial.params) for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)}
    return History(
        number=number,
        seen=tuple(_seen(trial, genes, sign) for trial in trials if one and _counts(trial, genes)),
        # A trial that still asks, or whose worker died while it asked, has tried no more than what was proposed for it.
        taken=tuple(t.params if frozenset(t.params) in whole else t.system_attrs.get(VALUES, t.params) for t in trials),
    )


def repeats(trial: FrozenTrial) -> bool:
    """Whether the trial's architecture was tried before, so that the answer was there and cost nothing."""
    return SAME_AS in trial.user_attrs


def different(study: Study) -> list[FrozenTrial]:
    """The finished trials that repeat no architecture, in the order of their numbers: what a search has paid for."""
    finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished() and not repeats(trial)]
    return sorted(finished, key=lambda trial: trial.number)


def all_values(trial: FrozenTrial, genes: Genes) -> Values:
    """The trial's parameters, and for every other gene what was proposed for it, or else a value that depends on the trial's
    number and the gene only."""
    proposed = trial.system_attrs.get(VALUES, {})
    known = {name: value for name, value in (proposed | trial.params).items() if name in genes and holds(genes[name], value)}
    others = {name: gene for name, gene in genes.items() if name not in known}
    known |= {name: value_at(gene, generator(trial.number, name).random()) for name, gene in others.items()}
    return {name: known[name] for name in genes}


def genes_of(study: Study) -> Genes:
    """Every parameter that the study's trials were asked for so far, conditional ones too; the first kind of each name counts."""
    genes: dict[str, BaseDistribution] = {}
    for trial in study.get_trials(deepcopy=False):
        for name, gene in trial.distributions.items():
            genes.setdefault(name, gene)
    return genes


def _counts(trial: FrozenTrial, genes: Genes) -> bool:
    inside = all(holds(genes[name], value) for name, value in trial.params.items() if name in genes)
    return trial.state == TrialState.COMPLETE and inside and math.isfinite(_value(trial))


def _value(trial: FrozenTrial) -> float:
    """The value of a finished trial of one objective; NaN where there is none."""
    return math.nan if trial.value is None else trial.value


def _seen(trial: FrozenTrial, genes: Genes, sign: float) -> Seen:
    proposed = trial.system_attrs.get(VALUES, {})
    own = all(proposed.get(name) == value for name, value in trial.params.items())
    return Seen(
        number=trial.number,
        values=all_values(trial, genes),
        active=tuple(name for name in genes if name in trial.params),
        score=sign * _value(trial),
        note=trial.system_attrs.get(NOTE, {}) if own else {},  # an enqueued trial is not where the strategy went
    )
