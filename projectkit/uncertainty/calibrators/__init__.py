"""Calibrators: fit(logits (n, classes), y) -> a frozen calibrator, which turns logits into probabilities (n, classes)."""

from collections.abc import Mapping

from projectkit.uncertainty.calibrators.affine import Affine, matrix, vector
from projectkit.uncertainty.calibrators.folding import fold
from projectkit.uncertainty.calibrators.histogram import Histogram, histogram
from projectkit.uncertainty.calibrators.isotonic import Isotonic, isotonic
from projectkit.uncertainty.calibrators.platt import Platt, platt
from projectkit.uncertainty.calibrators.temperature import Temperature, temperature
from projectkit.uncertainty.families import Calibration

CALIBRATORS: Mapping[str, Calibration] = {
    "temperature": temperature,
    "vector": vector,
    "matrix": matrix,
    "platt": platt,
    "isotonic": isotonic,
    "histogram": histogram,
}

__all__ = [
    "CALIBRATORS",
    "Affine",
    "Histogram",
    "Isotonic",
    "Platt",
    "Temperature",
    "fold",
    "histogram",
    "isotonic",
    "matrix",
    "platt",
    "temperature",
    "vector",
]
