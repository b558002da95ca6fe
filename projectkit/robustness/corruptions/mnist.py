"""What MNIST-C adds (Mu and Gilmer, "MNIST-C: a robustness benchmark for computer vision", 2019). Lengths are shares of the side.

Where MNIST-C has one strength only (stripe, dotted_line, zigzag, canny_edges), that is severity 5; the others are weaker.
"""

import numpy as np

from projectkit.robustness.corruptions.contract import corruption
from projectkit.robustness.corruptions.sampling import grey, grid, sample, side_of, smooth

SIDE = 28  # of MNIST, in whose pixels the published lengths are
PARTS = (0.2, 0.4, 0.6, 0.8, 1.0)
MUD = np.array([63, 42, 20]) / 255
LINE = 2.3 / SIDE  # half the width of a line, of the side
EDGES = (0.1, 0.2)  # the two thresholds of an edge's steepness


@corruption
def shear(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Slanted about the centre, to the left or to the right."""
    rows, columns = grid(x)
    slant = PARTS[strength] * _either_way(len(x), rng)
    return sample(x, rows, columns + slant * rows, black=True)


@corruption
def scale(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Smaller about the centre."""
    rows, columns = grid(x)
    factor = (0.9, 0.8, 0.7, 0.6, 0.5)[strength]
    return sample(x, rows / factor, columns / factor, black=True)


@corruption
def rotate(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Turned about the centre by 0.2, 0.4, … 1 radian, either way."""
    rows, columns = grid(x)
    angle = PARTS[strength] * _either_way(len(x), rng)
    cosine, sine = np.cos(angle), np.sin(angle)
    return sample(x, cosine * rows - sine * columns, sine * rows + cosine * columns, black=True)


@corruption
def translate(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Moved along both axes, by 1 to 5 pixels of an MNIST image."""
    rows, columns = grid(x)
    shift = (strength + 1) / SIDE * side_of(x)
    return sample(x, rows + shift * _either_way(len(x), rng), columns + shift * _either_way(len(x), rng), black=True)


@corruption
def stripe(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Inverted at the left and at the right, up to a quarter of the width each."""
    width = max(1, round(PARTS[strength] * x.shape[2] / 4))
    inverted = np.ones(x.shape[2], bool)
    inverted[width:-width] = False
    return np.where(inverted[:, None], 1 - x, x)


@corruption
def spatter(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Splashes of mud over a growing part of the image."""
    blots = smooth(rng.normal(size=x.shape[:3]), 0.06 * side_of(x))
    limit = np.quantile(blots, 1 - (0.08, 0.13, 0.19, 0.26, 0.35)[strength], axis=(1, 2), keepdims=True)
    covered = smooth((blots > limit).astype(np.float64), 0.01 * side_of(x))[..., None]
    return x * (1 - covered) + covered * (MUD if x.shape[-1] == 3 else MUD[0])


@corruption
def dotted_line(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """A dashed straight line from the left edge to the right one."""
    place = (np.arange(x.shape[2]) + 0.5) / x.shape[2]
    ends = rng.uniform(0, 1, (2, len(x), 1))
    dashes = (place * SIDE / 2).astype(int) % 2 == 0
    line = _near(x, ends[0] + (ends[1] - ends[0]) * place, ends[1] - ends[0]) * dashes
    return x + PARTS[strength] * line[..., None]


@corruption
def zigzag(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """A line that goes up and down along a straight one."""
    place = (np.arange(x.shape[2]) + 0.5) / x.shape[2]
    start, rise = rng.uniform(0, 1, (len(x), 1)), rng.uniform(-5, 5, (len(x), 1)) / SIDE
    wave = np.abs((place * SIDE / 8) % 1 - 0.5) * 4 - 1  # a triangle of 8 pixels of MNIST, from 1 down to -1 and up again
    inside = (place > 2 / SIDE) & (place < 1 - 2 / SIDE)
    line = _near(x, start + rise * place + 2 / SIDE * wave, np.ones((len(x), 1))) * inside
    return x + PARTS[strength] * line[..., None]


@corruption
def canny_edges(x: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """Faded into its edges."""
    return x + PARTS[strength] * (_edges(grey(x)[..., 0], side_of(x) / SIDE)[..., None] - x)


def _either_way(count: int, rng: np.random.Generator) -> np.ndarray:
    """1 or -1 for each image, (count, 1, 1)."""
    return rng.choice([-1.0, 1.0], (count, 1, 1))


def _near(x: np.ndarray, height: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """How near each pixel is to a line that stands at `height` (n, width) of the side in each column: (n, rows, width), from 1
    on the line to 0 at LINE from it. `slope` (n, 1): how steep it is, so that a steep one is not thicker."""
    rows = (np.arange(x.shape[1]) + 0.5) / x.shape[1]
    distance = np.abs(rows[:, None] - height[:, None, :]) / np.sqrt(1 + slope**2)[..., None]
    return np.clip(1 + np.log(1 - np.minimum(distance / LINE, 1 - 1e-9)), 0.0, 1.0)


def _edges(images: np.ndarray, sigma: float) -> np.ndarray:
    """The edges in images (n, height, width), 1 or 0: steepest places of the smoothed image, the weak ones only where they touch
    strong ones (Canny, "A computational approach to edge detection", 1986)."""
    from scipy.ndimage import correlate1d, label

    smoothed = smooth(images, max(0.3, sigma))
    # Sobel's filters, within each image.
    down, across = (
        correlate1d(correlate1d(smoothed, [-1, 0, 1], axis), [1, 2, 1], other) / 4 for axis, other in ((1, 2), (2, 1))
    )
    steepness = np.hypot(down, across)
    towards = np.where(steepness > 0, np.stack([down, across]) / np.maximum(steepness, 1e-12), 0.0)
    rows, columns = grid(images[..., None])
    before, after = (
        sample(steepness[..., None], rows + way * towards[0], columns + way * towards[1], black=True)[..., 0] for way in (-1, 1)
    )
    crest = (steepness >= before) & (steepness > after)
    weak, strong = (crest & (steepness > threshold) for threshold in EDGES)
    touching = np.zeros((3, 3, 3), int)
    touching[1] = 1  # neighbours within an image
    groups, count = label(weak, touching)
    return np.isin(groups, np.unique(groups[strong])) & weak if count else weak
