"""Each score against its formula written out by hand, and the cut that validation allows."""

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import models, train
from projectkit.errors import ModelError
from projectkit.prune.fpgm import fpgm
from projectkit.prune.lfe import lfe
from projectkit.prune.magnitude import l1, l2
from projectkit.prune.masks import evaluator
from projectkit.prune.pgbp import Climb, pgbp
from projectkit.prune.scores import compute, keep_by_validation, random
from projectkit.prune.taylor import taylor
from projectkit.types import Recipe

LAYER = "conv2d_1"


def quick_pgbp(model, layer_name, data, *, seed=0):
    return pgbp(model, layer_name, data, seed=seed, climb=Climb(iterations=5))


SCORES = [random, l1, l2, fpgm, taylor, lfe, quick_pgbp]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("layer_name", ["conv2d", "conv2d_2"])
def test_one_finite_number_a_channel_and_the_same_again(trained, digits, score, layer_name):
    weights = [array.copy() for array in trained.get_weights()]
    data = digits.train.take(100)
    once = compute(score, trained, layer_name, data, seed=3)
    np.testing.assert_array_equal(once.shape, (trained.get_layer(layer_name).filters,))
    np.testing.assert_allclose(compute(score, trained, layer_name, data, seed=3), once, rtol=1e-4, atol=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(weights, trained.get_weights(), strict=True))


def test_norms_by_hand(trained, digits):
    kernel = trained.get_layer(LAYER).get_weights()[0]
    for channel in (0, 5, 31):
        weights = kernel[..., channel].astype(np.float64).ravel()
        assert l1(trained, LAYER, digits.val)[channel] == pytest.approx(sum(abs(w) for w in weights))
        assert l2(trained, LAYER, digits.val)[channel] == pytest.approx(sum(w * w for w in weights) ** 0.5)


def test_distances_to_the_other_filters_by_hand(trained, digits):
    kernel = trained.get_layer(LAYER).get_weights()[0].reshape(-1, 32).astype(np.float64)
    distances = [sum(np.sum((kernel[:, j] - kernel[:, k]) ** 2) ** 0.5 for k in range(32)) for j in range(32)]
    np.testing.assert_allclose(fpgm(trained, LAYER, digits.val), distances)


def test_a_depthwise_filter_is_a_channel(digits):
    model = models.build("dsconv", digits, widths=(6, 8))
    kernel = model.get_layer("depthwise_conv2d").get_weights()[0]
    np.testing.assert_allclose(l1(model, "depthwise_conv2d", digits.val), np.abs(kernel).sum(axis=(0, 1, 3)), rtol=1e-6)


def test_a_separable_filter_is_its_pointwise_part(digits):
    model = keras.Sequential([layers.SeparableConv2D(5, 3, input_shape=digits.shape), layers.Flatten(), layers.Dense(10)])
    kernel = model.layers[0].pointwise_kernel.numpy()
    np.testing.assert_allclose(l1(model, model.layers[0].name, digits.val), np.abs(kernel).sum(axis=(0, 1, 2)), rtol=1e-6)


def test_taylor_of_the_last_hidden_layer_in_closed_form(digits):
    """∂L/∂z_j = a_j · Σ_k w_jk (p_k − [k = y])."""
    model = models.build("mlp", digits, widths=(14, 12))
    data = digits.val.take(90)
    x = data.x.reshape(90, -1).astype(np.float64)
    (w1, b1), (w2, b2), (w3, b3) = (model.get_layer(name).get_weights() for name in ("dense", "dense_1", "logits"))
    active = np.maximum(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 0)
    exponentials = np.exp(active @ w3 + b3)
    error = exponentials / exponentials.sum(axis=1, keepdims=True) - np.eye(10)[data.y]
    np.testing.assert_allclose(taylor(model, "dense_1", data), np.mean((active * (error @ w3.T)) ** 2, axis=0), rtol=1e-4)


