"""A handed-in search: read as from a stranger, and its claims held against the file and against its own architectures."""

import copy
import hashlib
import io
import json
import time
import zipfile
from dataclasses import asdict

import numpy as np
import optuna
import pytest
from onnx import helper
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from grading.engine import Options, grade
from grading.errors import GradingError
from grading.points.explain import explain
from grading.points.study import counts, study_findings
from grading.rubrics.loading import RUBRICS, load_rubric
from grading.types import Check, Limits, Rubric, Slot
from models_by_hand import onnx_model, saved
from projectkit import nas
from projectkit.cli import app
from projectkit.data import load
from projectkit.errors import ModelError, SubmissionError
from projectkit.measure import accuracy
from projectkit.submit import LIMITS, STUDIES, check, pack, read
from projectkit.submit.study import check_study
from projectkit.types import Artifact, Measurement, Profile
from rubrics_by_hand import rubric

LAB, SHAPE, CLASSES = "l06_nas", (8, 8, 1), 10
SPACE = nas.Space(
    depth=(1, 2), filters=(8, 16), kernel=(1, 3), stride=(1, 2), depthwise=(False, True), activation=("relu",), skip=(False, True)
)
HANDED_IN = nas.Architecture((nas.Block(8),))  # the network of `conv_onnx`
CHECKS = [{"id": "own", "slot": "best", "metric": "accuracy", "floor": 0.05, "target": 0.1, "gate": True}] + [
    {"id": claim, "slot": "best", "metric": "study", "claim": claim, "floor": floor, "target": target}
    for claim, floor, target in (("trials", 2, 10), ("consistent", 0.8, 1.0), ("best", 0.0, 1.0), ("accuracy", 0.0, 1.0))
]
RUBRIC = rubric(LAB, "A small search", CHECKS, budget=0.02)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """HANDED_IN as a file, and its accuracy on the validation images: random filters, a fitted last layer."""
    rng, digits = np.random.default_rng(0), load("digits")
    kernel, bias = rng.normal(0, 1, (8, 1, 3, 3)).astype(np.float32), rng.normal(0, 0.3, 8).astype(np.float32)

    def features(x):
        padded = np.pad(x[..., 0], ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        return np.maximum(np.einsum("nhwij,cij->nhwc", windows, kernel[:, 0]) + bias, 0).mean(axis=(1, 2))

    fitted = LogisticRegression(max_iter=300).fit(features(digits.train.x), digits.train.y)
    constants = {"k": kernel, "c": bias, "w": fitted.coef_.T.astype(np.float32), "b": fitted.intercept_.astype(np.float32)}
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "k", "c"], ["f"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["f"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["v"], axis=1),
        helper.make_node("Gemm", ["v", "w", "b"], ["y"]),
    ]
    path = saved(tmp_path_factory.mktemp("model"), "conv.onnx", onnx_model(nodes, constants))
    return path, float(fitted.score(features(digits.val.x), digits.val.y))


def row(number, architecture, *values, state="complete"):
    price = nas.cost(architecture, SHAPE, CLASSES)
    stated = {"architecture": asdict(architecture), "digest": architecture.digest, **asdict(price)}
    return json.loads(json.dumps({"number": number, "state": state, "values": list(values) or None} | stated))


def honest(best: float) -> dict:
    """A study of which HANDED_IN is the best trial, as JSON values."""
    others = [one for one in SPACE.architectures() if nas.repair(one, SHAPE)[0] == one and one != HANDED_IN][:12]
    rows = [row(number, one, best - 0.01 * (number + 1)) for number, one in enumerate(others)]
    rows += [row(12, HANDED_IN, best), row(13, others[0], state="pruned"), {"number": 14, "state": "fail", "values": None}]
    return {"format": 1, "space": {}, "direction": ["maximize"], "trials": rows}


def text_of(study) -> bytes:
    return json.dumps(study).encode()


