"""Affine quantization: real ≈ scale · (stored − zero_point)."""

import numpy as np

from projectkit.errors import MeasureError

Numbers = np.ndarray | float


def integer_range(bits: int, *, symmetric: bool) -> tuple[int, int]:
    """The smallest and largest stored integer: [−2^(b−1), 2^(b−1) − 1], without the lowest one when symmetric, so that
    zero sits in the middle (int8: [−128, 127] or [−127, 127])."""
    if not 2 <= bits <= 16:
        raise MeasureError(f"Quantization needs 2 to 16 bits, got {bits}.")
    return -(2 ** (bits - 1)) + int(symmetric), 2 ** (bits - 1) - 1


def scale_and_zero_point(low: Numbers, high: Numbers, *, bits: int = 8, symmetric: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The grid that covers [low, high], widened to contain 0, which every network must represent exactly (padding, ReLU).

    low, high: numbers or (channels,) arrays. Returns scale (float64) and zero_point (int64) of the same shape; symmetric
    grids have zero_point 0. Rounding the zero point moves the grid by up to half a step, so that an end of the range may lie
    that far outside. Jacob et al. 2018, section 3. Raises MeasureError when a range is not finite or low > high.
    """
    if not np.all(np.isfinite(low) & np.isfinite(high) & np.less_equal(low, high)):
        raise MeasureError(f"A range needs finite numbers with low ≤ high, got low = {low} and high = {high}.")
    low, high = np.minimum(np.asarray(low, np.float64), 0.0), np.maximum(np.asarray(high, np.float64), 0.0)
    smallest, largest = integer_range(bits, symmetric=symmetric)
    if symmetric:
        scale = np.maximum(-low, high) / largest
        scale = np.where(scale > 0, scale, 1.0)  # all zeros: any scale will do
        return scale, np.zeros(scale.shape, np.int64)
    scale = (high - low) / (largest - smallest)
    scale = np.where(scale > 0, scale, 1.0)
    zero_point = np.clip(np.round(smallest - low / scale), smallest, largest).astype(np.int64)
    return scale, zero_point


def quantize(x: np.ndarray, scale: Numbers, zero_point: Numbers, *, bits: int = 8, symmetric: bool = False) -> np.ndarray:
    """round(x / scale) + zero_point, clipped to the integer range: int8, or int16 above 8 bits. Halves round to even.

    scale and zero_point broadcast against the last axis of x: numbers (per tensor) or (channels,) arrays (per channel).
    """
    smallest, largest = integer_range(bits, symmetric=symmetric)
    stored = np.clip(np.round(np.asarray(x, np.float64) / scale) + zero_point, smallest, largest)
    return stored.astype(np.int8 if bits <= 8 else np.int16)


def dequantize(stored: np.ndarray, scale: Numbers, zero_point: Numbers) -> np.ndarray:
    """scale · (stored − zero_point), float32."""
    return (np.asarray(scale) * (stored.astype(np.int64) - zero_point)).astype(np.float32)


def fake_quantize(x: np.ndarray, *, bits: int = 8, per_channel: bool = False, symmetric: bool = True) -> np.ndarray:
    """x after a round trip through the grid of its own range: what a weight tensor becomes in a quantized file.

    per_channel: one grid for each index of the last axis (Keras' output channels) instead of one for the tensor.
    """
    axes = tuple(range(x.ndim - 1)) if per_channel else None
    scale, zero_point = scale_and_zero_point(x.min(axis=axes), x.max(axis=axes), bits=bits, symmetric=symmetric)
    return dequantize(quantize(x, scale, zero_point, bits=bits, symmetric=symmetric), scale, zero_point)
