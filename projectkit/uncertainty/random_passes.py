"""Runs a network that answers differently every time."""

from typing import TYPE_CHECKING

import numpy as np

from projectkit.uncertainty.forward import answers, images, refuse_count, refuse_other_images
from projectkit.uncertainty.probabilities import softmax

if TYPE_CHECKING:
    import tf_keras as keras

BATCH = 256


def random_passes(model: "keras.Model", x: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """`samples` passes through a Keras model in inference mode, whose layers draw random numbers: (samples, n, classes).

    Equal seeds give equal answers; TensorFlow's global generator is seeded for that. Raises UncertaintyError for NaN logits.
    """
    import tensorflow as tf

    refuse_count("samples", samples)
    x = images(x)
    refuse_other_images(model, x)
    tf.random.set_seed(seed)
    # Traced anew in every call: a trace that is kept would go on drawing where the last call stopped.
    ask = tf.function(lambda batch: model(batch, training=False), input_signature=[tf.TensorSpec([None, *x.shape[1:]])])

    def one_pass() -> np.ndarray:
        return np.concatenate([ask(x[start : start + BATCH]).numpy() for start in range(0, len(x), BATCH)])

    return np.stack([softmax(answers(one_pass(), len(x))) for _ in range(samples)])
