"""The standard sets: mnist, fashion_mnist, cifar10, cifar100, from npz files in the data folder.

A file that is not there is downloaded by Keras' own loader and stored. TensorFlow is imported for that only, never for reading.
"""

import importlib
import os
import socket
from pathlib import Path

import numpy as np

import projectkit
from projectkit.data import npz
from projectkit.data.assemble import About
from projectkit.data.cifar100 import CLASSES as CIFAR100
from projectkit.data.cifar100 import PARENTS, SUPERCLASSES
from projectkit.errors import DataError
from projectkit.install_hint import install_hint
from projectkit.types import Dataset

TIMEOUT = 30  # seconds without an answer; Keras' downloader waits for ever on a network that drops packets

DIGITS = tuple("0123456789")
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CLASSES = {"mnist": DIGITS, "fashion_mnist": FASHION, "cifar10": CIFAR10, "cifar100": CIFAR100}

MNIST_LIKE = ((28, 28, 1), 10, (54_000, 6_000, 10_000))
CIFAR_SOURCE = "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009)"
CIFAR_LICENCE = "none stated; for research, cite the source"
ABOUT = {
    "mnist": About("mnist", *MNIST_LIKE, "CC BY-SA 3.0", "Y. LeCun, C. Cortes, C. Burges, MNIST (1998)"),
    "fashion_mnist": About("fashion_mnist", *MNIST_LIKE, "MIT", "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST (2017)"),
    "cifar10": About("cifar10", (32, 32, 3), 10, (45_000, 5_000, 10_000), CIFAR_LICENCE, CIFAR_SOURCE),
    "cifar100": About("cifar100", (32, 32, 3), 100, (45_000, 5_000, 10_000), CIFAR_LICENCE, CIFAR_SOURCE),
}


def data_folder() -> Path:
    """Where npz files are looked for and stored: PROJECTKIT_DATA, else data/cache in the source tree or the current folder."""
    chosen = os.environ.get("PROJECTKIT_DATA")
    if chosen:
        return Path(chosen).expanduser()
    source = Path(projectkit.__file__).parents[1]
    root = source if (source / "pyproject.toml").is_file() else Path.cwd()
    return root / "data" / "cache"


def load(name: str) -> Dataset:
    """The standard set `name`: its last tenth of training images after a fixed shuffle is validation, test is the standard one.

    Raises DataError when its file is damaged, or is absent and cannot be downloaded.
    """
    path = fetch(name)
    arrays = npz.check(npz.read(path), path, ABOUT[name])
    hierarchy = (SUPERCLASSES, PARENTS) if name == "cifar100" else ()
    return npz.split(name, arrays, CLASSES[name], *hierarchy)


def fetch(name: str) -> Path:
    """The file of the standard set `name`, downloaded first when it is absent. Raises DataError when it cannot be."""
    path = data_folder() / f"{name}.npz"
    if not path.exists():
        arrays = _download(name, path)
        npz.check(arrays, path, ABOUT[name])
        _store(path, arrays)
    return path


def _download(name: str, path: Path) -> dict[str, np.ndarray]:
    waited = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        loader = importlib.import_module(f"tf_keras.datasets.{name}")
        (x_train, y_train), (x_test, y_test) = loader.load_data()
    except Exception as error:  # Keras raises a bare Exception when an address does not answer
        raise DataError(_offline_message(name, path, error)) from error
    finally:
        socket.setdefaulttimeout(waited)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _store(path: Path, arrays: dict[str, np.ndarray]) -> None:
    try:
        npz.write(path, arrays)
    except OSError as error:
        raise DataError(
            f"{path}: downloaded, but cannot be stored ({error.strerror}). Set PROJECTKIT_DATA to a folder that can be written."
        ) from error


def _offline_message(name: str, path: Path, error: Exception) -> str:
    about = ABOUT[name]
    train, test = about.counts[0] + about.counts[1], about.counts[2]
    height, width, channels = about.shape
    pixels = f"{height}, {width}" + (f", {channels}" if channels > 1 else "")
    reason = "TensorFlow is not installed" if isinstance(error, ImportError) else str(error).strip() or type(error).__name__
    return (
        f"{name}: {path} is absent and could not be downloaded ({reason.splitlines()[0]}). "
        f"Put {name}.npz into {path.parent} (or set PROJECTKIT_DATA to the folder that has it), with the keys "
        f"x_train ({train}, {pixels}) uint8, y_train ({train},) in 0…{about.classes - 1}, "
        f"x_test ({test}, {pixels}) uint8, y_test ({test},). "
        f"`projectkit data get {name}` makes it on a machine with a network and TensorFlow ({install_hint('train')}). "
        f"Without it, `digits` and `shapes` need no download."
    )
