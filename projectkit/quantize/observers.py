"""Observers: `(values) -> (low, high)`, the range that the quantization grid will cover.

A wide range clips nothing and rounds coarsely; a narrow one clips outliers and rounds finely.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from projectkit.quantize.affine import dequantize, quantize, scale_and_zero_point


def minmax(values: np.ndarray) -> tuple[float, float]:
    """The smallest and largest value seen."""
    return float(np.min(values)), float(np.max(values))


def percentile(values: np.ndarray, *, share: float = 99.9) -> tuple[float, float]:
    """The range that holds the middle `share` percent, the rest cut off evenly on both sides."""
    low, high = np.percentile(values, [(100 - share) / 2, 100 - (100 - share) / 2])
    return float(low), float(high)


def mse(values: np.ndarray, *, bits: int = 8, steps: int = 40) -> tuple[float, float]:
    """The range, among `steps` shrunken copies of minmax, with the smallest mean squared error after quantization
    (Sung et al., "Resiliency of deep neural networks under quantization", 2015)."""
    low, high = minmax(values)
    candidates = [(low * shrink, high * shrink) for shrink in np.linspace(1.0, 0.1, steps)]

    def error(candidate: tuple[float, float]) -> float:
        scale, zero_point = scale_and_zero_point(*candidate, bits=bits)
        return float(np.mean((dequantize(quantize(values, scale, zero_point, bits=bits), scale, zero_point) - values) ** 2))

    return min(candidates, key=error)


class Observer(Protocol):
    """The range (low, high) of real numbers that activations are quantized in, from the values (any shape) that were seen."""

    def __call__(self, values: np.ndarray, /) -> tuple[float, float]: ...


OBSERVERS: Mapping[str, Observer] = {"minmax": minmax, "percentile": percentile, "mse": mse}
