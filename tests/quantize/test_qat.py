"""Quantization-aware training: what goes in stays as it was, ranges fit from the start, both files compute what was learned."""

from contextlib import closing

import numpy as np
import pytest
import tf_keras as keras

from projectkit import models, runtimes, train
from projectkit.errors import ModelError
from projectkit.export import write
from projectkit.quantize import qat
from projectkit.types import Recipe


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def learned(trained, digits):
    """An aware model after an epoch of training."""
    model = qat.prepare(trained, calibrate=digits.train.x[:100])
    train.fit(model, digits, Recipe(epochs=1, learning_rate=1e-3), progress=False)
    return model


def test_the_model_that_was_passed_stays_as_it_was(trained, digits):
    before = [array.copy() for array in trained.get_weights()]
    expected = trained.predict(digits.val.x, verbose=0)
    aware = qat.prepare(trained, calibrate=digits.train.x[:100])
    train.fit(aware, digits, Recipe(epochs=1), progress=False)
    assert equal(before, trained.get_weights())
    assert np.array_equal(trained.predict(digits.val.x, verbose=0), expected)
    assert [type(layer).__module__.split(".")[0] for layer in trained.layers] == ["tf_keras"] * len(trained.layers)


def test_preparing_keeps_the_weights_and_what_can_be_trained(trained, aware):
    kept = {variable.name: variable.numpy() for variable in aware.variables}
    assert all(np.array_equal(kept[variable.name], variable.numpy()) for variable in trained.variables)
    assert {variable.name for variable in aware.trainable_variables} == {v.name for v in trained.trainable_variables}


def test_a_prepared_model_is_right_before_any_training(trained, aware, digits):
    expected = train.logits(trained, digits.val.x)
    got = train.logits(aware, digits.val.x)
    assert train.accuracy(aware, digits.val) >= train.accuracy(trained, digits.val) - 0.01
    assert np.abs(got - expected).mean() < 0.05 * np.abs(expected).mean()


def test_ranges_are_those_of_the_float_models_activations(trained, aware, digits):
    """Each batch's own extremes, averaged: read from the float model, layer by layer."""
    variables = {variable.name: float(variable.numpy()) for variable in aware.variables if variable.shape == ()}
    layers = [layer for layer in trained.layers if isinstance(layer, keras.layers.ReLU)] + [trained.layers[-1]]
    outputs = keras.Model(trained.input, [layer.output for layer in layers])
    batches = [outputs(digits.train.x[start : start + 32]) for start in range(0, 200, 32)]
    for index, layer in enumerate(layers):
        values = [batch[index].numpy() for batch in batches]
        kind = "post_activation" if layer is trained.layers[-1] else "output"
        high, low = np.mean([value.max() for value in values]), np.mean([value.min() for value in values])
        assert variables[f"quant_{layer.name}/{kind}_max:0"] == pytest.approx(high, rel=0.05)
        assert variables[f"quant_{layer.name}/{kind}_min:0"] == pytest.approx(low, rel=0.05, abs=1e-6)


def test_a_layer_with_tiny_activations_keeps_its_range(digits):
    """Ranges are judged by their own width: next to logits around 10, activations around 0.001 are no rounding error."""
    model = models.build("mlp", digits, widths=(32, 32))
    train.fit(model, digits, Recipe(epochs=6, learning_rate=3e-3), progress=False)
    first, second = model.layers[2], model.layers[3]
    first.set_weights([array * 1e-4 for array in first.get_weights()])
    kernel, bias = second.get_weights()
    second.set_weights([kernel * 1e4, bias])
    aware = qat.prepare(model, calibrate=digits.train.x[:100])
    assert train.accuracy(aware, digits.val) >= train.accuracy(model, digits.val) - 0.02


def test_a_frozen_normalization_stays_frozen(digits):
    model = models.build("convnet", digits, widths=(4,))
    frozen = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    frozen.trainable = False
    aware = qat.prepare(model, calibrate=digits.train.x[:32])
    assert frozen.gamma.name not in {variable.name for variable in aware.trainable_variables}


def test_both_files_compute_what_the_model_computes(learned, digits, tmp_path):
    answers = {"keras": train.logits(learned, digits.val.x)}
    for name in ("m.tflite", "m.onnx"):
        file = write(learned, tmp_path / name, precision="int8", compare=digits.val.x)
        with closing(runtimes.open(file.artifact)) as session:
            answers[name] = session.run(digits.val.x)
    step = np.ptp(answers["keras"]) / 255  # of the logits' own grid
    for name in ("m.tflite", "m.onnx"):
        assert np.abs(answers[name] - answers["keras"]).mean() < 0.25 * step
        assert np.mean(answers[name].argmax(axis=1) == answers["keras"].argmax(axis=1)) > 0.99
    assert np.abs(answers["m.tflite"] - answers["m.onnx"]).mean() < 0.1 * step


def test_trained_weights_are_the_learned_ones_in_the_old_architecture(trained, learned, digits, tmp_path):
    before = [array.copy() for array in trained.get_weights()]
    twin = qat.trained_weights(learned, trained)
    by_name = {variable.name: variable.numpy() for variable in learned.variables}
    assert equal(twin.get_weights(), [by_name[variable.name] for variable in trained.weights])
    assert not equal(twin.get_weights(), before)
    assert equal(trained.get_weights(), before)
    file = write(
        twin, tmp_path / "m.onnx", precision="int8", preset="tensorrt", calibrate=digits.train.x[:50], compare=digits.val.x
    )
    assert file.difference.agreement > 0.97


def test_weights_of_another_model_are_refused(aware, digits):
    other = models.build("convnet", digits, widths=(8, 16, 32))
    with pytest.raises(ModelError, match=r"was not prepared from convnet: it has no variable"):
        qat.trained_weights(aware, other)


def test_what_cannot_be_quantized_is_refused_with_a_reason(trained, aware, digits):
    inputs = keras.Input((8, 8, 1))
    odd = keras.Model(inputs, keras.layers.LayerNormalization()(inputs), name="odd")
    for model in (odd, aware):
        with pytest.raises(ModelError, match="TFMOT cannot quantize it"):
            qat.prepare(model, calibrate=digits.train.x[:10])
    for calibrate in (digits.train.x[:0], digits.train.x[:10, :7]):
        with pytest.raises(ModelError, match=r"expected \(n, 8, 8, 1\) with n ≥ 1"):
            qat.prepare(trained, calibrate=calibrate)
