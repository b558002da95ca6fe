"""The statistics of batch normalization, for weights that no training has seen together."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras as keras

BATCH = 128


def statistics_of(model: "keras.Model", x: np.ndarray) -> Callable[[], None]:
    """A function that sets the moving statistics of a Keras model to those of the images x, for its weights of that moment.

    Mean and variance are averaged over the batches with equal weight an image (Izmailov et al., "Averaging weights leads to wider
    optima and better generalization", 2018, section 3.2). The model must be the caller's own: its momentum becomes 0.
    """
    import tensorflow as tf
    from tf_keras import layers

    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0  # the moving statistics are those of the last batch, then
    show = tf.function(lambda batch: model(batch, training=True), input_signature=[tf.TensorSpec([None, *x.shape[1:]])])

    def refresh() -> None:
        sums = [0.0] * (2 * len(norms))
        for start in range(0, len(x), BATCH):
            batch = x[start : start + BATCH]
            show(batch)
            for index, variable in enumerate(_statistics(norms)):
                sums[index] = sums[index] + len(batch) / len(x) * variable.numpy()
        for variable, mean in zip(_statistics(norms), sums, strict=True):
            variable.assign(mean)

    return refresh if norms else lambda: None


def _statistics(norms: list["keras.layers.Layer"]) -> "list[tf.Variable]":
    return [variable for layer in norms for variable in (layer.moving_mean, layer.moving_variance)]
