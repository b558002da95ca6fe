"""Calibrators against independent fits, and the calibration that a file carries."""

import numpy as np
import pytest
from scipy import optimize
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from projectkit import uncertainty
from projectkit.errors import UncertaintyError
from projectkit.uncertainty import CALIBRATORS, SCORES, softmax
from projectkit.uncertainty.calibrators.fitting import log_odds

nll = SCORES["nll"]


def overconfident(count=600, classes=4, seed=0, factor=2.5):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, classes))
    y = (softmax(logits).cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=classes - 1)
    return factor * logits, y


class Answers(ClassifierMixin, BaseEstimator):
    """A classifier of scikit-learn that answers with its inputs."""

    def __init__(self, classes):
        self.classes = classes

    def fit(self, x, y):
        self.classes_ = np.arange(self.classes)
        return self

    def decision_function(self, x):
        return x

    def predict(self, x):
        return x.argmax(axis=1)


@pytest.mark.parametrize("name", ["temperature", "vector", "matrix"])
@pytest.mark.parametrize("seed", range(5))
def test_the_likelihood_of_the_calibration_set_never_falls(name, seed):
    rng = np.random.default_rng(seed)
    for logits, y in ((rng.normal(0, 3, (80, 5)), rng.integers(0, 5, 80)), overconfident(80, 5, seed, 0.3)):
        assert nll(CALIBRATORS[name](logits, y)(logits), y) <= nll(softmax(logits), y) + 1e-12


@pytest.mark.parametrize("factor", [0.2, 1.0, 4.0])
def test_temperature_is_the_optimum_and_keeps_every_answer(factor):
    logits, y = overconfident(factor=factor)
    fitted = uncertainty.temperature(logits, y)
    best = optimize.minimize_scalar(lambda t: nll(softmax(logits / t), y), bounds=(0.01, 100), options={"xatol": 1e-9}).x
    assert fitted.value == pytest.approx(best, rel=1e-5)
    assert fitted.value == pytest.approx(factor, rel=0.2)
    assert np.array_equal(fitted(logits).argmax(axis=1), logits.argmax(axis=1))


def test_a_network_that_is_always_right_gets_the_coldest_temperature():
    assert uncertainty.temperature(5 * np.eye(3), np.arange(3)).value == pytest.approx(0.01)
    assert uncertainty.temperature(5 * np.eye(3), (np.arange(3) + 1) % 3).value == pytest.approx(100)
    with pytest.raises(UncertaintyError, match="above 0"):
        uncertainty.Temperature(0.0)


def test_the_matrix_is_multinomial_logistic_regression():
    logits, y = overconfident()
    theirs = LogisticRegression(C=np.inf, max_iter=5000, tol=1e-10).fit(logits, y).predict_proba(logits)
    assert np.allclose(uncertainty.matrix(logits, y)(logits), theirs, atol=2e-4)


def test_the_vector_is_the_optimum_of_its_own_likelihood():
    logits, y = overconfident(300, 3)
    fitted = uncertainty.vector(logits, y)
    assert np.array_equal(fitted.weights, np.diag(np.diag(fitted.weights)))
    start = np.concatenate([np.diag(fitted.weights), fitted.bias])
    again = optimize.minimize(lambda flat: nll(softmax(logits * flat[:3] + flat[3:]), y), start, method="Nelder-Mead")
    assert nll(fitted(logits), y) <= again.fun + 1e-7


def test_the_penalized_matrix_is_the_optimum_of_its_own_objective():
    logits, y = overconfident(80, 3)
    fitted = uncertainty.matrix(logits, y, penalty=0.5)

    def objective(flat):
        weights, bias = flat[:9].reshape(3, 3), flat[9:]
        beside = [weights[i, j] ** 2 for i in range(3) for j in range(3) if i != j]
        return nll(softmax(logits @ weights.T + bias), y) + 0.5 * (np.mean(beside) + np.mean(bias**2))

    start = np.concatenate([fitted.weights.ravel(), fitted.bias])
    assert objective(start) <= optimize.minimize(objective, start, method="BFGS").fun + 1e-6


