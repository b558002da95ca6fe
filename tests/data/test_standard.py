import gzip
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from projectkit import data
from projectkit.data import cifar100, standard
from projectkit.errors import DataError

DEAD_END = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


def stand_in(side=28, train=60_000, test=10_000, classes=10):
    """Arrays laid out as mnist.npz: the image of class c is c everywhere."""
    y_train, y_test = ((np.arange(count) % classes).astype(np.uint8) for count in (train, test))
    images = np.broadcast_to(np.arange(classes, dtype=np.uint8)[:, None, None], (classes, side, side))
    return {"x_train": images[y_train], "y_train": y_train, "x_test": images[y_test], "y_test": y_test}


def run(program, **environment):
    command = [sys.executable, "-c", program]
    if shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0:
        command = ["unshare", "-rn", *command]  # a network name space of its own, with nothing in it
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | DEAD_END | environment)


def test_a_file_in_the_data_folder_is_read_and_split(tmp_path, monkeypatch):
    monkeypatch.setenv("PROJECTKIT_DATA", str(tmp_path))
    np.savez(tmp_path / "mnist.npz", **stand_in())
    dataset = data.load("mnist")
    assert (len(dataset.train), len(dataset.val), len(dataset.test)) == (54_000, 6_000, 10_000)
    assert dataset.shape == (28, 28, 1)
    for split in (dataset.train, dataset.val, dataset.test):
        np.testing.assert_allclose(split.x[:, 3, 3, 0] * 255, split.y, atol=1e-5)  # labels follow their images
    np.testing.assert_array_equal(dataset.test.y, np.arange(10_000) % 10)  # the standard test order


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"train": 50_000}, "x_train of shape (50000, 28, 28, 1)"),
        ({"test": 9_999}, "x_test of shape (9999, 28, 28, 1)"),
        ({"side": 32}, "x_train of shape (60000, 32, 32, 1)"),
        ({"classes": 11}, "label 10 in y_train"),
    ],
)
def test_what_is_not_mnist_is_not_called_mnist(change, found, tmp_path, monkeypatch):
    monkeypatch.setenv("PROJECTKIT_DATA", str(tmp_path))
    np.savez(tmp_path / "mnist.npz", **stand_in(**change))
    with pytest.raises(DataError) as caught:
        data.load("mnist")
    assert f"mnist.npz: found {found}; expected " in str(caught.value)


def test_offline_the_error_says_what_to_put_where(tmp_path):
    program = (
        "from projectkit import data\ntry: data.load('cifar100')\nexcept data.DataError as error: print('refused:', error)\n"
    )
    said = run(program, PROJECTKIT_DATA=str(tmp_path), HOME=str(tmp_path / "home")).stdout
    assert f"refused: cifar100: {tmp_path / 'cifar100.npz'} is absent and could not be downloaded (" in said
    assert f"Put cifar100.npz into {tmp_path} (or set PROJECTKIT_DATA" in said
    for key in (
        "x_train (50000, 32, 32, 3) uint8",
        "y_train (50000,) in 0…99",
        "x_test (10000, 32, 32, 3) uint8",
        "y_test (10000,)",
    ):
        assert key in said
    assert list(tmp_path.glob("*.npz*")) == []


def test_what_keras_downloads_is_stored_and_read_from_then_on(tmp_path):
    """Keras' own loader, given the four files it would have downloaded, in the folder where it keeps them."""
    folder = tmp_path / "home" / ".keras" / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    arrays = stand_in()
    for part, key in (("train", "train"), ("t10k", "test")):
        for kind, header, array in (("images-idx3", 16, f"x_{key}"), ("labels-idx1", 8, f"y_{key}")):
            with gzip.open(folder / f"{part}-{kind}-ubyte.gz", "wb", compresslevel=1) as file:
                file.write(bytes(header) + arrays[array].tobytes())
    home = {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home"), "PROJECTKIT_DATA": str(tmp_path / "sets")}
    child = run("from projectkit import data; print(data.get('fashion_mnist'))", **home)
    stored = tmp_path / "sets" / "fashion_mnist.npz"
    assert child.stdout.split()[-1:] == [str(stored)], child.stderr
    assert [file.name for file in stored.parent.iterdir()] == ["fashion_mnist.npz"]
    with np.load(stored) as content:
        for key, array in arrays.items():
            np.testing.assert_array_equal(content[key], array)

    shutil.rmtree(tmp_path / "home")
    again = run(
        "import sys; from projectkit import data; print(data.load('fashion_mnist').classes[9], 'tensorflow' in sys.modules)",
        **home,
    )
    assert again.stdout.strip() == "ankle boot False", again.stderr


def test_the_hierarchy_of_cifar100_is_the_published_one():
    assert len(cifar100.CLASSES) == 100
    assert np.bincount(cifar100.PARENTS).tolist() == [5] * 20
    # Known pairs of the published fine and coarse indices.
    for fine, name, coarse in (
        (0, "apple", 4),
        (1, "aquarium fish", 1),
        (44, "lizard", 15),
        (58, "pickup truck", 18),
        (99, "worm", 13),
    ):
        assert (cifar100.CLASSES[fine], cifar100.PARENTS[fine]) == (name, coarse)
    assert list(cifar100.SUPERCLASSES) == sorted(cifar100.SUPERCLASSES)


def test_the_names_fit_the_sets():
    assert {name: len(classes) for name, classes in standard.CLASSES.items()} == {
        name: about.classes for name, about in standard.ABOUT.items()
    }
