"""Statistics of batch normalization, estimated anew: against NumPy, against training on one batch, and what is refused."""

import numpy as np
import pytest
import tf_keras as keras
from branched import SHAPE, branched
from tf_keras import layers

from projectkit import models, train
from projectkit.errors import DataError, ModelError
from projectkit.prune import keep_best, recalibrate, recalibration, remove
from projectkit.prune.magnitude import l1


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]


def spoilt(model):
    """`model` with statistics of nothing in particular, and scales and shifts that do something."""
    rng = np.random.default_rng(0)
    for layer in norms(model):
        gamma, *_ = layer.get_weights()
        size = gamma.shape
        layer.set_weights(
            [rng.uniform(0.5, 1.5, size), rng.normal(0, 0.3, size), rng.normal(0, 2, size), rng.uniform(2, 9, size)]
        )
    return model


def by_hand(model, images):
    """[(mean, variance)] of what each batch normalization of a chain reads, in NumPy float64, one after the other."""
    x, found = images.astype(np.float64), []
    for layer in model.layers[1:]:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta = (array.astype(np.float64) for array in layer.get_weights()[:2])
            rows = x.reshape(-1, x.shape[-1])
            found.append((rows.mean(axis=0), rows.var(axis=0)))
            x = gamma * (x - found[-1][0]) / np.sqrt(found[-1][1] + layer.epsilon) + beta
        elif isinstance(layer, layers.Conv2D):
            kernel, padded = layer.kernel.numpy().astype(np.float64), np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            height, width = x.shape[1:3]
            x = sum(
                padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)
            )  # 3×3, "same", no bias
        elif isinstance(layer, layers.ReLU):
            x = np.maximum(x, 0)
        elif isinstance(layer, layers.MaxPooling2D):
            n, height, width, channels = x.shape
            x = x.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    return found


@pytest.mark.parametrize("batch", [256, 7], ids=["one batch", "batches of unequal size"])
def test_each_normalization_gets_the_exact_statistics_of_what_it_reads(digits, monkeypatch, batch):
    monkeypatch.setattr(recalibration, "BATCH", batch)
    model, images = spoilt(models.build("convnet", digits, widths=(5, 6, 7))), digits.train.x[:45]
    before = [array.copy() for array in model.get_weights()]
    renewed = recalibrate(model, images)
    for layer, (mean, variance) in zip(norms(renewed), by_hand(model, images), strict=True):
        np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-4, atol=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    for old, new in zip(model.trainable_variables, renewed.trainable_variables, strict=True):
        assert np.array_equal(old.numpy(), new.numpy()) and old is not new


@pytest.mark.parametrize("name", ["resnet", "dsconv", "branched"])
def test_the_network_then_answers_as_training_does_on_all_images_at_once(digits, name):
    options = {"resnet": {"depth": 8, "width": 4}, "dsconv": {"widths": (6, 8)}, "branched": {}}[name]
    model, images = spoilt(models.build(name, digits, **options)), digits.train.x[:64]
    expected = models.copy(model)(images, training=True).numpy()
    np.testing.assert_allclose(train.logits(recalibrate(model, images), images), expected, rtol=1e-3, atol=1e-3)


def test_a_cut_network_is_mended_without_training(trained, digits):
    """Half of the work is gone and no weight is trained: most of what seems lost was stale statistics."""
    keep = {name: keep_best(l1(trained, name, digits.train), 0.3) for name in ("conv2d", "conv2d_1", "conv2d_2")}
    cut = remove(trained, keep)
    stale, mended = train.accuracy(cut, digits.test), train.accuracy(recalibrate(cut, digits.train.x[:512]), digits.test)
    assert stale + 0.25 < mended and mended > 0.9


def test_a_trained_network_hardly_changes(trained, digits):
    renewed = recalibrate(trained, digits.train.x[:512])
    assert train.accuracy(renewed, digits.test) == pytest.approx(train.accuracy(trained, digits.test), abs=0.02)


def test_a_network_in_mixed_precision_gets_nearly_the_same(digits):
    model, images = spoilt(models.build("convnet", digits, widths=(5, 6))), digits.train.x[:50]
    coarse = recalibrate(train.in_precision(model, "mixed_bfloat16"), images)
    for exact, rough in zip(norms(recalibrate(model, images)), norms(coarse), strict=True):
        np.testing.assert_allclose(rough.moving_variance.numpy(), exact.moving_variance.numpy(), rtol=0.05)


def test_a_network_without_normalization_comes_back_as_a_copy(digits):
    model = models.build("mlp", digits, widths=(12,))
    twin = recalibrate(model, digits.train.x[:8])
    assert twin is not model
    np.testing.assert_array_equal(train.logits(twin, digits.val.x[:9]), train.logits(model, digits.val.x[:9]))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((0, 8, 8, 1)), r"shape \(0, 8, 8, 1\); expected \(n, 8, 8, 1\), n ≥ 1"),
        (np.zeros((2, 8, 8)), r"shape \(2, 8, 8\)"),
        (np.zeros((2, 9, 8, 1)), r"shape \(2, 9, 8, 1\)"),
        (np.full((2, 8, 8, 1), np.nan), "128 pixels are NaN or infinite"),
    ],
    ids=["none", "no channels", "size", "nan"],
)
def test_images_that_do_not_fit_are_refused(trained, images, words):
    with pytest.raises(DataError, match=words):
        recalibrate(trained, images)


def test_a_normalization_that_is_called_twice_is_refused():
    inputs, shared = keras.Input((4, 4, 3)), layers.BatchNormalization(name="shared")
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(shared(layers.ReLU()(shared(inputs)))))
    with pytest.raises(ModelError, match=r"shared is called more than once.*Give each call"):
        recalibrate(model, np.zeros((2, 4, 4, 3)))


def test_a_normalization_in_a_nested_model_is_refused():
    inner_inputs = keras.Input((4, 4, 3))
    inner = keras.Model(inner_inputs, layers.BatchNormalization(name="hidden")(inner_inputs))
    inputs = keras.Input((4, 4, 3))
    with pytest.raises(ModelError, match="hidden lies in a nested model"):
        recalibrate(keras.Model(inputs, layers.Flatten()(inner(inputs))), np.zeros((2, 4, 4, 3)))


def test_a_network_with_two_outputs_is_refused():
    with pytest.raises(ModelError, match="one input and one output"):
        recalibrate(branched(), np.zeros((2, *SHAPE)))
