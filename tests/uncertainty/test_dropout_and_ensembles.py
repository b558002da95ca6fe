"""Dropout at prediction, and networks that answer together: against closed forms and explicit loops."""

from dataclasses import replace

import numpy as np
import pytest

from projectkit import models, train, uncertainty
from projectkit.errors import UncertaintyError
from projectkit.types import Recipe
from projectkit.uncertainty import SCORES
from projectkit.uncertainty.forward import logits

# isort: split
import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

SHORT = Recipe(epochs=2, batch_size=64, learning_rate=4e-3)


@pytest.fixture(scope="module")
def few(digits):
    return replace(digits, train=digits.train.take(300), val=digits.val.take(32), digest="few")


@pytest.fixture(scope="module")
def members(few):
    return uncertainty.fit_ensemble(models.build("mlp", few, widths=(16,)), few, SHORT, members=3)


def linear(rate: float, width: int = 6) -> keras.Model:
    """Logits = kernelᵀ dropout(x) + bias."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((width,))
    return keras.Model(inputs, layers.Dense(3, bias_initializer="normal")(layers.Dropout(rate)(inputs)))


def test_dropout_of_a_linear_model_has_the_mean_and_variance_of_theory():
    """Var z = rate / (1 − rate) Σ (w x)²; the logits are read from the probabilities up to their mean over the classes."""
    model, x = linear(0.3), np.random.default_rng(0).uniform(0.2, 1, (2, 6)).astype(np.float32)
    samples = np.log(uncertainty.mc_dropout(model, x, samples=6000))
    found = samples - samples.mean(axis=2, keepdims=True)
    kernel, bias = (weight - weight.mean(axis=-1, keepdims=True) for weight in model.get_weights())
    assert found.mean(axis=0) == pytest.approx(x @ kernel + bias, abs=0.05)
    assert found.var(axis=0) == pytest.approx(0.3 / 0.7 * (x**2) @ (kernel**2), rel=0.15)


def test_dropout_that_never_drops_gives_the_plain_answer_every_time(digits):
    model = uncertainty.with_dropout(models.build("convnet", digits, widths=(4, 8)), 0.0)
    x = digits.test.x[:5]
    samples = uncertainty.mc_dropout(model, x, samples=3)
    assert samples == pytest.approx(np.repeat(uncertainty.plain(model, x), 3, axis=0), abs=1e-6)


def test_batch_normalization_stays_in_inference_mode(digits):
    """An image's answer, dropout being off, does not depend on the other images of its batch, as it does in training."""
    inputs = keras.Input(digits.shape)
    x = layers.Dropout(0.0)(layers.BatchNormalization()(layers.Flatten()(inputs)))
    model = keras.Model(inputs, layers.Dense(10)(x))
    one, many = (uncertainty.mc_dropout(model, digits.test.x[:count], samples=1)[0, 0] for count in (1, 50))
    assert one == pytest.approx(many, abs=1e-6)
    assert one == pytest.approx(uncertainty.plain(model, digits.test.x[:1])[0, 0], abs=1e-6)


@pytest.mark.parametrize("kind", [layers.SpatialDropout2D, layers.GaussianDropout, layers.AlphaDropout])
def test_every_kind_of_dropout_is_woken(digits, kind):
    inputs = keras.Input(digits.shape)
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(kind(0.5)(layers.Conv2D(4, 3)(inputs)))))
    first, second = uncertainty.mc_dropout(model, digits.test.x[:3], samples=2)
    assert not np.allclose(first, second)


@pytest.mark.parametrize(("name", "count"), [("mlp", 2), ("convnet", 1), ("resnet8", 1)])
def test_dropout_is_put_in_front_of_dense_layers_and_changes_no_answer(digits, name, count):
    model = models.build(name, digits)
    wet = uncertainty.with_dropout(model, 0.4)
    assert sum(isinstance(layer, layers.Dropout) for layer in wet.layers) == count
    assert isinstance(wet.layers[-2], layers.Dropout) and isinstance(wet.layers[-1], layers.Dense)
    assert logits(wet, digits.test.x[:5]) == pytest.approx(logits(model, digits.test.x[:5]), abs=1e-6)
    assert not any(isinstance(layer, layers.Dropout) for layer in model.layers)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_that_is_no_share_is_refused(digits, rate):
    with pytest.raises(UncertaintyError, match=r"Received the dropout rate .*; expected a share in \[0, 1\)\. Give"):
        uncertainty.with_dropout(models.build("mlp", digits), rate)


