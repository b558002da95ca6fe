"""What every distillation loss promises, as a check that a loss of one's own can be held to."""

import numpy as np
import tensorflow as tf

from projectkit.distill.checks import UNLABELLED, Loss, name_of, scalar
from projectkit.errors import ModelError

IMAGES, CLASSES = 12, 5


def check_loss(loss: Loss) -> None:
    """Calls `loss` a few times on logits (n, classes) and labels (n,) of its own.

    Raises ModelError at the first broken promise: one finite number of at least 0; the same in a graph; the gradient reaches the
    student's logits, is finite, and does not reach the teacher's; the order of the images does not matter; images without a
    label (-1) are taught by the teacher alone.
    """
    name, rng = name_of(loss), np.random.default_rng(0)
    student, teacher = rng.normal(0, 2, (2, IMAGES, CLASSES)).astype(np.float32)
    labels = rng.integers(0, CLASSES, IMAGES)
    value, ours, theirs = _with_gradients(loss, student, teacher, labels)
    if value < 0:
        raise ModelError(f"{name}: received the loss {value:.4g}; expected a number ≥ 0. Look for a wrong sign.")
    if ours is None or not np.isfinite(ours).all() or not ours.any():
        raise ModelError(
            f"{name}: the gradient for the student's logits is {'absent' if ours is None else 'zero, NaN or infinite'}; expected "
            "finite numbers that are not all 0. Use TensorFlow's operations only: what passes through NumPy has no gradient."
        )
    if theirs is not None:
        raise ModelError(
            f"{name}: a gradient reaches the teacher's logits; expected none, because a teacher does not learn. "
            "Put tf.stop_gradient round them."
        )
    try:
        traced = float(tf.function(loss)(*map(tf.constant, (student, teacher, labels))))
    except Exception as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(
            f"{name}: fails in a graph ({reason}); expected it to work. Use TensorFlow's operations only."
        ) from error
    _same(name, value, traced, "in a graph", "Use TensorFlow's operations only, and nothing that is drawn or counted in Python.")
    order = rng.permutation(IMAGES)
    shuffled = float(scalar(loss(student[order], teacher[order], labels[order]), loss))
    _same(name, value, shuffled, "for the same images in another order", "Take the mean over the images.")
    _, ours, _ = _with_gradients(loss, student, teacher, np.full(IMAGES, UNLABELLED))
    if ours is None or not np.isfinite(ours).all() or not np.abs(ours).max(axis=1).all():
        raise ModelError(
            f"{name}: an image with the label {UNLABELLED}, which has none, gives no finite gradient; expected the teacher to "
            "teach it alone. Leave such images out of the part that needs labels."
        )


def _with_gradients(
    loss: Loss, student: np.ndarray, teacher: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray | None, np.ndarray | None]:
    student, teacher = tf.Variable(student), tf.Variable(teacher)
    with tf.GradientTape() as tape:
        value = scalar(loss(student, teacher, labels), loss)
    ours, theirs = tape.gradient(value, [student, teacher])
    return float(value), None if ours is None else ours.numpy(), None if theirs is None else theirs.numpy()


def _same(name: str, value: float, other: float, where: str, how: str) -> None:
    if not np.isclose(value, other, rtol=1e-5):
        raise ModelError(f"{name}: gave {other:.6g} {where}, {value:.6g} before; expected the same. {how}")
