"""What every training against attacks and every input transformation keeps to."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from projectkit import models
from projectkit.errors import ModelError, RobustnessError
from projectkit.robustness import TRAININGS, TRANSFORMATIONS, defended, evaluate, pgd, square
from projectkit.types import Dataset, Recipe, Split

EPSILON = 0.15
RATE = 4e-3
EPOCHS = {"fgsm": 7, "pgd": 6, "free": 2, "trades": 6}
OPTIONS = {"pgd": {"steps": 5}, "trades": {"steps": 5}}
SHORT = {"pgd": {"steps": 2}, "trades": {"steps": 2}, "free": {"replays": 2}}


def training(name, options=OPTIONS):
    return partial(TRAININGS[name], **options.get(name, {}), progress=False)


def network(dataset):
    return models.build("convnet", dataset, widths=(16, 32, 64))


@pytest.fixture(scope="module")
def few(digits):
    """200 images to train on."""
    return Dataset(digits.name, digits.train.take(200), digits.val.take(100), digits.test, digits.classes, digits.digest)


@pytest.fixture(params=TRAININGS)
def name(request):
    return request.param


@pytest.fixture(params=TRANSFORMATIONS)
def transformation(request):
    return TRANSFORMATIONS[request.param]


def test_a_training_gains_30_points_under_pgd_and_its_history_says_so(name, trained, digits):
    model = network(digits)
    history = training(name)(model, digits, Recipe(epochs=EPOCHS[name], learning_rate=RATE), epsilon=EPSILON)
    x, y = digits.test.x, digits.test.y
    attack = partial(pgd, steps=20)
    after, before = evaluate(model, x, y, attack, EPSILON).value, evaluate(trained, x, y, attack, EPSILON).value
    assert after > before + 0.3
    assert evaluate(model, x, y, partial(square, queries=200), EPSILON).value > before + 0.3
    assert len(history) == EPOCHS[name]
    assert history.val_accuracy[-1] == pytest.approx(evaluate(model, digits.val.x, digits.val.y, attack, EPSILON).value, abs=0.06)


def test_two_trainings_with_equal_arguments_give_equal_weights_and_another_seed_others(name, few):
    def weights(seed):
        model = models.build("mlp", few)
        training(name, SHORT)(model, few, Recipe(epochs=1, learning_rate=RATE, seed=seed), epsilon=EPSILON)
        return model.get_weights()

    first, again, other = weights(0), weights(0), weights(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ({}, {"epsilon": -0.1}, r"Received epsilon -0.1; expected the largest change of a pixel, in \[0, 1\].*Give"),
        ({}, {"epsilon": float("nan")}, "Received epsilon nan; expected"),
        ({}, {"epsilon": 8.0}, "Received epsilon 8.0; expected"),
        ({}, {"epsilon": 0.1, "warm_up": 2}, "Received a warm-up of 2 epochs; expected a whole number from 0 .* 1. Give fewer"),
        ({"label_smoothing": 0.1}, {"epsilon": 0.1}, "Received a recipe with label smoothing 0.1; expected 0: .*Set it to 0"),
    ],
)
def test_nonsense_is_refused_before_any_training(name, few, recipe, options, message):
    model = network(few)
    before = model.get_weights()
    with pytest.raises(RobustnessError, match=message):
        training(name)(model, few, Recipe(epochs=1, **recipe), **options)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_label_that_is_no_class_and_a_model_for_other_images_are_refused(name, few, digits):
    labels = few.train.y.copy()
    labels[7] = len(few.classes)
    wrong = Dataset(few.name, Split(few.train.x, labels), few.val, few.test, few.classes, few.digest)
    with pytest.raises(RobustnessError, match=r"Received labels from 0 to 10; expected 0 to 9. Number the classes from 0"):
        training(name)(network(few), wrong, Recipe(epochs=1), epsilon=0.1)
    smaller = network(SimpleNamespace(shape=(4, 4, 1), classes=few.classes))
    with pytest.raises(ModelError, match=r"takes images of \(4, 4, 1\), digits has \(8, 8, 1\)"):
        training(name)(smaller, digits, Recipe(epochs=1), epsilon=0.1)


@pytest.mark.parametrize("shape", [(5, 8, 8, 1), (3, 28, 28, 1), (2, 32, 32, 3), (2, 9, 13, 3), (0, 8, 8, 1)])
def test_a_transformation_gives_new_images_in_0_and_1_of_the_same_shape_and_again_the_same(transformation, shape):
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    before = x.copy()
    changed = transformation(x, np.random.default_rng(1))
    assert changed.shape == shape and changed.dtype == np.float32
    assert np.array_equal(x, before)
    assert np.array_equal(changed, transformation(x, np.random.default_rng(1)))
    if x.size:
        assert changed.min() >= 0 and changed.max() <= 1
        assert not np.array_equal(changed, x)


def test_a_transformation_leaves_images_readable_and_attacks_on_the_bare_model_too(transformation, trained, digits):
    """An attacker who only guesses what is behind the transformation needs no gradient of it."""
    x, y = digits.test.x[:150], digits.test.y[:150]
    shielded = defended(trained, transformation)
    assert np.mean(shielded(x).argmax(axis=1) == y) > 0.5
    with pytest.raises(RobustnessError, match="which has no gradients"):
        evaluate(shielded, x, y, pgd, 0.2)
    assert evaluate(shielded, x, y, lambda _, *given: pgd(trained, *given), 0.2, norm="linf").value < 0.3


@pytest.mark.parametrize("fixed", ["bit_depth", "median", "jpeg"])
def test_a_transformation_that_is_not_random_falls_to_square(fixed, trained, digits):
    x, y = digits.test.x[:150], digits.test.y[:150]
    assert evaluate(defended(trained, TRANSFORMATIONS[fixed]), x, y, partial(square, queries=300), 0.2).value < 0.2
