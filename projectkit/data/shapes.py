"""shapes: our own images, 32×32×3, of 16 outlines in 4 super-classes, drawn when they are asked for.

What an image shows is one outline; everything else is chance and says nothing about the class: where it stands, how large and how
turned it is, which colours it and its ground have and which of the two is the brighter, their textures, the bits that lie around
and the bar that hides a part of it. A linear model has little to hold on to, a small convolutional network has enough.

The same seed gives the same bytes on every platform: chance comes from PCG64 as integers and as multiples of 2⁻²⁴, and the
arithmetic uses only operations whose result IEEE 754 fixes (see outlines.py).
"""

from functools import lru_cache

import numpy as np

from projectkit.data.assemble import About, assemble
from projectkit.data.outlines import OUTLINES
from projectkit.errors import DataError
from projectkit.types import Dataset, Split

SUPERCLASSES = tuple(OUTLINES)
CLASSES = tuple(name for family in OUTLINES.values() for name in family)
PARENTS = tuple(index for index, family in enumerate(OUTLINES.values()) for _ in family)
SIDE = 32
COUNTS = (4800, 1200, 1200)
SEED = 20_261
CHUNK = 100  # images drawn at a time, so that the working arrays stay in the cache; another number draws other images

ABOUT = About("shapes", (SIDE, SIDE, 3), len(CLASSES), COUNTS, "Apache-2.0 (part of this project)", "drawn by projectkit")


@lru_cache(maxsize=1)
def load() -> Dataset:
    """The default set: 4800 / 1200 / 1200 images, every class equally often in each split. Drawn once a process."""
    rng = np.random.default_rng(SEED)
    train, val, test = (_split(count, rng) for count in COUNTS)
    return assemble("shapes", train, val, test, CLASSES, SUPERCLASSES, PARENTS)


