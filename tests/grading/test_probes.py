"""The tables of a rubric for attacked, corrupted and out-of-distribution images; what is drawn for them; the metrics of them."""

import dataclasses

import numpy as np
import pytest

from grading.courses import inputs_of
from grading.engine import Options, grade
from grading.errors import GradingError
from grading.hidden.data import hidden_data
from grading.hidden.probes import Probes, no_probes, probes_for
from grading.measuring.quality import quality
from grading.points.explain import explain
from grading.rubrics.loading import load_rubric
from grading.types import Attack, Corruption, Ood
from models_by_hand import linear_onnx, linear_weights, saved
from projectkit.errors import MeasureError
from projectkit.metrics import QUALITY_METRICS
from projectkit.robustness.corruptions import COMMON, CORRUPTIONS
from projectkit.submit import pack
from rubrics_by_hand import rubric

LAB = "l01_quantization"
CHECKS = [
    {"id": "nll", "slot": "first", "metric": "nll", "floor": 2.0, "target": 1.0, "relative": True},
    {"id": "calibration", "slot": "first", "metric": "ece_debiased", "floor": 0.3, "target": 0.0},
    {"id": "brier", "slot": "first", "metric": "brier", "floor": 2.0, "target": 0.0},
    {"id": "corrupted_accuracy", "slot": "first", "metric": "corrupted_accuracy", "floor": 0.0, "target": 1.0, "relative": True},
    {"id": "corrupted_nll", "slot": "first", "metric": "corrupted_nll", "floor": 9.0, "target": 0.0},
    {"id": "ood_auroc", "slot": "first", "metric": "ood_auroc", "floor": 0.0, "target": 1.0},
    {"id": "table_likeness", "slot": "first", "metric": "table_likeness", "floor": 1.0, "target": 0.0},
    {"id": "fidelity", "slot": "first", "metric": "fidelity", "floor": 0.0, "target": 1.0},
    {"id": "robust_accuracy", "slot": "first", "metric": "robust_accuracy", "floor": 0.0, "target": 1.0},
]
TABLES = {
    "attack": {"epsilon": "0.05", "queries": "30", "images": "40"},
    "corruption": {"kinds": '["fog", "motion_blur", "stripe"]', "severities": "[1, 5]", "images": "50"},
    "ood": {"dataset": '"shapes"', "images": "70"},
}


def text(checks=CHECKS, **changes) -> str:
    """The rubric with these checks, its tables changed: fields by table, or None for a table that is left out."""
    lines = []
    for name, fields in (TABLES | changes).items():
        if fields is not None:
            lines += [f"[scale.quick.{name}]", *(f"{field} = {value}" for field, value in fields.items())]
    return rubric(LAB, "Probed", checks, baseline="base.onnx").replace("[[", "\n".join(lines) + "\n[[", 1)


@pytest.fixture
def loaded(tmp_path):
    saved(tmp_path / "baselines", "base.onnx", linear_onnx(hidden=80))

    def run(content: str):
        saved(tmp_path / "rubrics", f"{LAB}.toml", content.encode())
        return load_rubric(LAB, "quick", tmp_path / "rubrics")

    return run


def test_the_tables_are_read(loaded):
    found = loaded(text())
    assert found.attack == Attack(0.05, 30, 40)
    assert found.corruption == Corruption(("fog", "motion_blur", "stripe"), (1, 5), 50)
    assert found.ood == Ood("shapes", 70)
    short = loaded(text(attack={"epsilon": "1", "queries": "10"}, corruption={}, ood={"dataset": '"mnist"'}))
    assert short.attack.images == 200 and short.corruption == Corruption(COMMON, (1, 2, 3, 4, 5), 500)
    assert loaded(text(CHECKS[:3], attack=None, corruption=None, ood=None)).attack is None


@pytest.mark.parametrize(
    ("table", "fields", "says"),
    [
        ("attack", None, "robust_accuracy, but no table attack"),
        ("corruption", None, "corrupted_accuracy, but no table corruption"),
        ("ood", None, "ood_auroc, but no table ood"),
        ("attack", {"queries": "30"}, "epsilon is None, expected a finite number"),
        ("attack", {"epsilon": "0.1"}, "queries is None, expected int"),
        ("attack", {"epsilon": "0", "queries": "30"}, "epsilon is 0, expected a number above 0"),
        ("attack", {"epsilon": "-0.1", "queries": "30"}, "epsilon is -0.1"),
        ("attack", {"epsilon": "8", "queries": "30"}, "at most 1, as the pixels are"),
        ("attack", {"epsilon": "nan", "queries": "30"}, "expected a finite number"),
        ("attack", {"epsilon": "0.1", "queries": "9"}, "queries is 9, expected a whole number from 10 to 5000"),
        ("attack", {"epsilon": "0.1", "queries": "30.5"}, "queries is 30.5, expected int"),
        ("attack", {"epsilon": "0.1", "queries": "30", "images": "0"}, "images is 0"),
        ("attack", {"epsilon": "0.1", "queries": "30", "norm": "2"}, "unknown fields norm"),
        ("corruption", {"kinds": '["fogg"]'}, "fogg.*expected a list of some of gaussian_noise"),
        ("corruption", {"kinds": '["fog", "fog"]'}, "twice"),
        ("corruption", {"kinds": "[]"}, "expected a list"),
        ("corruption", {"kinds": '"fog"'}, "expected a list"),
        ("corruption", {"severities": "[0]"}, "expected a list of some of 1, 2, 3, 4, 5"),
        ("corruption", {"severities": "[true]"}, "expected a list of some of 1"),
        ("ood", {}, "dataset is None, expected a text"),
        ("ood", {"dataset": '"digits"'}, "expected another dataset than that of the scale"),
        ("ood", {"dataset": '"../x.npz"'}, "expected another dataset"),
        ("ood", {"dataset": '"shapes"', "images": "true"}, "images is True"),
    ],
)
def test_a_slip_is_refused(loaded, table, fields, says):
    with pytest.raises(GradingError, match=says):
        loaded(text(**{table: fields}))


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_nobody_needs_is_refused(loaded, table):
    others = {name: None for name in TABLES if name != table}
    with pytest.raises(GradingError, match=f"has a table {table}, but no check"):
        loaded(text(CHECKS[:3], **others))