def test_a_model_of_one_layer_has_no_place_for_dropout():
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(inputs)))
    with pytest.raises(UncertaintyError, match=r"received no dense layer behind another.*; expected .*Build it"):
        uncertainty.with_dropout(model, 0.2)


def test_an_ensemble_is_never_worse_than_the_mean_of_its_members(members, few):
    x, y = few.test.x, few.test.y
    of_each = [SCORES["nll"](uncertainty.plain(member, x)[0], y) for member in members]
    together = SCORES["nll"](uncertainty.predictive(uncertainty.ensemble(members, x)), y)
    assert len(set(of_each)) == 3
    assert together < np.mean(of_each)


def test_a_member_has_the_seed_of_its_place(members, few):
    (alone,) = uncertainty.fit_ensemble(members[0], few, replace(SHORT, seed=2), members=1)
    assert all(np.array_equal(a, b) for a, b in zip(alone.get_weights(), members[2].get_weights(), strict=True))


def test_members_may_be_models_sessions_and_functions(members, few, tmp_path):
    from projectkit import export, runtimes

    artifact = export.to_litert(members[0], tmp_path / "member.tflite")
    session = runtimes.open(artifact)
    x = few.test.x[:20]
    mixed = uncertainty.ensemble([members[0], session, lambda images: train.logits(members[0], images)], x)
    session.close()
    assert mixed == pytest.approx(np.repeat(uncertainty.plain(members[0], x), 3, axis=0), abs=1e-5)


def test_members_that_do_not_agree_about_the_classes_are_refused():
    parts = [lambda x, classes=classes: np.zeros((len(x), classes)) for classes in (3, 4)]
    with pytest.raises(UncertaintyError, match=r"Received members with \[3, 4\] classes; expected as many in each\. Look"):
        uncertainty.ensemble(parts, np.zeros((2, 4, 4, 1)))


def test_a_model_with_another_number_of_rows_is_refused():
    with pytest.raises(UncertaintyError, match=r"Received 3 rows of logits for 2 images; expected one row an image\. Look"):
        uncertainty.plain(lambda x: np.zeros((3, 10)), np.zeros((2, 4, 4, 1)))


def test_samples_that_are_no_probabilities_have_no_mean():
    with pytest.raises(UncertaintyError, match=r"one of which sums to 3; expected probabilities.*Give softmax"):
        uncertainty.predictive(np.ones((2, 4, 3)))


def test_snapshots_are_the_ends_of_trainings_that_follow_each_other(few):
    """Two cycles are two trainings by a cosine, the second from where the first ended."""
    model = models.build("mlp", few, widths=(16,))
    found = uncertainty.fit_snapshots(model, few, replace(SHORT, epochs=4, schedule="constant", seed=3), cycles=2)
    network = models.copy(model)
    for cycle in range(2):
        train.fit(network, few, replace(SHORT, schedule="cosine", seed=6 + cycle), progress=False)
        assert all(np.array_equal(a, b) for a, b in zip(found[cycle].get_weights(), network.get_weights(), strict=True))


def test_epochs_that_do_not_divide_into_cycles_are_refused(few):
    with pytest.raises(UncertaintyError, match=r"Received 7 epochs for 5 cycles; expected a multiple of 5\. Give .* 10 epochs"):
        uncertainty.fit_snapshots(models.build("mlp", few), few, replace(SHORT, epochs=7))


