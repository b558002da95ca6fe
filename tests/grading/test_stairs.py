"""Files that round their input are found, by models whose answers are known."""

import numpy as np
import pytest

from grading.hidden.data import hidden_data
from grading.measuring.stairs import MOST, greyed, questions, refuse_stairs, steepness
from models_by_hand import linear_weights
from projectkit.errors import MeasureError

IMAGES = 50


def answered(model):
    """What refuse_stairs makes of a model, asked as often as it wants."""
    x = hidden_data("digits", "salt").split.x[:IMAGES]
    asked, count = refuse_stairs(x, np.random.default_rng(0)), 1
    batch = next(asked)
    with pytest.raises(StopIteration):
        while True:
            assert len(batch) <= IMAGES and count <= questions(IMAGES)
            batch, count = asked.send(model(batch)), count + 1


def linear(x):
    w, b = linear_weights()
    return x.reshape(len(x), -1) @ w + b


def rounded(levels):
    return lambda x: linear(np.round(x * (levels - 1)) / (levels - 1))


def test_a_linear_model_goes_up_in_equal_steps():
    answered(linear)
    images = greyed(hidden_data("digits", "salt").split.x[:IMAGES], np.random.default_rng(0))
    assert steepness(linear(images)) == pytest.approx(5 / 32, abs=1e-5)
    assert images.min() == 0 and images.max() == 1


@pytest.mark.parametrize("levels", [2, 3, 5, 9])
def test_rounded_pixels_are_told(levels):
    with pytest.raises(MeasureError, match="it rounds its input"):
        answered(rounded(levels))


def test_with_a_slope_or_a_little_of_the_image_it_is_told_still():
    with pytest.raises(MeasureError, match="it rounds its input"):
        answered(lambda x: 0.8 * rounded(5)(x) + 0.2 * linear(x))


def test_eight_bits_are_no_stairs():
    answered(rounded(256))
    answered(lambda x: np.round(linear(x) * 30) / 30)
    assert steepness(np.zeros((66, 10))) == 0 < MOST, "what never answers otherwise is nobody's stairs"
