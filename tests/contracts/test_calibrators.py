"""What every calibrator and every maker of prediction sets promises. A new member is held to it by being there."""

import numpy as np
import pytest

from projectkit.errors import UncertaintyError
from projectkit.uncertainty import CALIBRATORS, CONFORMAL, SCORES, coverage, softmax

CLASSES = 5
SENTENCE = r"Received.*expected"
nll = SCORES["nll"]


def overconfident(count, seed=0, factor=3.0):
    """Logits `factor` times too large for labels that follow softmax(logits / factor)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, CLASSES))
    y = (softmax(logits).cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=CLASSES - 1)
    return factor * logits, y


@pytest.fixture(params=CALIBRATORS)
def fit(request):
    return CALIBRATORS[request.param]


@pytest.fixture(params=CONFORMAL)
def conformal(request):
    return CONFORMAL[request.param]


def test_gives_probabilities(fit):
    logits, y = overconfident(400)
    probs = fit(logits, y)(logits)
    assert probs.shape == logits.shape and probs.min() >= 0
    assert np.allclose(probs.sum(axis=1), 1, atol=1e-12)


def test_halves_the_error_of_an_overconfident_network_on_other_images(fit):
    calibrated = fit(*overconfident(3000))
    logits, y = overconfident(3000, seed=1)
    for name in ("ece", "brier"):
        assert SCORES[name](calibrated(logits), y) < SCORES[name](softmax(logits), y)
    assert SCORES["ece"](calibrated(logits), y) < 0.5 * SCORES["ece"](softmax(logits), y)


def test_the_same_twice_in_any_order_and_without_a_change_of_its_input(fit):
    logits, y = overconfident(400)
    other, before = overconfident(50, seed=1)[0], logits.copy()
    order = np.random.default_rng(2).permutation(400)
    answers = fit(logits, y)(other)
    assert np.array_equal(fit(logits, y)(other), answers)
    assert np.allclose(fit(logits[order], y[order])(other), answers, atol=1e-4)
    assert np.array_equal(logits, before)


@pytest.mark.parametrize("name", [name for name in CALIBRATORS if name not in ("vector", "matrix")])
def test_a_constant_added_to_the_logits_changes_nothing(name):
    fit = CALIBRATORS[name]  # vector and matrix weigh the logits of each class by numbers of its own
    logits, y = overconfident(400)
    moved = logits + np.random.default_rng(0).normal(0, 1, (400, 1))
    assert np.allclose(fit(moved, y)(moved), fit(logits, y)(logits), atol=1e-6)


def test_bears_classes_without_an_example_and_a_network_that_is_always_right(fit):
    logits, y = overconfident(60)
    keep = y < 3
    assert np.isfinite(fit(logits[keep], y[keep])(logits)).all()
    sure = 30 * np.eye(CLASSES)[y]
    probs = fit(sure, y)(sure)
    assert np.isfinite(probs).all() and nll(probs, y) < 0.2


def test_bad_calibration_sets_are_refused_with_a_sentence(fit):
    logits, y = overconfident(40)
    spoiled = logits.copy()
    spoiled[3, 1] = np.nan
    for bad in ((spoiled, y), (logits, y + 1), (logits, y[:-1]), (logits[:, :1], y), (logits[0], y), (logits, y.astype(float))):
        with pytest.raises(UncertaintyError, match=SENTENCE):
            fit(*bad)
    with pytest.raises(UncertaintyError, match="NaN"):
        fit(logits, y)(spoiled)


@pytest.mark.parametrize("name", [name for name in CALIBRATORS if name != "temperature"])  # one number fits any classes
def test_other_classes_than_it_was_fitted_with_are_refused(name):
    with pytest.raises(UncertaintyError, match=f"expected {CLASSES}"):
        CALIBRATORS[name](*overconfident(40))(np.zeros((2, CLASSES - 1)))


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.3])
def test_sets_hold_the_label_as_often_as_promised(conformal, alpha):
    shares = []
    for seed in range(20):
        logits, y = overconfident(2000, seed=seed)
        probs = softmax(logits)
        sets = conformal(probs[:1000], y[:1000], alpha)(probs[1000:], seed=seed)
        shares.append(coverage(sets, y[1000:]))
    assert 1 - alpha - 0.02 <= np.mean(shares) <= 1 - alpha + 0.03
    assert np.mean(shares) == pytest.approx(1 - alpha, abs=4 * np.sqrt(2 * alpha * (1 - alpha) / 1000 / 20) + 1 / 1001)


def test_sets_of_too_few_examples_hold_every_class(conformal):
    logits, y = overconfident(8)
    assert conformal(softmax(logits), y, 0.1)(softmax(logits)).all()


def test_sets_are_seeded_and_grow_with_the_promise(conformal):
    logits, y = overconfident(600)
    probs = softmax(logits)
    sets = conformal(probs[:300], y[:300], 0.1)(probs[300:])
    assert sets.dtype == bool and sets.shape == (300, CLASSES)
    assert np.array_equal(sets, conformal(probs[:300], y[:300], 0.1)(probs[300:]))
    assert np.all(sets <= conformal(probs[:300], y[:300], 0.05)(probs[300:]))


def test_bad_requests_for_sets_are_refused_with_a_sentence(conformal):
    logits, y = overconfident(30)
    probs = softmax(logits)
    for bad in ((probs, y, 0.0), (probs, y, 1.0), (probs, y, float("nan")), (logits, y, 0.1), (probs, y + 1, 0.1)):
        with pytest.raises(UncertaintyError, match=SENTENCE):
            conformal(*bad)
    with pytest.raises(UncertaintyError, match="sum"):
        conformal(probs, y, 0.1)(logits)
