"""What every corruption promises: nothing at severity 0, images in [0, 1], equal ones for equal seeds, more at each severity."""

from itertools import pairwise

import numpy as np
import pytest

from projectkit.data import load
from projectkit.errors import RobustnessError
from projectkit.robustness.corruptions import COMMON, CORRUPTIONS, MNIST_C, SEVERITIES, mean_corruption_error

SHAPES = ((8, 8, 1), (28, 28, 1), (32, 32, 3), (9, 30, 3))
SLACK = 0.03  # of the distance: random ones are a little nearer once, and a coarser grid may fit an image better
RANDOM = set(CORRUPTIONS) - {
    *("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg", "scale", "stripe", "canny_edges"),
}


@pytest.fixture(scope="module")
def images() -> dict[tuple[int, int, int], np.ndarray]:
    """Real pictures of each shape."""
    digits, shapes = load("digits").test.x[:30], load("shapes").test.x[:30]
    grey = shapes[:, 2:30, 2:30].mean(axis=3, keepdims=True)
    return dict(zip(SHAPES, (digits, grey, shapes, shapes[:, 10:19, :30]), strict=True))


def corrupted(name: str, x: np.ndarray, severity: int, seed: int = 0) -> np.ndarray:
    return CORRUPTIONS[name](x, severity, np.random.default_rng(seed))


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_corruption_keeps_to_its_contract(name, shape, images):
    x = images[shape]
    before = x.copy()
    np.testing.assert_array_equal(corrupted(name, x, 0), x)
    for severity in SEVERITIES:
        changed = corrupted(name, x, severity)
        assert changed.shape == x.shape and changed.dtype == np.float32
        assert np.isfinite(changed).all() and changed.min() >= 0 and changed.max() <= 1
        np.testing.assert_array_equal(changed, corrupted(name, x, severity))
        assert (changed != x).any()
    assert (not np.array_equal(corrupted(name, x, 5, seed=1), corrupted(name, x, 5, seed=2))) == (name in RANDOM)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(corrupted(name, x, 0), x), "what is given back may be written to"


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_goes_further_at_each_severity(name, shape, images):
    x = images[shape]
    distances = [np.abs(corrupted(name, x, severity) - x).mean() for severity in SEVERITIES]
    assert all(after >= before * (1 - SLACK) for before, after in pairwise(distances)), distances
    assert distances[-1] > 1.3 * distances[0]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_image_is_changed_by_itself(name, images):
    """What stands beside an image says nothing about it: the first one stays the same among others of the same number."""
    x = images[32, 32, 3]
    others = np.concatenate([x[:1], x[1:][::-1]])
    np.testing.assert_allclose(corrupted(name, others, 3)[0], corrupted(name, x, 3)[0], atol=1e-6)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_bad_input_gets_a_sentence(name, images):
    x, rng = images[8, 8, 1], np.random.default_rng(0)
    for severity in (-1, 6, 2.5, True, "3", None):
        with pytest.raises(RobustnessError, match=r"expected 0 .unchanged. or 1 to 5"):
            CORRUPTIONS[name](x, severity, rng)
    for wrong in (x[0], x[:, :7], (255 * x).astype(np.uint8), x.repeat(2, axis=3), [[0.5]]):
        with pytest.raises(RobustnessError, match=r"expected .n, height, width, channels. floats"):
            CORRUPTIONS[name](wrong, 1, rng)
    for wrong in (x * 255, x - 0.5, np.full_like(x, np.nan)):
        with pytest.raises(RobustnessError, match="Divide bytes by 255"):
            CORRUPTIONS[name](wrong, 1, rng)
    assert CORRUPTIONS[name](x[:0], 3, rng).shape == (0, 8, 8, 1)


def test_the_two_published_families_are_there():
    assert len(COMMON) == len(set(COMMON)) == len(MNIST_C) == len(set(MNIST_C)) == 15
    assert set(COMMON) | set(MNIST_C) == set(CORRUPTIONS)


def test_a_classifier_loses_to_them():
    """Logistic regression on digits: less right at severity 5 than at 1, on the mean over all corruptions."""
    from models_by_hand import linear_weights

    weights, bias = linear_weights()
    test = load("digits").test

    def accuracy(x: np.ndarray) -> float:
        return float(((x.reshape(len(x), -1) @ weights + bias).argmax(axis=1) == test.y).mean())

    means = [np.mean([accuracy(corrupted(name, test.x, severity)) for name in CORRUPTIONS]) for severity in (0, *SEVERITIES)]
    assert means[0] > 0.9 and all(after < before for before, after in pairwise(means)), means


def test_the_mean_corruption_error_by_hand():
    errors = {"fog": [0.1, 0.2, 0.3], "snow": [0.4, 0.4, 0.4]}
    reference = {"fog": [0.2, 0.4, 0.6], "snow": [0.4, 0.4, 0.4]}
    assert mean_corruption_error(errors, reference) == pytest.approx((0.5 + 1) / 2)
    assert mean_corruption_error(reference, reference) == pytest.approx(1)
    for wrong, against, says in (
        ({}, {}, "at least one"),
        ({"fog": [0.1]}, {"snow": [0.1]}, "same corruptions"),
        ({"fog": [0.1]}, {"fog": [0.1, 0.2]}, "as many rates"),
        ({"fog": [10.0]}, {"fog": [0.2]}, "rates in"),
        ({"fog": [float("nan")]}, {"fog": [0.2]}, "rates in"),
        ({"fog": [0.1]}, {"fog": [0.0]}, "makes no error"),
    ):
        with pytest.raises(RobustnessError, match=says):
            mean_corruption_error(wrong, against)
