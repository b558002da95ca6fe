"""What every set shares: what is said about it, and how its splits become a Dataset with a digest."""

import hashlib
from dataclasses import dataclass

import numpy as np

from projectkit.types import Dataset, Split


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a set without loading it. counts: images in train, val and test."""

    name: str
    shape: tuple[int, int, int]
    classes: int
    counts: tuple[int, int, int]
    licence: str
    source: str


def assemble(
    name: str,
    train: Split,
    val: Split,
    test: Split,
    classes: tuple[str, ...],
    superclasses: tuple[str, ...] = (),
    parents: tuple[int, ...] = (),
) -> Dataset:
    """A Dataset of the three splits, with its digest. The arrays become read-only: loaders hand the same ones to every caller."""
    train, val, test = _frozen(train), _frozen(val), _frozen(test)
    return Dataset(name, train, val, test, classes, digest_of((train, val, test), classes), superclasses, parents)


def digest_of(splits: tuple[Split, ...], classes: tuple[str, ...]) -> str:
    """SHA-256 in hex over the class names and the shape and little-endian bytes of each split's x and y."""
    digest = hashlib.sha256("\n".join(classes).encode())
    for split in splits:
        for array, dtype in ((split.x, "<f4"), (split.y, "<i8")):
            digest.update(f"\n{array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array, dtype=dtype).data)
    return digest.hexdigest()


def _frozen(split: Split) -> Split:
    x, y = np.ascontiguousarray(split.x, np.float32), np.ascontiguousarray(split.y, np.int64)
    x.flags.writeable = y.flags.writeable = False
    return Split(x, y)
