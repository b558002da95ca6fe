"""What every score of probabilities, every out-of-distribution score and every measure of detection promises. A new member of
SCORES or OOD_SCORES is held to it by being there."""

import numpy as np
import pytest

from projectkit.errors import UncertaintyError
from projectkit.uncertainty import OOD_SCORES, SCORES, aupr, auroc, detection_interval, fpr95, score_interval, softmax
from projectkit.uncertainty.calibration_error import CALIBRATION_ERRORS

EXAMPLES, CLASSES = 240, 5
SENTENCE = r"Received.*expected"


def drawn(seed=0, sharper=1.0):
    """Logits, and labels that follow softmax(logits / sharper)."""
    rng = np.random.default_rng(seed)
    logits = sharper * rng.normal(0, 2, (EXAMPLES, CLASSES))
    luck = rng.random((EXAMPLES, 1))
    return logits, (softmax(logits / sharper).cumsum(axis=1) < luck).sum(axis=1).clip(max=CLASSES - 1)


@pytest.fixture(params=SCORES)
def score(request):
    return SCORES[request.param]


@pytest.fixture(params=OOD_SCORES)
def ood_score(request):
    return OOD_SCORES[request.param]


def test_perfect_probabilities_score_zero_and_others_more(score):
    logits, y = drawn()
    assert score(np.eye(CLASSES)[y], y) == 0
    confidently_wrong = np.eye(CLASSES)[(y + 1) % CLASSES]
    assert 0 < score(softmax(logits), y) < score(confidently_wrong, y) < np.inf


def test_a_float_that_is_the_same_twice_and_in_any_order(score):
    logits, y = drawn()
    probs, order = softmax(logits), np.random.default_rng(1).permutation(EXAMPLES)
    assert type(score(probs, y)) is float
    assert score(probs, y) == score(probs, y)
    assert score(probs[order], y[order]) == pytest.approx(score(probs, y), abs=1e-12)


def test_equally_confident_examples_have_no_order(score):
    rng = np.random.default_rng(2)
    probs = softmax(np.round(rng.normal(0, 2, (EXAMPLES, 2))))
    y, order = rng.integers(0, 2, EXAMPLES), rng.permutation(EXAMPLES)
    assert score(probs[order], y[order]) == pytest.approx(score(probs, y), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_single_precision_probabilities_do_and_stay_as_they_are(score, dtype):
    logits, y = drawn()
    probs = softmax(logits).astype(dtype)
    before = probs.copy()
    assert score(probs, y) == pytest.approx(score(probs.astype(np.float64), y), abs=1e-9)
    assert np.array_equal(probs, before)


def test_an_interval_holds_the_value_and_is_seeded(score):
    logits, y = drawn(sharper=3.0)
    if score in CALIBRATION_ERRORS:
        with pytest.raises(UncertaintyError, match=f"{score.__name__}.*calibration_interval"):
            score_interval(score, softmax(logits), y, draws=50)
        return
    found = score_interval(score, softmax(logits), y, draws=50)
    assert found.low < found.value < found.high
    assert (found.value, found.n, found.metric) == (score(softmax(logits), y), EXAMPLES, score.__name__)
    assert found == score_interval(score, softmax(logits), y, draws=50)
    assert found != score_interval(score, softmax(logits), y, draws=50, seed=1)


BAD = {
    "no sum of one": (lambda p, y: (p * 0.9, y), "sums to 0.9"),
    "negative": (lambda p, y: (p - np.eye(CLASSES)[0] + np.eye(CLASSES)[1], y), "in [0, 1]"),
    "NaN": (lambda p, y: (np.where(np.arange(EXAMPLES)[:, None] == 3, np.nan, p), y), "NaN"),
    "samples": (lambda p, y: (p[None], y), "mean over the samples"),
    "one class": (lambda p, y: (p[:, :1], y), "at least two classes"),
    "none": (lambda p, y: (p[:0], y[:0]), "n ≥ 1"),
    "text": (lambda p, y: (p.astype(str), y), "numbers"),
    "too large a label": (lambda p, y: (p, y + 1), f"0 to {CLASSES - 1}"),
    "a negative label": (lambda p, y: (p, y - 1), f"0 to {CLASSES - 1}"),
    "labels as floats": (lambda p, y: (p, y.astype(float)), "integers"),
    "another number of labels": (lambda p, y: (p, y[:-1]), f"({EXAMPLES},)"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_with_a_sentence(score, what):
    spoil, words = BAD[what]
    logits, y = drawn()
    with pytest.raises(UncertaintyError, match=SENTENCE) as error:
        score(*spoil(softmax(logits), y))
    assert words in str(error.value)


def test_an_ood_score_is_larger_the_less_the_network_is_sure(ood_score):
    logits, _ = drawn()
    scores = ood_score(logits)
    assert scores.shape == (EXAMPLES,) and np.isfinite(scores).all()
    assert np.all(ood_score(3 * np.abs(logits)) <= ood_score(np.abs(logits)) + 1e-12)
    assert np.array_equal(scores, ood_score(logits))
    order = np.random.default_rng(1).permutation(EXAMPLES)
    assert np.array_equal(ood_score(logits[order]), scores[order])


def test_an_ood_score_bears_enormous_logits_and_refuses_nan(ood_score):
    assert np.isfinite(ood_score(np.array([[1e4, -1e4, 0.0], [3e38, -3e38, 1.0]]))).all()
    with pytest.raises(UncertaintyError, match="1 of 2 rows"):
        ood_score(np.array([[0.0, np.nan], [0.0, 1.0]]))
    with pytest.raises(UncertaintyError, match="expected"):
        ood_score(np.zeros(3))


@pytest.mark.parametrize(("measure", "best", "worst"), [(auroc, 1.0, 0.0), (aupr, 1.0, None), (fpr95, 0.0, 1.0)])
def test_a_measure_of_detection_knows_the_best_and_the_worst(measure, best, worst):
    inside, outside = np.linspace(0, 1, 50), np.linspace(2, 3, 30)
    assert measure(inside, outside) == best
    assert worst is None or measure(outside, inside) == worst
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(0, 1, 50), rng.normal(1, 1, 30)
    value = measure(inside, outside)
    assert value == measure(rng.permutation(inside), rng.permutation(outside))
    assert value == measure(np.exp(inside), np.exp(outside)), "only the order counts"
    found = detection_interval(measure, inside, outside, draws=50, metric="ood")
    assert 0 <= found.low < value < found.high <= 1 and found.value == value and found.n == 80
    for bad in ([], [np.nan], [[1.0]]):
        with pytest.raises(UncertaintyError, match=SENTENCE):
            measure(inside, np.array(bad))
