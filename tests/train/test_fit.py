"""Training: it learns, two runs are equal, nonsense is refused."""

import numpy as np
import pytest
import tf_keras as keras

from projectkit import data, models, train
from projectkit.errors import ModelError
from projectkit.train import passes
from projectkit.train.fit import optimizer_for
from projectkit.types import Recipe


def run(digits, recipe, name="mlp", **options):
    model = models.build(name, digits, seed=1, **options)
    return model, train.fit(model, digits, recipe, progress=False)


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_equal_seeds_give_equal_weights_and_other_seeds_do_not(digits):
    first, history = run(digits, Recipe(epochs=2, seed=5), "convnet", widths=(8, 16))
    np.random.default_rng().random(10)
    second, again = run(digits, Recipe(epochs=2, seed=5), "convnet", widths=(8, 16))
    other, _ = run(digits, Recipe(epochs=2, seed=6), "convnet", widths=(8, 16))
    assert equal(first, second)
    assert (history.loss, history.val_accuracy) == (again.loss, again.val_accuracy)
    assert not equal(first, other)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"schedule": "constant"},
        {"schedule": "steps"},
        {"optimizer": "sgd", "learning_rate": 0.05},
        {"label_smoothing": 0.1},
        {"weight_decay": 1e-3},
        {"batch_size": 100},
    ],
    ids=str,
)
def test_every_recipe_learns(digits, options):
    recipe = Recipe(**{"epochs": 4, "learning_rate": 3e-3, **options})
    model, history = run(digits, recipe)
    assert history.loss[-1] < 0.6 * history.loss[0]
    assert train.accuracy(model, digits.val) > 0.8
    assert len(history) == 4
    assert {len(values) for values in (history.accuracy, history.val_loss, history.val_accuracy, history.seconds)} == {4}


def test_the_history_reports_what_evaluation_finds(digits):
    model, history = run(digits, Recipe(epochs=3))
    logits = train.logits(model, digits.val.x).astype(np.float64)
    likelihood = logits[np.arange(len(logits)), digits.val.y] - np.log(np.exp(logits).sum(axis=1))
    assert history.val_accuracy[-1] == pytest.approx(np.mean(logits.argmax(axis=1) == digits.val.y))
    assert history.val_accuracy[-1] == pytest.approx(train.accuracy(model, digits.val))
    assert history.val_loss[-1] == pytest.approx(-likelihood.mean(), rel=1e-4)


def test_label_smoothing_adds_the_uniform_share_to_the_loss(digits):
    model, history = run(digits, Recipe(epochs=1, label_smoothing=0.2))
    logits = train.logits(model, digits.val.x).astype(np.float64)
    log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    targets = 0.8 * np.eye(10)[digits.val.y] + 0.2 / 10
    assert history.val_loss[0] == pytest.approx(-(targets * log).sum(axis=1).mean(), rel=1e-4)


