"""What several folders share. TensorFlow is imported inside the fixtures: most tests of the grader must run without it."""

import re

import pytest

from projectkit import data
from projectkit.types import Recipe

LONG = ("test_rubrics.py", ".ipynb")  # minutes a piece


def pytest_collection_modifyitems(items):
    """For two processes side by side: a file stays whole, because its tests share fixtures; what takes minutes begins first, and
    each rubric is a piece of its own."""
    items.sort(key=lambda item: not item.path.name.endswith(LONG))
    for item in items:
        piece = item.name if item.path.name == "test_rubrics.py" else str(item.path)
        # In a piece's name, xdist takes "@" and "]" for its own marks.
        item.add_marker(pytest.mark.xdist_group(re.sub(r"[@\[\]]", " ", piece)))


@pytest.fixture(scope="session")
def digits():
    return data.load("digits")


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
