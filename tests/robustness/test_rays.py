"""Rays: what is known exactly of a linear model, and that the numbers behind a decision do not matter."""

import numpy as np
import pytest

from models_by_hand import linear_weights
from projectkit.data import load
from projectkit.robustness.rays import ray_queries, rays
from projectkit.robustness.square import answered

COUNT = 60


@pytest.fixture(scope="module")
def linear():
    w, b = linear_weights()
    return lambda x: x.reshape(len(x), -1) @ w + b


@pytest.fixture(scope="module")
def images():
    test = load("digits").test
    return test.x[:COUNT], test.y[:COUNT]


def exactly_robust(x: np.ndarray, y: np.ndarray, epsilon: float) -> np.ndarray:
    """Against each other class the worst change of a linear model's answer is known."""
    w, b = linear_weights()
    flat, held = x.reshape(len(x), -1), np.ones(len(x), bool)
    for other in range(10):
        lead = (w[:, y] - w[:, [other]]).T
        worst = np.clip(flat - epsilon * np.sign(lead), 0, 1)
        held &= (y == other) | ((worst * lead).sum(axis=1) + b[y] - b[other] > 0)
    return held


@pytest.mark.parametrize("epsilon", [0.05, 0.1])
def test_it_comes_close_to_the_best_there_is(linear, images, epsilon):
    x, y = images
    found, robust = answered(ray_queries(x, y, epsilon, 600, np.random.default_rng(0)), linear)
    exact = exactly_robust(x, y, epsilon)
    assert not (exact & ~robust).any() and robust.sum() <= exact.sum() + 0.1 * COUNT
    right = linear(x).argmax(axis=1) == y
    assert (linear(found[right & ~robust]).argmax(axis=1) != y[right & ~robust]).all()
    assert np.abs(found - x).max() <= epsilon + 1e-6 and found.min() >= 0 and found.max() <= 1
    np.testing.assert_array_equal(found[robust], x[robust])


def test_only_the_decision_matters(linear, images):
    x, y = images
    masks = (lambda z: 1000 * z, lambda z: np.eye(10)[z.argmax(axis=1)], lambda z: np.exp(z - z.max(axis=1, keepdims=True)))
    plain = rays(linear, x, y, 0.1, queries=100)
    for mask in masks:
        np.testing.assert_array_equal(rays(lambda x, mask=mask: mask(linear(x)), x, y, 0.1, queries=100), plain)


def test_it_begins_where_another_attack_ended(linear, images):
    """From the corner that is worst for a linear model, nothing is left to search: the image falls within two questions."""
    x, y = images
    w, _ = linear_weights()
    fragile = (linear(x).argmax(axis=1) == y) & ~exactly_robust(x, y, 0.1)
    x, y = x[fragile], y[fragile]
    fallen = np.zeros(len(x), bool)
    for other in range(10):
        start = (x.reshape(len(x), -1) - np.sign(w[:, y] - w[:, [other]]).T).reshape(x.shape)
        fallen |= ~answered(ray_queries(x, y, 0.1, 3, np.random.default_rng(0), start=start), linear)[1]
    assert fallen.all()
