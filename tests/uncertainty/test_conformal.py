"""Prediction sets: the quantile, the sets by hand, the promise, and what becomes of it elsewhere."""

import itertools
import math

import numpy as np
import pytest

from projectkit.errors import UncertaintyError
from projectkit.uncertainty import CONFORMAL, conformal_quantile, coverage, softmax


def drawn(count, seed=0, classes=6, factor=2.0):
    rng = np.random.default_rng(seed)
    probs = softmax(rng.normal(0, factor, (count, classes)))
    return probs, (probs.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=classes - 1)


@pytest.mark.parametrize(("count", "alpha", "place"), [(9, 0.1, 9), (10, 0.1, 10), (99, 0.05, 95), (19, 0.5, 10), (8, 0.1, None)])
def test_the_quantile_is_one_of_the_values(count, alpha, place):
    values = np.random.default_rng(0).permutation(count).astype(float)
    assert conformal_quantile(values, alpha) == (math.inf if place is None else place - 1)


@pytest.mark.parametrize("count", [9, 19, 50, 101])
def test_the_quantile_agrees_with_numpys(count):
    """Its method "higher", which one often reads, can be one place too high: it counts n − 1 steps between the n values."""
    values = np.random.default_rng(count).random(count)
    level = math.ceil((count + 1) * 0.9) / count
    assert conformal_quantile(values, 0.1) == np.quantile(values, level, method="inverted_cdf")
    assert conformal_quantile(values, 0.1) <= np.quantile(values, level, method="higher")


def test_a_new_value_is_below_the_quantile_as_often_as_promised_in_every_order():
    values, alpha = np.arange(6), 0.3  # of 5, place ⌈6 · 0.7⌉ = 5
    below = [order[5] <= conformal_quantile(np.array(order[:5], float), alpha) for order in itertools.permutations(values)]
    assert np.mean(below) == pytest.approx(5 / 6)


def test_sets_by_hand():
    probs, y = np.array([[0.5, 0.3, 0.2]] * 19), np.repeat([0, 1, 2], [10, 6, 3])
    new = np.array([[0.6, 0.3, 0.1], [0.4, 0.35, 0.25]])
    lac = CONFORMAL["lac"](probs, y, 0.5)  # the 10th of ten 0.5, six 0.7, three 0.8
    assert lac.threshold == pytest.approx(0.5)
    assert lac(new).tolist() == [[True, False, False], [False, False, False]]
    aps = CONFORMAL["aps"](probs, y, 0.2, randomized=False)  # the 16th of ten 0.5, six 0.8, three 1.0
    assert aps.threshold == pytest.approx(0.8)
    assert aps(np.array([[0.6, 0.15, 0.25]])).tolist() == [[True, False, False]]
    assert aps(np.array([[0.35, 0.25, 0.4]])).tolist() == [[True, False, True]]
    raps = CONFORMAL["raps"](probs, y, 0.2, penalty=0.1, free=1, randomized=False)  # ten 0.5, six 0.8 + 0.1, three 1.0 + 0.2
    assert raps.threshold == pytest.approx(0.9)
    assert raps(np.array([[0.5, 0.26, 0.24]])).tolist() == [[True, True, False]]


def test_adaptive_sets_equal_a_loop():
    probs, y = drawn(300)
    sets = CONFORMAL["aps"](probs, y, 0.1, randomized=False)
    found, expected = sets(probs), np.zeros_like(probs, dtype=bool)
    for row, chosen in zip(probs, expected, strict=True):
        mass = 0.0
        for label in sorted(range(6), key=lambda label: -row[label]):
            mass += row[label]
            chosen[label] = mass <= sets.threshold
    assert np.array_equal(found, expected)


def test_randomized_sets_are_smaller_and_regularized_ones_have_no_tail():
    probs, y = drawn(4000, classes=20, factor=1.0)
    sizes = {}
    for name, options in (("aps", {"randomized": False}), ("aps", {}), ("raps", {"penalty": 0.3, "free": 3})):
        sets = CONFORMAL[name](probs[:2000], y[:2000], 0.1, **options)(probs[2000:])
        sizes[name, *options] = sets.sum(axis=1)
        assert coverage(sets, y[2000:]) == pytest.approx(0.9, abs=0.03)
    assert sizes["aps",].mean() < sizes["aps", "randomized"].mean()
    assert sizes["raps", "penalty", "free"].max() < sizes["aps",].max()


def test_adaptive_sets_are_larger_for_harder_images():
    probs, y = drawn(2000)
    sizes = CONFORMAL["aps"](probs[:1000], y[:1000], 0.1)(probs[1000:]).sum(axis=1)
    hard = probs[1000:].max(axis=1) < 0.5
    assert sizes[hard].mean() > sizes[~hard].mean() + 0.5


def test_coverage_follows_the_beta_binomial_law():
    """Over both draws, the hits among m new examples are beta-binomial with ⌈(n + 1)(1 − α)⌉ and n + 1 minus that."""
    from scipy import stats

    n, m, alpha, hits = 50, 200, 0.2, []
    for seed in range(400):
        probs, y = drawn(n + m, seed=seed)
        hits.append(round(m * coverage(CONFORMAL["lac"](probs[:n], y[:n], alpha)(probs[n:]), y[n:])))
    place = math.ceil((n + 1) * (1 - alpha))
    law = stats.betabinom(m, place, n + 1 - place)
    assert np.mean(hits) == pytest.approx(law.mean(), abs=4 * law.std() / 20)
    assert np.std(hits) == pytest.approx(law.std(), rel=0.15)


def test_the_promise_is_lost_where_images_come_from_elsewhere():
    probs, y = drawn(2000)
    sets = CONFORMAL["lac"](probs[:1000], y[:1000], 0.1)
    other = np.random.default_rng(0).integers(0, 6, 1000)  # labels that have nothing to do with the answers
    assert coverage(sets(probs[1000:]), other) < 0.75


def test_coverage_refuses_what_is_no_sets():
    for sets, y in (
        (np.ones((3, 2)), np.zeros(3, int)),
        (np.ones((3, 2), bool), np.zeros(2, int)),
        (np.ones(3, bool), np.zeros(3)),
    ):
        with pytest.raises(UncertaintyError, match=r"Received.*expected"):
            coverage(sets, y)
    with pytest.raises(UncertaintyError, match=r"penalty -1"):
        CONFORMAL["raps"](*drawn(20), 0.1, penalty=-1)
