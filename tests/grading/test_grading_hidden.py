"""Hidden data: determined by the salt, close enough to be fair, far enough that memorizing does not pay."""

import numpy as np
import pytest

from grading.errors import GradingError
from grading.hidden.data import choose_salt, hidden_data, salted
from models_by_hand import linear_weights
from projectkit.data import load
from projectkit.types import Split


def test_the_salt_decides():
    one, again, other = (hidden_data("digits", salt) for salt in ("a", "a", "b"))
    assert one.digest == again.digest != other.digest
    np.testing.assert_array_equal(one.split.x, again.split.x)
    assert one.split.x.dtype == np.float32 and one.split.x.min() >= 0 and one.split.x.max() <= 1
    assert one.classes == 10


def test_no_image_is_the_public_one_and_the_order_is_another():
    test = load("digits").test
    hidden = hidden_data("digits", "salt").split
    public = {image.tobytes() for image in test.x}
    assert not [image for image in hidden.x if image.tobytes() in public]
    assert (hidden.y != test.y).mean() > 0.5
    assert sorted(hidden.y) == sorted(test.y)


def test_an_honest_model_loses_little():
    w, b = linear_weights()
    test = load("digits").test

    def accuracy(split):
        return (np.argmax(split.x.reshape(len(split), -1) @ w + b, axis=1) == split.y).mean()

    losses = [accuracy(test) - accuracy(salted(test, str(seed))) for seed in range(10)]
    assert np.mean(losses) < 0.03
    assert max(losses) < 0.05


def test_images_stay_where_they_are():
    """A centred blob stays centred within the shift, keeps its mass within gain and zoom, and a flat image stays flat."""
    grid = np.stack(np.meshgrid(np.arange(32), np.arange(32), indexing="ij"), axis=-1) - 15.5
    blob = np.exp(-(grid**2).sum(-1) / 18)[None, ..., None].repeat(50, axis=0).astype(np.float32) * 0.8
    moved = salted(Split(blob, np.arange(50)), "s")
    assert sorted(moved.y) == list(range(50))
    mass = moved.x[..., 0].sum((1, 2))
    assert (np.abs(mass / blob[0].sum() - 1) < 0.25).all()
    centre = (moved.x * grid).sum((1, 2)) / mass[:, None]
    assert np.abs(centre).max() < 0.04 * 32 + 0.1 and np.abs(centre).max() > 0.3
    flat = salted(Split(np.full((20, 9, 9, 3), 0.5, np.float32), np.zeros(20, np.int64)), "s").x
    assert np.ptp(flat, axis=(1, 2, 3)).max() < 1e-6 and np.ptp(flat[:, 0, 0, 0]) > 0.05


def test_own_data(tmp_path):
    test = load("digits").test
    np.savez(tmp_path / "own.npz", x=(test.x[..., 0] * 255).astype(np.uint8), y=test.y[:, None])
    own = hidden_data("digits", "unused", tmp_path / "own.npz")
    assert own.split.x.shape == test.x.shape and own.split.y.shape == test.y.shape
    for name, arrays in {
        "shape": {"x": np.zeros((3, 9, 9)), "y": np.zeros(3, int)},
        "labels": {"x": test.x, "y": test.y + 5},
        "range": {"x": test.x * 255, "y": test.y},
        "nan": {"x": test.x * np.nan, "y": test.y},
        "length": {"x": test.x, "y": test.y[1:]},
        "keys": {"images": test.x},
    }.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(GradingError, match="--data"):
            hidden_data("digits", "unused", tmp_path / f"{name}.npz")


def test_the_salt_is_kept_secret_and_reused(tmp_path, monkeypatch):
    monkeypatch.delenv("GRADING_SALT", raising=False)
    first = choose_salt(None, tmp_path)
    assert choose_salt(None, tmp_path) == first and len(first) >= 32
    assert (tmp_path / "salt.txt").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("GRADING_SALT", "of the environment")
    assert choose_salt(None, tmp_path) == "of the environment"
    assert choose_salt("given", tmp_path) == "given"
