"""Logit matching: the student learns the teacher's logits themselves."""

import tensorflow as tf

from projectkit.distill.checks import logits_and_labels, refuse_share
from projectkit.distill.hinton import cross_entropy


def logit_matching(student_logits: tf.Tensor, teacher_logits: tf.Tensor, labels: tf.Tensor, *, alpha: float = 0.9) -> tf.Tensor:
    """(1 − α) · cross-entropy(labels) + α · the mean of (student − teacher)² over images and classes.

    student_logits, teacher_logits: (n, classes); labels: (n,), −1 where there is none. Ba and Caruana, "Do deep nets really need
    to be deep?", 2014. Where each image's logits have mean 0, twice what `hinton` tends to as its temperature grows. Raises
    ModelError for α outside [0, 1] and shapes that do not fit.
    """
    refuse_share(alpha)
    student, teacher, labels = logits_and_labels(student_logits, teacher_logits, labels)
    return (1 - alpha) * cross_entropy(student, labels) + alpha * tf.reduce_mean(tf.square(student - teacher))
