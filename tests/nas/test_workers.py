"""Several workers, one study: each trial is run once, none is lost when a worker is killed, and the study ends."""

import collections
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from projectkit.errors import ModelError, SearchError
from projectkit.install_hint import install_hint
from projectkit.nas import SAMPLERS, Space, different, objective, open_storage, work
from projectkit.nas.history import MOST_REPEATS
from projectkit.nas.places import DIED, IN_STEAD_OF, LOST, lost, survey
from projectkit.nas.worker import _lose, _take

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = Space(depth=(1, 2, 3), filters=(4, 8, 16, 32))
TRIALS = 20
TASK = {"shape": (8, 8, 1), "classes": 10}

WORKER = """
import sys, time, optuna
sys.path.insert(0, sys.argv[1])
from test_workers import SPACE, TASK, TRIALS, study_in
from projectkit.nas import objective, work

place, log, name = sys.argv[2:]
done = 0

def evaluate(architecture, trial):
    global done
    done += 1
    with open(log, "a") as file:
        file.write(f"{name} {trial.number} {architecture.digest}\\n")
    time.sleep(600 if name == "victim" and done == 2 else 0.15)
    return trial.user_attrs["macs"]

work(study_in(place), objective(SPACE, evaluate, **TASK), trials=TRIALS, stale_after=5)
"""


def study_in(place, strategy="evolution"):
    """The study in a storage, made by whoever is first."""
    return optuna.create_study(
        study_name="shared", storage=open_storage(place), sampler=SAMPLERS[strategy](SPACE.genes(), seed=0), load_if_exists=True
    )


