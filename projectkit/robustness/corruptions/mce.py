"""The mean corruption error: errors under corruptions, on the scale of a reference model's."""

from collections.abc import Mapping, Sequence

import numpy as np

from projectkit.errors import RobustnessError


def mean_corruption_error(errors: Mapping[str, Sequence[float]], reference_errors: Mapping[str, Sequence[float]]) -> float:
    """The mean over corruptions of Σ_s E_s / Σ_s E_s of the reference, s going over the severities: below 1 is better than it.

    errors, reference_errors: by corruption, an error rate in [0, 1] a severity. Hendrycks and Dietterich, "Benchmarking neural
    network robustness to common corruptions and perturbations", 2019, section 4.3 (who give it in percent).
    Raises RobustnessError when the two do not speak of the same, a number is no error rate, or the reference makes no error.
    """
    if not errors or set(errors) != set(reference_errors):
        raise RobustnessError(
            f"Received errors for {sorted(errors)} and reference errors for {sorted(reference_errors)}; expected the same "
            "corruptions in both, at least one. Measure both models under the same."
        )
    ratios = []
    for name, rates in errors.items():
        ours, theirs = np.asarray(rates, float), np.asarray(reference_errors[name], float)
        if ours.shape != theirs.shape or ours.ndim != 1 or not all(((e >= 0) & (e <= 1)).all() for e in (ours, theirs)):
            raise RobustnessError(
                f"{name}: received errors {rates} and {reference_errors[name]}; expected as many rates in [0, 1] in both. "
                "Give 1 − accuracy for each severity."
            )
        if not theirs.sum() > 0:
            raise RobustnessError(
                f"{name}: the reference makes no error, so that nothing can be divided by it; expected a sum above 0. "
                "Take a weaker reference, or more images."
            )
        ratios.append(ours.sum() / theirs.sum())
    return float(np.mean(ratios))
