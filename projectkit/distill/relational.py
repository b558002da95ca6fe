"""Relational distillation: how the images of a batch lie to each other, not where they lie.

Park, Kim, Lu and Cho, "Relational knowledge distillation", 2019. Features of any width: (n, …), flattened to (n, d).
"""

import tensorflow as tf

from projectkit.distill.checks import feature_pair

COINCIDE = 1e-6  # squared distances below this share of their mean are rounding: two images that lie on each other


def relational_distance(student_features: tf.Tensor, teacher_features: tf.Tensor) -> tf.Tensor:
    """The mean Huber loss between the distances of all pairs of images, each network's divided by their mean (equation 5).

    Both (n, …), of any width. Unchanged when either network's features are rotated, moved or scaled. 0 for fewer than two
    images. Raises ModelError for unequal n.
    """
    student, teacher = feature_pair(student_features, teacher_features, same_shape=False)
    ours, theirs = (_relative_distances(features) for features in (student, teacher))
    pairs = 1 - tf.eye(tf.shape(ours)[0])
    return tf.math.divide_no_nan(tf.reduce_sum(pairs * _huber(ours - theirs)), tf.reduce_sum(pairs))


def relational_angle(student_features: tf.Tensor, teacher_features: tf.Tensor) -> tf.Tensor:
    """The mean Huber loss between the cosines of the angles that all triples of images make (equation 7).

    Both (n, …), of any width. Unchanged when either network's features are rotated, moved or scaled. 0 for fewer than three
    images; takes n³ numbers. Raises ModelError for unequal n.
    """
    student, teacher = feature_pair(student_features, teacher_features, same_shape=False)
    ours, theirs = (_cosines(features) for features in (student, teacher))
    differ = 1 - tf.eye(tf.shape(ours)[0])
    triples = differ[:, :, None] * differ[:, None, :] * differ[None, :, :]
    return tf.math.divide_no_nan(tf.reduce_sum(triples * _huber(ours - theirs)), tf.reduce_sum(triples))


def relational(student_features: tf.Tensor, teacher_features: tf.Tensor) -> tf.Tensor:
    """Distances plus twice the angles, the paper's proportion (weigh it by 25 to have its 25 and 50)."""
    angles = relational_angle(student_features, teacher_features)
    return relational_distance(student_features, teacher_features) + 2 * angles


def _products(features: tf.Tensor) -> tf.Tensor:
    """The scalar products of all pairs, of features moved to mean 0, which keeps the rounding small: (n, n)."""
    flat = tf.reshape(features, [tf.shape(features)[0], -1])
    flat -= tf.reduce_mean(flat, axis=0)
    return tf.matmul(flat, flat, transpose_b=True)


def _distances(products: tf.Tensor) -> tf.Tensor:
    """(n, n); 0, without a gradient, where two images coincide."""
    lengths = tf.linalg.diag_part(products)
    squares = lengths[:, None] + lengths[None, :] - 2 * products
    apart = squares > COINCIDE * tf.reduce_mean(squares)
    return tf.where(apart, tf.sqrt(tf.where(apart, squares, 1.0)), 0.0)  # the root's slope at 0 would be infinite


def _relative_distances(features: tf.Tensor) -> tf.Tensor:
    distances = _distances(_products(features))
    pairs = tf.reduce_sum(tf.cast(distances > 0, tf.float32))
    return tf.math.divide_no_nan(distances * pairs, tf.reduce_sum(distances))


def _cosines(features: tf.Tensor) -> tf.Tensor:
    """[j, i, k]: the cosine of the angle at image j between images i and k."""
    products = _products(features)
    distances = _distances(products)
    own = tf.linalg.diag_part(products)
    between = products[None, :, :] - products[:, :, None] - products[:, None, :] + own[:, None, None]
    return tf.math.divide_no_nan(between, distances[:, :, None] * distances[:, None, :])


def _huber(difference: tf.Tensor) -> tf.Tensor:
    size = tf.abs(difference)
    return tf.where(size <= 1, tf.square(size) / 2, size - 0.5)