def draw(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws one image for each class index. classes: (n,) int → (n, 32, 32, 3) float32 in [0, 1], multiples of 1/255.

    The images depend on `classes` and on the state of `rng` only. Raises DataError for an index outside 0…15.
    """
    classes = np.asarray(classes)
    if len(classes) and not 0 <= classes.min() <= classes.max() < len(CLASSES):
        found = f"{classes.min()}…{classes.max()}"
        raise DataError(f"shapes: got class indices {found}, expected 0…{len(CLASSES) - 1}; shapes.CLASSES names them.")
    chunks = [_draw(classes[start : start + CHUNK], rng) for start in range(0, len(classes), CHUNK)]
    return np.concatenate(chunks) if chunks else np.zeros((0, SIDE, SIDE, 3), np.float32)


def _split(count: int, rng: np.random.Generator) -> Split:
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(CLASSES))
    return Split(draw(labels, rng), labels)


def _draw(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = len(classes)
    ground_colour, shape_colour = _colours(count, rng)
    coverage = _coverage(classes, rng)
    image = _surface(ground_colour, rng)
    image = _over(image, _bits(count, rng), _surface(shape_colour, rng))
    image = _over(image, coverage, _surface(shape_colour, rng))
    image = _over(image, _bar(count, rng), _surface(ground_colour, rng))
    image += _between(-0.5, 0.5, (count, 3, SIDE, SIDE), rng) * _between(0.02, 0.2, (count, 1, 1, 1), rng)
    # Whole numbers of 1/255, as every stored image has.
    image = np.floor(np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5)) / np.float32(255)
    return image.transpose(0, 2, 3, 1)


def _between(low: float, high: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Uniform float32 in [low, high); `rng.uniform` may round differently where a compiler fuses its multiply and add."""
    return rng.random(shape, np.float32) * np.float32(high - low) + np.float32(low)


def _over(image: np.ndarray, coverage: np.ndarray, paint: np.ndarray) -> np.ndarray:
    """Lays paint (n, 3, h, w) over the image where coverage (n, h, w) is 1."""
    return image + coverage[:, None] * (paint - image)


def _pixels(count: int, rng: np.random.Generator, reach: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates (n, 32, 32) in pixels, in frames that stand up to `reach` off the centre, turned by up to `turn`."""
    axis = np.arange(SIDE, dtype=np.float32) - np.float32((SIDE - 1) / 2)
    x = axis[None, None, :] - _between(-reach, reach, (count, 1, 1), rng)
    y = axis[None, :, None] - _between(-reach, reach, (count, 1, 1), rng)
    # tan(angle / 2) gives sine and cosine without calling either.
    half = _between(-turn, turn, (count, 1, 1), rng)
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    return x * cosine + y * sine, y * cosine - x * sine


def _coverage(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 32, 32): how much of each pixel the outline covers."""
    x, y = _pixels(len(classes), rng, reach=4.5, turn=0.36)  # up to 40 degrees
    radius = _between(7.0, 11.5, (len(classes), 1, 1), rng)
    outlines = [outline for family in OUTLINES.values() for outline in family.values()]
    coverage = np.empty_like(x)
    for index in np.unique(classes):
        rows = classes == index
        distance = outlines[index](x[rows] / radius[rows], y[rows] / radius[rows]) * radius[rows]
        coverage[rows] = np.clip(0.5 - distance, 0, 1)
    return coverage


def _colours(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two colours an image, (n, 3, 1, 1) each, that differ in brightness by 0.3 to 0.6, either way round."""
    step = _between(0.3, 0.6, (count, 1, 1, 1), rng)
    dark = _between(0.12, 0.88, (count, 1, 1, 1), rng) * (1 - step)
    colours = [_tint(dark, rng), _tint(dark + step, rng)]
    swap = rng.random((count, 1, 1, 1), np.float32) < 0.5
    return np.where(swap, colours[1], colours[0]), np.where(swap, colours[0], colours[1])


def _tint(brightness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    red, blue = (_between(-0.2, 0.2, brightness.shape, rng) for _ in range(2))
    return np.concatenate([brightness + red, brightness - (red + blue) * np.float32(0.5), brightness + blue], axis=1)


def _surface(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, 3, 32, 32): the colour under a texture: a gradient, stripes or blotches, each stronger or weaker by chance."""
    count = len(colour)
    along, across = _pixels(count, rng, reach=8.0, turn=1.0)
    gradient = along * np.float32(1 / SIDE)
    wave = across / _between(3.0, 8.0, (count, 1, 1), rng)
    stripes = np.abs(wave - np.floor(wave) - np.float32(0.5)) * 2 - np.float32(0.5)
    strength = _between(0.0, 1.0, (count, 3, 1, 1), rng)
    strength = strength * strength * np.float32(0.3)  # squared: most surfaces are nearly plain, some are not
    texture = gradient * strength[:, 0] + stripes * strength[:, 1] + _blotches(count, rng) * strength[:, 2]
    return colour + texture[:, None]


def _blotches(count: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 32, 32) smooth noise in [-0.5, 0.5]: 5×5 random values, interpolated linearly."""
    knots = _between(-0.5, 0.5, (count, 5, 5), rng)
    place = np.arange(SIDE, dtype=np.float32) / np.float32(SIDE / 4)
    weight = place - np.floor(place)
    left = place.astype(np.int64)
    rows = knots[:, left] + weight[:, None] * (knots[:, left + 1] - knots[:, left])
    return rows[:, :, left] + weight * (rows[:, :, left + 1] - rows[:, :, left])


def _bits(count: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 32, 32) coverage of three small discs and rods in the outline's colour, so that colour does not give it away."""
    coverage = np.zeros((count, SIDE, SIDE), np.float32)
    for _ in range(3):
        x, y = _pixels(count, rng, reach=16.0, turn=1.0)
        length = np.maximum(_between(-3.0, 4.0, (count, 1, 1), rng), 0)
        beyond = np.maximum(np.abs(x) - length, 0)
        distance = np.sqrt(beyond * beyond + y * y) - _between(0.6, 1.6, (count, 1, 1), rng)
        np.maximum(coverage, np.clip(0.5 - distance, 0, 1), out=coverage)
    return coverage


def _bar(count: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 32, 32) coverage of a bar in the ground's colour that crosses about half of the images."""
    _, across = _pixels(count, rng, reach=9.0, turn=1.0)
    return np.clip(_between(-1.3, 1.3, (count, 1, 1), rng) + np.float32(0.5) - np.abs(across), 0, 1)
