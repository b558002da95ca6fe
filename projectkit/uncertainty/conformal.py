"""Conformal prediction: not one answer but a set of answers, which holds the right one as often as was promised.

The promise needs one thing only: that the images it is used on come from where those of the calibration set come from.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.uncertainty.probabilities import labelled_probabilities, valid_probabilities

Nonconformity = Callable[[np.ndarray, np.ndarray], np.ndarray]  # probs (n, classes), luck (n, 1) in [0, 1] -> (n, classes)


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """Sets of all classes whose nonconformity score is at most `threshold`, made to miss the label in at most a share alpha."""

    nonconformity: Nonconformity
    threshold: float
    alpha: float
    randomized: bool

    def __call__(self, probs: np.ndarray, *, seed: int = 0) -> np.ndarray:
        """(n, classes) probabilities → (n, classes) booleans: which classes are in the set. Randomized sets can be empty."""
        probs = valid_probabilities(probs)
        luck = _luck(len(probs), (seed, 1) if self.randomized else None)
        return self.nonconformity(probs, luck) <= self.threshold


def lac(probs: np.ndarray, y: np.ndarray, alpha: float) -> PredictionSets:
    """Nonconformity score 1 − p_c: the smallest sets on average, the same threshold for easy and hard images (Sadinle, Lei and
    Wasserman, "Least ambiguous set-valued classifiers with bounded error levels", 2019; the split of Papadopoulos et al., 2002).

    probs (n, classes), y (n,): images that neither training nor calibration have seen. Raises UncertaintyError.
    """
    return _fitted(lambda p, _: 1 - p, probs, y, alpha, None)


def aps(probs: np.ndarray, y: np.ndarray, alpha: float, *, randomized: bool = True, seed: int = 0) -> PredictionSets:
    """Nonconformity score: the probability of all classes before c, from the most probable on, and a random part of p_c: larger
    sets for harder images (Romano, Sesia and Candès, "Classification with valid and adaptive coverage", 2020).

    Without the random part, all of p_c counts: sets are never empty, but larger than need be. Raises UncertaintyError.
    """
    return _fitted(_before, probs, y, alpha, seed if randomized else None)


def raps(
    probs: np.ndarray,
    y: np.ndarray,
    alpha: float,
    *,
    penalty: float = 0.01,
    free: int = 5,
    randomized: bool = True,
    seed: int = 0,
) -> PredictionSets:
    """`aps` plus `penalty` for each rank beyond the first `free` classes, which keeps the long tail of improbable classes out
    (Angelopoulos et al., "Uncertainty sets for image classifiers using conformal prediction", 2021). Raises UncertaintyError."""
    if not (0 <= penalty < math.inf and free >= 0):
        raise UncertaintyError(f"Received the penalty {penalty} from rank {free} on; expected both ≥ 0. Give 0.01 and 5.")

    def nonconformity(p: np.ndarray, luck: np.ndarray) -> np.ndarray:
        rank = np.argsort(np.argsort(-p, axis=1, kind="stable"), axis=1) + 1
        return _before(p, luck) + penalty * np.maximum(rank - free, 0)

    return _fitted(nonconformity, probs, y, alpha, seed if randomized else None)


def coverage(sets: np.ndarray, y: np.ndarray) -> float:
    """The share of `sets` (n, classes) booleans that hold the label."""
    sets, y = np.asarray(sets), np.asarray(y)
    if sets.ndim != 2 or sets.dtype != bool or y.shape != (len(sets),) or not len(y):
        raise UncertaintyError(
            f"Received sets of shape {sets.shape} and type {sets.dtype} for labels of shape {y.shape}; expected (n, classes) "
            "booleans and (n,) labels. Give what PredictionSets return."
        )
    return float(sets[np.arange(len(y)), y].mean())


def conformal_quantile(values: np.ndarray, alpha: float) -> float:
    """The ⌈(n + 1)(1 − α)⌉-th smallest of n values, infinity where n is too small for that: then every class must be in the set.

    A new value from the same source is at most this with a probability from 1 − α to 1 − α + 1/(n + 1), over both draws (Vovk,
    Gammerman and Shafer, "Algorithmic learning in a random world", 2005). Raises UncertaintyError unless 0 < α < 1.
    """
    if not 0 < alpha < 1:
        raise UncertaintyError(f"Received alpha {alpha}; expected the share of misses to allow, in (0, 1). Give for example 0.1.")
    place = math.ceil((len(values) + 1) * (1 - alpha) - 1e-9)  # 10 · 0.9 is 9, whatever its rounding says
    return float(np.sort(values)[place - 1]) if place <= len(values) else math.inf


def _fitted(nonconformity: Nonconformity, probs: np.ndarray, y: np.ndarray, alpha: float, seed: int | None) -> PredictionSets:
    probs, y = labelled_probabilities(probs, y)
    luck = _luck(len(y), None if seed is None else (seed, 0))  # another one than where the sets are made
    values = nonconformity(probs, luck)[np.arange(len(y)), y]
    return PredictionSets(nonconformity, conformal_quantile(values, alpha), alpha, seed is not None)


def _before(probs: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """Of each class: the sum of the probabilities larger than its own, and luck times its own."""
    order = np.argsort(-probs, axis=1, kind="stable")
    ordered = np.take_along_axis(probs, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    result = np.empty_like(probs)
    np.put_along_axis(result, order, before + luck * ordered, axis=1)
    return result


def _luck(count: int, seed: tuple[int, int] | None) -> np.ndarray:
    """(count, 1): drawn evenly from [0, 1), or all 1 without a seed."""
    return np.ones((count, 1)) if seed is None else np.random.default_rng(seed).random((count, 1))
