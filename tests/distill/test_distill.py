"""Training with a teacher: what it adds, that it goes on after a kill, and what is refused."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from projectkit import models, train
from projectkit.distill import FEATURE_LOSSES, LOSSES, Match, born_again, distill, hide_labels, labelled, teacher_logits
from projectkit.errors import ModelError
from projectkit.prune.weight_masks import global_masks, layer_sparsity, masked
from projectkit.quantize import qat
from projectkit.types import Dataset, Recipe, Split

# isort: split
import tensorflow as tf

QUICK = Recipe(epochs=2, batch_size=128, learning_rate=4e-3)


@pytest.fixture(scope="module")
def answers(trained, digits):
    return teacher_logits(trained, digits.train)


@pytest.fixture(scope="module")
def small(digits):
    """The first 256 training images, half of them without a label: a step or two an epoch."""
    y = digits.train.y[:256].copy()
    y[::2] = -1
    return replace(digits, train=Split(digits.train.x[:256], y), val=digits.val.take(64), digest="small")


def student(digits, seed=1, **options):
    return models.build("mlp", digits, seed=seed, **{"widths": (16,), **options})


def convolutions(digits, seed=1):
    return models.build("convnet", digits, seed=seed, widths=(4, 8))


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def repeated(dataset: Dataset, count: int) -> Dataset:
    """The training images over and over, `count` in all: long epochs, and as many steps for few images as for many."""
    index = np.resize(np.arange(len(dataset.train)), count)
    return replace(dataset, train=Split(dataset.train.x[index], dataset.train.y[index]))


def test_100_labels_and_a_teacher_for_the_rest_beat_100_labels_alone(digits, answers):
    """In the mean of three seeds by 3 points, in as many steps."""
    gains, count = [], 5 * len(digits.train)
    for seed in range(3):
        few = hide_labels(digits, keep=100, seed=seed)
        recipe = Recipe(epochs=2, batch_size=64, learning_rate=1e-2, seed=seed)
        plain, taught = (student(digits, seed, widths=(32,)) for _ in range(2))
        train.fit(plain, repeated(labelled(few), count), recipe, progress=False)
        distill(taught, np.tile(answers, (5, 1)), repeated(few, count), recipe, progress=False)
        gains.append(train.accuracy(taught, digits.test) - train.accuracy(plain, digits.test))
    assert np.mean(gains) >= 0.03, gains


def test_without_the_teachers_share_it_is_training_on_the_labels(digits, answers):
    """α = 0 gives the weights that `train.fit` gives, up to rounding."""
    plain, taught = student(digits), student(digits)
    expected = train.fit(plain, digits, QUICK, progress=False)
    history = distill(taught, answers, digits, QUICK, loss=partial(LOSSES["hinton"], alpha=0.0), progress=False)
    for ours, theirs in zip(taught.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert getattr(history, name) == pytest.approx(getattr(expected, name), rel=1e-3)


def test_the_history_reports_what_evaluation_finds(trained, digits, small):
    model = student(digits)
    history = distill(model, trained, small, replace(QUICK, epochs=1, optimizer="sgd", learning_rate=1e-9), progress=False)
    logits, theirs, labels = train.logits(model, small.train.x), train.logits(trained, small.train.x), small.train.y
    batches = np.random.default_rng((0, 0)).permutation(256).reshape(2, 128)
    expected = np.mean([LOSSES["hinton"](logits[batch], theirs[batch], labels[batch]) for batch in batches])
    assert history.loss[0] == pytest.approx(expected, rel=1e-3)
    known = labels >= 0
    assert history.accuracy[0] == pytest.approx(np.mean(logits[known].argmax(axis=1) == labels[known]))
    assert history.val_accuracy[0] == pytest.approx(train.accuracy(model, small.val))
    examination = LOSSES["hinton"](*2 * [train.logits(model, small.val.x)], small.val.y, alpha=0.0)
    assert history.val_loss[0] == pytest.approx(float(examination), rel=1e-3)


@pytest.mark.parametrize("name", ["hinton", "decoupled"])
def test_a_warm_up_lets_the_teachers_part_grow_epoch_by_epoch(trained, digits, small, name):
    """The student stands still, so that the loss of each epoch is that of its share alone: 1/3, 2/3, all, all."""
    model, recipe = student(digits), Recipe(epochs=4, batch_size=128, optimizer="sgd", learning_rate=1e-9, schedule="constant")
    history = distill(model, trained, small, recipe, loss=LOSSES[name], warm_up=3, progress=False)
    options = {"hinton": {"alpha": 0.9}, "decoupled": {"alpha": 1.0, "beta": 8.0}}[name]
    logits, theirs, labels = train.logits(model, small.train.x), train.logits(trained, small.train.x), small.train.y
    for epoch, share in enumerate((1 / 3, 2 / 3, 1, 1)):
        weaker = partial(LOSSES[name], **{option: share * weight for option, weight in options.items()})
        batches = np.random.default_rng((0, epoch)).permutation(256).reshape(2, 128)
        expected = np.mean([weaker(logits[batch], theirs[batch], labels[batch]) for batch in batches])
        assert history.loss[epoch] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("epochs", [-1, 3, 0.5])
def test_a_warm_up_longer_than_the_training_is_refused(answers, digits, epochs):
    with pytest.raises(ModelError, match=f"warm-up of {epochs} epochs; expected a whole number from 0 to the recipe's 2. Give"):
        distill(student(digits), answers, digits, QUICK, warm_up=epochs, progress=False)


def test_without_any_label_the_accuracy_is_not_a_number_and_the_student_learns_all_the_same(trained, digits):
    unlabelled = replace(digits, train=Split(digits.train.x, np.full_like(digits.train.y, -1)), digest="none")
    history = distill(
        student(digits), trained, unlabelled, replace(QUICK, epochs=4, batch_size=32, learning_rate=2e-2), progress=False
    )
    assert np.isnan(history.accuracy).all()
    assert history.val_accuracy[-1] > 0.8


def test_a_teacher_and_its_logits_teach_the_same(trained, answers, digits):
    first, second = student(digits), student(digits)
    distill(first, trained, digits, QUICK, progress=False)
    distill(second, answers, digits, QUICK, progress=False)
    assert equal(first, second)


MATCHES = {
    "hints": Match("re_lu_1", "re_lu_1", FEATURE_LOSSES["hints"], 0.5, regressor=True),
    "attention": Match("re_lu_1", "re_lu_1", FEATURE_LOSSES["attention_transfer"], 500.0),
    "relations": Match("global_average_pooling2d", "global_average_pooling2d", FEATURE_LOSSES["relational"], 25.0),
}


def test_equal_seeds_give_equal_weights_and_the_teacher_stays_as_it_was(trained, digits, small):
    before = [array.copy() for array in trained.get_weights()]
    first, again = convolutions(digits), convolutions(digits)
    shapes = [array.shape for array in first.get_weights()]
    for model in (first, again):
        distill(
            model,
            trained,
            small,
            replace(QUICK, epochs=1),
            loss=LOSSES["decoupled"],
            features=tuple(MATCHES.values()),
            progress=False,
        )
    assert equal(first, again)
    assert all(np.array_equal(a, b) for a, b in zip(before, trained.get_weights(), strict=True))
    assert shapes == [array.shape for array in first.get_weights()]  # the regressor is no part of the student


def test_matched_layers_come_closer_to_the_teachers(trained, digits, small):
    """Every matched difference gets smaller than in a student that hears of the logits only."""
    seen = {}

    def watched(ours, theirs, key):
        value = MATCHES[key[0]].loss(ours, theirs)
        if not tf.executing_eagerly():
            tf.py_function(lambda number: seen.setdefault(key, []).append(float(number)), [value], [])
        return value

    for on in (True, False):
        matches = [
            replace(match, loss=partial(watched, key=(name, on)), weight=on * match.weight) for name, match in MATCHES.items()
        ]
        distill(convolutions(digits), trained, small, replace(QUICK, epochs=4), features=matches, progress=False)
    for name in MATCHES:
        assert seen[name, True][0] == pytest.approx(seen[name, False][0], rel=1e-4)
        assert seen[name, True][-1] < 0.97 * seen[name, False][-1], name


class Stopped(Exception):
    pass


def test_a_stopped_run_goes_on_to_the_same_weights_with_its_regressor(trained, digits, small, tmp_path):
    arguments = (trained, small, replace(QUICK, epochs=3))
    match = Match("dense", "global_average_pooling2d", FEATURE_LOSSES["hints"], 100.0, regressor=True)
    options = {"features": [match], "warm_up": 3, "progress": False}
    whole, stopped, resumed = student(digits), student(digits), student(digits, seed=9)
    expected = distill(whole, *arguments, **options)
    epochs = []

    def stop(model):
        assert model is stopped
        epochs.append(1)
        if len(epochs) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        distill(stopped, *arguments, checkpoint=tmp_path / "c.npz", after_epoch=stop, **options)
    history = distill(resumed, *arguments, checkpoint=tmp_path / "c.npz", **options)
    assert equal(resumed, whole)
    assert (history.loss, history.val_accuracy) == (expected.loss, expected.val_accuracy)


def test_a_checkpoint_of_another_method_is_refused(trained, answers, digits, small, tmp_path):
    path, recipe, first = tmp_path / "c.npz", replace(QUICK, epochs=1), answers[:256]
    distill(student(digits), first, small, recipe, checkpoint=path, progress=False)
    assert len(distill(student(digits), first, small, recipe, checkpoint=path, progress=False)) == 1
    for teacher, loss in (
        (first, LOSSES["decoupled"]),
        (first, partial(LOSSES["hinton"], temperature=2.0)),
        (first + 1, LOSSES["hinton"]),
        (trained, LOSSES["hinton"]),
    ):
        with pytest.raises(ModelError, match="written with method hinton"):
            distill(student(digits), teacher, small, recipe, loss=loss, checkpoint=path, progress=False)
    with pytest.raises(ModelError, match=r"written with method hinton .*, this run has hinton .* warm-up 1"):
        distill(student(digits), first, small, recipe, warm_up=1, checkpoint=path, progress=False)
    plain = replace(labelled(small), digest="small")
    with pytest.raises(ModelError, match=r"written with method hinton.*this run has None"):
        train.fit(student(digits), plain, recipe, checkpoint=path, progress=False)


def test_with_augmentation_the_teacher_answers_the_images_that_the_student_sees(digits, small):
    """The teacher is a frozen copy of the student: on the same images there is nothing to learn."""
    model = student(digits)
    before = [array.copy() for array in model.get_weights()]
    recipe = replace(QUICK, augmentation="crop_flip", optimizer="sgd", learning_rate=0.5)
    history = distill(model, models.copy(model), small, recipe, loss=partial(LOSSES["hinton"], alpha=1.0), progress=False)
    assert history.loss == pytest.approx((0, 0), abs=1e-5)
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_masked_student_keeps_its_zeros(answers, digits):
    sparse = masked(student(digits), global_masks(student(digits), 0.7))
    before = layer_sparsity(sparse)
    history = distill(sparse, answers, digits, replace(QUICK, learning_rate=1e-2), progress=False)
    assert layer_sparsity(sparse) == pytest.approx(before, abs=0.01)
    assert sum(before.values()) > 0.5
    assert history.val_accuracy[-1] > history.val_accuracy[0] > 0.2


def test_a_student_that_learns_to_be_rounded_can_have_a_teacher(answers, digits):
    aware = qat.prepare(student(digits), calibrate=digits.train.x[:50])
    history = distill(aware, answers, digits, replace(QUICK, batch_size=32, learning_rate=1e-2), progress=False)
    assert history.loss[1] < 0.95 * history.loss[0]
    assert history.val_accuracy[1] > 0.5


def test_regularization_of_the_student_counts(answers, digits, small):
    import tf_keras as keras

    inputs = keras.Input(digits.shape)
    flat = keras.layers.Flatten()(inputs)
    outputs = keras.layers.Dense(10, kernel_regularizer=keras.regularizers.L2(1.0))(flat)
    model = keras.Model(inputs, outputs)
    square = float(np.sum(model.get_weights()[0] ** 2))
    recipe = Recipe(epochs=1, batch_size=256, learning_rate=1e-4)
    free = keras.Sequential([keras.layers.Input(digits.shape), keras.layers.Flatten(), keras.layers.Dense(10)])
    free.set_weights(model.get_weights())
    losses = [distill(each, answers[:256], small, recipe, progress=False).loss[0] for each in (model, free)]
    assert losses[0] - losses[1] == pytest.approx(square, rel=1e-3)


def test_each_generation_is_taught_by_the_one_before(digits, small):
    builder = partial(models.BUILDERS["mlp"], widths=(8,))
    line = born_again(builder, small, replace(QUICK, epochs=1), generations=2, seed=4)
    assert len(line) == 3
    first, last = student(digits, 4, widths=(8,)), student(digits, 6, widths=(8,))
    train.fit(first, labelled(small), replace(QUICK, epochs=1), progress=False)
    distill(last, line[1].model, small, replace(QUICK, epochs=1), progress=False)
    assert equal(line[0].model, first) and equal(line[2].model, last)
    assert [generation.accuracy for generation in line] == [train.accuracy(generation.model, small.val) for generation in line]
    with pytest.raises(ModelError, match="Received 0 generations; expected at least 1"):
        born_again(builder, small, QUICK, generations=0)


def own(student_logits, teacher_logits, labels):
    """A student's own loss: the absolute difference."""
    return tf.reduce_mean(tf.abs(student_logits - teacher_logits))