def found(study, *, parameters=None, macs=None, plain=0.6, wanted=1):
    """What is found about a study whose model has these counts (HANDED_IN's, if none are given)."""
    own = counts(asdict(HANDED_IN)["blocks"], SHAPE, CLASSES)
    numbers = {"parameters": parameters or own.stored, "macs": macs or own.macs}
    values = {name: Measurement.exact(name, value) for name, value in numbers.items()}
    values["accuracy"] = Measurement("accuracy", plain - 0.02, 0.0, 1.0, 360)
    slot = Slot(
        Profile(Artifact("m.tflite", "litert", "0", 1), "here", values), plain=Measurement("accuracy", plain, 0.0, 1.0, 200)
    )
    targets = {"trials": wanted, "consistent": 1.0, "best": 1.0, "accuracy": 1.0}
    checks = [Check(claim, claim, "study", 0.0, target, 1.0, slot="best", claim=claim) for claim, target in targets.items()]
    rubric = Rubric(LAB, "", "quick", "digits", tuple(checks), Limits(), "0")
    return study_findings(check_study(text_of(study)), rubric, {"best": slot}, Hidden)


class Hidden:
    """The two things that a study is held against, of grading.hidden.data.Hidden."""

    split, classes = load("digits").test, CLASSES


def test_work_and_parameters_are_those_of_the_room():
    wide = nas.Space(depth=(1, 3), filters=(4, 8), kernel=(1, 5), depthwise=(False, True), activation=("relu",))
    for shape, classes in (((8, 8, 1), 10), ((28, 28, 3), 7), ((2, 3, 1), 2)):
        for number, architecture in enumerate(wide.architectures()):
            if number % 97:
                continue
            repaired, repairs = nas.repair(architecture, shape)
            own, price = counts(asdict(repaired)["blocks"], shape, classes), nas.cost(architecture, shape, classes)
            assert (own.parameters, own.macs) == (price.parameters, price.macs)
            assert own.stored < own.parameters
            assert (counts(asdict(architecture)["blocks"], shape, classes) is None) == bool(repairs)


def test_an_honest_study_holds():
    for claim, finding in found(honest(0.6)).items():
        assert finding.value == (13 if claim == "trials" else 1), finding


def changed(change) -> dict:
    study = honest(0.6)
    change(study["trials"])
    return study


LIES = {
    "a better trial that is not handed in": ("best", lambda rows: rows[3].update(values=[0.61])),
    "an accuracy that the file has not": ("accuracy", lambda rows: rows[12].update(values=[0.95])),
    "an accuracy far below": ("accuracy", lambda rows: [one.update(values=[0.1]) for one in rows[:13]]),
    "less work than its architecture": ("consistent", lambda rows: rows[4].update(macs=rows[4]["macs"] - 1)),
    "fewer parameters": ("consistent", lambda rows: rows[4].update(parameters=1)),
    "another's digest": ("consistent", lambda rows: rows[4].update(digest=rows[5]["digest"])),
    "a number twice": ("consistent", lambda rows: rows[4].update(number=5)),
    "complete without a value": ("consistent", lambda rows: rows[4].update(values=None)),
    "complete without an architecture": ("consistent", lambda rows: rows[14].update(state="complete")),
    "an accuracy above 1": ("consistent", lambda rows: rows[4].update(values=[1.7])),
    "a stride that moves nothing": ("consistent", lambda rows: rows[4].update(row(4, idle(), 0.3))),
    "one architecture many times": ("trials", lambda rows: [one.update(row(one["number"], HANDED_IN, 0.6)) for one in rows[:12]]),
}


def idle():
    """An architecture with a gene without effect: it is another's disguise."""
    return nas.Architecture((*(nas.Block(4, stride=2),) * 3, nas.Block(4, stride=2)))


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_costs_its_claim(lie):
    claim, change = LIES[lie]
    findings = found(changed(change))
    assert findings[claim].value < (13 if claim == "trials" else 1), findings
    assert len(findings[claim].sentence) > 20


@pytest.mark.parametrize(("others", "share"), [(0, 0.0), (1, 1 / 7), (6, 6 / 7), (7, 1.0), (11, 1.0)])
def test_what_is_said_of_the_model_is_worth_what_it_was_searched_among(others, share):
    """One network that somebody has drawn is no search."""
    study = honest(0.6)
    rows = study["trials"]
    study["trials"] = [*rows[:others], rows[12]]
    findings = found(study, wanted=8)
    assert findings["best"].value == findings["accuracy"].value == pytest.approx(share)
    assert ("8 make the claim whole" in findings["best"].sentence) == (share < 1)


