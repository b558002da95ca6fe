"""One layer under many masks on the same images.

The part of the network before the layer does not depend on the mask: it runs once and its output is kept. The rest runs for
many masks in one graph call, with the masks in the batch axis.

evaluate = evaluator(model, "conv2d_3", data)
outcomes = evaluate(np.random.default_rng(0).random((500, evaluate.channels)) < 0.5)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras as keras

from projectkit.prune.cut import Cut, checked_masks, cut, wear
from projectkit.types import Split

BYTES_IN_FLIGHT = 8 * 2**20  # of the largest tensor of a graph call: more of it leaves the processor's caches and is slower
MASKS_IN_A_CALL = 8  # at least, where there are so many


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What each mask does. loss: (masks,) mean cross-entropy in nats; accuracy: (masks,) in [0, 1]."""

    loss: np.ndarray
    accuracy: np.ndarray


class Evaluator:
    """Masks (m, channels) of 0 and 1 → `Outcomes`. Made by `evaluator`.

    It keeps what the layers before made of the images: after training them on, make another. channels: of the layer;
    behind: the names of the layers that run for every mask.
    """

    def __init__(self, cut: Cut):
        self.channels = cut.channels
        self.behind = cut.behind
        self._cut = cut
        self._call = tf.function(self._many, reduce_retracing=True)

    def __call__(self, masks: np.ndarray) -> Outcomes:
        masks = checked_masks(masks, self.channels)
        images = len(self._cut.labels)
        loss, correct = np.zeros(len(masks)), np.zeros(len(masks))
        rows = max(1, BYTES_IN_FLIGHT // self._cut.row_bytes)
        images_in_a_call = min(images, -(-rows // MASKS_IN_A_CALL))
        masks_in_a_call = max(1, rows // images_in_a_call)
        for start in range(0, images, images_in_a_call):
            part = slice(start, start + images_in_a_call)
            kept, labels = [tensor[part] for tensor in self._cut.kept], self._cut.labels[part]
            for first in range(0, len(masks), masks_in_a_call):
                some = slice(first, first + masks_in_a_call)
                losses, hits = self._call(tf.constant(masks[some]), kept, labels)
                loss[some] += losses.numpy()
                correct[some] += hits.numpy()
        return Outcomes(loss / images, correct / images)

    def _many(self, masks: tf.Tensor, kept: list[tf.Tensor], labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Sums over the images: loss (m,) and right answers (m,)."""
        count, images = tf.shape(masks)[0], tf.shape(labels)[0]
        rows = []
        for tensor, positions in zip(kept, self._cut.worn, strict=True):
            many = tf.repeat(tensor[None], count, axis=0) if positions is None else wear(tensor[None], masks, positions)
            rows.append(tf.reshape(many, tf.concat([[-1], tf.shape(tensor)[1:]], 0)))
        labels = tf.tile(labels, [count])
        logits = tf.cast(self._cut.tail(rows, tf.repeat(masks, images, axis=0)), tf.float32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        hits = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, tf.float32)
        return tf.reduce_sum(tf.reshape(losses, [count, -1]), 1), tf.reduce_sum(tf.reshape(hits, [count, -1]), 1)


def evaluator(model: keras.Model, layer_name: str, data: Split, *, fixed: Mapping[str, np.ndarray] | None = None) -> Evaluator:
    """Prepares `layer_name` of `model` for many masks on `data`. `fixed` are masks that other layers wear all the while.

    Mask 1 keeps a channel; with 0, all that read it read zeros, which is what removing the channel does: behind batch
    normalization and activation, and at the sum where other layers add to it (the mask is that of the whole group then, whichever
    of its layers is named). The statistics of later batch normalizations stay those of the whole network.
    `model` stays as it was. Raises ModelError for a layer that cannot be masked and DataError for no images.
    """
    return Evaluator(cut(model, layer_name, data, fixed=fixed))
