"""What every distillation loss may count on, and what whoever calls one holds it to."""

import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
import tensorflow as tf

from projectkit.errors import ModelError


class Loss(Protocol):
    """How far a student's logits are from what they should be: a scalar float32, the mean over the images.

    student_logits, teacher_logits: (n, classes) floats; labels: (n,) integers, UNLABELLED where there is none. No gradient passes
    into the teacher. Further options have a default. Raises ModelError for other shapes.
    """

    def __call__(self, student_logits: tf.Tensor, teacher_logits: tf.Tensor, labels: tf.Tensor, /) -> tf.Tensor: ...


class FeatureLoss(Protocol):
    """How far what a student's layer answers is from what a teacher's does, (n, …) floats each: a scalar float32. No gradient
    passes into the teacher. Raises ModelError for shapes that do not fit."""

    def __call__(self, student_features: tf.Tensor, teacher_features: tf.Tensor, /) -> tf.Tensor: ...


UNLABELLED = -1


def logits_and_labels(student: tf.Tensor, teacher: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The three as tensors, (n, classes) float32 twice and (n,) int32; no gradient passes into the teacher.

    Raises ModelError for other shapes and, where the labels are known already (not while a graph is traced), for a label that is
    neither a class nor UNLABELLED.
    """
    student, teacher = as_floats(student), tf.stop_gradient(as_floats(teacher))
    labels = tf.convert_to_tensor(labels)
    fits = student.shape.rank == 2 and student.shape.is_compatible_with(teacher.shape)
    if not fits or not student.shape[:1].is_compatible_with(labels.shape) or not labels.dtype.is_integer:
        raise ModelError(
            f"Received student logits of shape {student.shape}, teacher logits of {teacher.shape} and labels of {labels.shape} "
            f"({labels.dtype.name}); expected (n, classes) twice and (n,) integers. Give all three of the same images."
        )
    if tf.executing_eagerly():
        refuse_labels(labels.numpy(), int(student.shape[1]))
    return student, teacher, tf.cast(labels, tf.int32)


def feature_pair(student: tf.Tensor, teacher: tf.Tensor, *, same_shape: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Both as float32 tensors of the same n images; no gradient passes into the teacher. Raises ModelError for other shapes."""
    student, teacher = as_floats(student), tf.stop_gradient(as_floats(teacher))
    fits = student.shape.rank and teacher.shape.rank and student.shape[:1].is_compatible_with(teacher.shape[:1])
    if not fits or (same_shape and not student.shape.is_compatible_with(teacher.shape)):
        expected = "the same shape twice" if same_shape else "(n, …) twice with the same n"
        raise ModelError(
            f"Received student features of shape {student.shape} and teacher features of {teacher.shape}; expected {expected}. "
            "Choose layers that fit each other; where only the width differs, give the Match a regressor."
        )
    return student, teacher


def scalar(value: object, loss: Callable[..., object]) -> tf.Tensor:
    """`value`, which `loss` gave, as one float32. Raises ModelError for anything else, and for NaN where it is known already."""
    try:
        number = as_floats(value)
    except ModelError as error:
        raise ModelError(f"{name_of(loss)}: {error}") from error
    if number.shape.rank != 0:
        raise ModelError(
            f"{name_of(loss)}: received a result of shape {number.shape}; expected one number. Take the mean over n."
        )
    if tf.executing_eagerly() and not np.isfinite(number.numpy()):
        raise ModelError(
            f"{name_of(loss)}: received {number.numpy()}; expected a finite number. Look for a logarithm or root of 0, and for a "
            "teacher whose logits are not finite."
        )
    return number


def as_floats(values: object) -> tf.Tensor:
    """`values` as float32. Raises ModelError when they are no numbers."""
    try:
        tensor = tf.convert_to_tensor(values)
        if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
            raise TypeError(f"its type is {tensor.dtype.name}")
    except (TypeError, ValueError) as error:
        raise ModelError(f"Received a {type(values).__name__}; expected an array of numbers ({error}). Give floats.") from error
    return tf.cast(tensor, tf.float32)


def refuse_labels(labels: np.ndarray, classes: int) -> None:
    """Raises ModelError unless every label is a class or UNLABELLED."""
    if len(labels) and not (labels.min() >= UNLABELLED and labels.max() < classes):
        raise ModelError(
            f"Received labels from {labels.min()} to {labels.max()}; expected 0 to {classes - 1}, or {UNLABELLED} where there is "
            "none. Number the classes from 0."
        )


def refuse_temperature(temperature: float) -> None:
    """Raises ModelError unless 0 < temperature < ∞."""
    if not 0 < temperature < math.inf:
        raise ModelError(f"Received the temperature {temperature}; expected a number above 0. Give 2 to 8; 1 leaves the logits.")


def refuse_share(alpha: float) -> None:
    """Raises ModelError unless 0 ≤ alpha ≤ 1."""
    if not 0 <= alpha <= 1:
        raise ModelError(f"Received alpha {alpha}; expected the teacher's share of the loss, in [0, 1]. Give for example 0.9.")


def refuse_weight(name: str, weight: float) -> None:
    """Raises ModelError unless 0 ≤ weight < ∞."""
    if not 0 <= weight < math.inf:
        raise ModelError(f"Received {name} {weight}; expected a finite weight ≥ 0. Give 0 to leave the part out.")


def name_of(loss: Callable[..., object]) -> str:
    """What a loss is called, with the options that a partial gives it."""
    if isinstance(loss, partial):
        given = [*map(repr, loss.args), *(f"{name}={value!r}" for name, value in sorted(loss.keywords.items()))]
        return f"{name_of(loss.func)}({', '.join(given)})"
    return getattr(loss, "__qualname__", type(loss).__name__)
