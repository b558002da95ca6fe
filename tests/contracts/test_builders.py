"""What every builder promises. A new member of BUILDERS is held to it by being there."""

import numpy as np
import pytest

from projectkit import data, models
from projectkit.models import BUILDERS
from projectkit.quantize import qat
from projectkit.types import Dataset, Split

SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3)]


def blank(shape, classes=10):
    split = Split(np.zeros((1, *shape), np.float32), np.zeros(1, np.int64))
    return Dataset("blank", split, split, split, tuple(map(str, range(classes))), "")


@pytest.fixture(params=BUILDERS)
def name(request):
    return request.param


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gives_logits_of_every_dataset(name, shape):
    model = models.build(name, blank(shape, classes=7))
    x = 10 * np.random.default_rng(0).random((20, *shape)).astype(np.float32)
    logits = model(x).numpy()
    assert logits.shape == (20, 7)
    assert logits.dtype == np.float32
    assert logits.min() < 0  # probabilities are not negative
    assert not np.allclose(logits.sum(axis=1), 1)


def test_initial_weights_depend_on_the_seed_only(name):
    dataset = data.load("digits")
    first, again, other = (models.build(name, dataset, seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    kernels = [(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1]
    assert kernels
    assert not any(np.array_equal(a, b) for a, b in kernels)


def test_can_be_prepared_for_quantization_aware_training(name):
    dataset = data.load("digits")
    model = models.build(name, dataset)
    aware = qat.prepare(model, calibrate=dataset.train.x[:32])
    x = dataset.val.x[:50]
    expected = model(x).numpy()
    assert np.abs(aware(x).numpy() - expected).mean() < 0.15 * np.abs(expected).mean()


def test_keeps_its_weights_in_a_copy_of_its_own(name):
    model = models.build(name, data.load("digits"))
    twin = models.copy(model)
    before = twin.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    model.set_weights([array + 1 for array in before])
    assert all(np.array_equal(a, b) for a, b in zip(before, twin.get_weights(), strict=True))


def test_layers_are_named_alike_in_every_build(name):
    first, second = (models.build(name, data.load("digits")) for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
