"""Blur. Lengths are shares of the image's side, so that an 8×8 image is blurred as a 32×32 one is."""

import numpy as np

from projectkit.robustness.corruptions.contract import corruption
from projectkit.robustness.corruptions.sampling import grid, sample, side_of, smooth, streaked

POINTS = 51  # places across a disk


@corruption
def defocus_blur(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Out of focus: every point becomes a disk."""
    from scipy.ndimage import convolve

    kernel = _disk((0.03, 0.045, 0.06, 0.08, 0.1)[strength] * side_of(x))
    return convolve(x, kernel[None, :, :, None], mode="nearest")


@corruption
def glass_blur(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Behind frosted glass: every pixel shows a place near it, between two passes of a Gaussian."""
    reach = (0.02, 0.03, 0.045, 0.06, 0.08)[strength] * side_of(x)
    rows, columns = grid(x)
    shift = rng.uniform(-reach, reach, (2, *x.shape[:3]))
    blurred = smooth(x, reach / 2)
    return smooth(sample(blurred, rows + shift[0], columns + shift[1]), reach / 2)


@corruption
def motion_blur(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """The camera moved, within 45° of the horizontal."""
    length = (0.1, 0.15, 0.2, 0.28, 0.36)[strength] * side_of(x)
    return streaked(x, length, np.deg2rad(rng.uniform(-45, 45, len(x))))


@corruption
def zoom_blur(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """The camera came nearer while it looked: the mean of enlargements from 1 up to the strength (ImageNet-C's)."""
    rows, columns = grid(x)
    zooms = np.linspace(1.0, (1.11, 1.16, 1.21, 1.26, 1.31)[strength], 9)
    enlarged = (sample(x, rows / zoom, columns / zoom) for zoom in zooms)
    return sum(enlarged, np.zeros_like(x)) / len(zooms)


def _disk(radius: float) -> np.ndarray:
    """How much each pixel round a point gets of it, when the point becomes a disk: the mean over places in the disk, each
    shared linearly between the pixels next to it. So a disk smaller than a pixel blurs as well."""
    reach = int(np.ceil(radius))
    places = (np.arange(POINTS) + 0.5) * 2 / POINTS - 1
    inside = places[:, None] ** 2 + places**2 <= 1
    share = np.maximum(0.0, 1 - np.abs(np.arange(-reach, reach + 1)[:, None] - radius * places))  # (pixels, places)
    kernel = share @ inside @ share.T
    return kernel / kernel.sum()
