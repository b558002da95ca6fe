"""Weather. Strengths follow ImageNet-C; what it takes from photographs is drawn here, and lengths are shares of the side."""

import numpy as np

from projectkit.robustness.corruptions.contract import corruption
from projectkit.robustness.corruptions.sampling import grey, grid, plasma, sample, side_of, streaked

ICE = np.array([0.86, 0.95, 1.0])  # a little blue


@corruption
def snow(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Flakes that fall in streaks, before an image that they brighten."""
    mean, grain, length, kept = (
        (0.0, 0.06, 0.1, 0.9),
        (0.08, 0.06, 0.12, 0.85),
        (0.15, 0.07, 0.14, 0.8),
        (0.2, 0.07, 0.16, 0.75),
        (0.28, 0.08, 0.2, 0.7),
    )[strength]
    rows, columns = grid(x)
    noise = rng.normal(mean, 0.4, (*x.shape[:3], 1))
    flakes = sample(noise, rows / max(1.0, grain * side_of(x)), columns / max(1.0, grain * side_of(x)))
    layer = np.clip(np.where(flakes > 0.65, flakes, 0.0), 0.0, 1.0)
    layer = streaked(layer, length * side_of(x), np.deg2rad(rng.uniform(-135, -45, len(x))))
    pale = np.maximum(x, grey(x) * 1.5 + 0.5)
    return kept * x + (1 - kept) * pale + layer + layer[:, ::-1, ::-1]


@corruption
def frost(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Ice on the lens: ridges of random clouds, where two of them cross their middle, over a darker image."""
    kept, ice = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.75), (0.6, 0.8))[strength]
    ridges = [1 - np.abs(2 * plasma(x, 1.5, rng) - 1) for _ in range(2)]
    crystals = np.maximum(*ridges) ** 3
    return kept * x + ice * crystals * (ICE if x.shape[-1] == 3 else 1.0)


@corruption
def fog(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """A cloud before the image, of which less is left the thicker it is."""
    amount, decay = ((1.0, 2.0), (1.5, 2.0), (2.0, 1.7), (2.5, 1.6), (3.2, 1.5))[strength]
    largest = x.max(axis=(1, 2, 3), keepdims=True)
    return (x + amount * plasma(x, decay, rng)) * largest / (largest + amount)


@corruption
def brightness(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """More light: the value of a colour (the largest of red, green and blue) grows, its hue and saturation stay."""
    value = x.max(axis=-1, keepdims=True)
    brighter = np.minimum(1.0, value + (0.1, 0.2, 0.3, 0.4, 0.5)[strength])
    return np.where(value > 0, x * brighter / np.maximum(value, 1e-12), brighter)
