"""The reference solutions of the exercises of l01_quantization, from the definitions of their inputs in projectkit.submit."""

import numpy as np

from projectkit.types import Arrays


def _affine(inputs: Arrays) -> Arrays:
    x = inputs["x"].astype(np.float64)
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    scale = (high - low) / 255
    zero_point = int(np.round(-128 - low / scale))
    quantized = np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int64)
    return {
        "scale": np.array(scale),
        "zero_point": np.array(zero_point),
        "quantized": quantized,
        "dequantized": scale * (quantized - zero_point),
    }


def _per_channel(inputs: Arrays) -> Arrays:
    w = inputs["w"].astype(np.float64)

    def error(scale: np.ndarray | float) -> np.ndarray:
        return np.array(np.mean((w - scale * np.clip(np.round(w / scale), -127, 127)) ** 2))

    scales = np.abs(w).reshape(-1, w.shape[-1]).max(axis=0) / 127
    return {"scales": scales, "error_per_tensor": error(np.abs(w).max() / 127), "error_per_channel": error(scales)}


def _observers(inputs: Arrays) -> Arrays:
    values = inputs["activations"].astype(np.float64)
    low, high = np.percentile(values, [0.1, 99.9])
    return {
        "minmax": np.array([values.min(), values.max()]),
        "percentile": np.array([low, high]),
        "clipped": np.mean((values < low) | (values > high)),
    }


SOLUTIONS = {
    "affine": _affine,
    "per_channel": _per_channel,
    "observers": _observers,
}