@contextmanager
def postgresql():
    """A server of our own on loopback, gone afterwards; yields the URL of its database."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip(f"no driver for PostgreSQL: {install_hint('postgres')}")
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(Path, os.get_exec_path())]
    programs = next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)
    if programs is None:
        pytest.skip("no PostgreSQL: install Debian's package postgresql")
    account = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        names = {entry.pw_name for entry in pwd.getpwall()} & {"postgres", "nobody"}
        if not names:
            pytest.skip("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
        account = {"user": max(names), "group": pwd.getpwnam(max(names)).pw_gid, "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if account:
        shutil.chown(folder, account["user"], account["group"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **account}
    server = None
    try:
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "students", "--no-sync"], check=True, **options
        )
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"], **options
        )
        url = f"postgresql://students@127.0.0.1:{port}/postgres"
        _wait(lambda: _answers(url), seconds=60)
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for its clients
            server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url):
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _wait(ready, *, seconds):
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def journal():
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "study.journal")


@pytest.mark.parametrize("storage", [journal, pytest.param(postgresql, marks=pytest.mark.proof)])
def test_four_workers_of_which_one_is_killed(storage, tmp_path):
    log = tmp_path / "log"
    with storage() as place:
        study_in(place)
        command = [sys.executable, "-c", WORKER, str(Path(__file__).parent), place, str(log)]
        names = ("first", "second", "third", "victim")
        workers = {name: subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in names}
        try:
            _wait(lambda: log.exists() and log.read_text().count("victim") == 2, seconds=120)
            workers["victim"].send_signal(signal.SIGKILL)
            errors = {name: worker.communicate(timeout=240)[1] for name, worker in workers.items()}
        finally:
            for worker in workers.values():
                worker.kill()
        assert {name: worker.returncode for name, worker in workers.items()} == {
            name: -signal.SIGKILL if name == "victim" else 0 for name in names
        }, errors
        trials = study_in(place).get_trials()

    ran = [line.split() for line in log.read_text().splitlines()]
    killed = [int(number) for name, number, _ in ran if name == "victim"][1]
    assert {name for name, _, _ in ran} == set(names)  # all four took part
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    own = [trial.number for trial in complete if "same_as" not in trial.user_attrs]
    assert len(own) == TRIALS == survey(trials, TRIALS).finished
    assert [trial.number for trial in trials if lost(trial)] == [killed]
    (again,) = [trial for trial in complete if trial.system_attrs.get(IN_STEAD_OF) == killed]
    assert again.params == trials[killed].params
    # The evaluations are those of the complete trials and of the killed one, each once.
    evaluated = [int(number) for _, number, _ in ran]
    assert collections.Counter(evaluated) == collections.Counter([killed, *own])
    assert not any(trial.state == TrialState.RUNNING for trial in trials)
    assert sum(trial.state == TrialState.WAITING for trial in trials) < len(names)  # places that two made at one moment


def memory():
    return optuna.create_study(sampler=SAMPLERS["random"](SPACE.genes(), seed=0))


def macs(architecture, trial):
    return trial.user_attrs["macs"]


def states(study):
    return collections.Counter(trial.state.name for trial in study.get_trials())


def test_one_worker_alone_does_the_study_and_then_has_nothing_to_do():
    study, told = memory(), []
    for _ in range(2):
        work(study, objective(SPACE, macs, **TASK), trials=6, after=lambda study, trial: told.append(trial))
    assert states(study) == {"COMPLETE": 6} and [trial.number for trial in told] == list(range(6))
    assert all(trial.state == TrialState.COMPLETE and trial.user_attrs["worker"] for trial in told)


def test_workers_pay_for_different_architectures_only_and_end_when_there_are_no_more():
    small = Space(
        depth=(1,), filters=(4, 8, 16), kernel=(3,), stride=(1, 2), depthwise=(False,), activation=("relu",), skip=(False,)
    )
    for wanted, paid in ((4, 4), (20, 6)):
        study = optuna.create_study(sampler=SAMPLERS["random"](small.genes(), seed=0))
        work(study, objective(small, macs, **TASK), trials=wanted)
        assert len(different(study)) == len({trial.user_attrs["digest"] for trial in study.trials}) == paid
        assert len(study.trials) <= paid + (MOST_REPEATS if wanted > paid else 0) + 40


def test_the_trials_are_those_of_a_study_without_workers():
    alone = memory()
    alone.optimize(objective(SPACE, macs, **TASK), n_trials=8)
    study = memory()
    work(study, objective(SPACE, macs, **TASK), trials=8)
    assert [trial.params for trial in study.trials] == [trial.params for trial in alone.trials]


def test_a_trial_without_a_sign_of_life_is_run_by_another():
    study = memory()
    study.ask()  # by nobody
    work(study, objective(SPACE, macs, **TASK), trials=3, stale_after=0.5)
    assert states(study) == {"COMPLETE": 3, "FAIL": 1}
    assert study.trials[0].user_attrs["reason"] == "its worker gave no sign of life any more"


@pytest.mark.parametrize("patience", [0.5, 30.0])  # of the slow one: it gives a sign of life each 0.1 s, or each 6 s
def test_a_worker_that_is_slow_is_left_alone(patience):
    study, begun = memory(), threading.Event()

    def slow(architecture, trial):
        if trial.number == 0:
            begun.set()
            time.sleep(2.0)
        return 0.0

    run = objective(SPACE, slow, **TASK)
    other = threading.Thread(target=work, args=(study, run), kwargs={"trials": 3, "stale_after": patience})
    other.start()
    begun.wait(30)
    work(study, run, trials=3, stale_after=0.5)
    other.join()
    assert states(study) == {"COMPLETE": 3}


def test_a_worker_that_comes_back_too_late_is_not_counted_and_goes_on():
    study, met = memory(), []

    def evaluate(architecture, trial):
        met.append(trial.number)
        if trial.number == 0:
            _lose(study, trial._trial_id, DIED)  # another worker thought so
        return 1.0

    work(study, objective(SPACE, evaluate, **TASK), trials=3)
    assert states(study) == {"COMPLETE": 3, "FAIL": 1} and len(met) == 4
    assert lost(study.trials[0]) and study.trials[0].values is None


def test_what_fails_twice_with_its_worker_does_not_stop_the_study():
    study = memory()
    for _ in range(2):
        first = survey(study.get_trials(), 2)
        if first.absent:
            study.add_trial(optuna.trial.create_trial(state=TrialState.WAITING, system_attrs=first.absent[0]))
        taken = _take(study, survey(study.get_trials(), 2).open)
        _lose(study, taken._trial_id, DIED)
    work(study, objective(SPACE, macs, **TASK), trials=2)
    assert states(study) == {"FAIL": 2, "COMPLETE": 1}


def test_an_interrupted_worker_gives_its_trial_back_at_once():
    study = memory()

    def interrupt(architecture, trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(study, objective(SPACE, interrupt, **TASK), trials=3)
    assert states(study) == {"FAIL": 1} and study.trials[0].user_attrs["reason"] == "its worker was stopped"
    work(study, objective(SPACE, macs, **TASK), trials=3, stale_after=3600)
    assert states(study) == {"FAIL": 1, "COMPLETE": 3}
    assert study.trials[1].params == study.trials[0].params


@pytest.mark.parametrize("spoilt", [RuntimeError("out of memory"), float("nan")], ids=["raises", "nan"])
def test_a_trial_that_fails_counts_and_says_why(spoilt):
    def evaluate(architecture, trial):
        if trial.number == 1 and isinstance(spoilt, Exception):
            raise spoilt
        return spoilt if trial.number == 1 else 0.0

    study = memory()
    work(study, objective(SPACE, evaluate, **TASK), trials=4)
    assert states(study) == {"COMPLETE": 3, "FAIL": 1} and not lost(study.trials[1])
    assert ("out of memory" if isinstance(spoilt, Exception) else "nan") in study.trials[1].user_attrs["reason"]


def test_an_objective_of_ones_own_may_fail_without_a_reason():
    def run(trial):
        raise ModelError("No such network. Choose another.")

    study = memory()
    work(study, run, trials=1)
    assert study.trials[0].user_attrs["reason"] == "No such network. Choose another." and LOST not in study.trials[0].system_attrs


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_worker_cannot_be_dead_at_once(seconds):
    with pytest.raises(SearchError, match="expected more than 0"):
        work(memory(), macs, trials=1, stale_after=seconds)
