"""The inputs of the exercises of l01_quantization, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def affine(rng: np.random.Generator) -> Arrays:
    """`x` (16, 16) float32 with an asymmetric range, to quantize to int8. Answers:

    scale () and zero_point () integer   low = min(min x, 0), high = max(max x, 0); scale = (high − low) / 255,
                                         zero_point = round(−128 − low / scale)
    quantized (16, 16) integer           clip(round(x / scale) + zero_point, −128, 127)
    dequantized (16, 16)                 scale · (quantized − zero_point)
    """
    low, high = -rng.uniform(0.2, 1.5), rng.uniform(2.0, 6.0)
    return {"x": np.round(rng.uniform(low, high, (16, 16)), 4).astype(np.float32)}


def per_channel(rng: np.random.Generator) -> Arrays:
    """`w` (3, 3, 8, 16) float32, a convolution's weights whose 16 output channels have very different ranges. Answers:

    scales (16,)             max |w[..., c]| / 127: symmetric int8, integers −127 to 127, zero point 0
    error_per_tensor ()      mean of (w − ŵ)² when one scale, max |w| / 127, serves all channels
    error_per_channel ()     mean of (w − ŵ)² with `scales`;  ŵ = scale · clip(round(w / scale), −127, 127)
    """
    spread = np.exp(rng.uniform(np.log(0.01), np.log(1.0), 16))
    return {"w": np.round(rng.normal(0.0, 1.0, (3, 3, 8, 16)) * spread, 5).astype(np.float32)}


def observers(rng: np.random.Generator) -> Arrays:
    """`activations` (4096,) float32 with outliers, of which an observer must choose a range. Answers:

    minmax (2,)       the smallest and the largest
    percentile (2,)   np.percentile at 0.1 and at 99.9, linear interpolation
    clipped ()        the fraction of the values strictly outside `percentile`
    """
    activations = rng.normal(rng.uniform(-0.5, 0.5), 1.0, 4096)
    outliers = rng.choice(4096, 12, replace=False)
    activations[outliers] *= rng.uniform(8, 25, 12)
    return {"activations": np.round(activations, 4).astype(np.float32)}


INPUTS = {
    "affine": affine,
    "per_channel": per_channel,
    "observers": observers,
}
