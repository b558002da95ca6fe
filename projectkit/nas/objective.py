"""The objective of a search: everything about a trial that is not training."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from projectkit.errors import ModelError
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
    beyond a limit is refused: pruned, with the `reason`. One that was evaluated before takes its value from there (`same_as`:
    the trial's number).
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
        for name, limit in (("parameters", most_parameters), ("macs", most_macs)):
            if limit is not None and getattr(price, name) > limit:
                _refuse(trial, f"{getattr(price, name):,} {name}, of at most {limit:,}")
        before = evaluated(trial.study, architecture)
        if before is not None:
            trial.set_user_attr("same_as", before.number)
            for name, value in before.constraints.items():
                trial.set_constraint(name, value)
            return before.values
        return _evaluate(evaluate, architecture, trial)

    return run


def evaluated(study: Study, architecture: Architecture) -> FrozenTrial | None:
    """The first finished trial of this (repaired) architecture, if there is one."""
    trials, digest = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)), architecture.digest
    return next((trial for trial in trials if trial.user_attrs.get("digest") == digest), None)


def search(study: Study, run: Callable[[Trial], float | Sequence[float]], *, trials: int, timeout: float | None = None) -> None:
    """`study.optimize` for this many trials (or seconds), going on after trials that failed with a reason."""
    study.optimize(run, n_trials=trials, timeout=timeout, catch=(ModelError,))


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
