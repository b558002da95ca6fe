"""The reference solutions of the exercises, one module a lab.

Written from the definitions in projectkit.submit.exercises, in float64, apart from the code that students are shown.
"""

from collections.abc import Callable, Mapping

from grading.exercises import (
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

SOLUTIONS: Mapping[str, Mapping[str, Callable[[Arrays], Arrays]]] = {
    "l00_measurement": l00_measurement.SOLUTIONS,
    "l01_quantization": l01_quantization.SOLUTIONS,
    "l02_pruning": l02_pruning.SOLUTIONS,
    "l03_structured_pruning": l03_structured_pruning.SOLUTIONS,
    "l04_supermasks": l04_supermasks.SOLUTIONS,
    "l05_distillation": l05_distillation.SOLUTIONS,
    "l06_nas": l06_nas.SOLUTIONS,
    "l07_nas_distillation": l07_nas_distillation.SOLUTIONS,
    "l09_operators": l09_operators.SOLUTIONS,
    "l10_deployment": l10_deployment.SOLUTIONS,
    "l11_multi_model": l11_multi_model.SOLUTIONS,
    "l15_uncertainty": l15_uncertainty.SOLUTIONS,
    "l16_robustness": l16_robustness.SOLUTIONS,
}
