"""`projectkit search`: from a TOML file to a study, alone, with others, stopped and gone on with."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tomllib

import optuna
import pytest
from typer.testing import CliRunner

from projectkit.cli import app
from projectkit.errors import SearchError
from projectkit.nas import PRUNERS, Architecture, Block, open_storage, read_study, train_and_validate
from projectkit.nas.joining import identity, join
from projectkit.nas.places import lost, survey
from projectkit.nas.settings import EXAMPLE, read_settings
from projectkit.types import Recipe

optuna.logging.set_verbosity(optuna.logging.ERROR)
TINY = """
study = "tiny"
objectives = ["accuracy"]
strategy = "random"
pruner = "none"
trials = 4
[space]
depth = [1, 2]
filters = [4, 6, 8, 10]
kernel = [3]
stride = [2]
depthwise = [false]
activation = ["relu"]
skip = [false]
[recipe]
epochs = 1
"""


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, ["search", *map(str, arguments)])


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def trials_in(path):
    return optuna.load_study(study_name="tiny", storage=open_storage(str(path))).get_trials()


def test_the_example_is_a_search(run, tmp_path):
    printed = run("--example").output
    assert printed == EXAMPLE
    path = tmp_path / "first.toml"
    path.write_text(printed)
    settings = read_settings(path)
    assert settings.study == "digits-first" and settings.space.filters == (8, 16, 32) and settings.recipe.epochs == 8
    named = tomllib.loads(EXAMPLE)
    assert set(named["space"]) == set(settings.space.__slots__)  # it shows every choice there is


def test_a_search_is_run_shown_and_written(run, tiny, tmp_path):
    result = run(tiny)
    assert result.exit_code == 0, result.output
    record = read_study(tmp_path / "tiny.study.json")
    assert [trial.state for trial in record.trials] == ["complete"] * 4
    best = max(record.trials, key=lambda trial: trial.values)
    assert f"{best.values[0]:.2%}" in result.output and f"{best.parameters:,}" in result.output
    for words in ("4 trials: 4 complete", "tiny.journal", "tiny.study.json", str(best.architecture.blocks[0].filters)):
        assert words in result.output
    # Once more, with more trials: the first four are not run again.
    tiny.write_text(TINY.replace("trials = 4", "trials = 5"))
    *told, end = run(tiny, "--worker").output.strip().splitlines()
    assert end == "The study tiny has its 5 trials." and [line.partition(":")[0] for line in told] == ["trial 4"]
    assert "5 trials: 5 complete" in run(tiny).output
    assert read_study(tmp_path / "tiny.study.json").trials[:4] == record.trials


def test_a_search_of_which_nothing_is_left_says_so(run, tiny):
    tiny.write_text(TINY.replace("trials = 4", "trials = 2\nmost_parameters = 1"))
    result = run(tiny)
    assert result.exit_code == 0 and "2 trials: 2 pruned" in result.output and "no best network" in result.output


def test_a_terminated_worker_gives_its_trial_back(tiny, tmp_path):
    storage = tmp_path / "shared.journal"
    tiny.write_text(TINY.replace("epochs = 1", "epochs = 1000"))
    command = [sys.executable, "-c", "from projectkit.cli import app; app()", "search", tiny, "--storage", storage, "--worker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        deadline = time.monotonic() + 200
        while not (storage.exists() and any(trial.intermediate_values for trial in _trials_so_far(storage))):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 128 + signal.SIGTERM
    trials = trials_in(storage)
    assert lost(trials[0]) and trials[0].user_attrs["reason"] == "its worker was stopped"
    assert trials[0].user_attrs["worker"].endswith(f"/{worker.pid}")
    assert survey(trials, 4).absent[0]["fixed_params"].items() >= trials[0].params.items()


def _trials_so_far(storage):
    try:
        return trials_in(storage)
    except (KeyError, SearchError):  # not made yet, or its first line is being written
        return []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs = 1", "epochs = 2", "recipe.epochs is 1 there, 2 here"),
        ("filters = [4, 6, 8, 10]", "filters = [4, 6]", r"space.filters is \[4, 6, 8, 10\] there, \[4, 6\] here"),
        ('strategy = "random"', 'strategy = "tpe"', "strategy is 'random' there, 'tpe' here"),
        ('objectives = ["accuracy"]', 'objectives = ["accuracy", "macs"]', "objectives is"),
        ('study = "tiny"', 'study = "tiny"\nseed = 1', "seed is 0 there, 1 here"),
    ],
)
def test_a_worker_with_another_file_is_refused(old, new, words, digits, tiny, tmp_path):
    storage = open_storage(str(tmp_path / "shared.journal"))
    study = join(read_settings(tiny), digits, storage, before_making=lambda: None)
    assert len(study.trials) == 4
    assert join(read_settings(tiny), digits, storage, before_making=pytest.fail).study_name == "tiny"
    if old.startswith("objectives"):
        new += '\npruner = "none"'
    tiny.write_text(TINY.replace('pruner = "none"\n', "").replace(old, new))
    with pytest.raises(SearchError, match=f"other settings: {words}"):
        join(read_settings(tiny), digits, storage, before_making=pytest.fail)
    assert len(study.trials) == 4


def test_other_data_under_the_same_name_is_another_study(digits, tiny):
    from dataclasses import replace

    settings = read_settings(tiny)
    assert identity(settings, digits) != identity(settings, replace(digits, digest="of others"))


def test_a_study_that_was_made_otherwise_is_not_touched(digits, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("projectkit.nas.joining.PATIENCE", 0.2)
    storage = open_storage(str(tmp_path / "shared.journal"))
    optuna.create_study(study_name="tiny", storage=storage)
    with pytest.raises(SearchError, match="`projectkit search` did not make"):
        join(read_settings(tiny), digits, storage, before_making=pytest.fail)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('strategy = "random"', 'strategy = "luck"', "no strategy 'luck'. Choose one of random, grid"),
        ('pruner = "none"', 'pruner = "shears"', "no pruner 'shears'. Choose one of none, median"),
        ("[space]", "[spaces]", "no [space]"),
        ("filters = [4, 6, 8, 10]", "filters = []", "filters is ()"),
        ("filters = [4, 6, 8, 10]", "filters = [[4]]", "expected lists"),
        ("filters = [4, 6, 8, 10]", "filters = 4", "filters is 4"),
        ("filters = [4, 6, 8, 10]", "filter = [4]", "[space] has 'filter', which is unknown"),
        ("depth = [1, 2]\nfilters = [4, 6, 8, 10]", "depth = [1]\nfilters = [4]", "search space is empty"),
        ("epochs = 1", "epoch = 1", "[recipe] has 'epoch', which is unknown. Expected are epochs"),
        ("epochs = 1", 'epochs = "one"', "[recipe] says epochs = 'one'"),
        ("trials = 4", "trials = 0", "number of trials is 0"),
        ("epochs = 1", "epochs = 0", "number of epochs is 0"),
        ("trials = 4", "trials = 4\nseed = -1", "seed is -1"),
        ("trials = 4", "trials = true", "says trials = True"),
        ("trials = 4", "trials = 4\npatience = -1", "patience is -1"),
        ("trials = 4", "trails = 4", "'trails', which is unknown"),
        ('["accuracy"]', '["speed"]', "no objective 'speed'"),
        ('["accuracy"]', '["macs"]', "expected accuracy first"),
        ('["accuracy"]', '["accuracy", "accuracy"]', "each once"),
        ('["accuracy"]', '["accuracy", ["macs"]]', "no objective ['macs']"),
        ('["accuracy"]', "[]", "expected accuracy first"),
        ('["accuracy"]\nstrategy = "random"', '["accuracy", "macs"]\nstrategy = "swarm"', "Use nsga2"),
        ('["accuracy"]\nstrategy = "random"\npruner = "none"', '["accuracy", "macs"]\npruner = "median"', "by one only"),
        ("[recipe]", "[recipe", "is not TOML"),
        ('study = "tiny"', 'dataset = "letters"', "letters"),
    ],
)
def test_a_file_that_makes_no_sense_is_a_sentence_and_no_study(old, new, words, run, tiny, tmp_path):
    tiny.write_text(TINY.replace(old, new))
    result = run(tiny)
    assert result.exit_code == 2 and words in result.output, result.output
    assert os.listdir(tmp_path) == [tiny.name]


def test_a_recipe_that_trains_nothing_makes_no_study(run, tiny, tmp_path):
    tiny.write_text(TINY.replace("epochs = 1", "learning_rate = -1.0"))
    result = run(tiny)
    assert result.exit_code == 2 and "positive learning rate" in result.output
    assert not open_storage(str(tmp_path / "tiny.journal")).get_all_studies()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--example"),
        (["absent.toml"], "cannot be read"),
        (["{tiny}", "--storage", "{folder}/absent/study.journal"], "No such file"),
        (["{tiny}", "--storage", "{tiny}"], "is not the journal of a study"),
        (["{tiny}", "--storage", "postgresql://["], "postgresql"),
        (["{tiny}", "--stale-after", "0"], "--stale-after"),
    ],
)
def test_a_wrong_call_is_a_sentence(arguments, words, run, tiny, tmp_path):
    before = tiny.read_bytes()
    result = run(*(each.format(tiny=tiny, folder=tmp_path) for each in arguments))
    assert result.exit_code == 2 and words in result.output.replace("\n", " ")
    assert tiny.read_bytes() == before and os.listdir(tmp_path) == [tiny.name]


def curve(trial, values):
    """A training in numbers: reports one value an epoch, and stops where the pruner says so."""
    for epoch, value in enumerate(values, 1):
        trial.report(value, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return values[-1]


@pytest.mark.parametrize("name", PRUNERS)
def test_a_pruner_stops_the_bad_and_lets_the_good_finish(name):
    study = optuna.create_study(study_name="curves", direction="maximize", pruner=PRUNERS[name](epochs=9))
    goals = itertools.islice(itertools.cycle((0.9, 0.5, 0.8, 0.3, 0.7, 0.1)), 60)
    for goal in goals:
        study.optimize(lambda trial, goal=goal: curve(trial, [goal * epoch / 9 for epoch in range(1, 10)]), n_trials=1)
    epochs = {trial.number: len(trial.intermediate_values) for trial in study.trials}
    best, worst = [[epochs[number] for number in range(first, 60, 6)] for first in (0, 5)]
    assert best == [9] * 10
    assert (sum(worst) == 90) if name == "none" else (sum(worst) < 70 and sum(epochs.values()) < 0.85 * 60 * 9)


def test_training_reports_each_epoch_and_is_stopped_by_the_pruner(digits):
    class Stop(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number == 1 and trial.last_step == 2

    study = optuna.create_study(direction="maximize", pruner=Stop())
    recipe = Recipe(epochs=3, batch_size=256)
    for _ in range(3):
        study.optimize(lambda trial: train_and_validate(Architecture((Block(4),)), trial, digits, recipe), n_trials=1)
    whole, stopped, again = study.trials
    assert sorted(whole.intermediate_values) == [1, 2, 3] and whole.intermediate_values[3] == whole.value
    assert stopped.intermediate_values == {step: whole.intermediate_values[step] for step in (1, 2)}
    assert stopped.user_attrs["epochs"] == 2 and "stopped after 2 of 3 epochs" in stopped.user_attrs["reason"]
    assert again.intermediate_values == whole.intermediate_values and again.user_attrs["epochs"] == 3  # the seed decides


def test_a_training_ends_when_it_gets_no_better(digits):
    recipe, architecture = Recipe(epochs=8, batch_size=256, learning_rate=0.1, schedule="constant"), Architecture((Block(4),))
    study = optuna.create_study(direction="maximize", pruner=PRUNERS["none"](epochs=8))
    for patience in (None, 1):
        study.optimize(lambda t, p=patience: train_and_validate(architecture, t, digits, recipe, patience=p), n_trials=1)
    whole, short = (list(trial.intermediate_values.values()) for trial in study.trials)
    end = next(epoch for epoch in range(1, 8) if whole[epoch] <= max(whole[:epoch])) + 1
    assert len(whole) == 8 and short == whole[:end] and end < 8
    assert study.trials[1].value == short[-1] and study.trials[1].user_attrs["epochs"] == end


def test_the_file_of_a_search_says_what_was_searched(digits, tiny, tmp_path):
    study = join(read_settings(tiny), digits, open_storage(str(tmp_path / "x.journal")), before_making=lambda: None)
    assert json.loads(json.dumps(study.user_attrs["space"]))["filters"] == [4, 6, 8, 10]
    assert study.user_attrs["settings"]["data"] == digits.digest
