"""How much the loss would change without a channel, to first order."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from projectkit.prune.cut import cut
from projectkit.types import Split

BATCH = 128


def taylor(model: keras.Model, layer_name: str, data: Split, *, seed: int = 0) -> np.ndarray:
    """The mean over the images of (∂L/∂z_j)², z_j = 1 a gate that multiplies channel j behind batch normalization and
    activation: (channels,) (Molchanov et al., "Importance estimation for neural network pruning", 2019, equation 8)."""
    there = cut(model, layer_name, data)

    @tf.function(reduce_retracing=True)
    def squares(kept: list[tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
        own = kept[0]
        gates = tf.ones([tf.shape(own)[0], there.channels])
        with tf.GradientTape() as tape:
            tape.watch(gates)
            shape = tf.concat([tf.shape(own)[:1], tf.ones(tf.rank(own) - 2, tf.int32), [there.channels]], 0)
            gated = tf.cast(tf.reshape(gates, shape), own.dtype) * own
            logits = tf.cast(there.tail([gated, *kept[1:]]), tf.float32)
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        return tf.reduce_sum(tf.square(tape.gradient(loss, gates)), axis=0)

    total = np.zeros(there.channels)
    for start in range(0, len(data), BATCH):
        part = slice(start, start + BATCH)
        total += squares([tensor[part] for tensor in there.kept], there.labels[part]).numpy()
    return total / len(data)
