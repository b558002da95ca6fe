"""The exercises of l15 against the uncertainty room, SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import log_softmax
from sklearn import metrics

from exercises_by_hand import cases_of
from grading.exercises import SOLUTIONS
from grading.exercises.scoring import score
from projectkit import uncertainty
from projectkit.submit import exercise_inputs
from projectkit.uncertainty import SCORES

LAB = "l15_uncertainty"
STUDENTS = ("Ann", "Bob", "Cyd")
case = cases_of(LAB)


@pytest.mark.parametrize("student", STUDENTS)
def test_a_reliability_diagram(student):
    inputs, found = case(student, "reliability")
    assert np.allclose(inputs["probs"].sum(axis=1), 1, atol=1e-9) and inputs["probs"].min() > 0
    assert np.abs(inputs["probs"].max(axis=1) * 10 - np.round(inputs["probs"].max(axis=1) * 10)).min() > 1e-4, "on an edge"
    ours = uncertainty.reliability(inputs["probs"], inputs["labels"], bins=10)
    for name in ("count", "confidence", "accuracy"):
        np.testing.assert_allclose(found[name], getattr(ours, name), atol=1e-12)
    assert found["ece"] == pytest.approx(SCORES["ece"](inputs["probs"], inputs["labels"], bins=10))
    assert found["nll"] == pytest.approx(metrics.log_loss(inputs["labels"], inputs["probs"], labels=range(4)))
    assert np.count_nonzero(found["count"]) >= 6


@pytest.mark.parametrize("student", [*STUDENTS, *map(str, range(20))])
def test_the_temperature(student):
    inputs, found = case(student, "temperature")
    every = np.arange(80), inputs["labels"]

    def nll(temperature):
        return -log_softmax(inputs["logits"] / temperature, axis=1)[every].mean()

    best = optimize.minimize_scalar(nll, bounds=(0.5, 20), options={"xatol": 1e-10}).x
    assert found["temperature"] == pytest.approx(best, rel=1e-5)
    assert 1.2 < best < 15, "the draw is meant to be overconfident"
    assert (found["before"], found["after"]) == pytest.approx((nll(1.0), nll(best)))
    assert found["slope"] == pytest.approx((nll(1 / 1.0001) - nll(1 / 0.9999)) / 2e-4, rel=1e-4)


@pytest.mark.parametrize("student", STUDENTS)
def test_the_parts_of_brier(student):
    inputs, found = case(student, "brier_parts")
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(inputs["happened"], inputs["stated"]))
    assert found["brier"] == pytest.approx(found["reliability"] - found["resolution"] + found["uncertainty"])
    both = np.stack([1 - inputs["stated"], inputs["stated"]], axis=1)
    ours = uncertainty.brier_parts(both, inputs["happened"], bins=5)
    for name in ("reliability", "resolution", "uncertainty"):  # ours adds the same of "no rain"
        assert 2 * found[name] == pytest.approx(getattr(ours, name))


@pytest.mark.parametrize("student", STUDENTS)
def test_the_split_of_entropy(student):
    inputs, found = case(student, "entropy_split")
    samples = inputs["samples"]
    assert np.abs(samples.sum(axis=2) - 1).max() < 1e-3 and samples.min() > 0
    ours = uncertainty.entropy_split(samples)
    for name in ("total", "aleatoric", "epistemic"):
        np.testing.assert_allclose(found[name], getattr(ours, name), atol=1e-12)
    np.testing.assert_allclose(found["total"], stats.entropy(samples.mean(axis=0), axis=1), atol=1e-3)
    assert found["most_epistemic"] == np.argmax(ours.epistemic)
    assert found["most_epistemic"] == np.argsort(ours.epistemic)[-1] and np.diff(np.sort(ours.epistemic))[-1] > 1e-6


@pytest.mark.parametrize("student", STUDENTS)
def test_detection(student):
    inputs, found = case(student, "detection")
    inside, outside = inputs["inside"], inputs["outside"]
    truth, values = np.repeat([0, 1], [40, 30]), np.concatenate([inside, outside])
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(truth, values))
    assert found["auroc"] == pytest.approx(uncertainty.auroc(inside, outside))
    assert found["fpr95"] == pytest.approx(uncertainty.fpr95(inside, outside))
    assert found["recall"] == np.mean(outside > inside.max())
    assert len(np.intersect1d(inside, outside)) > 2, "the draw is meant to have ties"


@pytest.mark.parametrize("student", STUDENTS)
def test_prediction_sets(student):
    inputs, found = case(student, "conformal")
    place = 60 * (1 - inputs["alpha"])
    assert abs(place - round(float(place))) > 0.1
    pair = inputs["probs"], inputs["labels"], float(inputs["alpha"])
    for name, sets in (("simple", uncertainty.lac(*pair)), ("adaptive", uncertainty.aps(*pair, randomized=False))):
        assert found[f"{name}_threshold"] == pytest.approx(sets.threshold)
        np.testing.assert_array_equal(found[f"{name}_sets"], sets(inputs["new"]))
        assert np.abs(np.sort(sets.nonconformity(inputs["new"], np.ones((8, 1))).ravel()) - sets.threshold).min() > 1e-5


def test_students_have_different_inputs():
    for exercise in SOLUTIONS[LAB]:
        drawn = [exercise_inputs(student, LAB, exercise) for student in STUDENTS]
        for name in drawn[0]:
            if drawn[0][name].ndim:
                assert not np.array_equal(drawn[0][name], drawn[1][name])


def test_the_commonest_mistakes_do_not_pass_for_roundings():
    """Logits that were not divided, probabilities averaged as entropies, and the plain quantile without n + 1."""
    inputs, found = case("Ann", "temperature")
    assert score({**found, "temperature": np.array(1 / found["temperature"])}, found).fraction <= 0.75
    inputs, found = case("Ann", "entropy_split")
    assert score({**found, "total": found["aleatoric"], "epistemic": np.zeros(8)}, found).fraction <= 0.55
    inputs, found = case("Ann", "conformal")
    values = 1 - inputs["probs"][np.arange(59), inputs["labels"]]
    plain = np.quantile(values, 1 - inputs["alpha"])
    assert score({**found, "simple_threshold": plain}, found).fraction <= 0.75
