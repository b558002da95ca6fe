"""Attacks made for one model and shown to another."""

from functools import partial

import numpy as np
import pytest

from projectkit import export, models, runtimes
from projectkit.errors import RobustnessError
from projectkit.robustness import evaluate, fgsm, logits, pgd, square, transfer

EPSILON = 0.12


@pytest.fixture(scope="module")
def file(trained, digits, tmp_path_factory):
    """`trained` as an int8 file, opened."""
    path = tmp_path_factory.mktemp("transfer") / "int8.tflite"
    written = export.write(trained, path, precision="int8", compare=digits.val.x[:100], calibrate=digits.train.x[:200])
    session = runtimes.open(written.artifact)
    yield session
    session.close()


@pytest.fixture(scope="module")
def other(digits):
    """A network of random weights."""
    return models.build("mlp", digits, seed=3)


def test_the_diagonal_is_what_evaluate_says(trained, other, digits):
    x, y = digits.test.x[:100], digits.test.y[:100]
    matrix = transfer({"trained": trained, "other": other}, x, y, fgsm, EPSILON)
    assert list(matrix) == list(matrix["trained"]) == ["trained", "other"]
    for name, model in (("trained", trained), ("other", other)):
        assert matrix[name][name] == evaluate(model, x, y, fgsm, EPSILON)


def test_every_entry_by_hand(trained, other, digits):
    x, y = digits.test.x[:100], digits.test.y[:100]
    seen = transfer({"a": trained, "b": other}, x, y, fgsm, EPSILON)["a"]["b"]
    x_adv = fgsm(trained, x, y, EPSILON)
    right = (logits(other, x).argmax(axis=1) == y) & (logits(other, x_adv).argmax(axis=1) == y)
    assert seen.value == pytest.approx(right.mean()) and seen.n == 100


def test_an_attack_on_the_float_model_goes_through_its_int8_file(trained, file, digits):
    x, y = digits.test.x[:150], digits.test.y[:150]
    seen = transfer({"float": trained, "int8": file}, x, y, pgd, EPSILON, sources=["float"])
    assert list(seen) == ["float"]
    assert np.mean(logits(file, x).argmax(axis=1) == y) > 0.9
    assert abs(seen["float"]["int8"].value - seen["float"]["float"].value) < 0.15
    matrix = transfer({"float": trained, "int8": file}, x[:60], y[:60], partial(square, queries=150), EPSILON)
    assert matrix["int8"]["int8"].value < 0.6


def test_a_file_is_no_source_for_gradients_and_an_unknown_one_none_at_all(trained, file, digits):
    x, y = digits.test.x[:10], digits.test.y[:10]
    both = {"float": trained, "int8": file}
    with pytest.raises(RobustnessError, match="which has no gradients; expected a Keras model"):
        transfer(both, x, y, pgd, EPSILON)
    with pytest.raises(RobustnessError, match="Received the sources int4 and 10 images; expected some of float, int8"):
        transfer(both, x, y, pgd, EPSILON, sources=["int4"])
    with pytest.raises(RobustnessError, match="Received epsilon -1"):
        transfer(both, x, y, pgd, -1)
