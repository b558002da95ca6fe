"""Runs a Keras model on arrays."""

import numpy as np
import tf_keras as keras

from projectkit.types import Split


def logits(model: keras.Model, x: np.ndarray, *, batch_size: int = 256) -> np.ndarray:
    """The model's answers to x: (n, classes) float32."""
    return np.asarray(model.predict(x, batch_size=batch_size, verbose=0), dtype=np.float32)


def accuracy(model: keras.Model, split: Split) -> float:
    """The share of `split` that the model classifies right, in [0, 1]."""
    return float(np.mean(logits(model, split.x).argmax(axis=1) == split.y))
