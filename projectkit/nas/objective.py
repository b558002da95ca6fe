"""The objective of a search: everything about a trial that is not training."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from projectkit.errors import ModelError, SearchError
from projectkit.nas.history import MOST_REPEATS, SAME_AS, repeats
from projectkit.nas.repair import Shape, cost, repair
from projectkit.nas.space import Space
from projectkit.nas.study_file import note_space
from projectkit.nas.types import Architecture

Evaluate = Callable[[Architecture, Trial], float | Sequence[float]]


def objective(
    space: Space,
    evaluate: Evaluate,
    *,
    shape: Shape,
    classes: int,
    most_parameters: int | None = None,
    most_macs: int | None = None,
) -> Callable[[Trial], float | Sequence[float]]:
    """What `study.optimize` calls: samples, repairs, refuses, evaluates, and writes beside the trial what it did.

    Attributes of each trial: architecture, digest, parameters, macs, repairs (sentences); of the study: space. An architecture
    beyond a limit is refused: pruned, with the `reason`. One that was tried before costs nothing: the trial ends as that one did,
    with its value, refused or stopped early (`same_as`: that trial's number).
    An `evaluate` that raises, or returns what is no finite number, fails the trial with the `reason` and raises ModelError;
    `search` goes on after it.
    """

    def run(trial: Trial) -> float | Sequence[float]:
        note_space(trial.study, space)
        architecture, repairs = repair(space.sample(trial), shape)
        price = cost(architecture, shape, classes)
        noted = {"architecture": asdict(architecture), "digest": architecture.digest, **asdict(price), "repairs": list(repairs)}
        for name, value in noted.items():
            trial.set_user_attr(name, value)
        before = evaluated(trial.study, architecture)
        if before is not None:
            return _as_before(trial, before)
        for name, limit in (("parameters", most_parameters), ("macs", most_macs)):
            if limit is not None and getattr(price, name) > limit:
                _refuse(trial, f"{getattr(price, name):,} {name}, of at most {limit:,}")
        return _evaluate(evaluate, architecture, trial)

    return run


def evaluated(study: Study, architecture: Architecture) -> FrozenTrial | None:
    """The trial that has tried this (repaired) architecture to its end, else one that was refused or stopped early, if any."""
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    same = [trial for trial in ended if trial.user_attrs.get("digest") == architecture.digest and not repeats(trial)]
    return min(same, key=lambda trial: (trial.state != TrialState.COMPLETE, trial.number), default=None)


def search(study: Study, run: Callable[[Trial], float | Sequence[float]], *, trials: int, timeout: float | None = None) -> None:
    """Tries this many architectures that the study has not tried yet, or for so many seconds.

    A trial that repeats an architecture (`same_as`) costs nothing and is not counted; after MOST_REPEATS of them in a row the
    search ends. It goes on after trials that failed with a reason. Raises SearchError for fewer than one trial.
    """
    if trials < 1:
        raise SearchError(f"A search was asked for {trials} trials; expected at least 1. Give for example trials=50.")
    tried = again = 0

    def count(study: Study, trial: FrozenTrial) -> None:
        nonlocal tried, again
        tried, again = (tried, again + 1) if repeats(trial) else (tried + 1, 0)
        if tried >= trials or again >= MOST_REPEATS:
            study.stop()

    study.optimize(run, timeout=timeout, catch=(ModelError,), callbacks=[count])


def _as_before(trial: Trial, before: FrozenTrial) -> Sequence[float]:
    """What the architecture's first trial came to, without paying for it again."""
    trial.set_user_attr(SAME_AS, before.number)
    for name, value in before.constraints.items():
        trial.set_constraint(name, value)
    if before.state == TrialState.PRUNED:
        if "reason" in before.user_attrs:
            _refuse(trial, before.user_attrs["reason"])
        raise optuna.TrialPruned(f"stopped early, as trial {before.number} was")
    return before.values


def _refuse(trial: Trial, reason: str) -> None:
    trial.set_user_attr("reason", reason)
    raise optuna.TrialPruned(reason)


def _evaluate(evaluate: Evaluate, architecture: Architecture, trial: Trial) -> float | Sequence[float]:
    try:
        result: object = evaluate(architecture, trial)
    except optuna.TrialPruned:
        raise
    except Exception as error:
        raise _failed(trial, f"{type(error).__name__}: {error}") from error
    # Somebody else's function: it may have returned anything.
    values: list[Any] = list(result) if isinstance(result, Sequence) and not isinstance(result, str) else [result]
    try:
        finite = bool(values) and all(math.isfinite(value) for value in values)
    except TypeError:
        finite = False
    if not finite or len(values) != len(trial.study.directions):
        raise _failed(trial, f"the evaluation returned {result!r}; expected {len(trial.study.directions)} finite number(s)")
    return values


def _failed(trial: Trial, reason: str) -> ModelError:
    trial.set_user_attr("reason", reason)
    return ModelError(f"Trial {trial.number} failed: {reason}. The study goes on; see the trial's `reason`.")
