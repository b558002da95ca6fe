"""What a study still needs, worked out from its trials alone, so that workers on many machines agree without a lock.

A study of N trials has N places: its first N trials, apart from those made in another's stead and those that repeat an
architecture, which cost nothing. A place whose worker died is not finished; the first trial made in its stead is. Whatever
workers do at the same moment, a trial that is no place's is never run: more than N are not evaluated, and none is lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from projectkit.nas.history import MOST_REPEATS, VALUES, repeats

IN_STEAD_OF, LOST = "nas:in_stead_of", "nas:lost"  # attributes of a trial: a trial's number; one of the two below
DIED, GIVEN_BACK = "died", "given back"
DEATHS = 2  # a trial that its worker does not survive is tried once more, then it counts as failed: it might kill them all


@dataclass(frozen=True, slots=True)
class Places:
    """`finished`: how many places are. `open`: trials that wait for a worker. `absent`: attributes of the trials that somebody
    has to make first. `ended`: nothing is left to do: all places are finished, or the strategy has nothing new to propose."""

    finished: int
    open: tuple[FrozenTrial, ...]
    absent: tuple[dict[str, Any], ...]
    ended: bool


def survey(trials: Iterable[FrozenTrial], count: int) -> Places:
    """The places of a study that is to have `count` finished trials of different architectures."""
    firsts: list[FrozenTrial] = []
    stand_ins: dict[int, FrozenTrial] = {}
    again = 0  # repeats in a row, up to the latest trial that has ended
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.state.is_finished():
            again = again + 1 if repeats(trial) else 0
        if IN_STEAD_OF in trial.system_attrs:
            stand_ins.setdefault(trial.system_attrs[IN_STEAD_OF], trial)
        else:
            firsts.append(trial)
    finished, waiting, absent = 0, [], []
    places = [tried for first in firsts if not repeats((tried := _tried(first, stand_ins))[-1])]
    for tried in places[:count]:
        deaths = sum(trial.system_attrs.get(LOST) == DIED for trial in tried if lost(trial))
        if lost(tried[-1]) and deaths < DEATHS:
            absent.append(_in_stead_of(tried[-1]))
        elif tried[-1].state.is_finished():
            finished += 1
        elif tried[-1].state == TrialState.WAITING:
            waiting.append(tried[-1])
    ended = finished >= count or again >= MOST_REPEATS
    return Places(finished, tuple(waiting), (*absent, *[{}] * (count - len(places))), ended)


def lost(trial: FrozenTrial) -> bool:
    """Whether the trial's worker died or was stopped before its end."""
    return trial.state == TrialState.FAIL and LOST in trial.system_attrs


def _tried(first: FrozenTrial, stand_ins: dict[int, FrozenTrial]) -> list[FrozenTrial]:
    """The trials that a place has had: its first, the one in its stead, the one in that one's stead, …"""
    tried = [first]
    while lost(tried[-1]) and tried[-1].number in stand_ins:
        tried.append(stand_ins[tried[-1].number])
    return tried


def _in_stead_of(trial: FrozenTrial) -> dict[str, Any]:
    """With the values that were proposed for the lost trial, so that what it should have tried is tried."""
    return {IN_STEAD_OF: trial.number, "fixed_params": trial.system_attrs.get(VALUES, {}) | trial.params}
