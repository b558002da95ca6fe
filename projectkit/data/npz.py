"""Reads a set from an npz file with the keys that Keras uses, and says exactly what is wrong with one that is damaged.

x_train, x_test  (n, height, width) or (n, height, width, channels), uint8, or floats in [0, 1]
y_train, y_test  (n,) or (n, 1), integers from 0
"""

import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from projectkit.data.assemble import About, assemble
from projectkit.errors import DataError
from projectkit.files import written_whole
from projectkit.types import Dataset, Split

KEYS = ("x_train", "y_train", "x_test", "y_test")
LAYOUT = "x_train, x_test: (n, height, width[, channels]) uint8 or floats in [0, 1]; y_train, y_test: (n,) integers from 0"
SEED = 20_261
VALIDATION = 10  # one in ten training images is kept for validation
# All that NumPy and zipfile raise for bytes that are not what they say they are (RuntimeError: "encrypted").
UNREADABLE = (OSError, EOFError, ValueError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)

Arrays = dict[str, np.ndarray]


def load_npz(path: str | Path) -> Dataset:
    """A set of your own. Validation is the last tenth of the training images after a fixed shuffle; classes are named by number.

    Raises DataError when the file is absent, damaged, or has a class in the test part that training never saw.
    """
    path = Path(path)
    arrays = check(read(path), path)
    if len(arrays["y_train"]) < VALIDATION:
        raise _damaged(path, f"{len(arrays['y_train'])} training images", f"at least {VALIDATION}")
    count = int(max(arrays["y_train"].max(), arrays["y_test"].max())) + 1
    trained = np.unique(arrays["y_train"])
    if len(trained) < count:
        gap = next((index for index, label in enumerate(trained) if index != label), len(trained))
        raise _damaged(path, f"no training image of class {gap}", f"every class 0…{count - 1} in y_train")
    return split(path.stem, arrays, tuple(str(index) for index in range(count)))


def split(
    name: str, arrays: Arrays, classes: tuple[str, ...], superclasses: tuple[str, ...] = (), parents: tuple[int, ...] = ()
) -> Dataset:
    """Checked arrays → Dataset. The training images come shuffled, the test images in the order of the file."""
    order = np.random.default_rng(SEED).permutation(len(arrays["y_train"]))
    kept = len(order) - max(1, len(order) // VALIDATION)
    train, val = (Split(_unit(arrays["x_train"][rows]), arrays["y_train"][rows]) for rows in (order[:kept], order[kept:]))
    test = Split(_unit(arrays["x_test"]), arrays["y_test"])
    return assemble(name, train, val, test, classes, superclasses, parents)


def read(path: Path) -> Arrays:
    """The four arrays of the file as they are stored. Raises DataError when it is absent, not an npz, or lacks a key."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. Expected an npz file with {', '.join(KEYS)}; check the path.")
    try:
        with path.open("rb") as file:  # opened here, because np.load leaves a damaged file open
            return _stored(file, path)
    except UNREADABLE as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _damaged(path, f"an unreadable file ({reason})", "a complete npz file without pickled objects") from error


def check(arrays: Arrays, path: Path, about: About | None = None) -> Arrays:
    """The arrays with images as (n, h, w, c) and labels as (n,) int64, after checking them; `about` demands one set's sizes."""
    checked: Arrays = {}
    for part in ("train", "test"):
        images = _images(arrays[f"x_{part}"], f"x_{part}", path)
        labels = _labels(arrays[f"y_{part}"], f"y_{part}", path)
        if len(images) != len(labels):
            raise _damaged(
                path, f"{len(images)} images in x_{part}, {len(labels)} labels in y_{part}", "one label for each image"
            )
        checked |= {f"x_{part}": images, f"y_{part}": labels}
    shapes = [checked[key].shape[1:] for key in ("x_train", "x_test")]
    if shapes[0] != shapes[1]:
        raise _damaged(path, f"images of {shapes[0]} in x_train, of {shapes[1]} in x_test", "one shape for all")
    if about is not None:
        _check_sizes(checked, path, about)
    return checked


def write(path: Path, arrays: Arrays) -> None:
    """Stores the arrays so that a reader sees the whole file or none: a download that is killed leaves nothing half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part, part.open("wb") as file:
        np.savez_compressed(
            file,
            x_train=arrays["x_train"],
            y_train=arrays["y_train"],
            x_test=arrays["x_test"],
            y_test=arrays["y_test"],
        )


def _stored(file: BinaryIO, path: Path) -> Arrays:
    if not zipfile.is_zipfile(file):  # np.load would take a single array (npy) too
        raise _damaged(path, "a file that is not a zip archive or is cut short", f"an npz file with {', '.join(KEYS)}")
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        missing = [key for key in KEYS if key not in stored.files]
        if missing:
            found = ", ".join(stored.files) or "no array"
            raise _damaged(path, f"{found}, without {', '.join(missing)}", f"the keys {', '.join(KEYS)}")
        return {key: stored[key] for key in KEYS}


def _images(x: np.ndarray, key: str, path: Path) -> np.ndarray:
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise _damaged(path, f"{key} of shape {x.shape}", "(n, height, width) or (n, height, width, channels), none of them 0")
    if x.dtype != np.uint8 and not np.issubdtype(x.dtype, np.floating):
        raise _damaged(path, f"{key} of type {x.dtype}", "uint8, or floats in [0, 1]")
    if x.dtype != np.uint8 and not (x.min() >= 0 and x.max() <= 1):  # false for NaN too
        raise _damaged(path, f"{key} from {x.min():g} to {x.max():g}", "floats in [0, 1]; divide by the largest value first")
    return x if x.ndim == 4 else x[..., None]


def _labels(y: np.ndarray, key: str, path: Path) -> np.ndarray:
    if y.ndim not in (1, 2) or y.size != len(y):
        raise _damaged(path, f"{key} of shape {y.shape}", "(n,), one class index for each image")
    if not np.issubdtype(y.dtype, np.integer):
        raise _damaged(path, f"{key} of type {y.dtype}", "integers")
    y = y.reshape(-1).astype(np.int64)
    if len(y) and y.min() < 0:
        raise _damaged(path, f"label {y.min()} in {key}", "class indices from 0")
    return y


def _check_sizes(arrays: Arrays, path: Path, about: About) -> None:
    """A number that is reported as MNIST's must come from MNIST: same image shape, same counts, same label range."""
    train, val, test = about.counts
    for part, count in (("train", train + val), ("test", test)):
        wanted, labels = (count, *about.shape), arrays[f"y_{part}"]
        if arrays[f"x_{part}"].shape != wanted:
            raise _damaged(path, f"x_{part} of shape {arrays[f'x_{part}'].shape}", f"{wanted} for {about.name}")
        if labels.max() >= about.classes:
            raise _damaged(path, f"label {labels.max()} in y_{part}", f"0…{about.classes - 1} for {about.name}")


def _unit(x: np.ndarray) -> np.ndarray:
    return np.divide(x, np.float32(255), dtype=np.float32) if x.dtype == np.uint8 else x.astype(np.float32)


def _damaged(path: Path, found: str, expected: str) -> DataError:
    return DataError(f"{path}: found {found}; expected {expected}. Replace the file; its layout is {LAYOUT}.")
