"""The models that each lab asks for."""

from collections.abc import Mapping
from pathlib import Path

from projectkit.submit.project import PROJECT
from projectkit.types import FORMATS, Artifact

# Lab → slot → the format it must have, None where any will do. The rubrics ask for the same; a test holds them together.
# The project has no rubric: a jury judges it by what is measured of these models.
SLOTS: Mapping[str, Mapping[str, str | None]] = {
    "l00_measurement": {"small": None},
    "l01_quantization": {"int8": "litert", "onnx_int8": "onnx", "qat": "litert", "few_bits": "litert"},
    "l02_pruning": dict.fromkeys(("pruned", "sparse", "two_of_four", "clustered", "int8"), "litert"),
    "l03_structured_pruning": {"pruned": "litert", "tiny": "litert"},
    "l04_supermasks": {"accurate": "supermask", "tiny": "supermask"},
    "l05_distillation": {"student": "litert", "int8": "litert"},
    "l06_nas": {"best": "litert"},
    "l07_nas_distillation": {"student": "litert"},
    "l09_operators": {"fused": "litert", "separable": "litert"},
    "l10_deployment": {"micro": "litert", "tensorrt": "onnx"},
    "l11_multi_model": {"camera": "litert", "keyword": "litert"},
    "l15_uncertainty": {"calibrated": "litert", "ensemble": "litert"},
    "l16_robustness": {"robust": "litert", "robust_small": "litert"},
    PROJECT: {"baseline": None, "optimized": None, "variant_a": None, "variant_b": None},
}
# More points of a project's trade-off, beside the two models that are asked for.
OPTIONAL = {PROJECT: ("variant_a", "variant_b")}
# The labs that ask for the search behind their model, too.
STUDIES = ("l06_nas", "l07_nas_distillation")


def wrong_format(slot: str, artifact: Artifact, wanted: str | None) -> str | None:
    """A sentence when the model of `slot` is not in the `wanted` format, else None."""
    if wanted is None or artifact.format == wanted:
        return None
    suffix = next(suffix for suffix, name in FORMATS.items() if name == wanted)
    return f"{Path(artifact.path).name}: expected a {suffix} file for {slot}. Export it as that."
