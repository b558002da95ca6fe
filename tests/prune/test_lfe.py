"""Linear filter ensembles: the algebra, inserted units, and XOR with the fewest units."""

import numpy as np
import pytest
from inserted_units import LAYER, auroc, network
from xor_units import shrink

from projectkit.errors import ModelError
from projectkit.prune.lfe import draw, filter_shares, lfe, success
from projectkit.prune.magnitude import l1
from projectkit.prune.scores import random


def test_an_additive_loss_gives_its_weights_back():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=30)
    masks = draw(480, 30, seed=1)
    theta = filter_shares(masks, 5 - masks @ weights)
    assert np.corrcoef(theta, weights)[0, 1] > 0.999


@pytest.mark.parametrize("intercept", [True, False])
def test_shares_solve_the_least_squares_problem(intercept):
    rng = np.random.default_rng(2)
    masks, losses = draw(200, 12, seed=3), rng.gamma(2.0, size=200)
    z = np.column_stack([masks, np.ones(200)]) if intercept else masks.astype(float)
    expected = np.linalg.lstsq(z, 1 - (losses - losses.min()) / (losses.max() - losses.min()), rcond=None)[0][:12]
    np.testing.assert_allclose(filter_shares(masks, losses, intercept=intercept, ridge=0), expected, atol=1e-10)


def test_success_runs_from_the_worst_mask_to_the_best():
    np.testing.assert_allclose(success(np.array([3.0, 1.0, 2.0, 5.0])), [0.5, 1.0, 0.75, 0.0])
    np.testing.assert_array_equal(success(np.full(4, 2.5)), 1.0)


def test_masks_keep_the_share_that_was_asked_for_and_never_nothing():
    assert draw(2000, 20, keep=0.9).mean() == pytest.approx(0.9, abs=0.01)
    assert draw(500, 3, keep=0.1).any(axis=1).all()
    np.testing.assert_array_equal(draw(10, 5, seed=4), draw(10, 5, seed=4))


@pytest.mark.parametrize("keep, masks", [(0.0, 10), (1.0, 10), (0.5, 0)])
def test_a_draw_that_makes_no_sense_is_refused(keep, masks):
    with pytest.raises(ModelError, match="0 < keep < 1"):
        draw(masks, 5, keep=keep)


def test_a_loss_that_is_not_finite_is_refused():
    with pytest.raises(ModelError, match="1 of 3 masks"):
        filter_shares(np.eye(3), np.array([1.0, np.nan, 2.0]))


def test_inserted_units_rank_low_where_their_norms_say_nothing(digits):
    model, inserted = network()
    assert auroc(lfe(model, LAYER, digits.train.take(800)), inserted) >= 0.85
    assert auroc(l1(model, LAYER, digits.train), inserted) <= 0.6
    assert 0.35 <= auroc(random(model, LAYER, digits.train), inserted) <= 0.65


def test_xor_keeps_three_hidden_units_of_ten_or_fewer():
    """Remove the unit of the least share, train on, and stop when accuracy falls by more than one per cent: 20 networks."""
    units, before, after = shrink(lambda masks, losses, rng: filter_shares(masks, losses))
    assert before.min() > 0.98
    assert np.sum((units <= 3) & (after >= before - 0.01)) >= 18
    by_chance, *_ = shrink(lambda masks, losses, rng: rng.random(masks.shape[1]))
    assert units.mean() < by_chance.mean()
