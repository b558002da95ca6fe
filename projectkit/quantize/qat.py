"""Quantization-aware training with TFMOT: the network trains while its weights and activations are rounded.

aware = prepare(model, calibrate=train.x[:200])
fit(aware, dataset, Recipe(epochs=5, learning_rate=1e-4))
write(aware, "qat.tflite", precision="int8", compare=val.x)
write(trained_weights(aware, model), "qat.onnx", precision="int8", calibrate=train.x[:200], compare=val.x)
"""

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.models import copy

EMA_DECAY = 0.999  # of TFMOT's MovingAverageQuantizer
MOST_ROUNDS = 12


def prepare(model: keras.Model, *, calibrate: np.ndarray) -> keras.Model:
    """A new model that rounds as an int8 file would and can be trained; `model` stays as it was.

    calibrate: (n, height, width, channels) real inputs. TFMOT starts every activation range at [−6, 6] and moves it by
    0.1 % a step, so a good model answers at random at first and keeps needlessly wide ranges for thousands of steps;
    here the ranges are set from these inputs before any training, with batch normalization held still.
    Preserves the weights. Raises ModelError for layers that TFMOT cannot quantize.
    """
    import tensorflow_model_optimization as tfmot

    try:
        aware = tfmot.quantization.keras.quantize_model(copy(model))
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{model.name}: TFMOT cannot quantize it ({error}). Use layers from projectkit.models.") from error
    trained = _by_name(aware)
    kept = {name: trained[name].numpy() for name in _by_name(model)}
    _set_ranges(aware, calibrate)
    for name, value in kept.items():
        trained[name].assign(value)
    return aware


def _set_ranges(aware: keras.Model, calibrate: np.ndarray) -> None:
    """Brings every activation range to the mean over batches of the batch's own range, which is what TFMOT's moving
    average tends to. A layer's range is right once those before it are, hence the rounds."""
    ranges = [
        variable
        for variable in aware.variables
        if variable.name.endswith(("output_min:0", "output_max:0", "activation_min:0", "activation_max:0"))
    ]
    for _ in range(MOST_ROUNDS):
        before = np.array([variable.numpy() for variable in ranges])
        steps = range(0, len(calibrate), 32)
        for start in steps:
            aware(calibrate[start : start + 32], training=True)
        kept = EMA_DECAY ** len(steps)
        means = (np.array([variable.numpy() for variable in ranges]) - kept * before) / (1 - kept)
        means[np.abs(means) < 1e-3 * np.abs(means).max()] = 0.0  # a ReLU's lower end, blurred by float32 cancellation
        for variable, mean in zip(ranges, means, strict=True):
            variable.assign(mean)
        if np.all(np.abs(means - before) <= 0.05 * np.abs(before) + 1e-6):
            return


def trained_weights(aware: keras.Model, model: keras.Model) -> keras.Model:
    """A float model of `model`'s architecture with the weights that `aware` learned; both stay as they were.

    The way from quantization-aware training to ONNX: tf2onnx folds TFMOT's weight rounding away, so the float model is
    exported and ONNX Runtime quantizes it, close to loss-free because the weights already sit well on the grid.
    """
    twin = copy(model)
    learned = _by_name(aware)
    for name, variable in _by_name(twin).items():
        if name not in learned:
            raise ModelError(f"{aware.name} was not prepared from {model.name}: it has no variable {name!r}.")
        variable.assign(learned[name])
    return twin


def _by_name(model: keras.Model) -> dict:
    """Variables by the name they had before TFMOT's wrappers put theirs in front."""
    return {variable.name.replace("quant_", ""): variable for variable in model.variables}
