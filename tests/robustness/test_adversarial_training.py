"""The trainings against attacks: their parts by hand, an epoch taken back, a training that goes on after a kill."""

from functools import partial

import numpy as np
import pytest

from projectkit import models
from projectkit.errors import RobustnessError
from projectkit.robustness import fgsm_training, free_training, pgd_training, trades
from projectkit.types import Dataset, Recipe

EPSILON = 0.1


@pytest.fixture(scope="module")
def few(digits):
    return Dataset(digits.name, digits.train.take(256), digits.val.take(100), digits.test, digits.classes, digits.digest)


@pytest.fixture(scope="module")
def linear():
    """(a Keras model of two classes, logits x·W + b; W; b)."""
    import tf_keras as keras

    inputs = keras.Input((2, 3, 1))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(6, 2)).astype(np.float32), np.array([0.3, -0.2], np.float32)
    model.set_weights([weights, bias])
    return model, weights, bias


def images(count=20):
    rng = np.random.default_rng(1)
    return rng.random((count, 2, 3, 1), dtype=np.float32), rng.integers(0, 2, count)


def test_steps_that_cross_the_ball_end_in_the_worst_corner_of_a_linear_model(linear):
    import tensorflow as tf

    from projectkit.robustness.perturbed_training import pgd_on_cross_entropy

    model, weights, _ = linear
    x, y = images()
    found = pgd_on_cross_entropy(
        model, tf.constant(x), tf.constant(y, tf.int32), 0.2, tf.constant([0, 1]), steps=3, stride=0.8
    ).numpy()
    away = np.sign(weights[:, 1] - weights[:, 0]) * np.where(y == 0, 1, -1)[:, None]
    assert np.allclose(found, np.clip(x + 0.2 * away.reshape(x.shape), 0, 1), atol=1e-6)


def test_a_small_step_starts_at_random_in_the_ball_and_never_leaves_it(linear):
    import tensorflow as tf

    from projectkit.robustness.perturbed_training import pgd_on_cross_entropy, pgd_on_divergence

    x, y = images()
    for attack in (pgd_on_cross_entropy, pgd_on_divergence):
        go = partial(attack, linear[0], tf.constant(x), tf.constant(y, tf.int32), 0.2, steps=1, stride=0.1)
        first, again, other = (go(tf.constant([0, step])).numpy() for step in (1, 1, 2))
        assert np.array_equal(first, again) and not np.array_equal(first, other)
        assert np.abs(first - x).max() <= 0.2 + 1e-6 and first.min() >= 0 and first.max() <= 1


def test_the_loss_of_trades_is_the_papers(linear):
    import tensorflow as tf

    from projectkit.robustness.perturbed_training import clean_and_smooth

    model, weights, bias = linear
    x, y = images()
    changed = np.clip(x + 0.1, 0, 1)

    def probabilities(some):
        z = some.reshape(len(some), -1).astype(float) @ weights + bias
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)

    p, q = probabilities(x), probabilities(changed)
    by_hand = -np.log(p[np.arange(20), y]).mean() + 6 * (p * np.log(p / q)).sum(axis=1).mean()
    loss, _ = clean_and_smooth(model, tf.constant(x), tf.constant(changed), tf.constant(y, tf.int32), beta=6.0)
    assert float(loss) == pytest.approx(by_hand, rel=1e-5)


def test_without_epsilon_one_step_of_training_is_that_of_clean_images(few):
    """Madry's objective at ε = 0 is the cross-entropy: plain gradient descent gives the same weights."""
    from projectkit import train

    recipe = Recipe(epochs=1, optimizer="sgd", learning_rate=0.05)
    ours, plain = (models.build("convnet", few, widths=(4, 8)) for _ in range(2))
    pgd_training(ours, few, recipe, epsilon=0.0, progress=False)
    train.fit(plain, few, recipe, progress=False)
    for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-5)


def test_the_strength_grows_with_the_steps_of_the_warm_up(few):
    """Seen from the attack: after the warm-up the whole, before it the share of the steps."""
    seen = []

    def attack(network, x, labels, strength, seed):
        import tensorflow as tf

        tf.py_function(lambda value: seen.append(float(value)), [strength], [])
        return x

    hardened_by(attack, few, epochs=2, warm_up=1)
    assert np.allclose(seen, EPSILON * np.array([0.25, 0.5, 0.75, 1, 1, 1, 1, 1]))


