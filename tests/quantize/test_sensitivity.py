"""Sensitivity layer by layer."""

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import models, train
from projectkit.quantize.sensitivity import layer_sensitivity
from projectkit.types import Split


def convolutions(model):
    return [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]


def damaged(model, index):
    """A twin that computes the same with the weights of one convolution hard to round: those that read the first channel, which
    is switched off, are made thousands of times larger than the rest."""
    twin = models.copy(model)
    norm = [layer for layer in twin.layers if isinstance(layer, layers.BatchNormalization)][index - 1]
    weights = norm.get_weights()
    weights[0][0] = weights[1][0] = 0
    norm.set_weights(weights)
    kernel, *rest = convolutions(twin)[index].get_weights()
    kernel[:, :, 0, :] = 1000
    convolutions(twin)[index].set_weights([kernel, *rest])
    return twin


@pytest.mark.parametrize("index", [1, 2])
def test_a_damaged_layer_comes_first(trained, digits, index):
    model = damaged(trained, index)
    assert train.accuracy(model, digits.val) > 0.8
    rows = layer_sensitivity(model, digits.val, bits=8)
    assert rows[0].layer == convolutions(model)[index].name
    assert rows[0].change > 10 * rows[1].change
    assert rows[0].accuracy < rows[1].accuracy


def test_the_model_stays_as_it_was(trained, digits):
    before = [array.copy() for array in trained.get_weights()]
    layer_sensitivity(trained, digits.val.take(50))
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))


def test_rows_cover_every_layer_with_a_kernel_in_order(trained, digits):
    rows = layer_sensitivity(trained, digits.val)
    expected = {layer.name: layer.count_params() for layer in trained.layers if hasattr(layer, "kernel")}
    assert {row.layer: row.parameters for row in rows} == expected
    assert [row.change for row in rows] == sorted((row.change for row in rows), reverse=True)


def test_fewer_bits_and_one_scale_for_all_do_more_harm(trained, digits):
    def changes(**options):
        return {row.layer: row.change for row in layer_sensitivity(trained, digits.val, **options)}

    four, eight, coarse = changes(bits=4), changes(bits=8), changes(bits=4, per_channel=False)
    assert all(eight[name] < 0.05 * four[name] for name in four)
    assert sum(coarse.values()) > sum(four.values())


@pytest.mark.parametrize("multiplier", [1, 2])
def test_a_depthwise_channel_is_an_input_channel_times_a_multiplier(multiplier):
    """Rounded by hand: 4 bits, one symmetric scale for each of the channels × multiplier filters."""
    inputs = keras.Input((6, 6, 3))
    x = layers.DepthwiseConv2D(3, depth_multiplier=multiplier)(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 3, multiplier)) * np.exp2(rng.uniform(-5, 5, (3, multiplier)))
    bias = rng.normal(size=3 * multiplier)
    split = Split(rng.random((30, 6, 6, 3)).astype(np.float32), rng.integers(0, 3, 30))
    rounded = kernel.copy()
    for channel in range(3):
        for copy in range(multiplier):
            scale = np.abs(kernel[:, :, channel, copy]).max() / 7
            rounded[:, :, channel, copy] = np.rint(kernel[:, :, channel, copy] / scale) * scale
    answers = []
    for values in (kernel, rounded):
        model.layers[1].set_weights([values, bias])
        answers.append(model.predict(split.x, verbose=0))
    model.layers[1].set_weights([kernel, bias])
    (row,) = layer_sensitivity(model, split, bits=4)
    assert row.change == pytest.approx(np.mean((answers[1] - answers[0]) ** 2) / np.mean(answers[0] ** 2), rel=1e-3)
    assert row.accuracy == np.mean(answers[1].argmax(axis=1) == split.y)
