"""The fragile twin: the same function in float, destroyed by post-training quantization, rescued by training."""

from contextlib import closing

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import models, runtimes, train
from projectkit.errors import ModelError
from projectkit.export import write
from projectkit.quantize import qat
from projectkit.quantize.unbalance import unbalance
from projectkit.types import Recipe


def accuracy_of(file, split):
    with closing(runtimes.open(file.artifact)) as session:
        return np.mean(session.run(split.x).argmax(axis=1) == split.y)


@pytest.mark.parametrize("seed", range(3))
def test_the_float_function_stays(trained, digits, seed):
    before = [array.copy() for array in trained.get_weights()]
    fragile = unbalance(trained, seed=seed)
    expected = train.logits(trained, digits.val.x)
    assert np.abs(train.logits(fragile, digits.val.x) - expected).max() < 1e-4 * np.abs(expected).max()
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(before, fragile.get_weights(), strict=True))


def test_factors_reach_as_far_as_the_octaves(trained):
    """Read from the normalization's own scale, before and after."""

    def scales(model):
        return np.concatenate([layer.get_weights()[0] for layer in model.layers if isinstance(layer, layers.BatchNormalization)])

    for octaves in (2.0, 6.0):
        moved = np.log2(scales(unbalance(trained, octaves=octaves)) / scales(trained))
        assert 0.9 * octaves < np.abs(moved).max() <= octaves + 1e-4


def test_post_training_quantization_collapses_and_training_rescues(trained, digits, tmp_path):
    fragile = unbalance(trained)
    calibrate = digits.train.x[:200]
    for name in ("m.tflite", "m.onnx"):
        broken = write(fragile, tmp_path / name, precision="int8", calibrate=calibrate, compare=digits.val.x)
        assert accuracy_of(broken, digits.val) < 0.6
    aware = qat.prepare(fragile, calibrate=calibrate)
    train.fit(aware, digits, Recipe(epochs=5, learning_rate=1e-3), progress=False)
    for name in ("m.tflite", "m.onnx"):
        rescued = write(aware, tmp_path / name, precision="int8", compare=digits.val.x)
        assert accuracy_of(rescued, digits.val) > train.accuracy(trained, digits.val) - 0.05


def chain(*parts):
    inputs = x = keras.Input((8, 8, 1))
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x, name="chain")


def head():
    return layers.GlobalAveragePooling2D(), layers.Dense(3)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda digits: models.build("dsconv", digits), "through depthwise.*DepthwiseConv2D"),
        (lambda digits: models.build("resnet8", digits), "through add"),
        (lambda digits: models.build("mlp", digits), "through flatten"),
        (lambda _: chain(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(6.0), *head()), "through re_lu"),
        (lambda _: chain(layers.Conv2D(4, 3), layers.BatchNormalization(scale=False), layers.ReLU(), *head()), "BatchNorm"),
        (
            lambda _: chain(layers.Conv2D(4, 3), *(kind() for kind in (layers.BatchNormalization, layers.ReLU) * 2), *head()),
            "BatchNorm",
        ),
        (
            lambda _: chain(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.GlobalAveragePooling2D()),
            "no convolution or dense layer takes the last scale out again",
        ),
    ],
    ids=["depthwise", "residual", "flatten", "relu6", "norm without scale", "norm after relu", "no head"],
)
def test_chains_that_would_change_the_function_are_refused(digits, make, sentence):
    with pytest.raises(ModelError, match=sentence):
        unbalance(make(digits))


def test_only_a_normalization_right_before_the_relu_is_scaled(digits):
    """Between them a second convolution would have to undo the scale and does not."""
    model = chain(
        layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Conv2D(5, 3), layers.ReLU(), layers.Conv2D(6, 3), *head()
    )
    x = digits.val.x[:20]
    np.testing.assert_allclose(unbalance(model).predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-6)
