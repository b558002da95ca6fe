"""The data room: sets of images in three splits, as float32 in [0, 1].

load("digits")  load("shapes")                                   always there
load("mnist")  load("fashion_mnist")  load("cifar10")  load("cifar100")   from the data folder, else downloaded
load("yours.npz")                                                any npz with x_train, y_train, x_test, y_test
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from projectkit.data import digits, npz, shapes, standard
from projectkit.data.assemble import About
from projectkit.data.standard import data_folder
from projectkit.errors import DataError
from projectkit.types import Dataset

__all__ = ["LOADERS", "About", "Listing", "Loader", "data_folder", "describe", "get", "load"]


class Loader(Protocol):
    """Gives one set of images: always the same three splits, in float32 within [0, 1], with the digest of their content.

    Raises DataError when the set is neither there nor downloadable.
    """

    def __call__(self) -> Dataset: ...


LOADERS: Mapping[str, Loader] = {
    "digits": digits.load,
    "shapes": shapes.load,
    "mnist": partial(standard.load, "mnist"),
    "fashion_mnist": partial(standard.load, "fashion_mnist"),
    "cifar10": partial(standard.load, "cifar10"),
    "cifar100": partial(standard.load, "cifar100"),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of `projectkit data list`. place: "embedded", "present" or "absent"; path: its file, None when embedded."""

    about: About
    place: str
    path: Path | None = None


def load(name: str) -> Dataset:
    """The set called `name`, a member of LOADERS or the path of an npz file.

    Raises DataError when it is unknown, damaged, or neither there nor downloadable; the message says what to put where.
    """
    if name in LOADERS:
        return LOADERS[name]()
    if str(name).endswith(".npz"):
        return npz.load_npz(name)
    raise _unknown(name)


def describe() -> list[Listing]:
    """Every set of LOADERS and where it is, without loading or downloading any."""
    listings = [Listing(about, "embedded") for about in (digits.ABOUT, shapes.ABOUT)]
    for name, about in standard.ABOUT.items():
        path = data_folder() / f"{name}.npz"
        listings.append(Listing(about, "present" if path.is_file() else "absent", path))
    return listings


def get(name: str) -> Path | None:
    """The file of the set `name`, downloaded into the data folder when absent; None when it is embedded and needs no file.

    Raises DataError when the name is unknown or the set cannot be downloaded.
    """
    if name not in LOADERS:
        raise _unknown(name)
    return standard.fetch(name) if name in standard.ABOUT else None


def _unknown(name: str) -> DataError:
    return DataError(
        f"No set is called {name!r}. Known are {', '.join(LOADERS)}; "
        "for your own, give the path of an npz file that ends in .npz (data/README.md says what it holds)."
    )
