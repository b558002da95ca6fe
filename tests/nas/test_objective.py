"""What is written beside a trial, and that no trial takes the study down."""

import math
import re

import optuna
import pytest
from optuna.trial import TrialState

from projectkit.errors import ModelError, SearchError
from projectkit.nas import SAMPLERS, Space, cost, different, evaluated, objective, parse, repair, search
from projectkit.nas.history import MOST_REPEATS

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = Space(depth=(1, 2, 3), filters=(4, 8, 16), kernel=(3, 5), stride=(1, 2))
TASK = {"shape": (2, 2, 1), "classes": 3}


def error_of(architecture, trial):
    """A loss in closed form: the more work, the better, up to a point."""
    return abs(math.log10(cost(architecture, *TASK.values()).macs) - 3)


def ran(evaluate=error_of, *, trials=40, sampler="evolution", directions=("minimize",), **limits):
    study = optuna.create_study(sampler=SAMPLERS[sampler](SPACE.genes(), seed=0), directions=directions)
    search(study, objective(SPACE, evaluate, **TASK, **limits), trials=trials)
    return study


def test_a_trial_says_what_it_was():
    for trial in ran().trials:
        architecture = parse(trial.user_attrs["architecture"])
        sampled = SPACE.sample(optuna.trial.FixedTrial(trial.params))
        price = cost(sampled, *TASK.values())
        assert (architecture, tuple(trial.user_attrs["repairs"])) == repair(sampled, TASK["shape"])
        assert (trial.user_attrs["parameters"], trial.user_attrs["macs"]) == (price.parameters, price.macs)
        assert trial.user_attrs["digest"] == architecture.digest
    assert any(trial.user_attrs["repairs"] for trial in ran().trials)


def test_an_architecture_is_evaluated_once():
    calls = []

    def evaluate(architecture, trial):
        calls.append(architecture)
        return error_of(architecture, trial)

    study = ran(evaluate)
    again = [trial for trial in study.trials if "same_as" in trial.user_attrs]
    assert len(set(calls)) == len(calls) == 40 < len(study.trials) == 40 + len(again)
    assert [trial.user_attrs["digest"] for trial in different(study)] == [architecture.digest for architecture in calls]
    for trial in again:
        first = study.trials[trial.user_attrs["same_as"]]
        assert first.value == trial.value and first.user_attrs["digest"] == trial.user_attrs["digest"]
    assert evaluated(study, calls[-1]).user_attrs["digest"] == calls[-1].digest


@pytest.mark.parametrize("limits", [{"most_parameters": 300}, {"most_macs": 700}])
def test_what_is_too_large_is_refused_with_the_reason_and_not_evaluated(limits):
    ((limit, most),) = limits.items()
    name = limit.removeprefix("most_")
    study = ran(**limits)
    states = {trial.state for trial in study.trials}
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in study.trials:
        too_large = trial.user_attrs[name] > most
        assert (trial.state == TrialState.PRUNED) == too_large
        assert ("reason" in trial.user_attrs) == too_large
        if too_large:
            assert trial.user_attrs["reason"] == f"{trial.user_attrs[name]:,} {name}, of at most {most:,}"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_repeat_costs_nothing_whatever_the_strategy(sampler):
    """A budget of 12 architectures is 12 evaluations; a space of 6 ends the search, however many were asked for."""
    calls = []

    def evaluate(architecture, trial):
        calls.append(architecture.digest)
        return error_of(architecture, trial)

    study = ran(evaluate, trials=12, sampler=sampler)
    assert len(calls) == len(set(calls)) == len(different(study)) == 12
    calls.clear()
    small = Space(
        depth=(1,), filters=(4, 8, 16), kernel=(3,), stride=(1, 2), depthwise=(False,), activation=("relu",), skip=(False,)
    )
    study = optuna.create_study(sampler=SAMPLERS[sampler](small.genes(), seed=0))
    search(study, objective(small, evaluate, **TASK), trials=100)
    assert len(calls) == len(set(calls)) <= 6 and len(study.trials) <= 6 * MOST_REPEATS


def test_a_training_that_was_stopped_early_is_not_begun_again():
    calls = []

    def give_up_on_even(architecture, trial):
        calls.append(architecture.digest)
        if int(architecture.digest, 16) % 2 == 0:
            raise optuna.TrialPruned
        return error_of(architecture, trial)

    study = ran(give_up_on_even)
    again = [trial for trial in study.trials if "same_as" in trial.user_attrs]
    assert len(calls) == len(set(calls)) and {trial.state for trial in again} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert all(study.trials[trial.user_attrs["same_as"]].state == trial.state for trial in again)


def test_a_search_without_trials_is_refused():
    with pytest.raises(SearchError, match="at least 1"):
        ran(trials=0)


def every_third(result):
    def evaluate(architecture, trial):
        return result(architecture) if trial.number % 3 == 0 else error_of(architecture, trial)

    return evaluate


def crash(architecture):
    raise RuntimeError("out of memory")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (crash, "RuntimeError: out of memory"),
        (lambda _: math.nan, r"returned nan; expected 1 finite number"),
        (lambda _: math.inf, "returned inf"),
        (lambda _: None, "returned None"),
        (lambda _: "good", "returned 'good'"),
        (lambda _: (0.1, 0.2), r"returned \(0.1, 0.2\); expected 1"),
        (lambda _: [], r"returned \[\]"),
    ],
    ids=["raises", "nan", "infinity", "nothing", "text", "two", "none"],
)
@pytest.mark.parametrize("sampler", ["evolution", "annealing"])
def test_a_trial_that_fails_says_why_and_the_search_goes_on(result, words, sampler):
    study = ran(every_third(result), trials=18, sampler=sampler)
    assert len(different(study)) == 18
    failed = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    assert failed and study.best_trial
    for trial in failed:
        assert trial.number % 3 == 0
        assert re.search(words, trial.user_attrs["reason"])


def test_without_search_the_error_says_what_to_do():
    study = optuna.create_study(sampler=SAMPLERS["random"](SPACE.genes(), seed=0))
    with pytest.raises(ModelError, match=r"Trial 0 failed: RuntimeError: out of memory.*`reason`") as caught:
        study.optimize(objective(SPACE, lambda a, t: crash(a), **TASK), n_trials=1)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_interrupt_is_no_failure_of_the_architecture():
    def interrupt(architecture, trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ran(interrupt, trials=1)


def test_an_evaluation_that_gives_up_early_stays_pruned():
    def give_up(architecture, trial):
        raise optuna.TrialPruned

    assert {trial.state for trial in ran(give_up, trials=3).trials} == {TrialState.PRUNED}


def test_several_objectives():
    def both(architecture, trial):
        return error_of(architecture, trial), trial.user_attrs["parameters"]

    study = ran(both, sampler="nsga2", directions=("minimize", "minimize"))
    assert all(trial.state == TrialState.COMPLETE and trial.values[1] == trial.user_attrs["parameters"] for trial in study.trials)
    assert any("same_as" in trial.user_attrs for trial in study.trials)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_strategy_searches_architectures(sampler):
    study = ran(trials=15, sampler=sampler)
    assert len(different(study)) == 15 and all(trial.state == TrialState.COMPLETE for trial in study.trials)
