"""What an attack may ask of a model: its logits and, of a Keras model, how they change with the image."""

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.types import Session

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras as keras

BATCH = 256  # images that a Keras model sees at once

Model = Session | Callable[..., Any]  # a Keras model is callable too


def logits(model: Model, x: np.ndarray) -> np.ndarray:
    """The model's answers to x (n, height, width, channels): (n, classes) float32.

    model: a Keras model that ends in logits, an open session of `projectkit.runtimes`, or any callable x -> logits.
    Raises RobustnessError for anything else, and for answers of another shape or that are not finite.
    """
    if is_keras(model):
        from projectkit import train

        return checked_logits(train.logits(model, x, batch_size=BATCH), len(x))
    if hasattr(model, "run"):
        return checked_logits(model.run(x), len(x))
    if callable(model):
        return checked_logits(model(x), len(x))
    raise RobustnessError(
        f"Received a model of type {type(model).__name__}; expected a Keras model, an open session or a function x -> logits. "
        "Open a file with projectkit.runtimes.open(Artifact.of(path))."
    )


def gradient(
    model: Model, loss: Callable[..., "tf.Tensor"], x: np.ndarray, *labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How `loss` of the model changes with each image, in one pass: (gradients like x, losses (n,), logits (n, classes)).

    loss: (logits, *labels) -> (n,), made of TensorFlow operations, a number an image; labels: arrays of n rows.
    Raises RobustnessError when the model is no Keras model, a label is no class, or logits or gradients are not finite.
    """
    if not is_keras(model):
        raise RobustnessError(
            f"Received a model of type {type(model).__name__}, which has no gradients; expected a Keras model. Use square, "
            "boundary or hop_skip_jump, which need forward passes only."
        )
    for some in labels:
        refuse_labels(some, model.output_shape[-1])
    batches = ([array[start : start + BATCH] for array in (x, *labels)] for start in range(0, len(x), BATCH))
    parts = [_slope()(model, loss, *batch) for batch in batches]
    slopes, losses, answers = (np.concatenate(column, dtype=np.float32) for column in zip(*parts, strict=True))
    checked_logits(answers, len(x))
    bad = int(np.count_nonzero(~np.isfinite(slopes).all(axis=(1, 2, 3))))
    if bad:
        raise RobustnessError(
            f"The gradients of {bad} of {len(x)} images are NaN or infinite; expected finite numbers. Look for a root or a "
            "logarithm of 0 in the model, or use square, which needs none."
        )
    return slopes, losses, answers


def margins(answers: np.ndarray, y: np.ndarray) -> np.ndarray:
    """By how much the logit of the label leads all others: (n,). At 0 or less the model is not right: a tie is no answer.

    Raises RobustnessError when a label is no class.
    """
    answers = answers.astype(np.float64)
    highest_other = others(answers, y).max(axis=1)
    return np.take_along_axis(answers, y[:, None], axis=1)[:, 0] - highest_other


def others(answers: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The logits (n, classes) with −∞ in place of the label's. Raises RobustnessError when a label is no class."""
    refuse_labels(y, answers.shape[1])
    return np.where(np.arange(answers.shape[1]) == y[:, None], -np.inf, answers)


def probable_others(answers: np.ndarray, y: np.ndarray, count: int) -> np.ndarray:
    """The classes that are not the label by falling logit, `count` of them or all there are: (n, ≤ count)."""
    ranked = np.argsort(-others(answers, y), axis=1, kind="stable")
    return ranked[:, : min(count, answers.shape[1] - 1)]


def is_keras(model: Model) -> TypeGuard["keras.Model"]:
    """Whether it is a Keras model; where Keras is not loaded nothing is one."""
    keras = sys.modules.get("tf_keras")
    return keras is not None and isinstance(model, keras.Model)


def checked_logits(answers: object, count: int) -> np.ndarray:
    """`answers` as an array. Raises RobustnessError unless they are (count, classes) finite numbers."""
    answers = np.asarray(answers, np.float32)
    if answers.ndim != 2 or len(answers) != count or answers.shape[1] < 2:
        raise RobustnessError(
            f"Received answers of shape {answers.shape} to {count} images; expected ({count}, classes). "
            "Give a model that answers each image with one logit a class."
        )
    bad = int(np.count_nonzero(~np.isfinite(answers).all(axis=1)))
    if bad:
        raise RobustnessError(
            f"The model's logits of {bad} of {count} images are NaN or infinite; expected finite numbers. "
            "Look for an overflow or a division by zero in the model."
        )
    return answers


def refuse_labels(y: np.ndarray, classes: int) -> None:
    """Raises RobustnessError unless every label is one of 0 … classes − 1."""
    if len(y) and not 0 <= y.min() <= y.max() < classes:
        raise RobustnessError(
            f"Received labels from {y.min()} to {y.max()}; expected 0 to {classes - 1}, as the model has {classes} logits. "
            "Give the labels of these images, and the model that was trained for them."
        )


@functools.cache
def _slope() -> Callable[..., tuple["tf.Tensor", ...]]:
    """The graph of `gradient`, traced once a model and loss; TensorFlow forgets those of a model that is gone."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def slope(
        model: "keras.Model", loss: Callable[..., "tf.Tensor"], x: "tf.Tensor", *labels: "tf.Tensor"
    ) -> tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]:
        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            answers = tf.cast(model(x, training=False), tf.float32)
            losses = loss(answers, *labels)
        return tape.gradient(losses, x, unconnected_gradients="zero"), losses, answers

    return lambda model, loss, *arrays: slope(model, loss, *map(tf.constant, arrays))
