"""Quantization-aware training with TFMOT: the network trains while its weights and activations are rounded.

aware = prepare(model, calibrate=train.x[:200])
fit(aware, dataset, Recipe(epochs=5, learning_rate=1e-4))
write(aware, "qat.tflite", precision="int8", compare=val.x)
write(aware, "qat.onnx", precision="int8", compare=val.x)
"""

import re
from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.models import copy

if TYPE_CHECKING:
    import tensorflow as tf

EMA_DECAY = 0.999  # of TFMOT's MovingAverageQuantizer
MOST_ROUNDS = 12
BATCH = 32


def prepare(model: keras.Model, *, calibrate: np.ndarray) -> keras.Model:
    """A new model that rounds as an int8 file would and can be trained; `model` stays as it was.

    calibrate: (n, height, width, channels) real inputs. TFMOT starts every activation range at [−6, 6] and moves it by
    0.1 % a step, so a good model answers at random at first and keeps needlessly wide ranges for thousands of steps;
    here the ranges are set from these inputs before any training, with batch normalization held still.
    Preserves the weights. Raises ModelError for layers that TFMOT cannot quantize and for inputs that do not fit.
    """
    from projectkit.quantize.prelu import quantized

    if len(calibrate) == 0 or np.shape(calibrate)[1:] != tuple(model.input_shape[1:]):
        wanted = ", ".join(["n", *map(str, model.input_shape[1:])])
        raise ModelError(
            f"{model.name}: `calibrate` has shape {np.shape(calibrate)}; expected ({wanted}) with n ≥ 1. "
            "Give dataset.train.x[:200]."
        )
    try:
        aware = quantized(copy(model))
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{model.name}: TFMOT cannot quantize it ({error}). Use layers from projectkit.models.") from error
    inner = [getattr(layer, "layer", None) for layer in aware.layers]  # what TFMOT has wrapped
    norms = [layer for layer in inner if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]
    for norm in norms:
        norm.trainable = False  # then it uses its moving statistics and leaves them alone
    _set_ranges(aware, np.asarray(calibrate, np.float32))
    for norm in norms:
        norm.trainable = True
    return aware


def _set_ranges(aware: keras.Model, calibrate: np.ndarray) -> None:
    """Brings every activation range to the mean over batches of the batch's own range, which is what TFMOT's moving
    average tends to. A layer's range is right once those before it are, hence the rounds."""
    lows = [variable for variable in aware.variables if variable.name.endswith(("output_min:0", "activation_min:0"))]
    highs = [variable for variable in aware.variables if variable.name.endswith(("output_max:0", "activation_max:0"))]
    for _ in range(MOST_ROUNDS):
        before = _values(lows), _values(highs)
        starts = range(0, len(calibrate), BATCH)
        for start in starts:
            aware(calibrate[start : start + BATCH], training=True)
        kept = EMA_DECAY ** len(starts)
        low, high = ((_values(ends) - kept * old) / (1 - kept) for ends, old in zip((lows, highs), before, strict=True))
        low[np.abs(low) < 1e-3 * (high - low)] = 0.0  # a ReLU's lower end, blurred by float32 cancellation
        for variable, value in zip((*lows, *highs), (*low, *high), strict=True):
            variable.assign(value)
        width = before[1] - before[0]
        if np.all(np.maximum(np.abs(low - before[0]), np.abs(high - before[1])) <= 0.05 * width):
            return


def _values(variables: "list[tf.Variable]") -> np.ndarray:
    return np.array([variable.numpy() for variable in variables], np.float64)


def trained_weights(aware: keras.Model, model: keras.Model) -> keras.Model:
    """A float model of `model`'s architecture with the weights that `aware` learned; both stay as they were.

    The way from quantization-aware training to TensorRT and to other precisions than int8: the learned ranges stay behind, and
    the exporter observes new ones on calibration data. Raises ModelError when `aware` was not prepared from `model`.
    """
    twin = copy(model)
    learned = _by_name(aware)
    for name, variable in _by_name(twin).items():
        if name not in learned or learned[name].shape != variable.shape:
            raise ModelError(
                f"{aware.name} was not prepared from {model.name}: it has no variable {name!r} of shape {tuple(variable.shape)}. "
                "Give the model that was passed to `prepare`."
            )
        variable.assign(learned[name])
    return twin


def _by_name(model: keras.Model) -> "dict[str, tf.Variable]":
    """Variables by the name they had before TFMOT's wrappers put theirs in front of the layer's."""
    return {re.sub(r"^quant_", "", variable.name): variable for variable in model.variables}
