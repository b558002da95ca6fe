"""Variational networks: their divergence against theory, sampling and the library's; their two estimators against each other."""

import numpy as np
import pytest

from projectkit import models, train, uncertainty
from projectkit.errors import UncertaintyError
from projectkit.types import Recipe
from projectkit.uncertainty.variational import ESTIMATORS

# isort: split
import tf_keras as keras
from tf_keras import layers

MEAN, DEVIATION = np.array([0.3, -1.2, 0.0]), np.array([0.5, 0.1, 2.0])


@pytest.fixture(params=ESTIMATORS)
def estimator(request):
    return request.param


def test_the_divergence_in_closed_form_is_that_of_sampling():
    """E_q[ln q − ln p] over 200 000 draws."""
    rng, prior = np.random.default_rng(0), 0.8
    w = MEAN + DEVIATION * rng.standard_normal((200_000, 3))
    log_ratio = -np.log(DEVIATION / prior) - ((w - MEAN) / DEVIATION) ** 2 / 2 + (w / prior) ** 2 / 2
    assert uncertainty.kl_divergence(MEAN, DEVIATION, prior) == pytest.approx(log_ratio.sum(axis=1).mean(), rel=0.01)


def test_the_divergence_is_that_of_the_library():
    import tensorflow_probability as tfp

    normal = tfp.distributions.Normal
    expected = tfp.distributions.kl_divergence(normal(MEAN, DEVIATION), normal(np.zeros(3), np.full(3, 0.8)))
    assert uncertainty.kl_divergence(MEAN, DEVIATION, 0.8) == pytest.approx(expected.numpy().sum())


def test_the_divergence_is_0_for_the_prior_alone_and_positive_for_anything_else():
    assert uncertainty.kl_divergence(np.zeros(5), np.full(5, 0.8), 0.8) == pytest.approx(0)
    rng = np.random.default_rng(1)
    assert all(uncertainty.kl_divergence(rng.normal(), rng.uniform(0.01, 3), 0.8) > 0 for _ in range(200))


@pytest.mark.parametrize("name", ["mlp", "convnet"])
def test_a_twins_losses_are_its_divergence_over_the_images(digits, estimator, name):
    model = models.build(name, digits)
    twin = uncertainty.variational_twin(model, len(digits.train), estimator=estimator, prior=0.5, deviation=0.02, kl_weight=0.3)
    twin(digits.test.x[:1])  # the layers say what they cost when they are called
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
    expected = sum(uncertainty.kl_divergence(kernel, np.full(kernel.shape, 0.02), 0.5) for kernel in kernels)
    assert len(twin.losses) == len(kernels)
    assert float(sum(twin.losses)) == pytest.approx(0.3 * expected / len(digits.train), rel=1e-3)
    assert uncertainty.divergence(twin) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["mlp", "convnet", "resnet8"])
def test_a_twin_that_hardly_deviates_gives_the_networks_answer(digits, estimator, name):
    model = models.build(name, digits)
    twin = uncertainty.variational_twin(model, 100, estimator=estimator, deviation=1e-6)
    samples = uncertainty.variational(twin, digits.test.x[:20], samples=2)
    assert samples == pytest.approx(np.repeat(uncertainty.plain(model, digits.test.x[:20]), 2, axis=0), abs=1e-3)


