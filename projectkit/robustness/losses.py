"""What attacks climb: losses of one image each, (logits (n, classes), labels (n,)) -> (n,) in TensorFlow."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


# A network that is very sure has a softmax of exactly 1 in float32, and a cross-entropy without a slope. The difference of
# logits has one always, and divided by their spread (DLR) it does not depend on their scale either.
TINY = 1e-12


def cross_entropy(logits: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor":
    """−log softmax(logits)[y]."""
    import tensorflow as tf

    return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)


def negative_margin(logits: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor":
    """The largest other logit minus the label's: above 0 where the model is wrong."""
    import tensorflow as tf

    return tf.reduce_max(logits - 1e30 * tf.one_hot(y, logits.shape[1]), axis=1) - _of(logits, y)


def logit(logits: "tf.Tensor", wanted: "tf.Tensor") -> "tf.Tensor":
    """One logit an image: its slope is a row of the Jacobian."""
    return _of(logits, wanted)


def difference_of_logits_ratio(logits: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor":
    """−(z_y − max_{i≠y} z_i) / (z₍₁₎ − z₍₃₎), z₍ₖ₎ the k-th largest logit (Croce and Hein, "Reliable evaluation of adversarial
    robustness with an ensemble of diverse parameter-free attacks", 2020, equation 6). It needs three classes."""
    import tensorflow as tf

    ordered = tf.sort(logits, axis=1, direction="DESCENDING")
    return negative_margin(logits, y) / (ordered[:, 0] - ordered[:, 2] + TINY)


def targeted_difference_of_logits_ratio(logits: "tf.Tensor", y: "tf.Tensor", target: "tf.Tensor") -> "tf.Tensor":
    """−(z_y − z_t) / (z₍₁₎ − (z₍₃₎ + z₍₄₎)/2), which grows towards the class `target` (there, equation 7).

    It needs four classes.
    """
    import tensorflow as tf

    ordered = tf.sort(logits, axis=1, direction="DESCENDING")
    spread = ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2
    return (_of(logits, target) - _of(logits, y)) / (spread + TINY)


def _of(logits: "tf.Tensor", y: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    return tf.gather(logits, y, batch_dims=1)