def test_a_penalty_holds_the_matrix_near_a_vector():
    logits, y = overconfident(60, 8)
    off = [np.abs(uncertainty.matrix(logits, y, penalty=penalty).weights * (1 - np.eye(8))).max() for penalty in (0, 10, 1e6)]
    assert off[0] > off[1] > off[2] and off[2] < 1e-3
    fresh = overconfident(2000, 8, seed=1)
    losses = [nll(uncertainty.matrix(logits, y, penalty=penalty)(fresh[0]), fresh[1]) for penalty in (0, 10)]
    assert losses[1] < losses[0]


@pytest.mark.parametrize(("name", "method", "shown"), [("platt", "sigmoid", log_odds), ("isotonic", "isotonic", softmax)])
@pytest.mark.parametrize("classes", [2, 4])
def test_one_against_the_rest_equals_scikit_learn(name, method, shown, classes):
    logits, y = overconfident(classes=classes)
    x = shown(logits)
    x = x[:, 1] if classes == 2 else x
    theirs = CalibratedClassifierCV(FrozenEstimator(Answers(classes).fit(x, y)), method=method, ensemble=False).fit(x, y)
    ours = CALIBRATORS[name](logits, y)(logits)
    assert np.allclose(ours, theirs.predict_proba(x), atol=2e-5)


def test_a_histogram_gives_the_frequencies_of_its_bins():
    logits, y = overconfident(400, 3)
    stated, given = softmax(logits), uncertainty.CALIBRATORS["histogram"](logits, y, bins=4)(logits)
    rows = np.empty_like(stated)
    for label in range(3):
        for low, high in ((-1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 2)):
            there = (low < stated[:, label]) & (stated[:, label] <= high)
            rows[there, label] = np.mean(y[there] == label)
    assert np.allclose(given, rows / rows.sum(axis=1, keepdims=True), atol=1e-12)


def test_a_bin_without_examples_keeps_its_middle():
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    fitted = uncertainty.CALIBRATORS["histogram"](np.log(probs), np.array([0, 0, 1, 1]), bins=4)
    assert np.allclose(fitted(np.log([[0.9, 0.1], [0.3, 0.7]])), [[2 / 3, 1 / 3], [0.375, 0.625]])


def test_log_odds_keep_their_size_where_a_probability_rounds_to_one():
    odds = log_odds(np.array([[100.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    assert odds[0, 0] == pytest.approx(100 - np.log(2)) and odds[0, 1] == pytest.approx(-100)
    assert np.allclose(odds[1], -np.log(2))


@pytest.mark.parametrize("name", ["temperature", "vector", "matrix"])
def test_a_folded_calibration_is_in_the_models_own_answers(trained, digits, name):
    from projectkit import train

    before, logits = trained.get_weights(), train.logits(trained, digits.val.x)
    fitted = CALIBRATORS[name](logits, digits.val.y)
    folded = uncertainty.fold(trained, fitted)
    assert np.allclose(softmax(train.logits(folded, digits.test.x)), fitted(train.logits(trained, digits.test.x)), atol=1e-4)
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))
    assert not np.allclose(logits, train.logits(folded, digits.val.x), atol=1e-3)
    if name == "temperature":
        assert np.array_equal(train.logits(folded, digits.val.x).argmax(axis=1), logits.argmax(axis=1))


def test_what_cannot_be_folded_is_refused_with_a_sentence(trained, digits):
    from projectkit import models, train

    logits, y = train.logits(trained, digits.val.x), digits.val.y
    with pytest.raises(UncertaintyError, match=r"Received a calibrator Platt; expected.*linear"):
        uncertainty.fold(trained, uncertainty.CALIBRATORS["platt"](logits, y))
    with pytest.raises(UncertaintyError, match="for 3 classes; expected 10"):
        uncertainty.fold(trained, uncertainty.vector(logits[y < 3][:, :3], y[y < 3]))

    import tf_keras as keras

    wrapped = keras.Sequential([models.copy(trained), keras.layers.Softmax()])
    with pytest.raises(UncertaintyError, match=r"ends in Softmax.*expected a Dense"):
        uncertainty.fold(wrapped, uncertainty.Temperature(2.0))
    bare = keras.Sequential([keras.Input(digits.shape), keras.layers.Flatten(), keras.layers.Dense(10, use_bias=False)])
    assert uncertainty.fold(bare, uncertainty.Temperature(2.0)).layers[-1].get_weights()[0].shape == (64, 10)
    with pytest.raises(UncertaintyError, match="use_bias=True"):
        uncertainty.fold(bare, uncertainty.vector(logits, y))
