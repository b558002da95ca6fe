"""A pass over all batches as one graph: between the steps of a small network, Python would take longer than the steps do."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tf_keras as keras

Targets = np.ndarray | tuple[np.ndarray, ...]  # n rows each
FIRST, SHORT, LONG = 8, 0.25, 1.0  # steps of the first portion; seconds


class Pass(Protocol):
    """Goes over images (n, …) and their targets in batches, as one graph; what the model's metrics say then, by name."""

    def __call__(self, x: np.ndarray, targets: Targets, /) -> dict[str, tf.Tensor]: ...


def pass_over(model: keras.Model, step: Callable[..., object], batch_size: int, *, like: tuple[np.ndarray, Targets]) -> Pass:
    """A function of images and targets: it calls `step((images, targets))` for one batch after another, the last one being what
    is left, and gives what the model's metrics say then, by name.

    step: the model's train_step or test_step. like: images and targets of the shapes and types to come, of any number of rows.
    The graph is made at the first call.
    """

    def whole(x: tf.Tensor, targets: tf.Tensor | tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        count = tf.shape(x)[0]

        def one(start: tf.Tensor) -> tuple[tf.Tensor]:
            step(rows((x, targets), slice(start, start + batch_size)))
            return (start + batch_size,)

        tf.while_loop(lambda start: start < count, one, (0,), parallel_iterations=1)
        return model.get_metrics_result()

    signature = tf.nest.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), like)
    return tf.function(whole, input_signature=signature)


def rows(arrays: Any, which: slice | np.ndarray) -> Any:
    """These rows of an array or tensor, or of each of a tuple, nested or not; `which` may be indices for arrays."""
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
