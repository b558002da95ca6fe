"""Probabilistic gradient-based pruning: the estimator, and inserted units with and without variance reduction."""

import itertools

import numpy as np
import pytest
from inserted_units import LAYER, auroc, network

from projectkit.errors import ModelError
from projectkit.prune.masks import Outcomes, evaluator
from projectkit.prune.pgbp import Climb, accuracy_score, ascend, exponential_score, loss_score, never_empty, pgbp


def test_one_step_is_the_gradient_of_the_expected_score():
    """Against the sum over the seven masks of three channels that keep one: ∂E/∂θ_j = Σ_z P(z) (z_j − E[z_j]) s(z)."""
    value = np.random.default_rng(0).normal(size=(2, 2, 2))
    masks = np.array(list(itertools.product((0, 1), repeat=3))[1:])
    scores = value[tuple(masks.T)]
    expected = np.mean((masks - masks.mean(axis=0)) * scores[:, None], axis=0)

    def score(masks):
        return value[tuple(masks.astype(int).T)]

    once = Climb(iterations=1, samples=200_000, variance_reduction=False)
    np.testing.assert_allclose(ascend(score, 3, climb=once), expected, atol=0.005)


@pytest.mark.parametrize("probability", [[0.5, 0.5, 0.5], [0.1, 0.02, 0.3], [0.001, 0.002, 0.001]])
def test_no_mask_is_empty_and_the_others_are_as_probable_as_they_were(probability):
    """Against the probabilities of the seven masks, each over what is left when the empty one cannot be."""
    p, rng = np.array(probability), np.random.default_rng(0)
    drawn = never_empty(rng.random((100_000, 3)) < p, p, rng)
    assert drawn.any(axis=1).all()
    masks = np.array(list(itertools.product((0, 1), repeat=3))[1:])
    expected = np.prod(np.where(masks, p, 1 - p), axis=1) / (1 - np.prod(1 - p))
    shares = [np.mean((drawn == mask).all(axis=1)) for mask in masks]
    np.testing.assert_allclose(shares, expected, atol=0.006)


def test_the_climb_never_asks_about_a_layer_without_channels():
    """Also where every channel harms, and the probabilities fall until most masks would be empty."""
    asked = []

    def score(masks):
        asked.append(masks.copy())
        return -masks.sum(axis=1).astype(float)

    theta = ascend(score, 4, climb=Climb(iterations=200))
    assert np.concatenate(asked).any(axis=1).all()
    assert np.isfinite(theta).all() and (theta < 0).sum() >= 3
    assert ascend(score, 1, climb=Climb(iterations=5)) == 0  # one channel: there is only one mask, and nothing to learn


def test_the_climb_keeps_what_helps_and_drops_what_harms():
    weights = np.array([2.0, -2.0, 1.0, -1.0, 0.0])
    theta = ascend(lambda masks: masks @ weights, 5, seed=1)
    assert (theta[[0, 2]] > 3).all() and (theta[[1, 3]] < -3).all()
    assert abs(theta[4]) < min(theta[2], -theta[3])
    assert np.abs(theta).max() <= 6


def test_with_variance_reduction_the_scale_and_offset_of_the_score_do_not_matter():
    weights = np.random.default_rng(2).normal(size=20)
    plain = ascend(lambda masks: masks @ weights, 20, seed=3, climb=Climb(iterations=50))
    moved = ascend(lambda masks: 1000 * (masks @ weights) - 7e4, 20, seed=3, climb=Climb(iterations=50))
    np.testing.assert_allclose(plain, moved, atol=1e-4)


def test_the_three_scores_of_an_outcome():
    outcomes = Outcomes(np.array([0.5, 2.0]), np.array([0.9, 0.25]))
    np.testing.assert_allclose(loss_score(outcomes), [-0.5, -2.0])
    np.testing.assert_allclose(accuracy_score(outcomes), [0.9, 0.25])
    np.testing.assert_allclose(exponential_score(outcomes), [np.e**9, np.e**2.5])


@pytest.mark.parametrize("score", [loss_score, accuracy_score, exponential_score])
def test_inserted_units_rank_low_and_variance_reduction_is_why(digits, score):
    model, inserted = network()
    evaluate = evaluator(model, LAYER, digits.train.take(800))

    def mean_auroc(climb):
        thetas = [ascend(lambda masks: score(evaluate(masks)), evaluate.channels, seed=seed, climb=climb) for seed in (0, 1)]
        return np.mean([auroc(theta, inserted) for theta in thetas])

    reduced = mean_auroc(Climb())
    assert reduced >= 0.85
    assert reduced - mean_auroc(Climb(variance_reduction=False)) >= 0.1


def test_a_student_s_own_score_of_the_outcomes_will_do(digits):
    model, inserted = network()
    theta = pgbp(model, LAYER, digits.train.take(800), score=lambda outcomes: outcomes.accuracy - 0.2 * outcomes.loss)
    assert auroc(theta, inserted) > 0.8


@pytest.mark.parametrize("climb", [Climb(iterations=0), Climb(samples=1), Climb(learning_rate=0.0), Climb(learning_rate=np.nan)])
def test_a_climb_that_makes_no_sense_is_refused(climb):
    with pytest.raises(ModelError, match="two samples"):
        ascend(lambda masks: masks.sum(axis=1), 4, climb=climb)


@pytest.mark.parametrize("score", [lambda masks: np.full(len(masks), np.inf), lambda masks: 1.0])
def test_a_score_that_says_nothing_is_refused(score):
    with pytest.raises(ModelError, match="one finite number"):
        ascend(score, 4)
