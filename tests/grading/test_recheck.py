"""Trials that are trained again: which, what agrees with them, and that whatever goes wrong costs nobody a point."""

import dataclasses
import json
import subprocess
from dataclasses import asdict

import numpy as np
import pytest

from grading.engine import Options, grade
from grading.measuring import recheck as room
from grading.measuring.recheck import DRAWN, MOST_MACS, SEEDS, TOLERANCE, TRAININGS, draw, judge, recheck
from grading.points.explain import explain
from grading.points.flags import flags
from grading.points.study import counts, eligible, rechecked
from grading.rubrics.loading import load_rubric
from grading.types import CONTRADICTED, FAILED, HELD, ClaimFinding, Recheck
from models_by_hand import linear_onnx, saved
from projectkit import nas
from projectkit.submit import pack
from projectkit.submit.study import check_study
from projectkit.types import Study, Trial
from rubrics_by_hand import rubric

LAB, SHAPE, CLASSES = "l06_nas", (8, 8, 1), 10
SPACE = nas.Space(
    depth=(1, 2), filters=(8, 16), kernel=(3,), stride=(1, 2), depthwise=(False,), activation=("relu",), skip=(False,)
)
ARCHITECTURES = list(SPACE.architectures())
CHECKS = [
    {"id": claim, "slot": "best", "metric": "study", "claim": claim, "floor": floor, "target": target}
    for claim, floor, target in (("trials", 2, 6), ("consistent", 0.8, 1.0), ("best", 0.0, 1.0), ("accuracy", 0.0, 1.0))
]
RUBRIC = rubric(LAB, "A small search", CHECKS, budget=0.02)
FINDINGS = {claim: ClaimFinding(1.0, claim) for claim in ("trials", "consistent", "best", "accuracy")}


def row(number, architecture, accuracy):
    stated = {
        "architecture": asdict(architecture),
        "digest": architecture.digest,
        **asdict(nas.cost(architecture, SHAPE, CLASSES)),
    }
    return {"number": number, "state": "complete", "values": [accuracy]} | stated


def study_of(*accuracies) -> dict:
    rows = [row(number, ARCHITECTURES[number], accuracy) for number, accuracy in enumerate(accuracies)]
    return json.loads(json.dumps({"format": 1, "direction": ["maximize"], "trials": rows}))


def read(study) -> Study:
    return check_study(json.dumps(study).encode())


def answered(trials, *curves):
    own = [counts(trial.blocks, SHAPE, CLASSES) for trial in trials]
    return [{"parameters": one.parameters, "macs": one.macs, "curves": curve} for one, curve in zip(own, curves, strict=True)]


CURVE = [[0.3, 0.6, 0.80, 0.85, 0.9, 0.91, 0.92, 0.93, 0.93, 0.94, 0.94, 0.94]] * len(SEEDS)  # a quarter of it: 80 %


@pytest.mark.parametrize(
    ("stated", "status"),
    [
        (0.94, HELD),
        (0.80, HELD),  # trained for a quarter as long
        (0.80 - TOLERANCE + 0.001, HELD),
        (0.80 - TOLERANCE - 0.001, CONTRADICTED),
        (min(1.0, 0.94 + TOLERANCE), HELD),
        (0.30, CONTRADICTED),
    ],
)
def test_an_accuracy_agrees_with_any_training_from_a_quarter_on(stated, status):
    trials = read(study_of(stated)).trials
    found = judge(trials, answered(trials, CURVE), SHAPE, CLASSES)
    assert found.status == status and f"trial 0 states {100 * stated:.1f} %" in found.sentence


def test_one_wrong_trial_of_two_is_enough():
    trials = read(study_of(0.9, 0.2)).trials
    found = judge(trials, answered(trials, CURVE, CURVE), SHAPE, CLASSES)
    assert found.status == CONTRADICTED and "trial 0 states" in found.sentence and "trial 1 states" in found.sentence


def test_a_network_that_is_built_otherwise_is_our_own_mistake():
    trials = read(study_of(0.9)).trials
    wrong = [one | {"parameters": one["parameters"] + 1} for one in answered(trials, CURVE)]
    assert judge(trials, wrong, SHAPE, CLASSES).status == FAILED


def test_a_contradiction_takes_what_rests_on_the_others_and_nothing_else():
    after = rechecked(FINDINGS, Recheck(CONTRADICTED, "trial 3 states 99.0 %"))
    assert {claim: one.value for claim, one in after.items()} == {"trials": 0, "consistent": 1, "best": 0, "accuracy": 1}
    assert "trial 3 states 99.0 %" in after["best"].sentence
    for status in (HELD, FAILED):
        assert rechecked(FINDINGS, Recheck(status, "")) == FINDINGS


