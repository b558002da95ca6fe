"""SWAG against the weights that training passed, and its samples against its own equation."""

from dataclasses import replace

import numpy as np
import pytest

from projectkit import models, train, uncertainty
from projectkit.errors import UncertaintyError
from projectkit.types import Recipe
from projectkit.uncertainty.batch_statistics import statistics_of
from projectkit.uncertainty.forward import logits
from projectkit.uncertainty.swag import drawn

# isort: split
from tf_keras import layers

ON = Recipe(epochs=5, batch_size=64, learning_rate=4e-3)


@pytest.fixture(scope="module")
def few(digits):
    return replace(digits, train=digits.train.take(300), val=digits.val.take(32), digest="few")


@pytest.fixture(scope="module")
def network(few):
    model = uncertainty.with_dropout(models.build("convnet", few, widths=(4, 8)), 0.2)
    train.fit(model, few, replace(ON, epochs=2), progress=False)
    return model


@pytest.fixture(scope="module")
def posterior(network, few):
    return uncertainty.fit_swag(network, few, ON, rank=3)


def test_the_moments_are_those_of_the_weights_after_each_epoch(network, posterior, few):
    passed = []
    train.fit(
        models.copy(network),
        few,
        replace(ON, schedule="constant"),
        progress=False,
        after_epoch=lambda model: passed.append(np.concatenate([np.ravel(v) for v in model.trainable_variables])),
    )
    passed = np.array(passed, dtype=np.float64)
    running = np.array([passed[: count + 1].mean(axis=0) for count in range(5)])
    assert posterior.mean == pytest.approx(passed.mean(axis=0), abs=1e-6)
    assert posterior.variance == pytest.approx(passed.var(axis=0), abs=1e-6)
    assert posterior.deviations == pytest.approx((passed - running)[-3:].T, abs=1e-6)


def test_samples_have_the_mean_and_covariance_of_the_equation(posterior):
    rng = np.random.default_rng(0)
    chosen = np.argsort(-posterior.variance)[:6]
    draws = np.array([drawn(posterior, 1.0, rng)[chosen] for _ in range(6000)])
    deviations = posterior.deviations[chosen]
    expected = np.diag(posterior.variance[chosen]) / 2 + deviations @ deviations.T / (2 * (3 - 1))
    size = np.abs(expected).max()
    assert draws.mean(axis=0) == pytest.approx(posterior.mean[chosen], abs=0.06 * size**0.5)
    assert np.cov(draws.T) == pytest.approx(expected, abs=0.08 * size)


def test_at_scale_0_every_sample_is_the_averaged_network(posterior, few):
    samples = uncertainty.swag(posterior, few.test.x[:30], samples=2, scale=0.0)
    averaged = uncertainty.averaged(posterior)
    assert samples == pytest.approx(np.repeat(uncertainty.plain(averaged, few.test.x[:30]), 2, axis=0), abs=1e-5)
    weights = np.concatenate([np.ravel(variable) for variable in averaged.trainable_variables])
    assert weights == pytest.approx(posterior.mean, abs=1e-6)
    assert any(isinstance(layer, layers.Dropout) and layer.rate == 0.2 for layer in averaged.layers)


def test_samples_spread_with_the_scale(posterior, few):
    spreads = [uncertainty.swag(posterior, few.test.x[:30], samples=6, scale=scale).std(axis=0).mean() for scale in (0.3, 1, 3)]
    assert 0 < spreads[0] < spreads[1] < spreads[2]


def test_statistics_are_those_of_the_images_layer_by_layer(few):
    """One batch: the mean and the (unbiased, as the fused operation has it) variance of what enters each normalization."""
    import tf_keras as keras

    model = models.build("convnet", few, widths=(4, 8))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.gamma.assign(np.linspace(0.5, 2, layer.gamma.shape[0]))
    x = few.train.x[:100]
    statistics_of(model, x)()
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            entering = keras.Model(model.inputs, layer.input).predict(x, verbose=0).reshape(-1, layer.gamma.shape[0])
            assert layer.moving_mean.numpy() == pytest.approx(entering.mean(axis=0), abs=2e-3)
            assert layer.moving_variance.numpy() == pytest.approx(entering.var(axis=0, ddof=1), rel=1e-2)


def test_statistics_of_several_batches_weigh_every_image_alike(few):
    model = models.build("convnet", few, widths=(4,))
    whole, parts = models.copy(model), models.copy(model)
    statistics_of(whole, few.train.x[:300])()  # 128 + 128 + 44
    first = next(layer for layer in whole.layers if isinstance(layer, layers.BatchNormalization))
    entering = logits_of_first(model, few.train.x[:300])
    assert first.moving_mean.numpy() == pytest.approx(entering.mean(axis=0), abs=1e-5)
    statistics_of(parts, few.train.x[:300][::-1].copy())()
    assert logits(parts, few.test.x[:9]) == pytest.approx(logits(whole, few.test.x[:9]), abs=0.02)


def logits_of_first(model, x):
    """What enters the first normalization: (positions, channels)."""
    import tf_keras as keras

    norm = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    return keras.Model(model.inputs, norm.input).predict(x, verbose=0).reshape(-1, norm.gamma.shape[0])


@pytest.mark.parametrize("scale", [-0.1, float("inf"), float("nan")])
def test_a_scale_that_is_negative_or_endless_is_refused(posterior, few, scale):
    with pytest.raises(UncertaintyError, match=r"Received the scale .*; expected a finite number ≥ 0\. Give 1"):
        uncertainty.swag(posterior, few.test.x[:2], scale=scale)


@pytest.mark.parametrize(("epochs", "rank"), [(1, 20), (5, 1)])
def test_too_few_epochs_or_deviations_are_refused(network, few, epochs, rank):
    with pytest.raises(UncertaintyError, match=r"Received 1 .*; expected a whole number of at least 2\. Give more"):
        uncertainty.fit_swag(network, few, replace(ON, epochs=epochs), rank=rank)
