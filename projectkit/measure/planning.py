"""How many images or repeats a comparison needs, before it is made."""

import math

from projectkit.errors import MeasureError
from projectkit.types import Z95

Z80 = 0.8416212335729143  # the 80 % quantile of the standard normal: the chance to find an effect that is there


def images_needed(difference: float, disagreement: float) -> int:
    """How many images show that two accuracies differ by `difference`, in four of five test sets, at the 5 % level.

    disagreement: the share of images on which only one of the two is right; compared on the same images, nothing else counts.
    Two models compared on different images have about p₁(1 − p₁) + p₂(1 − p₂) in its place, which is more. n = (1.96 √d + 0.84
    √(d − δ²))² / δ² (Connor, "Sample size for testing differences in proportions for the paired-sample design", 1987).

    Raises MeasureError unless 0 < difference ≤ disagreement ≤ 1.
    """
    if not 0 < difference <= disagreement <= 1:
        raise MeasureError(
            f"images_needed: got a difference of {difference} and a disagreement of {disagreement}, expected 0 < difference ≤ "
            "disagreement ≤ 1: models that differ by a share of images disagree on at least that share."
        )
    return math.ceil(((Z95 * math.sqrt(disagreement) + Z80 * math.sqrt(disagreement - difference**2)) / difference) ** 2)


def repeats_needed(effect: float, deviation: float, *, paired: bool = True) -> int:
    """How many repeats (seeds, or openings of a file) show a mean effect in four of five experiments, at the 5 % level.

    deviation: the standard deviation of the repeats' differences where each repeat measures both (`paired`: the same seed, one
    after the other on the same machine); else that of the repeats of either one, and so many of both are needed. n = (1.96 +
    0.84)² s²/d², twice that unpaired, and 1.96²/2 or /4 more, because the deviation is estimated from as few repeats (Guenther,
    "Sample size formulas for normal theory t tests", 1981).

    Raises MeasureError unless both are positive and finite.
    """
    if not (0 < effect < math.inf and 0 < deviation < math.inf):
        raise MeasureError(
            f"repeats_needed: got an effect of {effect} and a deviation of {deviation}, expected positive numbers: the size of "
            "the effect that matters, and how far repeats lie apart. Measure the latter in a few trial runs."
        )
    share = 1 if paired else 2
    return math.ceil(share * ((Z95 + Z80) * deviation / effect) ** 2 + Z95**2 / (2 * share))
