"""What every search strategy promises. A new member of SAMPLERS is held to it by being there; so is a student's own."""

import collections
import functools
import math
import subprocess
import sys
import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from projectkit.errors import ModelError
from projectkit.nas import SAMPLERS
from projectkit.nas.genes import mutate, uniform
from projectkit.nas.sampler import Proposal, StrategySampler

optuna.logging.set_verbosity(optuna.logging.ERROR)


def of_a_student(space=None, *, seed):
    """A student's own: a neighbour of the best."""

    def propose(genes, known, rng):
        if len(known.seen) < 5:
            return Proposal(uniform(genes, rng))
        best = min(known.seen, key=lambda trial: trial.score)
        return Proposal(mutate(genes, best.values, best.active, rng))

    return StrategySampler(propose, space, seed=seed)


MEMBERS = SAMPLERS | {"a student's own": of_a_student}
LEARN_NOTHING = {"random", "grid"}  # the others are measured against the first; a grid's luck depends on where its cells lie
SEVERAL_OBJECTIVES = {"random", "grid", "tpe", "nsga2"}
BOWL = {"x": FloatDistribution(-5, 5), "y": FloatDistribution(1e-3, 10, log=True), "n": IntDistribution(0, 20)}
MIXED = {  # every kind of parameter; what follows `kind` is asked for in one branch only
    "kind": CategoricalDistribution(("conv", "pool", None)),
    "size": IntDistribution(1, 64, log=True),
    "rate": FloatDistribution(0.0, 0.5, step=0.1),
    "width": CategoricalDistribution((64, 8, 16, 32)),
    "same": CategoricalDistribution((True,)),
    "conv_kernel": IntDistribution(1, 7, step=2),
    "pool_share": FloatDistribution(0.0, 1.0),
}


def bowl(trial):
    x, y, n = trial.suggest_float("x", -5, 5), trial.suggest_float("y", 1e-3, 10, log=True), trial.suggest_int("n", 0, 20)
    return ((x - 1) / 5) ** 2 + ((math.log10(y) + 1) / 2) ** 2 + ((n - 13) / 10) ** 2


def mixed(trial):
    kind = trial.suggest_categorical("kind", ("conv", "pool", None))
    trial.suggest_categorical("same", (True,))
    size, rate = trial.suggest_int("size", 1, 64, log=True), trial.suggest_float("rate", 0.0, 0.5, step=0.1)
    loss = abs(math.log2(size) - 3) / 3 + rate + trial.suggest_categorical("width", (64, 8, 16, 32)) / 64
    if kind == "conv":
        return loss + abs(trial.suggest_int("conv_kernel", 1, 7, step=2) - 5) / 4
    return loss + (abs(trial.suggest_float("pool_share", 0.0, 1.0) - 0.8) + 0.5 if kind == "pool" else 1.0)


def study_of(member, space=None, *, seed=0, **options):
    return optuna.create_study(sampler=MEMBERS[member](space, seed=seed), **options)


def run(member, objective, space, trials, *, seed=0, **options):
    study = study_of(member, space, seed=seed, **options)
    study.optimize(objective, n_trials=trials)
    return study


def asked(study):
    return [trial.params for trial in study.trials]


@functools.cache
def mixed_study(member):
    return run(member, mixed, MIXED, 20)


@pytest.mark.parametrize("member", MEMBERS)
def test_the_seed_decides(member):
    assert asked(run(member, mixed, MIXED, 20)) == asked(mixed_study(member))
    assert asked(run(member, mixed, MIXED, 5, seed=1)) != asked(mixed_study(member))[:5]


@pytest.mark.parametrize("member", MEMBERS)
def test_values_are_inside_the_space_and_conditional_ones_only_in_their_branch(member):
    kinds = set()
    for trial in mixed_study(member).trials:
        kinds.add(trial.params["kind"])
        branch = {"conv": {"conv_kernel"}, "pool": {"pool_share"}, None: set()}[trial.params["kind"]]
        assert set(trial.params) == {"kind", "size", "rate", "width", "same"} | branch
        assert trial.state == TrialState.COMPLETE
        assert trial.params["width"] in (8, 16, 32, 64)
        assert isinstance(trial.params["size"], int) and 1 <= trial.params["size"] <= 64
        assert round(trial.params["rate"] * 10, 9) in range(6)
        assert trial.params.get("conv_kernel", 1) in (1, 3, 5, 7)
        assert 0 <= trial.params.get("pool_share", 0.0) <= 1
    assert kinds == {"conv", "pool", None}


@pytest.mark.parametrize("member", MEMBERS)
def test_what_is_proposed_depends_on_the_direction_only_by_its_sign(member):
    upwards = run(member, lambda trial: -mixed(trial), MIXED, 20, direction="maximize")
    assert asked(upwards) == asked(mixed_study(member))


@functools.cache
def mean_best(member, trials):
    return np.mean([run(member, bowl, BOWL, trials, seed=seed).best_value for seed in range(20)])


@pytest.mark.parametrize("member", [name for name in MEMBERS if name not in LEARN_NOTHING])
def test_finds_the_bottom_of_a_bowl_better_than_random_in_the_mean_of_20_seeds(member):
    trials = 16 if member == "gp" else 40  # each of its proposals fits a process; 6 after its random start must be enough
    assert mean_best(member, trials) < 0.8 * mean_best("random", trials)


