"""Checkpoints: a killed run goes on as if nothing had happened, and no other run can take one."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from projectkit import models, train
from projectkit.errors import ModelError
from projectkit.files import PART
from projectkit.types import Recipe

RECIPE = Recipe(epochs=8, learning_rate=2e-3, seed=2)
PROGRAM = """
import sys
from projectkit import data, models, train
from projectkit.types import Recipe
digits = data.load("digits")
train.fit(models.build("convnet", digits, seed=1, widths=(8, 16)), digits, {recipe}, checkpoint=sys.argv[1], progress=False)
"""


def network(digits, seed=1):
    return models.build("convnet", digits, seed=seed, widths=(8, 16))


def epochs_in(path):
    if not path.exists():
        return 0
    with np.load(path, allow_pickle=False) as file:
        return len(json.loads(str(file["about"]))["history"]["loss"])


@pytest.fixture(scope="module")
def short(digits, tmp_path_factory):
    """The checkpoint of a finished run of two epochs, and its model."""
    path = tmp_path_factory.mktemp("checkpoint") / "short.npz"
    model = network(digits)
    recipe = replace(RECIPE, epochs=2)
    history = train.fit(model, digits, recipe, checkpoint=path, progress=False)
    return path, recipe, model, history


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this platform has no SIGKILL")
def test_a_killed_run_goes_on_to_the_same_weights(digits, tmp_path):
    path = tmp_path / "folder" / "run.npz"
    child = subprocess.Popen([sys.executable, "-c", PROGRAM.format(recipe=repr(RECIPE)), str(path)], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while epochs_in(path) < 2 and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        child.kill()
    _, complaint = child.communicate()
    assert child.returncode == -signal.SIGKILL, complaint.decode()
    done = epochs_in(path)
    assert 2 <= done < RECIPE.epochs

    resumed = network(digits, seed=9)  # whose own first weights must not matter
    history = train.fit(resumed, digits, RECIPE, checkpoint=path, progress=False)
    whole = network(digits)
    expected = train.fit(whole, digits, RECIPE, progress=False)
    assert all(np.array_equal(a, b) for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True))
    assert len(history) == RECIPE.epochs
    assert (history.loss, history.val_accuracy) == (expected.loss, expected.val_accuracy)


def test_a_finished_run_is_not_trained_again(digits, short):
    path, recipe, model, history = short
    before = path.stat().st_mtime_ns
    again = network(digits, seed=4)
    assert train.fit(again, digits, recipe, checkpoint=path, progress=False) == history
    assert all(np.array_equal(a, b) for a, b in zip(again.get_weights(), model.get_weights(), strict=True))
    assert path.stat().st_mtime_ns == before


def test_nothing_but_the_checkpoint_is_left(short):
    assert [entry.name for entry in short[0].parent.iterdir()] == ["short.npz"]


def test_what_a_kill_in_the_middle_of_writing_leaves_does_no_harm(digits, short, tmp_path):
    path = tmp_path / "c.npz"
    path.write_bytes(short[0].read_bytes())
    (tmp_path / f"{PART}0123456789abcdef").write_bytes(b"half a file")
    assert len(train.fit(network(digits), digits, short[1], checkpoint=path, progress=False)) == 2


@pytest.mark.parametrize(
    ("change", "sentence"), [({"seed": 3}, "written with recipe"), ({"epochs": 3}, "'epochs': 2.*this run has.*'epochs': 3")]
)
def test_the_checkpoint_of_another_recipe_is_refused(digits, short, change, sentence):
    path, recipe, *_ = short
    with pytest.raises(ModelError, match=sentence):
        train.fit(network(digits), digits, replace(recipe, **change), checkpoint=path, progress=False)


def test_the_checkpoint_of_another_dataset_is_refused(digits, short):
    path, recipe, *_ = short
    with pytest.raises(ModelError, match=r"written with dataset .*this run has other"):
        train.fit(network(digits), replace(digits, digest="other"), recipe, checkpoint=path, progress=False)


@pytest.mark.parametrize("options", [{"widths": (8, 17)}, {"widths": (8, 16, 16)}, {"widths": (8,)}], ids=str)
def test_the_checkpoint_of_another_architecture_is_refused(digits, short, options):
    path, recipe, *_ = short
    with pytest.raises(ModelError, match="another architecture"):
        train.fit(models.build("convnet", digits, **options), digits, recipe, checkpoint=path, progress=False)


def test_a_damaged_checkpoint_is_refused_and_kept(digits, short, tmp_path):
    whole = short[0].read_bytes()
    path = tmp_path / "damaged.npz"
    model = network(digits)
    for content in (b"", b"no checkpoint", *(whole[: len(whole) * tenth // 10] for tenth in range(1, 10))):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"damaged\.npz: is not a checkpoint or is damaged.*Delete it"):
            train.fit(model, digits, short[1], checkpoint=path, progress=False)
        assert path.read_bytes() == content


def test_an_npz_of_something_else_is_refused(digits, short, tmp_path):
    np.savez(tmp_path / "data.npz", x=np.zeros(3))
    with pytest.raises(ModelError, match="is not a checkpoint"):
        train.fit(network(digits), digits, short[1], checkpoint=tmp_path / "data.npz", progress=False)
