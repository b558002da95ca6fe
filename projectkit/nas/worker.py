"""One of any number of workers, on any number of machines, that run the trials of one study.

Nothing of a study is kept in a worker. What is to be done next is worked out from the trials (`places`); taking a trial that
waits is atomic in every storage; and each worker gives signs of life beside the trial that it runs and watches those of the
others. A worker may be killed at any moment.
"""

import math
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from projectkit.errors import ModelError, SearchError
from projectkit.nas.places import DIED, GIVEN_BACK, LOST, survey

PULSE = "nas:pulse"  # attribute of a trial: [signs of life so far, seconds that the others should wait for the next]
LOOKS = 5  # in the time that a worker waits for the others'
REASONS = {
    DIED: "its worker gave no sign of life any more",
    GIVEN_BACK: "its worker was stopped",
}


def work(
    study: Study,
    run: Callable[[Trial], float | Sequence[float]],
    *,
    trials: int,
    stale_after: float = 60.0,
    after: Callable[[Study, FrozenTrial], None] | None = None,
) -> None:
    """Takes trials of `study` until it has `trials` finished ones of different architectures, whoever runs them; at most so many
    are ever evaluated. A trial that repeats an architecture is not counted; MOST_REPEATS of them in a row end the study.

    run: as for `study.optimize`; a ModelError fails the trial (with the attribute `reason`) and the work goes on. after: is
    called with each trial that this worker has finished. Waits at the end for trials of other workers: one that gives no
    sign of life for about `stale_after` seconds (its worker's or this one's, the longer) fails, and its place is filled by
    another trial with the same values; when a worker dies of that one too, it is not tried again. An interrupted worker gives
    its trial back at once. Raises what the storage raises when it cannot be reached any more.
    """
    with _Pulse(study, stale_after) as pulse:
        while True:
            places = survey(study.get_trials(deepcopy=False), trials)
            if places.ended:
                return
            taken = _take(study, places.open)
            if taken is not None:
                with pulse.beating_for(taken):
                    _run(study, run, taken)
                if after is not None:
                    after(study, study._storage.get_trial(taken._trial_id))
            elif places.absent:
                make_place(study, places.absent[0])
            else:
                pulse.wait()


def make_place(study: Study, attributes: dict[str, Any] | None = None) -> None:
    """Adds a trial that waits for a worker."""
    study.add_trial(create_trial(state=TrialState.WAITING, system_attrs=attributes or {}))


def _take(study: Study, waiting: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The first of the waiting trials that nobody else was faster to take."""
    for trial in waiting:
        with suppress(UpdateFinishedTrialError):
            if study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                return trial
    return None


def _run(study: Study, run: Callable[[Trial], float | Sequence[float]], taken: FrozenTrial) -> None:
    values: float | Sequence[float] | None = None
    state: TrialState | None = TrialState.FAIL
    try:
        trial = Trial(study, taken._trial_id)
        trial.set_user_attr("worker", f"{socket.gethostname()}/{os.getpid()}")
        values, state = run(trial), None  # complete, unless Optuna finds a value that is no number
    except optuna.TrialPruned:
        state = TrialState.PRUNED
    except ModelError as error:
        with suppress(UpdateFinishedTrialError):
            if "reason" not in study._storage.get_trial(taken._trial_id).user_attrs:
                study._storage.set_trial_user_attr(taken._trial_id, "reason", str(error))
    except UpdateFinishedTrialError:
        pass  # this worker was silent for too long, another has the trial now
    except BaseException:
        with suppress(Exception):
            _lose(study, taken._trial_id, GIVEN_BACK)
        raise
    with suppress(UpdateFinishedTrialError):
        study.tell(taken.number, values, state, skip_if_finished=True)


def _lose(study: Study, trial_id: int, how: str) -> None:
    """Fails a trial whose worker is not there any more. The mark comes first: a finished trial cannot be written to."""
    with suppress(UpdateFinishedTrialError):
        study._storage.set_trial_system_attr(trial_id, LOST, how)
        study._storage.set_trial_user_attr(trial_id, "reason", REASONS[how])
        study._storage.set_trial_state_values(trial_id, TrialState.FAIL)


class _Pulse:
    """A thread that gives signs of life for the trial of this worker, and fails trials that have stopped to give any.

    It counts its own looks and not the time, so that clocks need not agree, and a machine that slept takes nobody for dead
    when it wakes up. Databases have a heartbeat of their own in Optuna, files have none: this is one for all.
    """

    def __init__(self, study: Study, stale_after: float):
        if not 0 < stale_after < math.inf:
            raise SearchError(f"A worker is dead after {stale_after} s of silence; expected more than 0. Give stale_after=60.")
        self._study, self._stale_after, self._interval = study, stale_after, stale_after / LOOKS
        self._held: int | None = None
        self._beats = 0
        self._seen: dict[int, tuple[list[Any] | None, int]] = {}  # trial's id: its pulse, looks that found it unchanged
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> "_Pulse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @contextmanager
    def beating_for(self, trial: FrozenTrial) -> Iterator[None]:
        self._held = trial._trial_id
        try:
            self._beat()
            yield
        finally:
            self._held = None

    def wait(self) -> None:
        self._stop.wait(min(self._interval, 1.0))

    def _live(self) -> None:
        while not self._stop.wait(self._interval):
            with suppress(Exception):  # a storage that is gone for a moment; when it stays away, the worker itself meets that
                self._beat()
                self._look()
        self._study._storage.remove_session()

    def _beat(self) -> None:
        held = self._held
        if held is not None:
            self._beats += 1
            with suppress(UpdateFinishedTrialError):
                self._study._storage.set_trial_system_attr(held, PULSE, [self._beats, self._stale_after])

    def _look(self) -> None:
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        seen = {}
        for trial in running:
            if trial._trial_id == self._held:
                continue
            pulse = trial.system_attrs.get(PULSE)
            before, looks = self._seen.get(trial._trial_id, (pulse, -1))
            seen[trial._trial_id] = pulse, looks + 1 if pulse == before else 0
        self._seen = seen
        for trial_id, (pulse, looks) in seen.items():
            if looks * self._interval >= max(self._stale_after, pulse[1] if pulse else 0):
                _lose(self._study, trial_id, DIED)
