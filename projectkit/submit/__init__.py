"""What a student hands in: packed, checked and read by one definition for both sides. No TensorFlow, no pickles.

A submission is one zip: manifest.json, a model file per slot (`<slot>.tflite`, `.onnx` or `.supermask`), answers.npz for the
exercises of a lab, report.md for a project, study.json for a lab that searches.
"""

from projectkit.submit.answers import load_array
from projectkit.submit.check import Finding, check
from projectkit.submit.exercises import INPUTS, exercise_inputs
from projectkit.submit.limits import LIMITS, Limits
from projectkit.submit.manifest import check_slot
from projectkit.submit.pack import pack
from projectkit.submit.project import PROJECT, unmeasurable_claim
from projectkit.submit.read import Intake, read
from projectkit.submit.slots import OPTIONAL, SLOTS, STUDIES, wrong_format

__all__ = [
    "INPUTS",
    "LIMITS",
    "OPTIONAL",
    "PROJECT",
    "SLOTS",
    "STUDIES",
    "Finding",
    "Intake",
    "Limits",
    "check",
    "check_slot",
    "exercise_inputs",
    "load_array",
    "pack",
    "read",
    "unmeasurable_claim",
    "wrong_format",
]
