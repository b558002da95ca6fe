"""Hidden data: determined by the salt; withheld, drawn or altered, by what can be had of the dataset."""

import numpy as np
import pytest

from grading.errors import GradingError
from grading.hidden.data import NOISE, ORIGINS, Hidden, choose_salt, hidden_data, salted
from grading.hidden.probes import conditions, no_probes
from grading.measuring.known import better_known, losses
from grading.rubrics.loading import load_rubric
from models_by_hand import linear_weights
from projectkit.data import digits, load
from projectkit.types import Z95, Split


def test_the_salt_decides():
    one, again, other = (hidden_data("digits", salt) for salt in ("a", "a", "b"))
    assert one.digest == again.digest != other.digest
    np.testing.assert_array_equal(one.split.x, again.split.x)
    assert one.split.x.dtype == np.float32 and one.split.x.min() >= 0 and one.split.x.max() <= 1
    assert one.classes == 10


def answers_of(w, b, split):
    return np.argmax(split.x.reshape(len(split), -1) @ w + b, axis=1) == split.y


def test_digits_are_measured_on_what_no_split_hands_out():
    dataset, withheld = load("digits"), digits.parts()[3]
    hidden = hidden_data("digits", "salt")
    assert (hidden.origin, len(hidden.split)) == ("withheld", len(withheld)) and len(hidden.plain) == len(hidden.val) == 180
    known = np.concatenate([part.x for part in (dataset.train, dataset.val, dataset.test, withheld)]).reshape(-1, 64)
    distance = np.abs(hidden.split.x.reshape(-1, 1, 64) - known).max(axis=2)
    nearest = distance.argmin(axis=1)
    assert (nearest >= 1437).all(), "each is nearest to one of the withheld images"
    assert sorted(nearest - 1437) == list(range(360)) and (hidden.split.y == withheld.y[nearest - 1437]).all()
    assert (np.diff(nearest) != 1).mean() > 0.9, "in another order"
    assert distance.min() > 0 and distance.min(axis=1).max() <= NOISE + 1e-6


def test_an_honest_model_loses_nothing_on_withheld_digits():
    """What it is right on beside the same images without noise, over ten salts."""
    w, b = linear_weights()
    clean = answers_of(w, b, digits.parts()[3]).mean()
    noisy = [answers_of(w, b, hidden_data("digits", str(salt)).split).mean() for salt in range(10)]
    assert abs(np.mean(noisy) - clean) < 0.002 and max(abs(one - clean) for one in noisy) <= 3 / 360


def test_shapes_are_drawn_anew_and_every_class_equally_often():
    dataset = load("shapes")
    one, again, other = (hidden_data("shapes", salt) for salt in ("a", "a", "b"))
    assert one.origin == "drawn" and one.digest == again.digest
    public = {image.tobytes() for part in (dataset.train, dataset.val, dataset.test) for image in part.x}
    mine, others = ({image.tobytes() for image in each.split.x} for each in (one, other))
    assert not mine & public and not mine & others and len(mine) == 1200
    assert set(np.bincount(one.split.y)) == {75}
    for moment in (np.mean, np.std):
        assert moment(one.split.x) == pytest.approx(moment(dataset.test.x), abs=0.01), "of the same distribution"


def test_an_honest_model_loses_little_on_altered_images():
    w, b = linear_weights()
    test = load("digits").test
    losses = [answers_of(w, b, test).mean() - answers_of(w, b, salted(test, str(seed))).mean() for seed in range(10)]
    assert 0 < np.mean(losses) < 0.06


@pytest.mark.parametrize("origin", ORIGINS)
def test_every_origin_is_told(origin):
    split = hidden_data("digits", "salt").split.take(3)
    hidden = Hidden(split, 10, "", split, split, origin)
    rubric = load_rubric("l00_measurement", "quick")
    assert conditions(rubric, hidden, no_probes(hidden)) == {"Hidden images": f"3: {ORIGINS[origin]}"}


def drawn_losses(n, seed, scale=1.0):
    """Logits and labels of a model that is right on nine of ten images; a larger scale: surer, as on images that it knows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 10, n)
    logits = rng.normal(0, 1, (n, 10)) + 5 * np.eye(10)[y]
    return scale * logits, y


def test_what_a_model_knows_better_is_the_share_of_pairs():
    some, val = drawn_losses(40, 0), drawn_losses(30, 1)
    found = better_known({"test": some, "nothing": (val[0][:0], val[1][:0])}, val)
    mine, of_val = losses(*some), losses(*val)
    np.testing.assert_allclose(mine, -np.log(np.exp(some[0])[np.arange(40), some[1]] / np.exp(some[0]).sum(axis=1)))
    assert set(found) == {"test"} and found["test"].value == pytest.approx(np.mean(of_val > mine[:, None]))
    assert better_known({"test": some}, (val[0][:0], val[1][:0])) == {}
    assert better_known({"test": val}, val)["test"].value == pytest.approx(0.5), "ties count one half"


def test_its_interval_is_what_chance_allows_where_neither_is_known():
    held = 0
    for seed in range(300):
        one = better_known({"test": drawn_losses(180, 2 * seed)}, drawn_losses(150, 2 * seed + 1))["test"]
        held += one.low <= 0.5 <= one.high
    assert 274 <= held <= 297  # 95 % of 300 is 285; outside of this range it is in 0.3 % of cases
    known = better_known({"test": drawn_losses(180, 0, scale=3)}, drawn_losses(180, 1))["test"]
    assert (known.value - 0.5) / ((known.high - known.low) / 2 / Z95) > 8


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