def test_a_file_of_another_network_is_not_the_best_trial():
    own = counts(asdict(HANDED_IN)["blocks"], SHAPE, CLASSES)
    for other in ({"parameters": own.stored + 1}, {"macs": own.macs + 1}, {"parameters": own.parameters}):
        findings = found(honest(0.6), **other)
        assert (findings["best"].value, findings["accuracy"].value) == (0, 0)
        assert f"would store {own.stored:,}" in findings["best"].sentence


def test_of_several_objectives_the_model_may_be_any_that_no_other_beats():
    study = honest(0.6)
    study["direction"] = ["maximize", "minimize"]
    for one in study["trials"][:13]:
        one["values"] = [one["values"][0], float(one["macs"])]
    cheap = min(study["trials"][:13], key=lambda one: one["macs"])
    own = counts(cheap["architecture"]["blocks"], SHAPE, CLASSES)
    assert found(study, parameters=own.stored, macs=own.macs)["best"].value == 1
    front = optuna.create_study(directions=study["direction"])
    for one in study["trials"][:13]:
        front.add_trial(optuna.create_trial(values=one["values"]))
    beaten = next(one for one in study["trials"][:13] if one["number"] not in [trial.number for trial in front.best_trials])
    own = counts(beaten["architecture"]["blocks"], SHAPE, CLASSES)
    assert found(study, parameters=own.stored, macs=own.macs)["best"].value == 0


def block(**fields):
    return lambda study: study["trials"][0]["architecture"]["blocks"][0].update(fields)


def trial(**fields):
    return lambda study: study["trials"][0].update(fields)


HOSTILE = {
    "not json": (b"\x93NUMPY", "not readable"),
    "empty": (b"", "not readable"),
    "a list": (b"[]", "expected an object"),
    "deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deep"),
    "deep trials": (
        b'{"format": 1, "direction": ["maximize"], "trials": [' + b"[" * 700 + b"]" * 700 + b"]}",
        "expected an object",
    ),
    "large": (b" " * (LIMITS.study_bytes + 1), "expected at most"),
    "nan": (b'{"format": 1, "direction": ["maximize"], "trials": [{"number": NaN}]}', "the number NaN"),
    "a field twice": (b'{"format": 1, "format": 1}', "there twice"),
    "many fields, one twice": (b"{" + b",".join(b'"%d":0' % n for n in range(150_000)) + b',"7":0}', "there twice"),
    "thousands of digits": (b'{"format": 1' + b"0" * 9000 + b"}", "not readable"),
    "another format": (lambda study: study.update(format=2), "format is 2"),
    "format true": (lambda study: study.update(format=True), "format is True"),
    "no direction": (lambda study: study.pop("direction"), "direction is None"),
    "a text as direction": (lambda study: study.update(direction="maximize"), "direction"),
    "a direction of its own": (lambda study: study.update(direction=["sideways"]), "direction"),
    "directions in lists": (lambda study: study.update(direction=[["maximize"]]), "direction"),
    "many directions": (lambda study: study.update(direction=["maximize"] * 99), "direction"),
    "no trials": (lambda study: study.update(trials={}), "trials"),
    "too many trials": (lambda study: study.update(trials=[{}] * (LIMITS.trials + 1)), "at most"),
    "a trial that is none": (lambda study: study["trials"].append(7), "an object"),
    "half a number": (trial(number=0.5), "number"),
    "number true": (trial(number=True), "number"),
    "a negative number": (trial(number=-1), "number"),
    "a state of its own": (trial(state="won"), "state"),
    "a state in a list": (trial(state=["complete"]), "state"),
    "a text as value": (trial(values=["0.99"]), "values"),
    "values that are no list": (trial(values={"0": 1}), "values"),
    "a value beyond all": (trial(values=[10**300]), "values"),
    "two values for one direction": (trial(values=[0.5, 0.5]), "values"),
    "no blocks": (trial(architecture={"blocks": []}), "blocks"),
    "a thousand blocks": (lambda study: study["trials"][0]["architecture"].update(blocks=[1] * 1000), "blocks"),
    "blocks that are none": (trial(architecture={"blocks": [3]}), "blocks"),
    "an architecture with more in it": (trial(architecture={"blocks": [], "run": "rm"}), "architecture"),
    "a block with more in it": (block(code="__import__"), "blocks"),
    "filters true": (block(filters=True), "filters"),
    "half a filter": (block(filters=8.5), "filters"),
    "no filter": (block(filters=0), "filters"),
    "a wall of filters": (block(filters=10**9), "filters"),
    "depthwise 1": (block(depthwise=1), "depthwise"),
    "an activation like a page": (block(activation="x" * 5000), "activation"),
    "a digest like a page": (trial(digest="x" * 5000), "digest"),
    "a digest in a list": (trial(digest=["x"]), "digest"),
    "parameters beyond all": (trial(parameters=10**400), "parameters"),
    "work below nothing": (trial(macs=-1), "macs"),
    "work as text": (trial(macs="few"), "macs"),
}