def test_both_estimators_have_the_mean_and_variance_of_theory():
    """Logits of a linear model: mean wᵀx + b, variance σ² |x|²; read from the probabilities up to their mean over the classes."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(4, bias_initializer="normal")(inputs))
    x = np.random.default_rng(0).uniform(-1, 1, (3, 6)).astype(np.float32)
    kernel, bias = (weight - weight.mean(axis=-1, keepdims=True) for weight in model.get_weights())
    for estimator in ESTIMATORS:
        twin = uncertainty.variational_twin(model, 100, estimator=estimator, deviation=0.3)
        samples = np.log(uncertainty.variational(twin, x, samples=4000))
        found = samples - samples.mean(axis=2, keepdims=True)
        assert found.mean(axis=0) == pytest.approx(x @ kernel + bias, abs=0.04)
        # Of four independent logits, each minus their mean has three quarters of the variance.
        expected = 0.75 * 0.3**2 * (x**2).sum(axis=1)
        assert found.var(axis=0) == pytest.approx(np.repeat(expected[:, None], 4, axis=1), rel=0.15)


def test_flipout_draws_for_each_image_and_the_other_for_each_batch(digits):
    """The same image twice in a batch: one answer by one kernel, two answers by flipout."""
    x = np.repeat(digits.test.x[:1], 2, axis=0)
    apart = {}
    for estimator in ESTIMATORS:
        twin = uncertainty.variational_twin(models.build("mlp", digits), 100, estimator=estimator, deviation=0.2)
        first, second = uncertainty.variational(twin, x, samples=1)[0]
        apart[estimator] = np.abs(first - second).max()
    assert apart["reparameterization"] < 1e-6 < 1e-3 < apart["flipout"]


def test_training_learns_means_and_deviations(digits, estimator):
    """Better than chance by far; and what the data say nothing about keeps a wide deviation."""
    model = models.build("mlp", digits, widths=(16,))
    recipe = Recipe(epochs=5, batch_size=64, learning_rate=2e-2)
    fitted = uncertainty.fit_variational(model, digits, recipe, estimator=estimator, deviation=0.05)
    probs = uncertainty.predictive(uncertainty.variational(fitted, digits.test.x, samples=10))
    assert np.mean(probs.argmax(axis=1) == digits.test.y) > 0.8
    scales = fitted.get_layer("dense").kernel_posterior.distribution.scale.numpy()
    dead = digits.train.x.reshape(len(digits.train), -1).max(axis=0) == 0  # pixels that are always black
    assert dead.any()
    assert scales[dead].min() > 0.05
    assert scales[dead].mean() > 1.05 * scales[~dead].mean()


def test_a_bias_and_the_rest_of_the_layer_are_kept(digits):
    inputs = keras.Input(digits.shape)
    x = layers.Conv2D(3, (3, 2), strides=2, padding="same", activation="relu", bias_initializer="ones")(inputs)
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)))
    twin = uncertainty.variational_twin(model, 10, deviation=1e-6)
    samples = uncertainty.variational(twin, digits.test.x[:5], samples=1)
    assert samples == pytest.approx(uncertainty.plain(model, digits.test.x[:5]), abs=1e-4)


def test_the_evidence_bound_is_what_training_reports(digits):
    """Loss of a standing network = cross-entropy of one pass + its divergence an image."""
    model = models.build("mlp", digits, widths=(8,))
    twin = uncertainty.variational_twin(model, len(digits.train), deviation=1e-4, prior=0.5)
    recipe = Recipe(epochs=1, batch_size=256, optimizer="sgd", learning_rate=1e-9)
    history = train.fit(twin, digits, recipe, progress=False)
    probs = uncertainty.plain(model, digits.train.x)[0]
    expected = uncertainty.SCORES["nll"](probs, digits.train.y) + uncertainty.divergence(twin) / len(digits.train)
    assert history.loss[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("wrong", [{"examples": 0}, {"prior": -1.0}, {"deviation": 0.0}, {"kl_weight": float("nan")}])
def test_numbers_that_are_not_positive_are_refused(digits, wrong):
    options = {"examples": 100} | wrong
    with pytest.raises(UncertaintyError, match=rf"Received {next(iter(wrong))} .*; expected a finite number above 0\. Give"):
        uncertainty.variational_twin(models.build("mlp", digits), options.pop("examples"), **options)


def test_an_unknown_estimator_and_a_model_without_kernels_are_refused(digits):
    with pytest.raises(UncertaintyError, match=r"Received the estimator 'vi'; expected one of reparameterization, flipout"):
        uncertainty.variational_twin(models.build("mlp", digits), 100, estimator="vi")
    inputs = keras.Input(digits.shape)
    with pytest.raises(UncertaintyError, match=r"received no dense or convolutional layer; expected one\. Give"):
        uncertainty.variational_twin(keras.Model(inputs, layers.Flatten()(inputs)), 100)
