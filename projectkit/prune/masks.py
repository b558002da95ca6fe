"""One layer under many masks on the same images.

The part of the network before the layer does not depend on the mask: it runs once and its output is kept. The rest runs for
many masks in one graph call, with the masks in the batch axis.

evaluate = evaluator(model, "conv2d_3", data)
outcomes = evaluate(np.random.default_rng(0).random((500, evaluate.channels)) < 0.5)

Where only the best masks matter, `race` judges most of them on few images.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras as keras

from projectkit.errors import DataError, ModelError
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
    """Masks (m, channels) of 0 and 1 → `Outcomes`, over all images or those of a range. Made by `evaluator`.

    It keeps what the layers before made of the images: after training them on, make another. channels: of the layer; images:
    how many; behind: the names of the layers that run for every mask.
    """

    def __init__(self, cut: Cut):
        self.channels = cut.channels
        self.images = len(cut.labels)
        self.behind = cut.behind
        self._cut = cut
        self._call = tf.function(self._many, reduce_retracing=True)

    def __call__(self, masks: np.ndarray, images: range | None = None) -> Outcomes:
        masks = checked_masks(masks, self.channels)
        those = range(self.images) if images is None else images
        if not len(those) or those.step != 1 or not 0 <= those.start < those.stop <= self.images:
            raise DataError(f"Masks were to be judged on the images of {those}; expected a range within range({self.images}).")
        loss, correct = np.zeros(len(masks)), np.zeros(len(masks))
        rows = max(1, BYTES_IN_FLIGHT // self._cut.row_bytes)
        images_in_a_call = min(len(those), -(-rows // MASKS_IN_A_CALL))
        masks_in_a_call = max(1, rows // images_in_a_call)
        for start in range(those.start, those.stop, images_in_a_call):
            part = slice(start, min(start + images_in_a_call, those.stop))
            kept, labels = [tensor[part] for tensor in self._cut.kept], self._cut.labels[part]
            for first in range(0, len(masks), masks_in_a_call):
                some = slice(first, first + masks_in_a_call)
                losses, hits = self._call(tf.constant(masks[some]), kept, labels)
                loss[some] += losses.numpy()
                correct[some] += hits.numpy()
        return Outcomes(loss / len(those), correct / len(those))

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


def evaluator(
    model: keras.Model,
    layer_name: str,
    data: Split,
    *,
    fixed: Mapping[str, np.ndarray] | None = None,
    bfloat16: bool = False,
) -> Evaluator:
    """Prepares `layer_name` of `model` for many masks on `data`. `fixed` are masks that other layers wear all the while.

    bfloat16: the layers behind run as a copy in bfloat16, faster on processors that multiply it; losses then have two to
    three digits, which is enough to rank masks by.

    Mask 1 keeps a channel; with 0, all that read it read zeros, which is what removing the channel does: behind batch
    normalization and activation, and at the sum where other layers add to it (the mask is that of the whole group then, whichever
    of its layers is named). The statistics of later batch normalizations stay those of the whole network.
    `model` stays as it was. Raises ModelError for a layer that cannot be masked and DataError for no images.
    """
    return Evaluator(cut(model, layer_name, data, fixed=fixed, bfloat16=bfloat16))


@dataclass(frozen=True, slots=True, eq=False)
class Raced:
    """What a race has found. best: the place of the winner; images: (masks,) on how many images each mask was judged;
    outcomes: over these images, so that only those of masks with equally many can be compared."""

    best: int
    images: np.ndarray
    outcomes: Outcomes


def race(evaluate: Evaluator, masks: np.ndarray, *, first: int = 32, factor: int = 4) -> Raced:
    """The mask of the least loss, by successive halving: few images first, more for those that are left.

    All masks are judged on the `first` images; one in `factor` of them, those of the least loss, on `factor` times as many; and
    so on up to all images. The images' order must be random. The winner is the best of those that saw all images; masks
    that were unlucky on the first images are lost. Jamieson and Talwalkar, "Non-stochastic best arm identification and
    hyperparameter optimization", AISTATS 2016. Raises ModelError for first < 1 or factor < 2 and for no masks.
    """
    masks = checked_masks(masks, evaluate.channels)
    if first < 1 or factor < 2 or not len(masks):
        raise ModelError(f"A race needs masks, first ≥ 1 and factor ≥ 2; got {len(masks)} masks, first {first}, factor {factor}.")
    images, loss, accuracy = np.zeros(len(masks), int), np.zeros(len(masks)), np.zeros(len(masks))
    left, seen, until = np.arange(len(masks)), 0, min(first, evaluate.images)
    while True:
        found = evaluate(masks[left], range(seen, until))
        for sums, values in ((loss, found.loss), (accuracy, found.accuracy)):
            sums[left] = (sums[left] * seen + values * (until - seen)) / until
        images[left], seen = until, until
        if seen == evaluate.images:
            return Raced(int(left[np.argmin(loss[left])]), images, Outcomes(loss, accuracy))
        left = left[np.argsort(loss[left], kind="stable")[: -(-len(left) // factor)]]
        until = min(factor * until, evaluate.images)