def journal(path):
    return JournalStorage(JournalFileBackend(str(path)))


GO_ON = """
import sys, optuna
sys.path.insert(0, sys.argv[2])
from test_samplers import MEMBERS, MIXED, journal, mixed
storage = journal(sys.argv[1])
for member in MEMBERS:
    study = optuna.load_study(study_name=member, storage=storage, sampler=MEMBERS[member](MIXED, seed=0))
    study.optimize(mixed, n_trials=7)
"""


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """All members' studies in one file: 7 trials here, 7 more in another process."""
    path = tmp_path_factory.mktemp("studies") / "journal.log"
    storage = journal(path)
    for member in MEMBERS:
        run(member, mixed, MIXED, 7, storage=storage, study_name=member)
    subprocess.run([sys.executable, "-c", GO_ON, str(path), __file__.rpartition("/")[0]], check=True, capture_output=True)
    return journal(path)


@pytest.mark.parametrize("member", MEMBERS)
def test_another_process_goes_on_as_if_the_first_had_never_stopped(member, resumed):
    study = optuna.load_study(study_name=member, storage=resumed)
    assert [trial.number for trial in study.trials] == list(range(14))
    assert asked(study) == asked(mixed_study(member))[:14]


@pytest.mark.parametrize("member", MEMBERS)
def test_workers_with_one_seed_share_a_study_and_do_not_repeat_each_other(member):
    """Two that always ask before the other has told, and a third that was killed while it asked."""
    storage = optuna.storages.InMemoryStorage()
    first = study_of(member, BOWL, storage=storage, study_name="shared")
    second = optuna.load_study(study_name="shared", storage=storage, sampler=MEMBERS[member](BOWL, seed=0))
    first.ask().suggest_float("x", -5, 5)
    for _ in range(8):
        trials = [worker.ask() for worker in (first, second)]
        for worker, trial, value in zip((first, second), trials, [bowl(trial) for trial in trials], strict=True):
            worker.tell(trial, value)
    assert [trial.number for trial in first.trials] == list(range(17))
    assert [trial.state for trial in first.trials] == [TrialState.RUNNING] + 16 * [TrialState.COMPLETE]
    assert len({tuple(sorted(params.items())) for params in asked(first)}) == 17


@pytest.mark.parametrize("member", MEMBERS)
def test_trials_that_fail_or_are_refused_leave_the_study_intact(member):
    def spoilt(trial):
        value = mixed(trial)
        if trial.number % 4 == 1:
            raise ModelError("no such network")
        if trial.number % 4 == 2:
            raise optuna.TrialPruned("too large")
        return math.nan if trial.number % 4 == 3 else value

    study = study_of(member, MIXED)
    study.optimize(spoilt, n_trials=40, catch=(ModelError,))
    states = collections.Counter(trial.state for trial in study.trials)
    assert states == {TrialState.COMPLETE: 10, TrialState.FAIL: 20, TrialState.PRUNED: 10}


@pytest.mark.parametrize("member", MEMBERS)
def test_trials_that_were_asked_for_by_hand_are_taken_up(member):
    study = study_of(member, BOWL)
    best = {"x": 1.0, "y": 0.1, "n": 13}
    study.enqueue_trial(best)
    study.enqueue_trial({"x": -4.0})
    study.optimize(bowl, n_trials=20)
    assert study.trials[0].params == best and study.best_trial.number == 0
    assert study.trials[1].params["x"] == -4.0


@pytest.mark.parametrize("member", [name for name in MEMBERS if name != "grid"])
def test_without_a_space_it_is_found_in_the_trials(member):
    study = run(member, mixed, None, 20)
    assert len(study.trials) == 20 and all(trial.state == TrialState.COMPLETE for trial in study.trials)
    assert len({tuple(params.items()) for params in asked(study)}) > 10


@pytest.mark.parametrize("member", MEMBERS)
def test_several_objectives_are_served_or_refused_with_the_way_out(member):
    study = study_of(member, BOWL, directions=["minimize", "maximize"])
    if member in SEVERAL_OBJECTIVES:
        study.optimize(lambda trial: (bowl(trial), trial.params["x"]), n_trials=25)
        assert len(study.trials) == 25 and study.best_trials
    else:
        with pytest.raises(ModelError, match=r"2 objectives.*Use nsga2"):
            study.optimize(lambda trial: (bowl(trial), 0.0), n_trials=1)


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize(
    ("space", "seed", "words"),
    [
        ({}, 0, "search space is empty"),
        ({"same": CategoricalDistribution((1,))}, 0, "more than one value"),
        ([3, 5], 0, r"search space of list.*Give space\.genes"),
        ({"x": (0, 1)}, 0, "expected a dict of Optuna's distributions"),
        (BOWL, -1, "seed is -1"),
        (BOWL, None, "Give seed=0"),
    ],
    ids=["empty", "nothing to choose", "list", "tuples", "negative seed", "no seed"],
)
def test_bad_input_is_refused_at_once(member, space, seed, words):
    with pytest.raises(ModelError, match=words):
        MEMBERS[member](space, seed=seed)


@pytest.mark.parametrize("member", MEMBERS)
def test_no_warning_reaches_the_student(member):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        study = run(member, mixed, MIXED, 14)
    assert len(study.trials) == 14 and [str(warning.message) for warning in caught] == []
