"""What several corruptions are made of: images read at other places, smoothed, and random textures."""

import numpy as np


def grid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) of the pixels of x (n, height, width, c), each (1, height, width), counted from the image's centre."""
    height, width = x.shape[1:3]
    rows, columns = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    return rows[None], columns[None]


def sample(x: np.ndarray, rows: np.ndarray, columns: np.ndarray, *, black: bool = False) -> np.ndarray:
    """x (n, height, width, c) read at (rows, columns), each (n or 1, height, width) from the centre, between pixels linearly.

    Beyond the edge its last pixels go on, or with `black` nothing does.
    """
    n, height, width, _ = x.shape
    row, column = (np.broadcast_to(place, (n, height, width)) for place in (rows, columns))
    row, column = row + (height - 1) / 2, column + (width - 1) / 2
    if black:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        row, column, height, width = row + 1, column + 1, height + 2, width + 2
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = (row - top)[..., None], (column - left)[..., None]
    index = np.arange(n)[:, None, None]
    upper = x[index, top, left] * (1 - across) + x[index, top, right] * across
    lower = x[index, bottom, left] * (1 - across) + x[index, bottom, right] * across
    return upper * (1 - down) + lower * down


def smooth(x: np.ndarray, sigma: float) -> np.ndarray:
    """x (n, height, width, …) under a Gaussian of `sigma` pixels."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, (0, sigma, sigma, *(0,) * (x.ndim - 3)), mode="nearest")


def streaked(x: np.ndarray, length: float, angle: np.ndarray) -> np.ndarray:
    """x under a motion of `length` pixels in the direction `angle` (n,) radians, whose trace fades as a half Gaussian does."""
    rows, columns = grid(x)
    down, across = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    steps = np.linspace(0.0, 1.0, 3 + int(length))
    weights = np.exp(-2 * steps**2)
    parts = (
        weight * sample(x, rows - step * length * down, columns - step * length * across)
        for step, weight in zip(steps, weights, strict=True)
    )
    return sum(parts) / weights.sum()


def plasma(x: np.ndarray, decay: float, rng: np.random.Generator) -> np.ndarray:
    """A random cloud for each image of x, (n, height, width, 1) from 0 to 1: noise on grids of 2, 3, 5, 9, … points a side, each
    interpolated linearly and weaker by `decay` than the one before (a plasma fractal by midpoint displacement)."""
    n, height, width, _ = x.shape
    cloud, points, weight = np.zeros((n, height, width)), 2, 1.0
    while points <= 2 * max(height, width):
        noise = rng.uniform(-1, 1, (n, points, points))
        cloud += weight * _between(points, height) @ noise @ _between(points, width).T
        points, weight = 2 * points - 1, weight / decay
    cloud -= cloud.min(axis=(1, 2), keepdims=True)
    return (cloud / cloud.max(axis=(1, 2), keepdims=True))[..., None]


def _between(points: int, side: int) -> np.ndarray:
    """(side, points): how much each of `points` equally spaced values counts at each of `side` pixels."""
    place = np.linspace(0, points - 1, side)[:, None]
    return np.maximum(0.0, 1 - np.abs(place - np.arange(points)))


def grey(x: np.ndarray) -> np.ndarray:
    """The brightness of x, (n, height, width, 1), by ITU-R BT.601."""
    return x if x.shape[-1] == 1 else x @ np.array([[0.299], [0.587], [0.114]])


def side_of(x: np.ndarray) -> int:
    """The shorter side in pixels, of which lengths are shares."""
    return min(x.shape[1:3])
