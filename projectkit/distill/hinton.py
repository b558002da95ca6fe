"""Soft targets: the student learns the teacher's probabilities, softened by a temperature."""

import tensorflow as tf

from projectkit.distill.checks import as_floats, logits_and_labels, refuse_share, refuse_temperature


def hinton(
    student_logits: tf.Tensor, teacher_logits: tf.Tensor, labels: tf.Tensor, *, temperature: float = 4.0, alpha: float = 0.9
) -> tf.Tensor:
    """(1 − α) · cross-entropy(labels) + α · T² · KL(softmax(teacher / T) ‖ softmax(student / T)), means over the n images.

    student_logits, teacher_logits: (n, classes); labels: (n,), −1 where there is none. Gradients of the softened part shrink
    as 1/T², which the factor T² makes good, so that α means the same at every temperature (Hinton, Vinyals and Dean, "Distilling
    the knowledge in a neural network", 2015, section 2). Raises ModelError for T ≤ 0, α outside [0, 1] and other shapes.
    """
    refuse_temperature(temperature)
    refuse_share(alpha)
    student, teacher, labels = logits_and_labels(student_logits, teacher_logits, labels)
    softened = tf.reduce_mean(divergence(student, teacher, temperature))
    return (1 - alpha) * cross_entropy(student, labels) + alpha * temperature**2 * softened


def divergence(student: tf.Tensor, teacher: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
    """KL(softmax(teacher / T) ‖ softmax(student / T)) of each image, in nats: (n,)."""
    ours, theirs = (tf.nn.log_softmax(as_floats(logits) / temperature) for logits in (student, teacher))
    return tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=1)


def cross_entropy(student: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The mean cross-entropy of the images that have a label, 0 where none has one."""
    labelled = tf.cast(labels >= 0, tf.float32)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), student)
    return tf.math.divide_no_nan(tf.reduce_sum(labelled * each), tf.reduce_sum(labelled))
