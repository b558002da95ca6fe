"""The interval of a mean over few independent repeats: openings of a file, processes, blocks of a meter."""

import math
from collections.abc import Sequence

import numpy as np

from projectkit.errors import MeasureError


def student_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """(mean, low, high): the 95 % interval of the mean of independent `values`, mean ± t₀.₉₇₅(n − 1) · s / √n.

    Few values have a wide interval: Student's t is 12.7 for two of them, 4.3 for three, 2.4 for eight. Raises MeasureError for
    fewer than two.
    """
    # Student's t without importing statistics: scipy.stats takes a second.
    from scipy.special import stdtrit

    if len(values) < 2:
        raise MeasureError(f"an interval needs two independent values or more, got {len(values)}.")
    numbers = np.asarray(values, np.float64)
    mean = float(numbers.mean())
    half = float(stdtrit(len(numbers) - 1, 0.975) * numbers.std(ddof=1) / math.sqrt(len(numbers)))
    return mean, mean - half, mean + half
