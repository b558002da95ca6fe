"""A pass over all batches as one graph: between the steps of a small network, Python would take longer than the steps do."""

from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
import tensorflow as tf
import tf_keras as keras

Targets = np.ndarray | tuple[np.ndarray, ...]  # n rows each
FIRST, SHORT, LONG = 8, 0.25, 1.0  # steps of the first portion; seconds


def pass_over(model: keras.Model, step: Callable, batch_size: int, *, like: tuple[np.ndarray, Targets]) -> Callable:
    """A function of images and targets: it calls `step((images, targets))` for one batch after another, the last one being what
    is left, and gives what the model's metrics say then, by name.

    step: the model's train_step or test_step. like: images and targets of the shapes and types to come, of any number of rows.
    The graph is made at the first call.
    """

    def whole(x, targets):
        count = tf.shape(x)[0]

        def one(start):
            step(rows((x, targets), slice(start, start + batch_size)))
            return (start + batch_size,)

        tf.while_loop(lambda start: start < count, one, (0,), parallel_iterations=1)
        return model.get_metrics_result()

    signature = tf.nest.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), like)
    return tf.function(whole, input_signature=signature)


def rows(arrays, which: slice | np.ndarray):
    """These rows of an array, or of each array of a tuple."""
    return tf.nest.map_structure(lambda array: array[which], arrays)


class Portions:
    """Cuts an epoch into portions of whole batches for which a progress bar may stand still: of 0.25 to 1 second, as it turns
    out. Only a portion at a time is copied to the device. What is learned does not depend on where the cuts are."""

    def __init__(self, batch_size: int):
        self._batch_size, self._steps = batch_size, FIRST

    def of(self, count: int) -> Iterator[slice]:
        """The portions of `count` rows; each is timed while the caller works on it."""
        start = 0
        while start < count:
            began, end = perf_counter(), start + self._steps * self._batch_size
            yield slice(start, min(end, count))
            seconds, start = perf_counter() - began, end
            if seconds < SHORT and end <= count:  # a shorter last one tells nothing
                self._steps *= 2
            elif seconds > LONG:
                self._steps = max(1, self._steps // 2)
