"""Latency as something to search for: measured through the exported file, against a fixed network."""

import optuna
import pytest

from projectkit.errors import ArtifactError, ModelError
from projectkit.measure import device
from projectkit.nas import Architecture, Block, Space, latency_ratio, objective, search, write_reference
from projectkit.nas.evaluation import evaluation
from projectkit.nas.latency import REFERENCE
from projectkit.nas.settings import SearchSettings
from projectkit.types import Artifact, Recipe

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = Space(depth=(1, 2), filters=(4, 64), kernel=(3,), stride=(1,), depthwise=(False,), activation=("relu",), skip=(False,))


@pytest.fixture(scope="module")
def images(digits):
    return digits.val.x[:64]


@pytest.fixture(scope="module")
def reference(images, tmp_path_factory):
    return write_reference(tmp_path_factory.mktemp("reference") / "reference.tflite", images, 10)


def test_more_work_is_more_time_and_the_reference_is_its_own_measure(reference, images):
    small, same, large = (
        latency_ratio(architecture, reference, images, 10, budget=0.2)
        for architecture in (Architecture((Block(4, kernel=1),)), REFERENCE, Architecture((Block(64), Block(64))))
    )
    assert small.high < same.low and same.high < large.low  # intervals apart: 296, 167 488 and 2 396 800 multiply-accumulates
    assert same.value == pytest.approx(1.0, abs=0.25)
    assert all(ratio.metric == "latency_ratio" and ratio.n >= 3 for ratio in (small, same, large))


def test_the_reference_is_the_same_network_everywhere():
    """Ratios measured against another one cannot be compared."""
    assert REFERENCE.digest == "11f575f081815234"


def test_without_a_reference_there_is_nothing_to_measure_against(images, tmp_path):
    with pytest.raises(ArtifactError, match="cannot be read"):
        latency_ratio(REFERENCE, Artifact.of(tmp_path / "absent.tflite"), images, 10)


@pytest.mark.parametrize("strategy", ["nsga2", pytest.param("tpe", marks=pytest.mark.proof)])
def test_accuracy_and_latency_and_cost_at_once(strategy, digits, tmp_path):
    objectives = ("accuracy", "latency", "macs")
    settings = SearchSettings("both", SPACE, recipe=Recipe(epochs=1), objectives=objectives, strategy=strategy, trials=2)
    study = optuna.create_study(sampler=settings.sampler(), directions=settings.directions)
    search(study, objective(SPACE, evaluation(settings, digits, tmp_path), shape=digits.shape, classes=10), trials=2)
    for trial in study.trials:
        accuracy, latency, macs = trial.values
        assert 0 <= accuracy <= 1 and macs == trial.user_attrs["macs"]
        if "same_as" in trial.user_attrs:
            continue
        about = trial.user_attrs["latency_ratio"]
        assert about["low"] <= latency == about["value"] <= about["high"] and about["n"] >= 3
        assert trial.user_attrs["device"] == device() and trial.user_attrs["epochs"] == 1
    assert study.best_trials


def test_a_strategy_for_one_objective_is_refused_before_anything_is_done():
    with pytest.raises(ModelError, match=r"3 objectives.*Use nsga2"):
        SearchSettings("both", SPACE, objectives=("accuracy", "latency", "macs"), strategy="evolution")
