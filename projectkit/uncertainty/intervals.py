"""How far a score would move with other examples: seeded bootstrap intervals."""

from collections.abc import Callable

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.types import Z95, Measurement
from projectkit.uncertainty.out_of_distribution import finite_scores
from projectkit.uncertainty.probabilities import labelled_probabilities

DRAWS = 200


def score_interval(
    score: Callable[[np.ndarray, np.ndarray], float],
    probs: np.ndarray,
    y: np.ndarray,
    *,
    metric: str = "",
    draws: int = DRAWS,
    seed: int = 0,
) -> Measurement:
    """`score`, a member of SCORES or one's own, with its 95 % interval: value ± 1.96 standard deviations over `draws` samples of
    the n examples with replacement (Efron, "Bootstrap methods", 1979), cut at 0.

    Not the percentiles of these samples: a repeated example looks like miscalibration, so that those of a calibration error lie
    above the value itself. metric: the name in the Measurement, else that of the function.
    """
    probs, y = labelled_probabilities(probs, y)
    rng = np.random.default_rng(seed)
    again = [score(probs[index], y[index]) for index in rng.integers(0, len(y), (_several(draws), len(y)))]
    value = score(probs, y)
    half = Z95 * float(np.std(again, ddof=1))
    return Measurement(metric or score.__name__, value, max(0.0, value - half), value + half, len(y))


def detection_interval(
    measure: Callable[[np.ndarray, np.ndarray], float],
    inside: np.ndarray,
    outside: np.ndarray,
    *,
    metric: str = "",
    draws: int = DRAWS,
    seed: int = 0,
) -> Measurement:
    """`measure` (auroc, aupr or fpr95) of the scores of examples `inside` (n,) and `outside` (m,) a distribution, with its
    95 % interval as in `score_interval`; both samples are drawn anew, and the interval is cut to [0, 1]."""
    inside, outside = finite_scores(inside), finite_scores(outside)
    rng = np.random.default_rng(seed)
    again = [measure(rng.choice(inside, len(inside)), rng.choice(outside, len(outside))) for _ in range(_several(draws))]
    value = measure(inside, outside)
    half = Z95 * float(np.std(again, ddof=1))
    return Measurement(
        metric or measure.__name__, value, max(0.0, value - half), min(1.0, value + half), len(inside) + len(outside)
    )


def _several(draws: int) -> int:
    if draws < 2:
        raise UncertaintyError(f"Received {draws} draws; expected at least 2, to see how far they lie apart. Give 200.")
    return draws
