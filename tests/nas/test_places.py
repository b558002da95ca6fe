"""Which trials a study still needs, and that no interleaving of workers makes them too many or too few."""

import random

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from projectkit.nas.history import MOST_REPEATS, SAME_AS
from projectkit.nas.places import DEATHS, DIED, GIVEN_BACK, IN_STEAD_OF, LOST, survey
from projectkit.nas.worker import _lose, _take, make_place

WAITING, RUNNING, COMPLETE, FAIL = TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE, TrialState.FAIL


def trial(number: int, state: TrialState, **attributes) -> FrozenTrial:
    made = create_trial(state=state, value=1.0 if state == COMPLETE else None, system_attrs=attributes)
    made.number = number
    return made


def repeat(number: int, **attributes) -> FrozenTrial:
    made = trial(number, COMPLETE, **attributes)
    made.user_attrs = {SAME_AS: 0}
    return made


def died(number: int, **attributes) -> FrozenTrial:
    return trial(number, FAIL, **{LOST: DIED}, **attributes)


def numbers(places):
    return [each.number for each in places.open]


def test_an_empty_study_needs_all_its_trials():
    assert survey([], 3).absent == ({}, {}, {}) and survey([], 3).finished == 0


def test_what_runs_is_neither_finished_nor_open_nor_absent():
    places = survey([trial(0, COMPLETE), trial(1, RUNNING), trial(2, WAITING), trial(3, FAIL)], 5)
    assert (places.finished, numbers(places), places.absent) == (2, [2], ({},))


def test_a_trial_too_many_waits_for_ever():
    assert numbers(survey([trial(0, RUNNING), trial(1, WAITING), trial(2, WAITING)], 2)) == [1]


def test_more_trials_may_be_wanted_later():
    trials = [trial(0, COMPLETE), trial(1, COMPLETE), trial(2, WAITING)]
    assert (survey(trials, 2).finished, survey(trials, 4).absent, numbers(survey(trials, 4))) == (2, ({},), [2])


def test_a_repeat_has_no_place():
    trials = [trial(0, COMPLETE), repeat(1), trial(2, COMPLETE)]
    assert (survey(trials, 2).finished, survey(trials, 3).absent) == (2, ({},))
    stood_in = [died(0), repeat(1, **{IN_STEAD_OF: 0})]
    assert (survey(stood_in, 1).finished, survey(stood_in, 1).absent) == (0, ({},))


def test_many_repeats_in_a_row_end_the_study():
    trials = [trial(0, COMPLETE), *map(repeat, range(1, MOST_REPEATS))]
    assert not survey(trials, 2).ended and survey(trials, 1).ended
    assert survey([*trials, repeat(MOST_REPEATS)], 2).ended
    assert not survey([*trials, repeat(MOST_REPEATS), trial(MOST_REPEATS + 1, COMPLETE)], 3).ended


def test_in_the_stead_of_a_lost_trial_stands_the_first_that_was_made_for_it():
    lost = died(0)
    assert survey([lost], 1).absent == ({IN_STEAD_OF: 0, "fixed_params": {}},)
    trials = [lost, trial(1, WAITING, **{IN_STEAD_OF: 0}), trial(2, WAITING, **{IN_STEAD_OF: 0})]
    assert numbers(survey(trials, 1)) == [1] and not survey(trials, 1).absent
    trials[1] = trial(1, COMPLETE, **{IN_STEAD_OF: 0})
    assert survey(trials, 1).finished == 1 and not survey(trials, 1).open


def test_what_was_proposed_for_a_lost_trial_is_tried_by_the_next():
    lost = died(0, **{"nas:values": {"depth": 2, "filters_0": 8, "filters_1": 16}})
    (attributes,) = survey([lost], 1).absent
    assert attributes["fixed_params"] == {"depth": 2, "filters_0": 8, "filters_1": 16}


def test_a_trial_that_nobody_survives_is_finished_in_the_end():
    trials = [died(0)]
    for number in range(1, DEATHS):
        assert survey(trials, 1).finished == 0
        trials.append(died(number, **{IN_STEAD_OF: number - 1}))
    assert survey(trials, 1).finished == 1 and not survey(trials, 1).absent


def test_a_trial_may_be_given_back_as_often_as_one_likes():
    trials = [trial(0, FAIL, **{LOST: GIVEN_BACK})]
    for number in range(1, 6):
        assert survey(trials, 1).absent[0][IN_STEAD_OF] == number - 1
        trials.append(trial(number, FAIL, **{LOST: GIVEN_BACK, IN_STEAD_OF: number - 1}))


def test_a_trial_that_finished_while_it_was_taken_for_dead_is_finished():
    assert survey([trial(0, COMPLETE, **{LOST: DIED})], 1).finished == 1


@pytest.mark.parametrize("seed", range(40))
def test_whatever_workers_do_at_the_same_moment_n_trials_are_evaluated(seed):
    """Workers take one step at a time in random order, on what they saw at their last step; some die, some are only taken for
    dead and come back."""
    luck, wanted = random.Random(seed), 5
    study = optuna.create_study()
    evaluated, workers, deaths = [], [{} for _ in range(4)], 0
    for step in range(2000):
        worker = luck.choice(workers)
        if (taken := worker.pop("taken", None)) is not None:
            fate = luck.random()
            if fate < 0.3 and deaths < 3 and taken._trial_id not in {lost for lost, _ in evaluated}:
                deaths += 1
                _lose(study, taken._trial_id, DIED)
                worker["zombie"] = taken
            elif fate > 0.8:
                study._storage.set_trial_user_attr(taken._trial_id, SAME_AS, 0)
                study.tell(taken.number, 1.0, skip_if_finished=True)
            else:
                study.tell(taken.number, 1.0, skip_if_finished=True)
                evaluated.append((taken._trial_id, step))
        elif (zombie := worker.pop("zombie", None)) is not None:
            assert study.tell(zombie.number, 1.0, skip_if_finished=True).state == FAIL  # too late: nobody counts it
        elif (seen := worker.pop("seen", None)) is None:
            worker["seen"] = survey(study.get_trials(deepcopy=False), wanted)
        elif seen.finished < wanted:
            if (taken := _take(study, seen.open)) is not None:
                worker["taken"] = taken
            elif seen.absent:
                make_place(study, seen.absent[0])
        if survey(study.get_trials(deepcopy=False), wanted).finished == wanted and not any("taken" in w for w in workers):
            break
    every = study.get_trials()
    trials = [each for each in every if SAME_AS not in each.user_attrs]
    unrepeated = [t for t in trials if t.state == FAIL and not any(o.system_attrs.get(IN_STEAD_OF) == t.number for o in every)]
    assert sum(each.state == COMPLETE for each in trials) + len(unrepeated) == wanted
    assert all(IN_STEAD_OF in each.system_attrs for each in unrepeated)  # given up only after a second death
    assert len(evaluated) == len({trial_id for trial_id, _ in evaluated}) == sum(each.state == COMPLETE for each in trials)
    assert sum(each.state == FAIL for each in trials) == deaths
    assert not any(each.state == RUNNING for each in trials)