def test_taylor_of_a_convolution_is_the_slope_of_the_loss(trained, digits):
    """For one image: the slope of the loss along a channel's scale, from the batch normalization's own weights."""
    image = digits.val.take(1)
    norm = trained.layers[[layer.name for layer in trained.layers].index(LAYER) + 1]
    scores = taylor(trained, LAYER, image)
    channel, step = int(scores.argmax()), 0.01
    losses = []
    for factor in (1 - step, 1 + step):
        twin = models.copy(trained)
        gamma, beta, *moving = norm.get_weights()
        gamma[channel] *= factor
        beta[channel] *= factor  # ReLU(f·a) = f·ReLU(a): scales the channel behind its activation
        twin.get_layer(norm.name).set_weights([gamma, beta, *moving])
        losses.append(evaluator(twin, LAYER, image)(np.ones((1, 32))).loss[0])
    assert scores[channel] == pytest.approx(((losses[1] - losses[0]) / (2 * step)) ** 2, rel=0.05)


def test_random_depends_on_the_seed_alone(trained, digits):
    assert not np.array_equal(random(trained, LAYER, digits.val, seed=0), random(trained, LAYER, digits.val, seed=1))


def silent_units(digits):
    """A trained perceptron of 24 hidden units of which 8 do nothing, and which those are."""
    small = models.build("mlp", digits, widths=(16,))
    train.fit(small, digits, Recipe(epochs=6, learning_rate=5e-3), progress=False)
    wide = models.build("mlp", digits, widths=(24,))
    silent = np.isin(np.arange(24), np.random.default_rng(0).choice(24, 8, replace=False))
    kernel, bias = wide.get_layer("dense").get_weights()
    kernel[:, ~silent], bias[~silent] = small.get_layer("dense").get_weights()
    out, out_bias = small.get_layer("logits").get_weights()
    wide_out = np.zeros((24, 10), np.float32)
    wide_out[~silent] = out
    wide.get_layer("dense").set_weights([kernel, bias])
    wide.get_layer("logits").set_weights([wide_out, out_bias])
    return wide, silent


@pytest.mark.parametrize("score", [taylor, lfe])
def test_units_that_do_nothing_go_and_accuracy_stays(digits, score):
    model, silent = silent_units(digits)
    scores = score(model, "dense", digits.train)
    assert scores[silent].max() < np.median(scores[~silent])
    keep = keep_by_validation(model, "dense", scores, digits.val, tolerance=0.01)
    assert keep.sum() <= 18
    test = evaluator(model, "dense", digits.test)
    whole, cut = test(np.stack([np.ones(24, bool), keep])).accuracy
    assert cut >= whole - 0.05


def test_the_largest_cut_within_tolerance_by_hand(digits):
    model, _ = silent_units(digits)
    scores = np.random.default_rng(1).random(24)
    evaluate = evaluator(model, "dense", digits.val)
    order, allowed = np.argsort(scores), []
    for removed in range(24):
        mask = np.ones((1, 24), bool)
        mask[0, order[:removed]] = False
        if evaluate(mask).accuracy[0] >= evaluate(np.ones((1, 24))).accuracy[0] - 0.02:
            allowed.append(removed)
    keep = keep_by_validation(model, "dense", scores, digits.val, tolerance=0.02)
    assert set(np.flatnonzero(~keep)) == set(order[: max(allowed)])
    assert keep_by_validation(model, "dense", scores, digits.val, tolerance=1.0).sum() == 1


JUNK = [np.full(32, np.nan), np.ones(31), np.ones((32, 1)), ["much"] * 32, [[1], [2, 3]], np.full(32, 1j), None]


@pytest.mark.parametrize("bad", JUNK, ids=["nan", "too few", "two axes", "words", "ragged", "complex", "nothing"])
def test_scores_that_say_nothing_are_refused(trained, digits, bad):
    with pytest.raises(ModelError, match=r"expected \(32,\), all finite"):
        compute(lambda model, layer_name, data, *, seed=0: bad, trained, LAYER, digits.val)
    with pytest.raises(ModelError, match=r"expected \(32,\), all finite"):
        keep_by_validation(trained, LAYER, bad, digits.val)


@pytest.mark.parametrize("tolerance", [-0.01, np.nan])
def test_a_tolerance_that_makes_no_sense_is_refused(trained, digits, tolerance):
    with pytest.raises(ModelError, match="loss of accuracy"):
        keep_by_validation(trained, LAYER, np.arange(32), digits.val, tolerance=tolerance)
