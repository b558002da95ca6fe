"""Hardware in the loop: latency and memory measured on a device, here or at an agent, under a budget of memory."""

import optuna
import pytest
from typer.testing import CliRunner

pytest.importorskip("distributed", reason="Dask is not installed (the extra `device`)")
from device_farm import agents, farm
from projectkit.cli import app
from projectkit.devices import KNOWN, Here
from projectkit.errors import DeviceError, SearchError
from projectkit.nas import Architecture, Block, Space, measure_architecture, note_measured, objective, search, write_reference
from projectkit.nas.evaluation import evaluation
from projectkit.nas.report import front, line, shown
from projectkit.nas.settings import SearchSettings, read_settings
from projectkit.types import Measurement, Profile, Recipe

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = Space(depth=(1,), filters=(4, 8), kernel=(3,), stride=(2,), depthwise=(False,), activation=("relu",), skip=(False,))
OBJECTIVES = ("accuracy", "latency", "memory")
FILE = """
objectives = ["accuracy", "latency", "memory"]
strategy = "nsga2"
trials = 1
device = "{device}"
most_memory = 1_000_000_000
[space]
depth = [1]
filters = [4, 8]
[recipe]
epochs = 1
"""


@pytest.fixture(scope="module")
def reference(digits, tmp_path_factory):
    return write_reference(tmp_path_factory.mktemp("reference") / "reference.tflite", digits.val.x[:64], 10)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with farm(tmp_path_factory.mktemp("farm"), secure=False) as made, agents(made, "board", labels=()):
        yield made


def test_memory_and_latency_are_measured_for_every_network(digits, tmp_path):
    limit = 10**9
    settings = SearchSettings("both", SPACE, recipe=Recipe(epochs=1), objectives=OBJECTIVES, strategy="nsga2", most_memory=limit)
    study = optuna.create_study(sampler=settings.sampler(), directions=settings.directions)
    run = objective(SPACE, evaluation(settings, digits, tmp_path), shape=digits.shape, classes=10)
    search(study, run, trials=1)
    study.enqueue_trial(study.trials[0].params)
    study.optimize(run, n_trials=1)
    first, again = study.trials
    accuracy, latency, memory = first.values
    assert 0 <= accuracy <= 1 and first.constraints == {"memory": memory - limit}
    assert first.user_attrs["peak_memory"]["value"] == memory > 0
    assert first.user_attrs["latency_ratio"]["value"] == latency > 0 and first.user_attrs["device"]
    assert again.user_attrs["same_as"] == 0 and again.values == first.values and again.constraints == first.constraints
    assert front(study) == [first] and shown("memory", memory) in line(first, OBJECTIVES)


def test_beyond_the_budget_nothing_is_best(reference):
    study = optuna.create_study(directions=["maximize", "minimize", "minimize"])
    ratio, memory = Measurement("latency_ratio", 0.5, 0.4, 0.6, 50), Measurement("peak_memory", 2e6, 1e6, 3e6, 3)
    profile = Profile(reference, "a board", {value.metric: value for value in (ratio, memory)})
    for limit, wanted in ((10**6, []), (2 * 10**6, [1])):
        trial = study.ask()
        known = note_measured(trial, profile, most_memory=limit)
        assert known == {"latency": 0.5, "memory": 2e6} and trial.user_attrs["peak_memory"]["high"] == 3e6
        study.tell(trial, [0.9, known["latency"], known["memory"]])
        assert [one.number for one in front(study)] == wanted
    assert "memory 2.00 MB" in line(study.trials[1], OBJECTIVES)
    assert "beyond the limit of memory" in line(study.trials[0], OBJECTIVES)


def test_an_agent_measures_what_the_searching_machine_builds(running, reference, digits):
    device, images = running.device("board"), digits.val.x[:64]
    small, large = (
        measure_architecture(Architecture(blocks), device, reference, images, 10, budget=0.1)
        for blocks in ((Block(4, kernel=1),), (Block(64), Block(64)))
    )
    assert small.device.startswith("board: ") and "accuracy" in small.missing
    assert small.values["latency_ratio"].high < large.values["latency_ratio"].low
    integers = measure_architecture(Architecture((Block(64),)), Here(), reference, images, 10, precision="int8", budget=0.05)
    assert integers.values["weight_bits"].value == 8


def test_a_search_from_a_file_with_an_agent_in_the_loop(running, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "loop.toml"
    path.write_text(FILE.format(device=f"{running.scheduler}/board"))
    result = CliRunner().invoke(app, ["search", str(path)])
    assert result.exit_code == 0, result.output
    assert "1 trials: 1 complete" in result.output and "memory" in result.output and " MB" in result.output
    path.write_text(FILE.format(device=f"{running.scheduler}/absent").replace("[space]", 'study = "other"\n[space]'))
    result = CliRunner().invoke(app, ["search", str(path)])
    assert result.exit_code == 2 and "no such device is connected" in result.output


def test_a_device_that_cannot_measure_memory_says_so(reference):
    trial = optuna.create_study().ask()
    with pytest.raises(SearchError, match=r"a board: latency_ratio cannot be measured there \(no clock\)"):
        note_measured(trial, Profile(reference, "a board", {}, {"latency_ratio": "no clock"}), most_memory=1)
    assert not trial.user_attrs and not trial.constraints


def test_an_estimate_is_no_measurement(reference, digits):
    with pytest.raises(DeviceError, match="only estimated"):
        measure_architecture(Architecture((Block(4),)), KNOWN["cortex-m7"], reference, digits.val.x[:8], 10)


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("raspberry-pi-4", "only estimated"),
        ("tcp://10.0.0.1:8786", "Use tls://"),
        ("moon", "no device 'moon'"),
    ],
)
def test_devices_that_a_search_cannot_use_are_refused_in_its_file(device, reason, tmp_path):
    path = tmp_path / "search.toml"
    path.write_text(FILE.format(device=device))
    with pytest.raises(SearchError, match=reason):
        read_settings(path)


def test_a_device_without_anything_to_measure_is_refused():
    with pytest.raises(SearchError, match="would have nothing to do"):
        SearchSettings("idle", SPACE, device="here")
