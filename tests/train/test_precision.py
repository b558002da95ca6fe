"""The same weights in another arithmetic."""

import numpy as np
import pytest

from projectkit import models, train
from projectkit.errors import ModelError
from projectkit.types import Recipe


@pytest.mark.parametrize("name", ["convnet", "resnet8", "lenet300"])
def test_mixed_precision_answers_almost_alike_and_comes_back_exactly(digits, name):
    model = models.build(name, digits, seed=0)
    exact = train.logits(model, digits.val.x[:64])
    mixed = train.in_precision(model, "mixed_bfloat16")
    answers = train.logits(mixed, digits.val.x[:64])
    spread = np.abs(exact).max()
    assert mixed.output.dtype == "float32"
    assert 0 < np.abs(answers - exact).max() < 0.05 * spread  # bfloat16 has 8 bits of mantissa
    assert np.array_equal(train.logits(train.in_precision(mixed, "float32"), digits.val.x[:64]), exact)
    assert np.array_equal(train.logits(model, digits.val.x[:64]), exact)


def test_training_in_mixed_precision_learns(digits):
    mixed = train.in_precision(models.build("convnet", digits, seed=0), "mixed_bfloat16")
    train.fit(mixed, digits, Recipe(epochs=3), progress=False)
    assert train.accuracy(train.in_precision(mixed, "float32"), digits.val) > 0.8


def test_another_precision_is_refused(digits):
    with pytest.raises(ModelError, match="'int8'; expected one of float32, mixed_bfloat16"):
        train.in_precision(models.build("mlp", digits, seed=0), "int8")
