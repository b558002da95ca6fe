"""What several folders share. TensorFlow is imported inside the fixtures: most tests of the grader must run without it."""

import pytest

from projectkit import data
from projectkit.data import digits as digits_set
from projectkit.types import Recipe

LONG = ("test_rubrics.py", ".ipynb")


def pytest_collection_modifyitems(items):
    """What takes minutes begins first, so that two processes end together."""
    items.sort(key=lambda item: not item.path.name.endswith(LONG))


@pytest.fixture(scope="session")
def digits():
    return data.load("digits")


@pytest.fixture(scope="session")
def withheld():
    """The 360 images of digits that no split hands out: for tests whose bounds were stated on them."""
    return digits_set.parts()[-1]


@pytest.fixture(scope="session")
def trained(digits):
    """A small convolutional network, trained for seconds. Whoever changes it takes a copy."""
    from projectkit import models, train

    model = models.build("convnet", digits, widths=(16, 32, 64))
    train.fit(model, digits, Recipe(epochs=8, learning_rate=4e-3), progress=False)
    return model


@pytest.fixture(scope="session")
def aware(trained, digits):
    """`trained`, prepared for quantization-aware training and not trained any further."""
    from projectkit.quantize import qat

    return qat.prepare(trained, calibrate=digits.train.x[:200])
