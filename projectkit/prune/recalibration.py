"""Batch normalization's statistics, estimated anew for a network that has changed.

cut = remove(model, {"conv2d_1": keep})
mended = recalibrate(cut, dataset.train.x[:512])
"""

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

from projectkit import models
from projectkit.errors import DataError, ModelError
from projectkit.prune.cut import nodes_of, run

BATCH = 256  # images


def recalibrate(model: keras.Model, images: np.ndarray) -> keras.Model:
    """A new model whose batch normalizations hold the statistics of `images`, (n, height, width, channels); no weight is trained.

    When channels go, what reaches the batch normalizations behind them is no longer what their moving means and variances were
    estimated from, and the network answers as if it had lost more than it has. From the first to the last, each is given the
    exact mean and variance (Σ(x − mean)²/N) over all images and positions of what it now reads, with all before it renewed. That
    is one forward pass, the one that training would make with all images in one batch. Labels are not needed.
    (Li et al., "EagleEye: fast sub-net evaluation for efficient neural network pruning", 2020, section 3.3, which averages over
    batches.) A few hundred training images are enough; all of them are in memory at once, with the tensors that are still to be
    read. `model` stays as it was; one without batch normalization comes back as a copy.

    Raises ModelError for a model that is not functional or sequential with one input and for a batch normalization that is called
    twice or within a nested model, DataError for no images, ones of another size, and NaN.
    """
    x = np.asarray(images, np.float32)
    expected = tuple(model.input_shape[1:])
    if x.ndim != len(expected) + 1 or not len(x) or any(a not in (None, b) for a, b in zip(expected, x.shape[1:], strict=True)):
        raise DataError(f"Received images of shape {x.shape}; expected (n, {str(expected)[1:-1]}), n ≥ 1. Give for example 512.")
    if not np.isfinite(x).all():
        raise DataError(f"{int(np.sum(~np.isfinite(x)))} pixels are NaN or infinite; all must be finite. Mend the images.")
    renewed = models.copy(model)
    nodes = nodes_of(renewed)
    _refuse_unclear(renewed, nodes)
    last_reader = {id(tensor): index for index, node in enumerate(nodes) for tensor in node.keras_inputs}
    batches = [{id(renewed.inputs[0]): tf.constant(x[start : start + BATCH])} for start in range(0, len(x), BATCH)]
    for index, node in enumerate(nodes):
        if isinstance(node.layer, layers.BatchNormalization):
            (tensor,) = node.keras_inputs
            mean, variance = _statistics([values[id(tensor)] for values in batches], np.ravel(node.layer.axis))
            node.layer.moving_mean.assign(mean)
            node.layer.moving_variance.assign(variance)
        read = {id(tensor) for tensor in node.keras_inputs if last_reader[id(tensor)] == index}
        for values in batches:
            run([node], values, {})
            for key in read:
                del values[key]
    return renewed


def _statistics(batches: list[tf.Tensor], axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the variance over all axes but `axis`, of all batches together."""
    over = [one for one in range(len(batches[0].shape)) if one not in axis]
    moments = [tf.nn.moments(tf.cast(batch, tf.float32), over) for batch in batches]
    means, variances = (np.array([one[index].numpy() for one in moments], np.float64) for index in (0, 1))
    images = [len(batch) for batch in batches]
    mean = np.average(means, axis=0, weights=images)
    return mean, np.average(variances + (means - mean) ** 2, axis=0, weights=images)


def _refuse_unclear(model: keras.Model, nodes: "list[keras.engine.node.Node]") -> None:
    called = [node.layer.name for node in nodes if isinstance(node.layer, layers.BatchNormalization)]
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization) and called.count(layer.name) != 1:
            what = "is called more than once, with different statistics" if layer.name in called else "lies in a nested model"
            raise ModelError(
                f"{model.name}: the batch normalization {layer.name} {what}; expected one call in the model itself. "
                "Give each call a layer of its own, and call the layers of a nested model one by one."
            )