@pytest.mark.parametrize("metric", ["ood_auroc", "robust_accuracy"])
def test_what_begins_above_nothing_or_at_nothing_is_not_relative(loaded, metric):
    checks = [dict(check, relative=True) if check["metric"] == metric else check for check in CHECKS]
    with pytest.raises(GradingError, match=f"{metric} cannot be relative"):
        loaded(text(checks))


@pytest.fixture(scope="module")
def hidden():
    return hidden_data("digits", "salt")


def drawn(loaded, hidden, salt="salt") -> Probes:
    return probes_for(loaded(text()), hidden, salt)


def test_the_salt_draws_the_probes(loaded, hidden):
    one, again, other = drawn(loaded, hidden), drawn(loaded, hidden), drawn(loaded, hidden, "another")
    np.testing.assert_array_equal(one.corrupted.x, again.corrupted.x)
    np.testing.assert_array_equal(one.out_of_distribution, again.out_of_distribution)
    assert one.seed == again.seed != other.seed
    assert not np.array_equal(one.corrupted.x, other.corrupted.x) and not np.array_equal(
        one.out_of_distribution, other.out_of_distribution
    )


def test_corrupted_images_keep_their_labels_and_meet_every_kind_equally_often(loaded, hidden):
    probes = drawn(loaded, hidden)
    assert len(probes.corrupted) == 50 and probes.corrupted.x.dtype == np.float32
    assert probes.corrupted.x.min() >= 0 and probes.corrupted.x.max() <= 1
    # Stripes invert the first column: of 50 images a third, so that 16 or 17 show it at each of two severities.
    inverted = (probes.corrupted.x[:, :, 0, 0].mean(axis=1) > 0.8).sum()
    assert 16 <= inverted <= 17
    only = dataclasses.replace(loaded(text()), corruption=Corruption(("brightness",), (1,), 30))
    bright = probes_for(only, hidden, "salt").corrupted
    public = {
        CORRUPTIONS["brightness"](image[None], 1, None).tobytes(): label
        for image, label in zip(hidden.split.x, hidden.split.y, strict=True)
    }
    assert [public[image[None].tobytes()] for image in bright.x] == list(bright.y)


def test_images_out_of_distribution_fit_and_are_recognizable(loaded, hidden):
    images = drawn(loaded, hidden).out_of_distribution
    assert images.shape == (70, 8, 8, 1) and images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1
    assert np.ptp(images, axis=(1, 2, 3)).mean() > 0.2
    without = dataclasses.replace(loaded(text(CHECKS[:-3], attack=None)), ood=Ood("digits", 20), dataset="shapes")
    colour = probes_for(without, hidden_data("shapes", "salt"), "salt").out_of_distribution
    assert colour.shape == (20, 32, 32, 3) and (colour[..., 0] == colour[..., 2]).all()
    digits = colour[..., 0].reshape(20, 8, 4, 8, 4)
    assert np.ptp(digits, axis=(2, 4)).max() == 0, "a pixel becomes a square of equal ones"


def test_without_tables_the_inputs_are_those_of_before(hidden):
    assert inputs_of(hidden) == inputs_of(hidden, no_probes(hidden))


