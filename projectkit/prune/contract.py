"""What every score of channels promises, as a check that a score of one's own can be held to."""

import random

import numpy as np
import tf_keras as keras
from numpy.typing import ArrayLike

from projectkit.errors import ModelError
from projectkit.prune.scores import Score, compute
from projectkit.types import Split

ORDER = 0.05  # of the range of the scores: what rounding may become in a score that climbs step by step


def check_score(score: Score, model: keras.Model, layer_name: str, data: Split, *, seed: int = 0) -> np.ndarray:
    """Calls `score` on a layer of `model`, three times, and gives what it found, (channels,) float64.

    Raises ModelError at the first broken promise: one finite number a channel, not the same for all of several; the model, the
    images and the labels stay as they were; the seed alone decides, and the generators of NumPy and Python are left as they
    were; the order of the images does not matter. Numbers may differ by what rounding on several cores does.
    """
    name = getattr(score, "__name__", "score")
    given = Split(data.x.copy(), data.y.copy())
    weights, trainable = [array.copy() for array in model.get_weights()], [layer.trainable for layer in model.layers]
    state = _state()
    found = compute(score, model, layer_name, given, seed=seed)
    if not (np.array_equal(given.x, data.x) and np.array_equal(given.y, data.y)):
        raise ModelError(f"{name}: received images and labels and changed them; expected them as they were. Work on copies.")
    if trainable != [layer.trainable for layer in model.layers] or not all(map(np.array_equal, weights, model.get_weights())):
        raise ModelError(
            f"{name}: received a model and changed its weights, or which of them are trainable; expected to find it as it was. "
            "Work on models.copy(model)."
        )
    if len(found) > 1 and not np.ptp(found):
        raise ModelError(
            f"{name}: all {len(found)} channels have the same score, {found[0]:g}, which is no order; expected different ones. "
            "Use something that differs between them."
        )
    again = compute(score, model, layer_name, given, seed=seed)
    if not np.allclose(again, found, rtol=1e-4, atol=1e-6):
        raise ModelError(
            f"{name}: gave other scores when called again with the seed {seed}, by up to {np.abs(again - found).max():.3g}; "
            "expected the same. Draw from np.random.default_rng(seed) only."
        )
    if not all(map(np.array_equal, state, _state())):
        raise ModelError(
            f"{name}: has drawn from the process's generator of random numbers, or set its seed; expected to find it as it was. "
            "Draw from np.random.default_rng(seed) only."
        )
    order = np.random.default_rng(0).permutation(len(data))
    shuffled = compute(score, model, layer_name, Split(data.x[order], data.y[order]), seed=seed)
    if np.abs(shuffled - found).max() > ORDER * np.ptp(found) + 1e-3 * np.abs(found).max():
        raise ModelError(
            f"{name}: gave other scores for the same images in another order, by up to {np.abs(shuffled - found).max():.3g}; "
            "expected the same. Take sums or means over all images."
        )
    return found


def _state() -> list[ArrayLike]:
    drawn = np.random.get_state(legacy=False)["state"]
    return [drawn["key"], drawn["pos"], random.getstate()[1]]
