"""Hidden data from photographs: sheets drawn by the test, with shadow, noise and dirt, come back as images of their digits."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from grading.cli import app
from grading.errors import GradingError
from grading.hidden.data import hidden_data
from grading.hidden.photographs import read_photographs
from models_by_hand import linear_weights
from projectkit.data import digits

ROWS, COLUMNS, CELL = 3, 4, 160


def sheet(images: np.ndarray, seed: int) -> np.ndarray:
    """A photograph (height, width) uint8 of a sheet with these images (n, 8, 8) written on it, in uneven light."""
    rng = np.random.default_rng(seed)
    ink = np.zeros((ROWS * CELL, COLUMNS * CELL))
    for index, image in enumerate(images):
        large = np.kron(image, np.ones((10, 10)))
        top, left = (CELL * np.array(divmod(index, COLUMNS)) + rng.integers(20, 60, 2)).tolist()
        ink[top : top + 80, left : left + 80] = np.maximum(ink[top : top + 80, left : left + 80], large)
    ink[5, 7] = 1.0  # a speck of dirt
    light = np.linspace(0.6, 0.95, ink.shape[1]) * np.linspace(1.0, 0.85, ink.shape[0])[:, None]
    grey = light * (1 - 0.75 * ink) + rng.normal(0, 0.01, ink.shape)
    return np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    train = digits.load().train
    for label in range(10):
        images = train.x[train.y == label][: ROWS * COLUMNS, ..., 0]
        Image.fromarray(sheet(images, label)).save(folder / f"{label}.png")
    return folder


def test_digits_come_back_as_images_that_a_model_recognizes(photographs, tmp_path):
    done = CliRunner().invoke(
        app, ["data", "new", str(photographs), "--out", str(tmp_path / "own.npz"), "--dataset", "digits", "--without", "0"]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "own.png").stat().st_size > 10_000
    hidden = hidden_data("digits", "unused", tmp_path / "own.npz")
    assert hidden.origin == "own" and hidden.split.x.shape[1:] == (8, 8, 1)
    counts = np.bincount(hidden.split.y, minlength=10)
    assert 100 <= counts.sum() <= 140 and counts.min() >= 8 and f"{counts.sum()} images" in done.output
    w, b = linear_weights()
    right = (hidden.split.x.reshape(-1, 64) @ w + b).argmax(axis=1) == hidden.split.y
    assert right.mean() > 0.75


def test_images_like_mnists_are_centred_and_twenty_pixels_long(photographs):
    found = read_photographs(photographs, "mnist")
    assert found.x.shape[1:] == (28, 28) and found.x.dtype == np.uint8
    whole = read_photographs(photographs, "mnist", without=[0, 1])
    assert len(whole.y) == len(found.y) - 2 and np.array_equal(whole.x, found.x[2:])
    mass, place = found.x.sum(axis=(1, 2)), np.arange(28)
    for axis in (1, 2):
        assert np.abs(found.x.sum(axis=3 - axis) @ place / mass - 13.5).max() <= 1.5
    extent = [np.ptp(np.nonzero(image > 20), axis=1).max() + 1 for image in found.x]
    assert min(extent) >= 18 and max(extent) <= 20


def test_what_is_no_photograph_of_digits_is_refused(tmp_path):
    with pytest.raises(GradingError, match="holds no photographs"):
        read_photographs(tmp_path, "mnist")
    Image.new("L", (400, 300), 240).save(tmp_path / "3.png")
    with pytest.raises(GradingError, match=r"3\.png: no ink"):
        read_photographs(tmp_path, "mnist")
    with pytest.raises(GradingError, match="expected digits or mnist"):
        read_photographs(tmp_path, "shapes")
    (tmp_path / "1.jpg").write_bytes(b"no image")
    with pytest.raises(GradingError, match=r"1\.jpg: cannot be read"):
        read_photographs(tmp_path, "mnist")
    (tmp_path / "1.jpg").rename(tmp_path / ".jpg_three.jpg")
    with pytest.raises(GradingError, match="begins with no digit"):
        read_photographs(tmp_path, "mnist")
