"""How much the loss would change without a channel, to first order."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from projectkit.prune.cut import cut, wear
from projectkit.types import Split

BATCH = 128


def taylor(model: keras.Model, layer_name: str, data: Split, *, seed: int = 0) -> np.ndarray:
    """The mean over the images of (∂L/∂z_j)², z_j = 1 a gate that multiplies channel j wherever it is read, behind batch
    normalization, activation and sums: (channels,) (Molchanov et al., "Importance estimation for neural network pruning", 2019,
    equation 8)."""
    there = cut(model, layer_name, data)

    @tf.function(reduce_retracing=True)
    def squares(kept: list[tf.Tensor], labels: tf.Tensor) -> tf.Tensor:
        gates = tf.ones([tf.shape(labels)[0], there.channels])
        with tf.GradientTape() as tape:
            tape.watch(gates)
            gated = [t if worn is None else wear(t, gates, worn) for t, worn in zip(kept, there.worn, strict=True)]
            logits = tf.cast(there.tail(gated, gates), tf.float32)
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        return tf.reduce_sum(tf.square(tape.gradient(loss, gates)), axis=0)

    total = np.zeros(there.channels)
    for start in range(0, len(data), BATCH):
        part = slice(start, start + BATCH)
        total += squares([tensor[part] for tensor in there.kept], there.labels[part]).numpy()
    return total / len(data)
