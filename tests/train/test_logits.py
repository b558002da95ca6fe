"""The one way from a Keras model and images to logits."""

import gc
import weakref

import numpy as np
import pytest
import tf_keras as keras

from projectkit import models, train


@pytest.fixture(scope="module")
def network(digits):
    return models.build("convnet", digits, seed=0, widths=(4, 8))


@pytest.mark.parametrize("count", [1, 100, 300])
@pytest.mark.parametrize("batch_size", [7, 256])
def test_gives_what_keras_gives(network, digits, count, batch_size):
    x = digits.train.x[:count]
    found = train.logits(network, x, batch_size=batch_size)
    assert found.shape == (count, 10) and found.dtype == np.float32
    np.testing.assert_allclose(found, network.predict(x, verbose=0), atol=1e-5)


def test_no_image_has_no_answer(network, digits):
    assert train.logits(network, digits.train.x[:0]).shape == (0, 10)


@pytest.mark.parametrize("kind", [np.float64, np.float16])
def test_images_of_another_precision_are_images(network, digits, kind):
    x = digits.train.x[:20].astype(kind)
    assert np.array_equal(train.logits(network, x), train.logits(network, x.astype(np.float32)))


def test_a_model_in_16_bits_answers_in_32(network, digits):
    assert train.logits(train.in_precision(network, "mixed_bfloat16"), digits.train.x[:5]).dtype == np.float32


def test_dropout_is_off(digits):
    inputs = keras.Input(digits.shape)
    model = keras.Model(inputs, keras.layers.Dropout(0.5)(keras.layers.Flatten()(inputs)))
    np.testing.assert_allclose(train.logits(model, digits.train.x[:5]), digits.train.x[:5].reshape(5, -1))


def test_the_graph_is_made_once_and_knows_later_weights(digits):
    traced = []
    inputs = keras.Input(digits.shape)
    watched = keras.layers.Lambda(lambda x: (traced.append(1), x)[1])(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10)(watched))
    train.logits(model, digits.train.x[:1])
    traced.clear()
    for count in (3, 64, 257, 300):
        train.logits(model, digits.train.x[:count], batch_size=count // 2 + 1)
    assert not traced
    model.set_weights([np.zeros_like(array) for array in model.get_weights()])
    assert not train.logits(model, digits.train.x[:3]).any()


def test_a_model_that_was_asked_is_forgotten_with_its_weights(digits):
    model = models.build("mlp", digits, widths=(8,))
    train.logits(model, digits.train.x[:3])
    gone = [weakref.ref(model), weakref.ref(model.variables[0])]
    del model
    gc.collect()
    assert [one() for one in gone] == [None, None]
