"""What every predictive sampler promises. A new member of SAMPLERS is held to it by being there (and in FITTERS, if fitted)."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from projectkit import models, train, uncertainty
from projectkit.errors import UncertaintyError
from projectkit.types import Dataset, Recipe
from projectkit.uncertainty import FITTERS, SAMPLERS

# isort: split
import tensorflow as tf
import tf_keras as keras

SHORT = Recipe(epochs=2, batch_size=128, learning_rate=4e-3)
RANDOM = ("mc_dropout", "swag", "laplace", "variational")
FITTED_WITH = {"ensemble": {"members": 2}, "snapshot": {"cycles": 2}}  # the least of each, for speed


@pytest.fixture(scope="module")
def few(digits) -> Dataset:
    return replace(digits, train=digits.train.take(256), val=digits.val.take(32), digest="few")


@pytest.fixture(scope="module")
def network(few) -> keras.Model:
    model = uncertainty.with_dropout(models.build("convnet", few, widths=(8,)), 0.3)
    train.fit(model, few, SHORT, progress=False)
    return model


@pytest.fixture(scope="module")
def fitted(few, network) -> dict:
    return {
        name: FITTERS[name](network, few, SHORT, **FITTED_WITH.get(name, {})) if name in FITTERS else network for name in SAMPLERS
    }


@pytest.fixture(params=SAMPLERS)
def name(request) -> str:
    return request.param


@pytest.fixture
def x(digits) -> np.ndarray:
    images = digits.test.x[:7].copy()
    images.flags.writeable = False
    return images


def sampled(name: str, fitted, x: np.ndarray) -> np.ndarray:
    return SAMPLERS[name](fitted[name], x, **({"samples": 4} if name in RANDOM else {}))


def arrays(fitted) -> list[np.ndarray]:
    """Every number in what a method has fitted: weights, batch normalization's moments, the arrays of a posterior."""
    if isinstance(fitted, keras.Model):
        return [weight.copy() for weight in fitted.get_weights()]
    if isinstance(fitted, tuple):
        return [array for part in fitted for array in arrays(part)]
    if is_dataclass(fitted):
        return [array for field in fields(fitted) for array in arrays(getattr(fitted, field.name))]
    return [np.array(fitted)]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def spoilt(fitted):
    """The same with NaN where it decides about the logits."""
    if isinstance(fitted, keras.Model):
        twin = models.copy(fitted)
        twin.layers[-1].set_weights([np.full_like(weight, np.nan) for weight in twin.layers[-1].get_weights()])
        return twin
    if isinstance(fitted, tuple):
        return (*fitted[:-1], spoilt(fitted[-1]))
    return replace(fitted, mean=np.full_like(fitted.mean, np.nan))


def test_rows_of_probabilities_for_every_sample(name, fitted, x):
    samples = sampled(name, fitted, x)
    assert samples.ndim == 3 and len(samples) >= 1 and samples.shape[1:] == (7, 10)
    assert (samples >= 0).all() and samples.sum(axis=2) == pytest.approx(1)
    assert uncertainty.predictive(samples) == pytest.approx(samples.mean(axis=0))


def test_twice_the_same_whatever_was_drawn_in_between(name, fitted, x):
    first = sampled(name, fitted, x)
    keras.utils.set_random_seed(99)
    tf.random.uniform([3])
    np.random.random(3)
    assert np.array_equal(sampled(name, fitted, x), first)


@pytest.mark.parametrize("name", RANDOM)
def test_as_many_samples_as_asked_for_which_differ_and_depend_on_the_seed(name, fitted, x):
    samples = SAMPLERS[name](fitted[name], x, samples=3, seed=1)
    assert len(samples) == 3
    assert not np.allclose(samples[0], samples[1], atol=1e-6)
    assert not np.allclose(samples, SAMPLERS[name](fitted[name], x, samples=3, seed=2), atol=1e-6)


def test_neither_the_model_nor_the_images_change(name, fitted, x):
    before, images = arrays(fitted[name]), x.copy()
    sampled(name, fitted, x)
    assert same(arrays(fitted[name]), before)
    assert np.array_equal(x, images)


def test_more_images_than_a_batch_are_answered_in_their_order(name, fitted, digits):
    """As in a short list: exactly, but for what is drawn for each batch anew."""
    anew = name in ("mc_dropout", "variational")
    x, options = digits.test.x[:300], {"samples": 400} if anew else {}
    many, few = (uncertainty.predictive(SAMPLERS[name](fitted[name], images, **options)) for images in (x, x[-40:]))
    apart = np.abs(many[-40:] - few).mean()
    assert apart < 0.5 * np.abs(many[:40] - few).mean()
    assert anew or apart < 1e-5


def test_logits_that_are_no_numbers_are_refused(name, fitted, x):
    with pytest.raises(UncertaintyError, match=r"Received NaN or infinite logits in \d+ of .* rows; expected finite .*Look for"):
        SAMPLERS[name](spoilt(fitted[name]), x)


@pytest.mark.parametrize("images", [np.zeros((0, 8, 8, 1)), np.zeros((2, 9, 8, 1)), np.zeros(64), np.array([["a"]])])
def test_images_that_do_not_fit_are_refused(name, fitted, images):
    with pytest.raises(UncertaintyError, match=r"eceived images of .*; expected .*Give"):
        SAMPLERS[name](fitted[name], images)


@pytest.mark.parametrize("other", ["a path", 3, ()])
def test_what_is_no_fitted_model_is_refused(name, other, x):
    with pytest.raises(UncertaintyError, match=r"eceived a (str|int|tuple).*; expected .*(Give|Open)"):
        SAMPLERS[name](other, x)


@pytest.mark.parametrize("name", ["mc_dropout", "swag", "laplace", "variational", "batch_ensemble"])
def test_a_model_without_what_the_method_needs_is_refused(name, few, x):
    with pytest.raises(UncertaintyError, match=r"eceived a .*; expected .*\. (Give|Train)"):
        SAMPLERS[name](models.build("mlp", few), x)


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("samples", [0, -1, 1.5])
def test_less_than_one_sample_is_refused(name, samples, fitted, x):
    with pytest.raises(UncertaintyError, match=r"Received .* samples; expected a whole number of at least 1\. Give more"):
        SAMPLERS[name](fitted[name], x, samples=samples)


@pytest.mark.parametrize("name", FITTERS)
def test_fitting_leaves_the_model_as_it_was_and_gives_the_same_again(name, fitted, few, network):
    before = arrays(network)
    again = FITTERS[name](network, few, SHORT, **FITTED_WITH.get(name, {}))
    assert same(arrays(network), before)
    assert same(arrays(again), arrays(fitted[name]))


@pytest.mark.parametrize("name", FITTERS)
def test_fitting_needs_a_keras_model(name, few):
    with pytest.raises(UncertaintyError, match=r"received a function; expected a Keras model.*Give the model"):
        FITTERS[name](lambda x: x, few, SHORT)


@pytest.mark.parametrize("name", FITTERS)
def test_a_method_that_is_fitted_has_a_sampler(name):
    assert name in SAMPLERS