def test_the_scores_are_those_of_other_libraries(loaded, hidden):
    """On the linear model's outputs: scikit-learn for NLL and AUROC, loops for the rest."""
    from sklearn.metrics import log_loss, roc_auc_score

    probes = drawn(loaded, hidden)
    w, b = linear_weights()
    images = np.concatenate([hidden.split.x, hidden.plain.x, hidden.val.x, probes.corrupted.x, probes.out_of_distribution])
    outputs = images.reshape(len(images), -1) @ w + b
    values = quality(outputs, hidden, probes, tuple(QUALITY_METRICS), "m.onnx").values
    exp = np.exp(outputs.astype(np.float64))
    p = exp / exp.sum(axis=1, keepdims=True)
    count, corrupted = len(hidden.split), len(probes.corrupted)
    public = len(hidden.plain) + len(hidden.val)
    inside, outside = p[:count], p[count + public + corrupted :]
    under, y, labels = p[count + public : count + public + corrupted], hidden.split.y, np.arange(10)
    assert values["nll"].value == pytest.approx(log_loss(y, inside, labels=labels))
    assert values["corrupted_nll"].value == pytest.approx(log_loss(probes.corrupted.y, under, labels=labels))
    assert values["corrupted_accuracy"].value == (under.argmax(axis=1) == probes.corrupted.y).mean()
    squares = [sum((row[k] - (label == k)) ** 2 for k in range(10)) for row, label in zip(inside, y, strict=True)]
    assert values["brier"].value == pytest.approx(np.mean(squares))
    truth = np.repeat([0, 1], [count, len(outside)])
    assert values["ood_auroc"].value == pytest.approx(roc_auc_score(truth, -np.concatenate([inside, outside]).max(axis=1)))
    theirs = probes.start
    each = [np.corrcoef(np.delete(a, label), np.delete(b, label))[0, 1] for a, b, label in zip(outputs, theirs, y, strict=False)]
    assert values["fidelity"].value == pytest.approx(np.mean(each)) == 1, "the baseline is the same linear model"
    table = probes.neighbours
    each = [np.corrcoef(np.delete(a, label), np.delete(b, label))[0, 1] for a, b, label in zip(outputs, table, y, strict=False)]
    assert values["table_likeness"].value == pytest.approx(np.mean(each)) and len(each) == len(table) == 300
    square, sure, right = 0.0, inside.max(axis=1), inside.argmax(axis=1) == y
    for here in np.array_split(np.argsort(sure), 15):  # in bins of equally many images, without what chance adds
        gap, rate = right[here].mean() - sure[here].mean(), right[here].mean()
        square += len(here) / count * (gap**2 - rate * (1 - rate) / (len(here) - 1))
    assert values["ece_debiased"].value == pytest.approx(max(square, 0) ** 0.5, abs=2e-3)
    for value in values.values():
        assert value.low <= value.value <= value.high and (value.high > value.low or value.metric == "fidelity")
    assert set(quality(outputs, hidden, probes, ("accuracy",), "m.onnx").values) == {"accuracy"}


@pytest.mark.parametrize("place", [0, 400, 600, -1])
def test_what_is_no_number_anywhere_is_refused(loaded, hidden, place):
    probes = drawn(loaded, hidden)
    outputs = np.random.default_rng(0).normal(size=(360 + 180 + 180 + 50 + 70, 10))
    outputs[place] = np.nan
    with pytest.raises(MeasureError, match=r"m\.onnx: .*NaN"):
        quality(outputs, hidden, probes, tuple(QUALITY_METRICS), "m.onnx")
    with pytest.raises(MeasureError, match="one logit a class for each input"):
        quality(outputs[:-1], hidden, probes, (), "m.onnx")


def test_a_run_shows_them_all_and_can_be_explained(loaded, tmp_path, capsys):
    loaded(text())
    model = saved(tmp_path, "lin.onnx", linear_onnx())
    claims = {"first/nll": 0.01, "first/robust_accuracy": 0.1}
    path = pack(tmp_path / "a.zip", student="Ann", lab=LAB, artifacts={"first": model}, answers={}, claims=claims)
    options = Options(rubrics=tmp_path / "rubrics", salt="salt", workers=1)
    (one,) = grade(path, tmp_path / "out", options)
    found = {verdict.check.id: verdict for verdict in one.verdicts}
    assert all(verdict.measured for verdict in found.values())
    assert found["nll"].measured.value == found["corrupted_accuracy"].measured.value == pytest.approx(1), (
        "the baseline's function"
    )
    assert 0.5 < found["robust_accuracy"].measured.value < 1
    page = (tmp_path / "out" / "results" / "a.html").read_text()
    for metric in QUALITY_METRICS.values():
        assert metric.label in page
    assert "first/robust_accuracy" in page and "10.0 %" in page
    for condition in (
        "40 hidden images, each pixel changed by up to 0.05 of its range; at most 30 queries an image by Square",
        "50 hidden images, each under one of: fog, motion blur, stripe; severity 1, 5",
        "70 test images of shapes",
    ):
        assert condition in page
    assert "claims 10.0 % for first/robust_accuracy" in (tmp_path / "out" / "index.html").read_text()
    assert explain(tmp_path / "out" / "results" / "a.json", tmp_path / "rubrics").same
    before = (tmp_path / "out" / "results" / "a.json").read_bytes()
    grade(path, tmp_path / "out", options)
    assert (tmp_path / "out" / "results" / "a.json").read_bytes() == before, "nothing is measured twice"
    # Another strength of the attack is another measurement, and the points follow it.
    loaded(text(attack={"epsilon": "0.3", "queries": "30", "images": "40"}))
    (weaker,) = grade(path, tmp_path / "out", options)
    assert weaker.verdicts[-1].measured.value < found["robust_accuracy"].measured.value
