"""Noise of single pixels. Strengths: ImageNet-C (Hendrycks and Dietterich, 2019), which MNIST-C has taken over."""

import numpy as np

from projectkit.robustness.corruptions.contract import corruption


@corruption
def gaussian_noise(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Normal noise, as in poor light."""
    return x + rng.normal(0.0, (0.08, 0.12, 0.18, 0.26, 0.38)[strength], x.shape)


@corruption
def shot_noise(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Poisson noise: light comes in photons, here so many for a white pixel."""
    photons = (60, 25, 12, 5, 3)[strength]
    return rng.poisson(x * photons) / photons


@corruption
def impulse_noise(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Salt and pepper: a share of the values is 0 or 1 instead, as where bits fail."""
    struck = rng.random(x.shape) < (0.03, 0.06, 0.09, 0.17, 0.27)[strength]
    return np.where(struck, rng.integers(0, 2, x.shape), x)
