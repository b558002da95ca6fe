"""Parameters and multiply-accumulates: by hand, as published, and as the exported file has them."""

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import export, measure
from projectkit.errors import ModelError
from projectkit.models import BUILDERS
from projectkit.models.cost import layer_macs, macs, parameters
from projectkit.models.resnet import resnet


def model_of(*stack, shape=(9, 9, 4)):
    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


BY_HAND = [  # layer, multiply-accumulates on 9×9 pixels of 4 channels, trainable numbers
    (layers.Conv2D(6, 3, padding="same"), 9 * 9 * 3 * 3 * 4 * 6, 3 * 3 * 4 * 6 + 6),
    (layers.Conv2D(6, 3, strides=2, use_bias=False), 4 * 4 * 3 * 3 * 4 * 6, 3 * 3 * 4 * 6),
    (layers.Conv2D(6, (1, 5), strides=(2, 1), padding="same"), 5 * 9 * 5 * 4 * 6, 5 * 4 * 6 + 6),
    (layers.Conv2D(6, 3, groups=2), 7 * 7 * 3 * 3 * 2 * 6, 3 * 3 * 2 * 6 + 6),
    (layers.Conv2DTranspose(6, 2, strides=2), 9 * 9 * 2 * 2 * 4 * 6, 2 * 2 * 4 * 6 + 6),
    (layers.DepthwiseConv2D(3, padding="same"), 9 * 9 * 3 * 3 * 4, 3 * 3 * 4 + 4),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), 7 * 7 * 3 * 3 * 8, 3 * 3 * 8 + 8),
    (layers.SeparableConv2D(6, 3), 7 * 7 * (3 * 3 * 4 + 4 * 6), 3 * 3 * 4 + 4 * 6 + 6),
    (layers.Dense(6), 9 * 9 * 4 * 6, 4 * 6 + 6),  # at every pixel
    (layers.BatchNormalization(), 0, 2 * 4),
    (layers.BatchNormalization(scale=False), 0, 4),
    (layers.MaxPooling2D(), 0, 0),
]


@pytest.mark.parametrize(("layer", "work", "numbers"), BY_HAND, ids=lambda value: getattr(value, "name", None))
def test_one_layer_by_hand(layer, work, numbers):
    model = model_of(layer)
    assert (macs(model), parameters(model)) == (work, numbers)
    assert layer_macs(model) == ({layer.name: work} if work else {})


def test_layers_add_up_and_stand_in_the_order_of_the_graph():
    model = model_of(
        layers.Conv2D(6, 3, name="first"), layers.ReLU(), layers.Flatten(), layers.Dense(5, name="last"), shape=(5, 5, 2)
    )
    assert layer_macs(model) == {"first": 3 * 3 * 9 * 2 * 6, "last": 54 * 5}
    assert list(layer_macs(model)) == ["first", "last"]
    assert macs(model) == 972 + 270


def test_a_layer_that_is_called_twice_works_twice_and_is_stored_once():
    shared = layers.Dense(4)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, shared(shared(inputs)))
    assert (macs(model), parameters(model)) == (2 * 16, 20)


def test_a_model_in_a_model_counts_for_each_call():
    inner = model_of(layers.Dense(4), shape=(4,))
    inputs = keras.Input((4,))
    assert macs(keras.Model(inputs, layers.Dense(3)(inner(inner(inputs))))) == 2 * 16 + 12


def test_a_sequential_model_will_do():
    assert macs(keras.Sequential([layers.Flatten(input_shape=(4, 4, 1)), layers.Dense(10)])) == 160


# Our shortcuts are two 1×1 projections where those of the papers only pad: Li et al., "Pruning filters for efficient
# convnets", 2017, table 1 counts without them.
PROJECTIONS, PROJECTION_MACS = 16 * 32 + 32 * 64, 16 * 16 * 16 * 32 + 8 * 8 * 32 * 64


@pytest.mark.parametrize(
    ("depth", "numbers", "millions"),
    [
        (20, 269_722, 40.55),
        (32, 464_154, 68.86),
        pytest.param(56, 853_018, 125.49, marks=pytest.mark.proof),
        pytest.param(110, 1_727_962, 252.89, marks=pytest.mark.proof),
    ],
)
def test_resnets_have_the_published_counts(depth, numbers, millions):
    model = resnet((32, 32, 3), 10, depth=depth)
    assert parameters(model) - PROJECTIONS == numbers
    assert round((macs(model) - PROJECTION_MACS) / 1e6, 2) == millions


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.proof] if name in ("resnet", "resnet8", "branched") else []) for name in BUILDERS],
)
def test_the_exported_file_has_the_same_work(name, tmp_path):
    model = BUILDERS[name]((8, 8, 1), 10)
    x = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    file = export.write(model, tmp_path / "model.tflite", compare=x)
    assert measure.read_graph(file.artifact).macs == macs(model)


@pytest.mark.parametrize(
    "model",
    [
        lambda: model_of(layers.Conv2D(4, 3), shape=(None, None, 1)),
        lambda: keras.Sequential([layers.Dense(3)]),
    ],
    ids=["open size", "not built"],
)
def test_work_that_nobody_can_know_is_refused(model):
    with pytest.raises(ModelError, match=r"size of the images.*Build the model for one size"):
        macs(model())


def test_a_frozen_layer_is_no_smaller():
    model = model_of(layers.Conv2D(6, 3), layers.BatchNormalization())
    counted = parameters(model)
    model.trainable = False
    assert parameters(model) == counted == 3 * 3 * 4 * 6 + 6 + 12
