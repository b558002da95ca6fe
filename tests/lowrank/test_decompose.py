"""Networks with thin layers in place of thick ones: they answer as before at full rank, and are networks like any other."""

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import export, measure, models, prune, train
from projectkit.errors import ModelError
from projectkit.lowrank import Choice, decompose, fine_tune, found_layers, nonlinear, output_error, ranks_within, svd
from projectkit.lowrank.methods import METHODS, method_for
from projectkit.models.cost import macs
from projectkit.quantize.qat import prepare
from projectkit.types import Recipe

METHODS_OF_CONVOLUTIONS = [name for name, method in METHODS.items() if 4 in method.axes]


def full(model, method):
    """The plan with the largest ranks."""
    plan = {}
    for one in found_layers(model):
        name = method_for(one.kernel.shape, method)
        if not one.reason and name:
            plan[one.name] = Choice(name, METHODS[name].most(one.kernel.shape))
    return plan


def wide(shape=(12, 12, 3)):
    """Layers that are thick enough to be worth factors at full rank nowhere, with a sum, a shared layer, a stride, groups."""
    inputs = keras.Input(shape)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(inputs)
    shared = layers.Conv2D(8, 3, padding="same", name="shared")
    x = layers.Add()([shared(x), layers.ReLU()(shared(layers.ReLU()(x)))])
    x = layers.Conv2D(12, 5, strides=2, padding="same", activation="relu", name="strided")(x)
    x = layers.Conv2D(12, 3, groups=4, name="grouped")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(24, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="wide")


def images(model, count=8):
    return np.random.default_rng(0).random((count, *model.input_shape[1:])).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_little_is_lost_where_nearly_all_is_kept(method, digits):
    """Layers whose factors would be larger stay, so some are factorized a little below full rank."""
    keras.utils.set_random_seed(1)
    model = wide()
    x, before = images(model), model.get_weights()
    small = {name: Choice(one.method, tuple(min(rank, 2) for rank in one.rank)) for name, one in full(model, method).items()}
    made = decompose(model, small)
    assert any(not one.reason for one in made.layers)
    assert made.model.predict(x, verbose=0).shape == (8, 10)
    assert sum(one.macs[1] for one in made.layers) == macs(made.model)
    for left, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(left, kept)
    kernels = {one.layer: one for one in made.layers}
    assert "in 4 groups" in kernels["grouped"].reason
    assert "DepthwiseConv2D" in kernels["depthwise"].reason


@pytest.mark.parametrize("method", METHODS_OF_CONVOLUTIONS)
def test_a_kernel_of_low_rank_is_replaced_without_a_change(method):
    """Kernels that are outer products: the factors are exact, so the network must answer as before, wherever a layer stands."""
    keras.utils.set_random_seed(2)
    model = wide()
    rng = np.random.default_rng(0)
    for name in ("first", "shared", "strided"):
        kernel = model.get_layer(name).kernel
        outer = np.ones(())
        for size in kernel.shape:
            outer = np.multiply.outer(outer, rng.normal(size=size))
        kernel.assign(outer / np.abs(outer).mean() / 10)
    plan = {name: Choice(method, (1,) * len(METHODS[method].most((3, 3, 8, 8)))) for name in ("first", "shared", "strided")}
    made = decompose(model, plan)
    assert [one.layer for one in made.layers if not one.reason] == ["first", "shared", "strided"]
    x = images(model)
    wanted = model.predict(x, verbose=0)
    np.testing.assert_allclose(made.model.predict(x, verbose=0), wanted, atol=1e-4 * np.abs(wanted).max())


def test_a_tensor_train_with_bias_and_activation_answers_as_its_matrix():
    model = keras.Sequential([keras.Input((24,)), layers.Dense(30, activation="relu", name="hidden"), layers.Dense(5)])
    made = decompose(model, {"hidden": Choice("tensor_train", (3, 3))})
    assert isinstance(made.model, keras.Sequential)
    twin = models.copy(model)
    from projectkit.lowrank import tensor_train

    twin.get_layer("hidden").kernel.assign(tensor_train(model.get_layer("hidden").kernel.numpy(), (3, 3)).kernel())
    twin.get_layer("hidden").bias.assign(np.linspace(-1, 1, 30))
    model.get_layer("hidden").bias.assign(np.linspace(-1, 1, 30))
    x = np.random.default_rng(0).normal(size=(6, 24)).astype(np.float32)
    made = decompose(model, {"hidden": Choice("tensor_train", (3, 3))})
    np.testing.assert_allclose(made.model.predict(x, verbose=0), twin.predict(x, verbose=0), atol=1e-5)