def content_of(hostile) -> bytes:
    if isinstance(hostile, bytes):
        return hostile
    study = honest(0.6)
    hostile(study)
    return text_of(study)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_broken_study_gets_a_short_sentence(case):
    hostile, says = HOSTILE[case]
    start = time.process_time()
    with pytest.raises(SubmissionError, match=says) as caught:
        check_study(content_of(hostile))
    assert time.process_time() - start < 5, "a stranger's file must not keep the grader busy"
    assert str(caught.value).startswith("study.json: ") and len(str(caught.value)) < 400


def test_damage_anywhere_is_a_submission_error_or_harmless():
    rng, content = np.random.default_rng(0), bytearray(text_of(honest(0.6)))
    sentences, harmless = [], []
    for turn in range(300):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 1 + turn % 3):
            damaged[place] = rng.integers(0, 256)
        try:
            harmless.append(check_study(bytes(damaged)))
        except SubmissionError as error:
            sentences.append(str(error))
    assert len(sentences) > 200 and all(one.startswith("study.json: ") and len(one) < 400 for one in sentences)
    whole = check_study(bytes(content))
    assert harmless and all(len(one.trials) == len(whole.trials) for one in harmless)


def test_a_number_too_large_for_a_float_is_no_value():
    content = text_of(honest(0.6)).replace(b"[0.6]", b"[1e999]")
    assert b"1e999" in content
    with pytest.raises(SubmissionError, match="values"):
        check_study(content)


def test_what_the_room_exports_is_read(tmp_path):
    def evaluate(architecture, trial):
        if trial.number == 2:
            raise ValueError("no luck")
        if trial.number == 3:
            raise optuna.TrialPruned("too slow")
        return 0.5 + 0.001 * trial.number

    study = optuna.create_study(direction="maximize", sampler=nas.SAMPLERS["random"](SPACE.genes(), seed=0))
    study.optimize(nas.objective(SPACE, evaluate, shape=SHAPE, classes=CLASSES), n_trials=25, catch=(ModelError,))
    own = check_study(nas.export_study(study, tmp_path / "study.json").read_bytes())
    assert own.directions == ("maximize",) and [one.number for one in own.trials] == list(range(25))
    assert {one.state for one in own.trials} == {"complete", "fail", "pruned"}
    findings = found(json.loads((tmp_path / "study.json").read_text()))
    assert findings["consistent"].value == 1
    assert findings["trials"].value == len({t.user_attrs["digest"] for t in study.trials if t.state.name == "COMPLETE"}) < 23


def test_a_study_goes_through_a_zip_and_a_broken_one_spoils_nothing_else(tmp_path, model):
    path, _ = model
    study = saved(tmp_path, "mine.json", text_of(honest(0.6)))
    first, again = (pack(tmp_path / f"{n}.zip", student="Ann", lab=LAB, artifacts={"best": path}, study=study) for n in "ab")
    assert again.read_bytes() == first.read_bytes()
    assert read(first, tmp_path / "out").submission.study == check_study(study.read_bytes())
    assert any("15 trials, 13 of them finished" in one.sentence for one in check(first))
    without = pack(tmp_path / "c.zip", student="Ann", lab=LAB, artifacts={"best": path})
    assert read(without, tmp_path / "none").submission.study is None
    assert any("No study" in one.sentence for one in check(without))

    broken = swapped(first, tmp_path / "d.zip", b'{"format": 1}')
    intake = read(broken, tmp_path / "broken")
    assert set(intake.problems) == {"study"} and set(intake.submission.artifacts) == {"best"}
    assert intake.problems["study"] in [one.sentence for one in check(broken) if not one.good]
    half = saved(tmp_path, "half.json", b'{"format": 1}')
    with pytest.raises(SubmissionError, match="direction"):
        pack(tmp_path / "e.zip", student="Ann", lab=LAB, artifacts={"best": path}, study=half)
    with pytest.raises(SubmissionError, match="study"):
        pack(tmp_path / "f.zip", student="Ann", lab=LAB, artifacts={"study": path})