def test_the_cosine_falls_to_zero_and_the_constant_stays(digits):
    steps = -(-len(digits.train) // 64)
    last = 1e-3 * (1 + np.cos(np.pi * (steps - 1) / steps)) / 2
    for schedule, rate in (("cosine", last), ("constant", 1e-3)):
        model, _ = run(digits, Recipe(epochs=1, schedule=schedule))
        assert float(model.optimizer.learning_rate) == pytest.approx(rate, rel=1e-3)  # that of the last step


def test_a_plot_shows_both_curves_of_both_measures(digits):
    _, history = run(digits, Recipe(epochs=2))
    figure = history.plot()
    drawn = [line.get_ydata().tolist() for axes in figure.axes for line in axes.lines]
    assert drawn == [list(values) for values in (history.loss, history.val_loss, history.accuracy, history.val_accuracy)]


def test_the_bar_counts_every_step_and_can_be_hidden(digits, capsys):
    model = models.build("mlp", digits)
    train.fit(model, digits, Recipe(epochs=2, batch_size=100))
    shown = capsys.readouterr().err
    assert "22/22" in shown  # 1077 examples are 11 batches
    assert "validation accuracy" in shown
    run(digits, Recipe(epochs=1))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epochs": 0}, "at least one epoch"),
        ({"batch_size": 0}, "at least one epoch, a batch"),
        ({"learning_rate": 0.0}, "positive learning rate"),
        ({"learning_rate": float("nan")}, "positive learning rate"),
        ({"label_smoothing": 1.0}, "Label smoothing lies in"),
        ({"weight_decay": -1.0}, "weight decay is not negative"),
        ({"optimizer": "lion"}, "no optimizer 'lion'; known are adam, sgd"),
        ({"schedule": "step"}, "no schedule 'step'"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(digits, options, sentence):
    with pytest.raises(ModelError, match=sentence):
        run(digits, Recipe(**options))


def test_a_model_for_another_dataset_is_refused(digits):
    shapes = data.load("shapes")
    with pytest.raises(ModelError, match="digits has 10 classes"):
        train.fit(models.build("mlp", shapes), digits, Recipe(), progress=False)
    with pytest.raises(ModelError, match=r"images of \(32, 32, 3\), digits has \(8, 8, 1\)"):
        train.fit(models.BUILDERS["mlp"]((32, 32, 3), 10), digits, Recipe(), progress=False)


def test_a_loss_that_is_not_finite_stops_the_training_and_keeps_no_checkpoint(digits, tmp_path):
    model = models.build("mlp", digits)
    with pytest.raises(ModelError, match=r"the loss became nan.*in epoch 1. Lower the learning rate \(it is 1e\+30\)"):
        recipe = Recipe(optimizer="sgd", learning_rate=1e30, schedule="constant")
        train.fit(model, digits, recipe, checkpoint=tmp_path / "c.npz", progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.proof
def test_a_small_convolutional_network_passes_90_percent_on_the_shapes():
    """The half of the dataset's promise that needs TensorFlow; tests/data holds that a linear model stays below 60 %."""
    shapes = data.load("shapes")
    model = models.build("convnet", shapes, widths=(16, 32, 32, 64, 64))
    recipe = Recipe(epochs=15, batch_size=32, learning_rate=4e-3, label_smoothing=0.1)
    train.fit(model, shapes, recipe, progress=False)
    assert model.count_params() < 100_000
    assert train.accuracy(model, shapes.test) > 0.9


def test_steps_fall_to_a_tenth_after_half_and_to_a_hundredth_after_three_quarters(digits):
    model, rates = models.build("mlp", digits, seed=0), []
    recipe = Recipe(epochs=8, learning_rate=0.1, optimizer="sgd", schedule="steps")
    train.fit(model, digits, recipe, progress=False, after_epoch=lambda m: rates.append(float(m.optimizer.learning_rate)))
    assert rates == pytest.approx([0.1] * 4 + [0.01] * 2 + [0.001] * 2)


def test_what_is_done_after_an_epoch_stays_until_the_next(digits):
    model = models.build("mlp", digits, seed=0)

    def silence(network):
        network.layers[-1].set_weights([np.zeros_like(array) for array in network.layers[-1].get_weights()])

    history = train.fit(model, digits, Recipe(epochs=2), progress=False, after_epoch=silence)
    assert not train.logits(model, digits.val.x[:5]).any()
    assert history.loss[1] > 0.5 * history.loss[0]  # it began anew


def test_an_unknown_augmentation_is_refused(digits):
    with pytest.raises(ModelError, match="no augmentation 'spin'; known are none, crop_flip"):
        run(digits, Recipe(augmentation="spin"))


def test_trains_as_keras_would_step_by_step(digits):
    """The same batches in the same order, the last one smaller, give the same weights and the same history."""
    recipe = Recipe(epochs=2, batch_size=100, weight_decay=1e-3, seed=4)
    ours, history = run(digits, recipe, "convnet", widths=(8, 16))
    theirs = models.build("convnet", digits, seed=1, widths=(8, 16))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    theirs.compile(optimizer_for(recipe, digits), cross_entropy, metrics=["accuracy"])
    for epoch in range(recipe.epochs):
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(digits.train))
        arrays = digits.train.x[order], digits.train.y[order]
        val = (digits.val.x, digits.val.y)
        found = theirs.fit(*arrays, batch_size=100, shuffle=False, validation_data=val, verbose=0).history
        for name, values in found.items():
            assert getattr(history, name)[epoch] == pytest.approx(values[0], rel=1e-3), name
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_a_step_is_made_a_graph_once_and_not_in_every_epoch(digits):
    traced = []
    inputs = keras.Input(digits.shape)
    watched = keras.layers.Lambda(lambda x: (traced.append(1), x)[1])(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10)(watched))
    after = []
    train.fit(model, digits, Recipe(epochs=3), progress=False, after_epoch=lambda _: after.append(len(traced)))
    assert after[0] == after[1] == after[2]


def test_where_an_epoch_is_cut_into_portions_changes_nothing(digits, monkeypatch):
    recipe = Recipe(epochs=2, batch_size=50)
    whole, history = run(digits, recipe)
    monkeypatch.setattr(passes, "FIRST", 1)
    monkeypatch.setattr(passes, "SHORT", 0.0)
    cut, again = run(digits, recipe)
    assert equal(whole, cut) and history.loss == again.loss


def test_portions_are_whole_batches_of_all_rows_and_grow_until_they_take_a_while(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(passes, "perf_counter", lambda: clock[0])
    portions, lengths = passes.Portions(batch_size=10), []
    for count in (1005, 2005):
        rows = []
        for portion in portions.of(count):
            rows += range(count)[portion]
            lengths.append(portion.stop - portion.start)
            clock[0] += 0.01 * lengths[-1] / 10  # ten milliseconds a batch
        assert rows == list(range(count))
    assert lengths == [80, 160, 320, 320, 125, *[320] * 6, 85]


def test_dropout_draws_anew_in_every_epoch(digits):
    """Only what is learned by chance differs: with a rate of 0 weights would stay, and every epoch's loss be the same."""
    inputs = keras.Input(digits.shape)
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10, trainable=False)(keras.layers.Dense(8, trainable=True)(x)))
    history = train.fit(model, digits, Recipe(epochs=3, learning_rate=1e-12, schedule="constant"), progress=False)
    assert len(set(history.loss)) == 3 and len(set(np.round(history.val_loss, 5))) == 1
