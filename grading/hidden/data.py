"""The data that models are graded on, by what can be had of the dataset:

own      an .npz of the instructor's (--data): images that exist nowhere else. The best, where somebody has taken them.
drawn    shapes: drawn by its generator from a seed that is the salt's. Nobody can have them.
withheld digits: the images that data.load hands out in no split, with noise that only defeats a table of exact images. The set is
         public: who fetches it elsewhere has them. An honest model loses nothing.
altered  every other set: its public test images, each turned, shifted, scaled and brightened as the salt says, in another order.
         They are neither new nor secret: whoever trains on such images made from the test split knows them, and an honest model
         that has not seen shifted images loses a few points (benchmarks/hidden.py). The flags point at the first.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grading.errors import GradingError
from projectkit.data import digits, load, shapes
from projectkit.types import Dataset, Split

ANGLE = 6.0  # degrees, either way
SHIFT = 0.04  # of the image's side, either way
SCALE = 0.05  # zoom, either way
GAIN = 0.1  # brightness, either way
CHUNK = 1000
NOISE = 1 / 64  # of the range, either way: a quarter of a step between two of the 17 grey values of digits
PLAIN = 200  # enough to see quality that is there on public images and gone on hidden ones
DRAWN = 1200  # images of shapes, as many as its test split has
SALT_VARIABLE, SALT_FILE = "GRADING_SALT", "salt.txt"


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """Inputs and labels, how many classes there are, a digest that names them; to compare, `plain` public test images and `val`,
    public validation images; `origin`: where the images come from, a key of ORIGINS."""

    split: Split
    classes: int
    digest: str
    plain: Split
    val: Split
    origin: str


ORIGINS = {
    "own": "images of the instructor's own",
    "drawn": "images drawn from a secret seed",
    "withheld": "images of the set that the course's package hands out in no split, with a little noise",
    "altered": "the public test images, each turned, shifted, scaled and brightened a little by a secret salt",
}


def hidden_data(dataset: str, salt: str, own: Path | None = None, plain: int | None = PLAIN) -> Hidden:
    """The hidden data for `dataset`, by the salt or from the file `own` (x and y, or x_test and y_test); beside it the first
    `plain` images of the public test split (None: all) and as many validation images.

    Raises DataError when the dataset cannot be loaded, GradingError when `own` does not fit it.
    """
    loaded = load(dataset)
    origin = "own" if own else ORIGIN.get(dataset, "altered")
    split = _own(own, loaded) if own else MAKERS[origin](loaded, _generator(f"{salt}\0{loaded.digest}"))
    digest = hashlib.sha256(split.x.tobytes() + split.y.tobytes()).hexdigest()
    count = len(loaded.test) if plain is None else plain
    return Hidden(split, len(loaded.classes), digest, loaded.test.take(count), loaded.val.take(count), origin)


def choose_salt(given: str | None, out: Path) -> str:
    """The salt: `given`, else of GRADING_SALT, else of an earlier run's `out`/salt.txt, else a new one written there."""
    if given or os.environ.get(SALT_VARIABLE):
        return given or os.environ[SALT_VARIABLE]
    path = out / SALT_FILE
    if path.is_file():
        return path.read_text().strip()
    salt = secrets.token_hex(16)
    # Readable by the instructor only: with the salt, the hidden data can be rebuilt.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(salt + "\n")
    return salt


def salted(split: Split, salt: str) -> Split:
    """`split` with every image altered by what SHA-256(salt) draws, in another order. Keeps shapes, types and [0, 1]."""
    return altered(split, _generator(salt))


def altered(split: Split, rng: np.random.Generator) -> Split:
    """`split` with every image turned, shifted, scaled and brightened a little, in another order."""
    order = rng.permutation(len(split))
    count = len(split)
    angle = np.deg2rad(rng.uniform(-ANGLE, ANGLE, count))
    zoom = 1 + rng.uniform(-SCALE, SCALE, count)
    shift = rng.uniform(-SHIFT, SHIFT, (count, 2)) * split.x.shape[1:3]
    gain = 1 + rng.uniform(-GAIN, GAIN, count)
    images = np.empty_like(split.x)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _warp(split.x[order[part]], angle[part], zoom[part], shift[part])
    images *= gain[:, None, None, None].astype(np.float32)
    return Split(np.clip(images, 0.0, 1.0), split.y[order])


def _drawn(_: Dataset, rng: np.random.Generator) -> Split:
    labels = rng.permutation(np.arange(DRAWN, dtype=np.int64) % len(shapes.CLASSES))
    return Split(shapes.draw(labels, rng), labels)


def _withheld(_: Dataset, rng: np.random.Generator) -> Split:
    split = digits.parts()[-1]
    order = rng.permutation(len(split))
    noise = rng.uniform(-NOISE, NOISE, split.x.shape).astype(np.float32)
    return Split(np.clip(split.x[order] + noise, 0.0, 1.0), split.y[order])


def _altered(dataset: Dataset, rng: np.random.Generator) -> Split:
    return altered(dataset.test, rng)


MAKERS: Mapping[str, Callable[[Dataset, np.random.Generator], Split]] = {
    "drawn": _drawn,
    "withheld": _withheld,
    "altered": _altered,
}
ORIGIN = {"shapes": "drawn", "digits": "withheld"}  # of other sets: altered


def _generator(salt: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(salt.encode()).digest(), "big"))


def _warp(images: np.ndarray, angle: np.ndarray, zoom: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(n, h, w, c) images, each turned by angle (n,), scaled by zoom (n,) about its centre, moved by shift (n, 2) pixels;
    bilinear, edges repeated."""
    height, width = images.shape[1:3]
    rows, columns = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    cosine, sine = (np.cos(angle) / zoom)[:, None, None], (np.sin(angle) / zoom)[:, None, None]
    # Backwards: for each target pixel (h, w), where in the source it comes from, (n, h, w).
    row = cosine * rows - sine * columns + (height - 1) / 2 - shift[:, 0, None, None]
    column = sine * rows + cosine * columns + (width - 1) / 2 - shift[:, 1, None, None]
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = (row - top)[..., None].astype(np.float32), (column - left)[..., None].astype(np.float32)
    index = np.arange(len(images))[:, None, None]
    upper = images[index, top, left] * (1 - across) + images[index, top, right] * across
    lower = images[index, bottom, left] * (1 - across) + images[index, bottom, right] * across
    return upper * (1 - down) + lower * down


def _own(path: Path, dataset: Dataset) -> Split:
    fix = f"Give an .npz with x (n, {', '.join(map(str, dataset.shape))}) in [0, 1] or uint8, and y (n,)."
    try:
        with np.load(path, allow_pickle=False) as file:
            x, y = (file["x"], file["y"]) if "x" in file else (file["x_test"], file["y_test"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise GradingError(f"--data {path}: cannot be read ({error}). {fix}") from error
    if x.ndim == 3 and dataset.shape[2] == 1:
        x = x[..., None]
    x = x.astype(np.float32) / 255 if x.dtype == np.uint8 else x.astype(np.float32)
    y = y.reshape(-1)
    good = x.shape[1:] == dataset.shape and len(x) == len(y) > 0 and np.issubdtype(y.dtype, np.integer)
    if not good or not np.isfinite(x).all() or x.min() < 0 or x.max() > 1 or y.min() < 0 or y.max() >= len(dataset.classes):
        raise GradingError(f"--data {path}: found x {x.shape}, y {y.shape} {y.dtype}, which does not fit {dataset.name}. {fix}")
    return Split(x, y.astype(np.int64))