def test_a_students_own_loss_is_a_member_at_once(answers, digits):
    history = distill(student(digits), answers, digits, replace(QUICK, learning_rate=1e-2), loss=own, progress=False)
    assert history.loss[1] < 0.9 * history.loss[0]


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (lambda s, t, y: s - t, r"received a result of shape \(4, 10\); expected one number"),
        (lambda s, t, y: tf.math.log(-1.0), "received nan; expected a finite number"),
        (lambda s, t, y: None, "expected an array of numbers"),
        (partial(LOSSES["hinton"], temperature=0), "Received the temperature 0"),
        (partial(LOSSES["hinton"], alpha=2), "Received alpha 2"),
    ],
)
def test_a_loss_that_breaks_its_promise_is_refused_before_training(answers, digits, loss, sentence):
    model = student(digits)
    before = [array.copy() for array in model.get_weights()]
    with pytest.raises(ModelError, match=sentence):
        distill(model, answers, digits, QUICK, loss=loss, progress=False)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("match", "sentence"),
    [
        (replace(MATCHES["hints"], regressor=False), r"re_lu_1 from re_lu_1 by hints: Received .*give the Match a regressor"),
        (replace(MATCHES["hints"], teacher="re_lu_2"), "re_lu_1 from re_lu_2 by hints: Received .*expected the same shape twice"),
        (replace(MATCHES["attention"], student="logits"), "logits from re_lu_1 by attention_transfer: .*height"),
        (replace(MATCHES["hints"], student="re_lu_7"), "received the layer 're_lu_7'; expected one of image, conv2d,"),
        (replace(MATCHES["hints"], teacher="re_lu_7"), "received the layer 're_lu_7'; expected one of image, conv2d,"),
        (replace(MATCHES["hints"], weight=-1.0), "the weight -1.0; expected a finite weight"),
    ],
)
def test_layers_that_do_not_fit_are_refused(trained, digits, small, match, sentence):
    with pytest.raises(ModelError, match=sentence):
        distill(convolutions(digits), trained, small, QUICK, features=[match], progress=False)


