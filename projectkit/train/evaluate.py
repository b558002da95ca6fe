"""Runs a Keras model on arrays."""

import weakref
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from projectkit.types import Split

Graph = Callable[[tf.Tensor], tf.Tensor]  # (≤ batch, height, width, channels) → (≤ batch, classes) float32

_GRAPHS: weakref.WeakKeyDictionary[keras.Model, dict[tuple[int, ...], Graph]] = weakref.WeakKeyDictionary()


def logits(model: keras.Model, x: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
    """The model's answers to images x, (n, height, width, channels) float32 in [0, 1]: (n, classes) float32, also of a model that
    computes in 16 bits. At most `batch_size` images are in the model at once.

    The graph is made once a model, for batches of any size: an attack asks thousands of times.
    """
    graph = _graph(model, x.shape[1:])
    parts = [graph(tf.constant(x[start : start + batch_size], tf.float32)).numpy() for start in range(0, len(x), batch_size)]
    return np.concatenate(parts) if parts else np.zeros((0, model.output_shape[-1]), np.float32)


def accuracy(model: keras.Model, split: Split) -> float:
    """The share of `split` that the model classifies right, in [0, 1]."""
    return float(np.mean(logits(model, split.x).argmax(axis=1) == split.y))


def _graph(model: keras.Model, shape: tuple[int, ...]) -> Graph:
    graphs = _GRAPHS.setdefault(model, {})
    if shape not in graphs:
        itself = weakref.proxy(model)  # what is kept as long as the model lives must not keep it alive

        @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32)])
        def answer(x: tf.Tensor) -> tf.Tensor:
            return tf.cast(itself(x, training=False), tf.float32)

        graphs[shape] = answer
    return graphs[shape]
