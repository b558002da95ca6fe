"""What all scores of channels share. A score is `(model, layer_name, data, *, seed=0) -> (channels,)`: the larger, the more
important the channel. Any function of this signature is one.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.prune.cut import mask_point
from projectkit.prune.masks import evaluator
from projectkit.types import Split


class Score(Protocol):
    """How important each channel of a layer is: (channels,) numbers, larger for the more important.

    model: a trained network; layer_name: of one of its convolutions or dense layers; data: images that may be looked at; the same
    seed gives the same scores. Raises ModelError for a layer that it cannot score.
    """

    def __call__(self, model: keras.Model, layer_name: str, data: Split, /, *, seed: int = 0) -> np.ndarray: ...


def random(model: keras.Model, layer_name: str, data: Split, *, seed: int = 0) -> np.ndarray:
    """A uniformly random order, the yardstick of every other score: (channels,) in [0, 1). Looks at no weight and no image."""
    return np.random.default_rng(seed).random(mask_point(model, layer_name).outputs.shape[-1])


def compute(score: Score, model: keras.Model, layer_name: str, data: Split, *, seed: int = 0) -> np.ndarray:
    """The scores that `score` gives, (channels,) float64.

    Raises ModelError unless there is one finite number a channel, and for a layer whose weights are not finite.
    """
    channels = int(mask_point(model, layer_name).outputs.shape[-1])
    for weight in model.get_layer(layer_name).weights:
        if not np.isfinite(weight.numpy()).all():
            raise ModelError(f"{layer_name}: {weight.name} holds NaN or infinite weights; expected finite ones. Train it anew.")
    return _checked(score(model, layer_name, data, seed=seed), channels, f"{getattr(score, '__name__', 'score')} of {layer_name}")


def keep_by_validation(
    model: keras.Model, layer_name: str, scores: np.ndarray, validation: Split, *, tolerance: float = 0.01
) -> np.ndarray:
    """Which channels stay when as many of the least important ones go as `validation` allows: (channels,) bool.

    The largest number of removed channels with which accuracy on `validation` is at most `tolerance` below that of the whole
    layer. At least one channel stays. Raises ModelError for scores that are not one finite number a channel and for a negative
    tolerance.
    """
    evaluate = evaluator(model, layer_name, validation)
    scores = _checked(scores, evaluate.channels, f"the scores of {layer_name}")
    return deepest_cut(scores, lambda masks: evaluate(masks).accuracy, tolerance)


def deepest_cut(scores: np.ndarray, judge: Callable[[np.ndarray], np.ndarray], tolerance: float) -> np.ndarray:
    """Which channels stay, (channels,) bool: the mask with the fewest, of those that drop the least important ones, whose
    accuracy is at most `tolerance` below that of the mask that keeps all. judge: masks (masks, channels) bool → accuracies
    (masks,).

    Raises ModelError for a negative tolerance.
    """
    if not tolerance >= 0:
        raise ModelError(f"The tolerance is a loss of accuracy in [0, 1], got {tolerance}. Give for example 0.01.")
    rank = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    masks = rank[None] >= np.arange(len(scores))[:, None]  # row k: without the k least important
    accuracy = judge(masks)
    return masks[np.flatnonzero(accuracy >= accuracy[0] - tolerance).max()]


def _checked(scores: np.ndarray, channels: int, what: str) -> np.ndarray:
    expected = f"expected ({channels},), all finite. Return one number for each channel, larger for the more important."
    try:
        given = np.asarray(scores)
        if given.dtype.kind not in "biuf":
            raise TypeError(f"numbers of type {given.dtype}")
    except (TypeError, ValueError) as error:  # text, lists of unequal length, complex numbers
        raise ModelError(f"{what}: got {error}; {expected}") from error
    if given.shape != (channels,) or not np.isfinite(given).all():
        raise ModelError(
            f"{what}: got scores of shape {given.shape}, {int(np.sum(~np.isfinite(given)))} of them not finite; {expected}"
        )
    return given.astype(np.float64)