def test_a_teacher_that_does_not_fit_is_refused(trained, answers, digits, small):
    model = student(digits)
    for wrong in (answers[:5], answers[:, :9], answers * np.nan, answers.astype(str)):
        with pytest.raises(ModelError, match=r"expected \(1077, 10\), all finite. Give teacher_logits"):
            distill(model, wrong, digits, QUICK, progress=False)
    with pytest.raises(ModelError, match="but layers are matched; expected a model"):
        distill(model, answers, digits, QUICK, features=[MATCHES["relations"]], progress=False)
    with pytest.raises(ModelError, match='but the recipe has the augmentation "crop_flip"; expected a model'):
        distill(model, answers, digits, replace(QUICK, augmentation="crop_flip"), progress=False)
    with pytest.raises(ModelError, match="mlp has 7 outputs, digits has 10 classes"):
        distill(model, models.BUILDERS["mlp"](digits.shape, 7), digits, QUICK, progress=False)
    with pytest.raises(ModelError, match=r"shares weights with its teacher.*expected two separate models"):
        distill(model, model, digits, QUICK, progress=False)


def test_a_recipe_or_labels_that_make_no_sense_are_refused(answers, digits):
    with pytest.raises(ModelError, match=r"label smoothing 0.1; expected 0"):
        distill(student(digits), answers, digits, replace(QUICK, label_smoothing=0.1), progress=False)
    with pytest.raises(ModelError, match="at least one epoch"):
        distill(student(digits), answers, digits, replace(QUICK, epochs=0), progress=False)
    wrong = replace(digits, train=Split(digits.train.x, digits.train.y - 2))
    with pytest.raises(ModelError, match="Received labels from -2 to 7; expected 0 to 9, or -1"):
        distill(student(digits), answers, wrong, QUICK, progress=False)