def test_what_would_grow_stays_and_says_so(digits):
    model = models.build("convnet", digits, widths=(8, 8, 8))
    plan = full(model, "svd")
    made = decompose(model, plan)
    assert all(one.reason for one in made.layers)
    assert "its factors would have" in str(made.layers[1])
    x = digits.val.x[:5]
    np.testing.assert_allclose(made.model.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


def test_bad_plans_and_models_are_refused(digits):
    model = models.build("convnet", digits, widths=(8, 8))
    with pytest.raises(ModelError, match="has no layer 'nowhere' with a kernel; expected one of conv2d, conv2d_1, logits"):
        decompose(model, {"nowhere": Choice("svd", (1,))})
    with pytest.raises(ModelError, match="There is no factorization 'lu'"):
        decompose(model, {"conv2d_1": Choice("lu", (1,))})
    with pytest.raises(ModelError, match="received the ranks"):
        decompose(model, {"conv2d_1": Choice("tucker2", (100, 1))})

    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ModelError, match="has no graph of layers; expected a functional model"):
        decompose(Subclassed(), {})
    with pytest.raises(ModelError, match="the size of its images is open"):
        inputs = keras.Input((None, None, 3))
        decompose(keras.Model(inputs, layers.Conv2D(4, 3)(inputs)), {})


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=() if name in ("tensor_ring", "nonlinear") else pytest.mark.proof)
        for name in METHODS_OF_CONVOLUTIONS
    ],
)
def test_it_quantizes_prunes_exports_and_is_measured(method, trained, digits, tmp_path):
    smaller = decompose(trained, ranks_within(trained, method, parameters=0.6), images=digits.train.x[:100]).model
    assert macs(smaller) < macs(trained)
    for suffix in ("tflite", "onnx"):
        written = export.write(smaller, tmp_path / f"small.{suffix}", precision="float32", compare=digits.val.x[:30])
        found = measure.read_graph(written.artifact)
        assert found.macs == macs(smaller)
    groups = [group for group in prune.groups(smaller) if group.prunable and group.channels > 2]
    keep = {group.name: prune.keep_best(np.arange(group.channels), 0.3) for group in groups}
    assert macs(prune.remove(smaller, keep)) < macs(smaller)
    aware = prepare(smaller, calibrate=digits.train.x[:100])
    train.fit(aware, digits, Recipe(epochs=1, learning_rate=1e-4), progress=False)
    int8 = export.write(aware, tmp_path / "small_int8.tflite", precision="int8", compare=digits.val.x[:30])
    assert measure.read_graph(int8.artifact).macs == macs(smaller)


def test_fine_tuning_with_the_original_as_teacher_wins_back_more_than_half(trained, digits):
    smaller = decompose(trained, ranks_within(trained, "ht2", parameters=0.15)).model
    whole, before = (train.accuracy(model, digits.val) for model in (trained, smaller))
    assert before < whole - 0.1
    history = fine_tune(smaller, trained, digits, Recipe(epochs=4, learning_rate=2e-3), progress=False)
    assert len(history.loss) == 4
    assert train.accuracy(smaller, digits.val) > whole - 0.5 * (whole - before)


def test_a_nonlinearity_is_never_worse_than_the_svd_that_it_begins_with(trained, digits):
    layer = trained.get_layer("conv2d_1")
    read = keras.Model(trained.inputs, layer.input).predict(digits.train.x[:60], verbose=0)
    import tensorflow as tf

    inputs = (
        tf.image.extract_patches(read, [1, 3, 3, 1], [1, 1, 1, 1], [1, 1, 1, 1], "SAME").numpy().reshape(-1, 9 * read.shape[-1])
    )
    kernel, aside = layer.kernel.numpy(), np.arange(len(inputs)) % 5 == 0
    for rank in (1, 4, 12):
        linear = output_error(svd(kernel, rank), kernel, inputs[aside])
        bent = output_error(nonlinear(kernel, rank, inputs=inputs), kernel, inputs[aside])
        assert bent <= linear * (1 + 1e-5)


def test_nonlinear_refuses_inputs_that_do_not_fit():
    with pytest.raises(ModelError, match=r"received inputs of shape \(3, 4\); expected \(n, 6\)"):
        nonlinear(np.ones((6, 5), np.float32), 1, inputs=np.ones((3, 4)))