def swapped(source, target, content):
    """The zip again with other `content` of its study, described correctly."""
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    manifest["study"] = {"file": "study.json", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in (files | {"study.json": content, "manifest.json": json.dumps(manifest).encode()}).items():
            archive.writestr(name, data)
    target.write_bytes(stream.getvalue())
    return target


def test_a_run_grades_the_claims_and_a_lie_shows_in_the_report(tmp_path, model):
    path, own = model
    rubrics = saved(tmp_path / "rubrics", f"{LAB}.toml", RUBRIC.encode()).parent
    liar = copy.deepcopy(honest(own))
    liar["trials"][3]["macs"] //= 2
    liar["trials"][12]["values"] = [0.99]
    (tmp_path / "in").mkdir()
    for student, study in {"honest": honest(own), "liar": liar, "none": None}.items():
        file = study and saved(tmp_path, f"{student}.json", text_of(study))
        pack(tmp_path / "in" / f"{student}.zip", student=student, lab=LAB, artifacts={"best": path}, study=file)
    swapped(tmp_path / "in" / "honest.zip", tmp_path / "in" / "broken.zip", b"{]")

    grades = {one.file: one for one in grade(tmp_path / "in", tmp_path / "out", Options(rubrics=rubrics, salt="s"))}

    assert grades["honest.zip"].error is None
    honest_ones = grades["honest.zip"].verdicts
    assert {verdict.status for verdict in honest_ones} == {"full"}, [verdict.message for verdict in honest_ones]
    assert [verdict.status for verdict in grades["liar.zip"].verdicts[1:]] == ["full", "partial", "full", "fail"]
    page = (tmp_path / "out" / "results" / "liar.html").read_text()
    assert "Trial 12 claims 99.0 %" in page and "trial 3 states" in page
    for name, says in (("none", "No study was handed in"), ("broken", "not readable as JSON")):
        verdicts = grades[f"{name}.zip"].verdicts
        assert [verdict.status for verdict in verdicts] == ["full", *["error"] * 4]
        assert all(says in verdict.message and verdict.points == 0 for verdict in verdicts[1:])
    for name in ("honest", "liar", "none", "broken"):
        assert explain(tmp_path / "out" / "results" / f"{name}.json", rubrics).same


def test_the_claimed_accuracy_is_that_of_the_file(model):
    """The fixture's own arithmetic is the file's."""
    from projectkit import runtimes

    path, own = model
    digits = load("digits")
    session = runtimes.open(Artifact.of(path))
    assert accuracy(session.run(digits.val.x), digits.val.y).value == pytest.approx(own, abs=0.01)
    session.close()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('claim = "trials"', 'claim = "luck"', "claim is 'luck', expected one of trials"),
        ('claim = "trials"', "", "claim is ''"),
        ('claim = "trials"', 'claim = "trials"\nrelative = true', "no exercise, relative or gate"),
        ('metric = "accuracy"', 'metric = "accuracy"\nclaim = "best"', "claim goes with metric 'study' only"),
    ],
)
def test_a_rubric_asks_for_claims_that_exist(tmp_path, old, new, says):
    folder = saved(tmp_path, f"{LAB}.toml", RUBRIC.replace(old, new, 1).encode()).parent
    with pytest.raises(GradingError, match=says):
        load_rubric(LAB, "quick", folder)


def test_the_command_line_packs_a_study(tmp_path, model):
    study = saved(tmp_path, "mine.json", text_of(honest(0.6)))
    words = ["pack", LAB, "--out", tmp_path / "a.zip", "--student", "Ann", "--model", f"best={model[0]}", "--study", study]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert len(read(tmp_path / "a.zip", tmp_path / "out").submission.study.trials) == 15


@pytest.mark.parametrize("scale", ["quick", "full"])
def test_the_labs_that_announce_a_study_are_those_that_ask_for_one(scale):
    asking = [path.stem for path in RUBRICS.glob("*.toml") if any(c.claim for c in load_rubric(path.stem, scale).checks)]
    assert sorted(asking) == sorted(STUDIES)