@pytest.mark.parametrize("name", ["mlp", "convnet"])
def test_a_batch_ensemble_whose_vectors_are_ones_is_the_plain_network(digits, name):
    model = models.build(name, digits)
    samples = uncertainty.batch_ensemble(uncertainty.batch_ensemble_twin(model, members=3, flipped=0.0), digits.test.x[:100])
    assert samples == pytest.approx(np.repeat(uncertainty.plain(model, digits.test.x[:100]), 3, axis=0), abs=1e-5)


@pytest.mark.parametrize("name", ["mlp", "convnet"])
def test_a_member_is_the_plain_network_with_rank_one_kernels(digits, name):
    """Member k is rebuilt as an ordinary network with the kernels W ∘ r_k s_kᵀ and its own biases."""
    model, rng = models.build(name, digits, widths=(6, 5)), np.random.default_rng(0)
    twin = uncertainty.batch_ensemble_twin(model, members=3)
    changed = [layer for layer in twin.layers if hasattr(layer, "before")]
    for variable in (variable for layer in changed for variable in layer.weights if variable.shape[0] == 3):
        variable.assign_add(rng.normal(0, 0.3, variable.shape))
    samples = uncertainty.batch_ensemble(twin, digits.test.x[:90])
    for member in range(3):
        explicit = models.copy(model)
        for layer in changed:
            kernel = layer.shared.kernel.numpy() * np.outer(layer.before[member], layer.behind[member])
            bias = [layer.bias[member].numpy()] if layer.use_bias else []
            explicit.get_layer(layer.name).set_weights([kernel, *bias])
        assert samples[member] == pytest.approx(uncertainty.plain(explicit, digits.test.x[:90])[0], abs=1e-5)


def test_the_gradient_of_an_image_reaches_its_member_only(digits):
    twin = uncertainty.batch_ensemble_twin(models.build("mlp", digits), members=3)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(twin(digits.test.x[:6])[1::3] ** 2)  # rows 1 and 4
    gradient = tf.convert_to_tensor(tape.gradient(value, twin.layers[-1].behind)).numpy()
    assert np.abs(gradient[1]).max() > 0
    assert not gradient[[0, 2]].any()


def test_half_of_the_signs_are_flipped_and_a_share_beyond_1_is_refused(digits):
    model = models.build("mlp", digits, widths=(256,))
    vectors = uncertainty.batch_ensemble_twin(model, members=8, flipped=0.25).layers[2].behind.numpy()
    assert set(np.unique(vectors)) == {-1.0, 1.0}
    assert np.mean(vectors < 0) == pytest.approx(0.25, abs=0.03)
    with pytest.raises(UncertaintyError, match=r"Received the share 1\.5 of flipped signs; expected one in \[0, 1\]\. Give 0\.5"):
        uncertainty.batch_ensemble_twin(model, flipped=1.5)


def test_test_time_augmentation_asks_for_each_transformation(digits, members):
    x = digits.test.x[:4]
    samples = uncertainty.augmented(
        members[0], x, transformations=[lambda x, rng: x, lambda x, rng: x[:, ::-1], lambda x, rng: x * rng.random()]
    )
    expected = [x, x[:, ::-1], x * np.random.default_rng(0).random()]
    assert samples == pytest.approx(np.concatenate([uncertainty.plain(members[0], images) for images in expected]), abs=1e-6)


def test_an_image_is_moved_by_whole_pixels_and_its_edge_repeated():
    x = np.arange(9.0, dtype=np.float32).reshape(1, 3, 3, 1)
    assert uncertainty.moved(1, 0)(x, None)[0, :, :, 0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert uncertainty.moved(0, -1)(x, None)[0, :, :, 0].tolist() == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]


@pytest.mark.parametrize(
    ("transformations", "message"),
    [((), "Received no transformations; expected at least one"), ([lambda x, rng: x[:, 1:]], r"expected \(2, 8, 8, 1\)\. Keep")],
)
def test_transformations_that_are_none_are_refused(members, digits, transformations, message):
    with pytest.raises(UncertaintyError, match=message):
        uncertainty.augmented(members[0], digits.test.x[:2], transformations=transformations)