def test_the_draw_follows_from_the_key_and_is_spread():
    trials = read(study_of(*[0.9] * 8)).trials
    drawn = {key: tuple(trial.number for trial in draw(trials, str(key))) for key in range(60)}
    assert all(len(set(numbers)) == DRAWN for numbers in drawn.values())
    assert {number for numbers in drawn.values() for number in numbers} == set(range(8))
    assert draw(trials, "a") == draw(trials[::-1], "a"), "the order of the trials chooses nothing"
    assert draw((*trials, *trials), "a") == draw(trials, "a"), "nor does stating one twice"
    assert len(draw(trials[:1], "a")) == 1


@pytest.fixture
def quick(tmp_path):
    return load_rubric(LAB, "quick", saved(tmp_path / "rubrics", f"{LAB}.toml", RUBRIC.encode()).parent)


def failing(*_, **__):
    raise AssertionError("nothing should have been trained")


def test_what_cannot_be_compared_is_told_and_not_trained(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_train", failing)
    wide = nas.Architecture((nas.Block(1024), nas.Block(1024)))
    assert nas.cost(wide, SHAPE, CLASSES).macs > MOST_MACS
    huge = study_of(0.9) | {"trials": [json.loads(json.dumps(row(0, wide, 0.9)))]}
    least = study_of(0.9) | {"direction": ["minimize"]}
    for study, says in ((huge, "small enough"), (least, "no accuracy"), (study_of() | {"trials": []}, "small enough")):
        found = recheck(read(study), quick, {}, SHAPE, CLASSES, "key", tmp_path)
        assert found.status == FAILED and says in found.sentence


@pytest.mark.parametrize(
    "ends",
    [
        lambda *_, **__: subprocess.CompletedProcess([], 1, "", "Traceback\nModuleNotFoundError: No module named 'tensorflow'"),
        lambda *_, **__: subprocess.CompletedProcess([], 0, "[", ""),
        lambda *_, **__: subprocess.CompletedProcess([], 0, "[]", ""),
        lambda *_, **__: subprocess.CompletedProcess([], 0, '[{"parameters": 1}, {}]', ""),
        lambda *_, **__: (_ for _ in ()).throw(subprocess.TimeoutExpired("training", 300)),
        lambda *_, **__: (_ for _ in ()).throw(OSError("no more processes")),
    ],
    ids=["no TensorFlow", "no JSON", "nothing", "half", "too long", "no process"],
)
def test_a_training_that_fails_is_told(quick, tmp_path, monkeypatch, ends):
    monkeypatch.setattr(room.subprocess, "run", ends)
    found = recheck(read(study_of(0.9, 0.8, 0.7)), quick, {}, SHAPE, CLASSES, "key", tmp_path)
    assert found.status == FAILED and len(found.sentence) < 300


def test_a_run_that_is_continued_trains_nothing_twice(quick, tmp_path, monkeypatch):
    trials = read(study_of(0.9, 0.8)).trials
    asked = []

    def train(task, seconds):
        asked.append(task)
        by_digest = {json.dumps(list(trial.blocks)): trial for trial in trials}
        return answered([by_digest[json.dumps(blocks)] for blocks in task["architectures"]], CURVE, CURVE)

    monkeypatch.setattr(room, "_train", train)
    first, again = (recheck(read(study_of(0.9, 0.8)), quick, {}, SHAPE, CLASSES, "key", tmp_path) for _ in range(2))
    assert first == again and first.status == HELD and len(asked) == 1
    assert asked[0]["epochs"] == TRAININGS["quick"].epochs


def test_the_handed_in_network_is_not_drawn(quick):
    """It is measured anyway: whoever hands in one trained network and invents the others must be asked about the others."""
    from grading.types import Slot
    from projectkit.types import Artifact, Measurement, Profile

    study = read(study_of(0.7, 0.9, 0.8))
    own = counts(study.trials[1].blocks, SHAPE, CLASSES)
    values = {name: Measurement.exact(name, number) for name, number in (("parameters", own.stored), ("macs", own.macs))}
    slot = Slot(Profile(Artifact("m.tflite", "litert", "0", 1), "here", values))
    assert [trial.number for trial in eligible(study, quick, {"best": slot}, SHAPE, CLASSES)] == [0, 2]


def test_unless_asked_nothing_is_trained_and_no_point_changes(tmp_path, monkeypatch):
    """And when asked, what contradicts a study takes its points, is told on the student's page, and is a flag."""
    rubrics = saved(tmp_path / "rubrics", f"{LAB}.toml", RUBRIC.encode()).parent
    model = saved(tmp_path, "m.onnx", linear_onnx())
    study = saved(tmp_path, "mine.json", json.dumps(study_of(*np.linspace(0.5, 0.9, 8).tolist())).encode())
    (tmp_path / "in").mkdir()
    pack(tmp_path / "in" / "ann.zip", student="Ann", lab=LAB, artifacts={"best": model}, study=study)
    monkeypatch.setattr(room, "_train", failing)

    def graded(out, **changes) -> tuple:
        [one] = grade(tmp_path / "in", tmp_path / out, Options(rubrics=rubrics, salt="s", **changes))
        assert one.error is None and explain(tmp_path / out / "results" / "ann.json", rubrics).same
        return (
            one,
            [flag for flag in flags([one]) if flag.kind == "trials"],
            (tmp_path / out / "results" / "ann.html").read_text(),
        )

    plain, told, page = graded("plain")
    assert told == [] and plain.recheck is None and "trained again" not in page

    def low(task, seconds):
        trials = [Trial(0, "complete", (), tuple(blocks), "", 0, 0) for blocks in task["architectures"]]
        return answered(trials, *[[[0.99] * 12] * len(SEEDS)] * len(trials))

    monkeypatch.setattr(room, "_train", low)
    lied, told, page = graded("lied", recheck_trials=True)
    assert lied.score < plain.score and len(told) == 1 and "contradicted" in told[0].sentence and "trained again" in page
    assert [one.points for one in lied.verdicts if one.check.claim in ("trials", "best")] == [0, 0]

    monkeypatch.setattr(room, "_train", lambda *_: (_ for _ in ()).throw(ValueError("no TensorFlow")))
    failed, told, page = graded("failed", recheck_trials=True)
    assert failed.score == plain.score and len(told) == 1 and "no point changed" in told[0].sentence + page


def test_an_activation_that_nobody_can_build_is_not_sound(quick):
    study = study_of(0.9, 0.8)
    study["trials"][0]["architecture"]["blocks"][0]["activation"] = "magic"
    assert [trial.number for trial in eligible(read(study), quick, {}, SHAPE, CLASSES)] == [1]


def test_disguises_of_the_handed_in_network_may_be_drawn(quick):
    """Another activation costs the same: whoever states one network in many of them has trained none of them."""
    from grading.types import Slot
    from projectkit.types import Artifact, Measurement, Profile

    disguises = [nas.Architecture((nas.Block(8, activation=name),)) for name in ("relu", "relu6", "swish")]
    rows = [json.loads(json.dumps(row(number, one, 0.9 + number / 100))) for number, one in enumerate(disguises)]
    study = read(study_of() | {"trials": rows})
    own = counts(study.trials[0].blocks, SHAPE, CLASSES)
    values = {name: Measurement.exact(name, number) for name, number in (("parameters", own.stored), ("macs", own.macs))}
    slot = Slot(Profile(Artifact("m.tflite", "litert", "0", 1), "here", values))
    assert [trial.number for trial in eligible(study, quick, {"best": slot}, SHAPE, CLASSES)] == [0, 1]


@pytest.mark.proof
def test_a_real_search_holds_and_an_invented_one_does_not(quick, tmp_path):
    """Networks that were trained with another recipe than the recheck's, in a process that loads TensorFlow; and the same study
    with numbers that somebody made up."""
    import optuna

    from projectkit.data import load
    from projectkit.nas.evaluation import train_and_validate
    from projectkit.types import Recipe

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digits = load("digits")
    study = optuna.create_study(direction="maximize", sampler=nas.SAMPLERS["random"](SPACE.genes(), seed=1))
    recipe = Recipe(epochs=6, batch_size=64, learning_rate=0.01)
    run = nas.objective(
        SPACE, lambda architecture, trial: train_and_validate(architecture, trial, digits, recipe), shape=SHAPE, classes=CLASSES
    )
    nas.search(study, run, trials=4)
    real = read(json.loads(nas.export_study(study, tmp_path / "study.json").read_text()))
    for key in ("a", "b"):
        found = recheck(real, quick, {}, SHAPE, CLASSES, key, tmp_path)
        assert found.status == HELD, found.sentence

    rng = np.random.default_rng(0)
    trials = tuple(dataclasses.replace(one, values=(float(rng.uniform(0.2, 0.6)),)) for one in real.trials)
    found = recheck(dataclasses.replace(real, trials=trials), quick, {}, SHAPE, CLASSES, "a", tmp_path)
    assert found.status == CONTRADICTED, found.sentence
