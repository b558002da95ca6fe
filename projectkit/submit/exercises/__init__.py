"""The inputs of the exercises, one module a lab: public, and another draw for every student, so that copied answers do not fit.

A student runs their own function on `exercise_inputs(...)` and hands in the arrays; the grader computes the reference on the
same inputs. Arrays are rounded to a few decimals, so that the last bit of another machine's logarithm changes nothing.
Below, "round" is round half to even (`np.round`) and x(k) is the k-th smallest of the samples, counted from 1.
"""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from projectkit.errors import SubmissionError
from projectkit.submit.exercises import (
    l00_measurement,
    l01_quantization,
    l02_pruning,
    l03_structured_pruning,
    l04_supermasks,
    l05_distillation,
    l06_nas,
    l07_nas_distillation,
    l09_operators,
    l10_deployment,
    l11_multi_model,
    l15_uncertainty,
    l16_robustness,
)
from projectkit.types import Arrays

INPUTS: Mapping[str, Mapping[str, Callable[[np.random.Generator], Arrays]]] = {
    "l00_measurement": l00_measurement.INPUTS,
    "l01_quantization": l01_quantization.INPUTS,
    "l02_pruning": l02_pruning.INPUTS,
    "l03_structured_pruning": l03_structured_pruning.INPUTS,
    "l04_supermasks": l04_supermasks.INPUTS,
    "l05_distillation": l05_distillation.INPUTS,
    "l06_nas": l06_nas.INPUTS,
    "l07_nas_distillation": l07_nas_distillation.INPUTS,
    "l09_operators": l09_operators.INPUTS,
    "l10_deployment": l10_deployment.INPUTS,
    "l11_multi_model": l11_multi_model.INPUTS,
    "l15_uncertainty": l15_uncertainty.INPUTS,
    "l16_robustness": l16_robustness.INPUTS,
}


def exercise_inputs(student: str, lab: str, exercise: str) -> Arrays:
    """The named input arrays of one exercise, drawn from a seed that is the SHA-256 of (student, lab, exercise).

    Raises SubmissionError for a lab or an exercise that does not exist.
    """
    known = INPUTS.get(lab, {})
    if exercise not in known:
        raise SubmissionError(
            f"exercise_inputs: {lab} has no exercise {exercise!r}, expected one of {', '.join(known) or 'none'}. "
            "Check the two names."
        )
    seed = hashlib.sha256("\0".join((student, lab, exercise)).encode()).digest()
    return known[exercise](np.random.default_rng(int.from_bytes(seed, "big")))
