"""Attention transfer: the student learns where the teacher looks, whatever the channels are."""

import tensorflow as tf

from projectkit.distill.checks import feature_pair
from projectkit.errors import ModelError


def attention_transfer(student_features: tf.Tensor, teacher_features: tf.Tensor) -> tf.Tensor:
    """The mean squared difference of the two attention maps, each the sum of squares over channels, scaled to length 1.

    Both (n, height, width, channels) with the same height and width; the numbers of channels may differ. Zagoruyko and Komodakis,
    "Paying more attention to attention", 2017, equation 2, squared and averaged as in their program, where it is weighed by 500.
    Raises ModelError for other shapes and for maps of one place, which all look alike.
    """
    student, teacher = feature_pair(student_features, teacher_features, same_shape=False)
    maps = student.shape.rank == 4 and teacher.shape.rank == 4
    if not maps or not student.shape[:3].is_compatible_with(teacher.shape[:3]) or student.shape[1:3].num_elements() == 1:
        raise ModelError(
            f"Received student features of shape {student.shape} and teacher features of {teacher.shape}; expected (n, height, "
            "width, channels) twice, with the same n, height and width and more than one place. Choose layers of one image size."
        )
    return tf.reduce_mean(tf.square(_attention(student) - _attention(teacher)))


def _attention(features: tf.Tensor) -> tf.Tensor:
    places = tf.reduce_sum(tf.square(features), axis=3)
    return tf.math.l2_normalize(tf.reshape(places, [tf.shape(places)[0], -1]), axis=1)
