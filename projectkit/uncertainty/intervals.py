"""How far a score would move with other examples: seeded bootstrap intervals, and a closed one for the calibration error."""

import math
from collections.abc import Callable

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.types import Z95, Measurement
from projectkit.uncertainty.bins import BINS, equal_mass, in_bins
from projectkit.uncertainty.calibration_error import CALIBRATION_ERRORS, debiased_square, ece_debiased, top_answers
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

    metric: the name in the Measurement, else that of the function. Raises UncertaintyError for a calibration error: its bias on
    few examples is larger than its spread, so that this interval would miss the truth of a calibrated forecaster nearly always.
    """
    if score in CALIBRATION_ERRORS:
        raise UncertaintyError(
            f"Received {score.__name__}; expected a score whose mean does not depend on how many examples there are, such as nll "
            "or brier. A calibration error with an interval: calibration_interval."
        )
    probs, y = labelled_probabilities(probs, y)
    rng = np.random.default_rng(seed)
    again = [score(probs[index], y[index]) for index in rng.integers(0, len(y), (_several(draws), len(y)))]
    value = score(probs, y)
    half = Z95 * float(np.std(again, ddof=1))
    return Measurement(metric or score.__name__, value, max(0.0, value - half), value + half, len(y))


def calibration_interval(probs: np.ndarray, y: np.ndarray, *, bins: int = BINS, metric: str = "ece_debiased") -> Measurement:
    """`ece_debiased` with a 95 % interval for the error of bins that hold these shares of all examples.

    Its square D = Σ_b (n_b / n)(gap_b² − v_b) has about the variance Σ_b (n_b / n)² (4 gap_b² v_b + 2 v_b²), v_b being that of
    accuracy_b (a bin's gap is normal, so its square is noncentral χ²); the interval is D ± 1.96 standard deviations, cut at 0,
    and the root of both ends. gap_b² is taken as at least v_b, and v_b with one right and one wrong answer more, because a bin
    without a wrong answer would show no chance at all (after Agresti and Coull, "Approximate is better than exact", 1998).

    How often it holds the truth is measured by `benchmarks/calibration.py`: in at least nine of ten draws of 300 images or more.
    """
    confidence, right = top_answers(probs, y)
    binned = in_bins(confidence, right, equal_mass(confidence, bins))
    share, some = binned.count / len(right), np.maximum(binned.count, 1)
    rate = (binned.frequency * binned.count + 1) / (binned.count + 2)
    variance = rate * (1 - rate) / some
    gap = np.maximum(binned.gap**2, variance)
    half = Z95 * math.sqrt(float(np.sum(share**2 * (4 * gap * variance + 2 * variance**2))))
    square = debiased_square(binned)
    low, high = (math.sqrt(max(0.0, square + side * half)) for side in (-1, 1))
    value = ece_debiased(probs, y, bins=bins)
    return Measurement(metric, value, min(low, value), max(high, value), len(right))


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