def test_an_epoch_that_loses_the_accuracy_under_attack_is_taken_back(few):
    """The accuracy breaks down after three epochs: the fourth leaves no trace in the weights, only in the history."""
    three, _ = hardened_by(unchanged, few, epochs=3, undo_collapse=True, validation_attack=breaking_down(after=99))
    four, history = hardened_by(unchanged, few, epochs=4, undo_collapse=True, validation_attack=breaking_down(after=3))
    careless, _ = hardened_by(unchanged, few, epochs=4, validation_attack=breaking_down(after=3))
    assert history.val_accuracy[2] > 0.5 > history.val_accuracy[3] + 0.2
    assert all(np.array_equal(a, b) for a, b in zip(three, four, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(three, careless, strict=True))


@pytest.mark.parametrize("replays", [1, 2])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(few, tmp_path, replays):
    import tensorflow as tf

    way = {"replays": replays, "epochs": 3, "warm_up": 2}
    attack = None if replays > 1 else noise
    whole, _ = hardened_by(attack, few, **way)
    with pytest.raises(tf.errors.InvalidArgumentError, match="power cut"):
        hardened_by(attack, few, checkpoint=tmp_path / "c.npz", validation_attack=cut_off(after=2), **way)
    rest, history = hardened_by(attack, few, checkpoint=tmp_path / "c.npz", **way)
    assert len(history) == 3
    assert all(np.array_equal(a, b) for a, b in zip(whole, rest, strict=True))


def test_a_checkpoint_of_another_training_is_refused(few, tmp_path):
    from projectkit.errors import ModelError

    file = tmp_path / "c.npz"
    recipe = Recipe(epochs=1)
    train = partial(pgd_training, dataset=few, recipe=recipe, progress=False, checkpoint=file, steps=1)
    train(models.build("convnet", few, widths=(4, 8)), epsilon=0.1)
    for epsilon, message in ((0.2, "was written with method"), (0.1, None)):
        again = partial(train, models.build("convnet", few, widths=(4, 8)), epsilon=epsilon)
        if message is None:
            assert len(again()) == 1
        else:
            with pytest.raises(ModelError, match=message):
                again()


def test_a_replay_is_a_step_of_the_optimizer_and_its_change_starts_the_next_batch(few):
    """Two replays of one batch are two steps, each of which moves the change by ε·sign and clips it to ε."""
    import tf_keras as keras

    from projectkit.robustness.perturbed_training import Replayed, TrainingMethod, attacked_alone

    model = models.build("convnet", few, widths=(4, 8))
    trained = Replayed(
        model, TrainingMethod("replays", 0.1, None, attacked_alone, replays=2), ramp=0, recipe=Recipe(batch_size=64)
    )
    trained.compile(optimizer=keras.optimizers.SGD(1e-12))
    trained.train_on_batch(few.train.x[:64], few.train.y[:64])
    assert int(trained.optimizer.iterations) == 2
    change = next(variable for variable in trained.variables if variable.name.startswith("change")).numpy()
    assert set(np.unique(np.round(change, 6))) <= {np.float32(-0.1), np.float32(0.0), np.float32(0.1)}
    assert np.mean(np.abs(change) > 0.05) > 0.5


def test_the_zeros_of_a_pruned_model_stay(few):
    from projectkit.prune.weight_masks import global_masks, layer_sparsity, masked

    model = models.build("mlp", few)
    sparse = masked(model, global_masks(model, 0.5))
    before = layer_sparsity(sparse)
    pgd_training(sparse, few, Recipe(epochs=1), epsilon=EPSILON, steps=1, progress=False)
    assert layer_sparsity(sparse) == before and max(before.values()) > 0.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(pgd_training, epsilon=0.1, steps=0), "Received steps=0; expected at least 1"),
        (partial(free_training, epsilon=0.1, replays=0), "Received replays=0; expected at least 1"),
        (partial(trades, epsilon=0.1, beta=-1.0), "Received beta -1.0; expected a finite weight of 0 or more. Give 6"),
        (partial(fgsm_training, epsilon=0.1, step=0.0), "Received a step of 0.0 ε; expected a finite number above 0. Give 1.25"),
    ],
)
def test_options_out_of_range_are_refused(few, call, message):
    with pytest.raises(RobustnessError, match=message):
        call(models.build("convnet", few, widths=(4, 8)), few, Recipe(epochs=1), progress=False)


def hardened_by(attack, dataset, *, epochs, warm_up=0, checkpoint=None, **method):
    """(weights, history) of a small network, trained on what `attack` makes of the images."""
    from projectkit.robustness.perturbed_training import TrainingMethod, attacked_alone, fit_perturbed

    model = models.build("mlp", dataset, widths=(64,))
    recipe = Recipe(epochs=epochs, learning_rate=1e-2, schedule="constant")
    method = TrainingMethod("by hand", EPSILON, attack, attacked_alone, **method)
    history = fit_perturbed(model, dataset, recipe, method, warm_up=warm_up, checkpoint=checkpoint, progress=False)
    return model.get_weights(), history


def unchanged(network, x, labels, strength, seed):
    return x


def noise(network, x, labels, strength, seed):
    from projectkit.robustness.perturbed_training import with_noise

    return with_noise(network, x, labels, strength, seed)


def breaking_down(after):
    """A validation attack that leaves the images of the first `after` epochs alone, and blackens them from then on."""
    import tensorflow as tf

    exams = tf.Variable(0)

    def validation_attack(network, x, labels, strength, seed):
        return x * tf.cast(exams.assign_add(1) <= after, tf.float32)

    return validation_attack


def cut_off(after):
    """A validation attack that fails after so many epochs."""
    import tensorflow as tf

    exams = tf.Variable(0)

    def validation_attack(network, x, labels, strength, seed):
        with tf.control_dependencies([tf.debugging.assert_less_equal(exams.assign_add(1), after, "power cut")]):
            return tf.identity(x)

    return validation_attack
