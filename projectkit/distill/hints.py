"""Hints: a layer of the student learns what a layer of the teacher answers."""

import tensorflow as tf

from projectkit.distill.checks import feature_pair


def hints(student_features: tf.Tensor, teacher_features: tf.Tensor) -> tf.Tensor:
    """The mean of (student − teacher)² over images, places and channels: both (n, …) of one shape.

    Romero et al., "FitNets: hints for thin deep nets", 2015, equation 3; their learned regressor from the student's width to the
    teacher's is `Match(…, regressor=True)`. They train on hints first; here hints and logits are learned together. Raises
    ModelError for two shapes.
    """
    student, teacher = feature_pair(student_features, teacher_features, same_shape=True)
    return tf.reduce_mean(tf.square(student - teacher))
