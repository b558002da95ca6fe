"""Many masks in one call give what the network gives with one mask at a time, and leave it alone."""

import numpy as np
import pytest
import tf_keras as keras
from scipy import stats
from tf_keras import layers

from projectkit import models, train
from projectkit.errors import DataError, ModelError
from projectkit.prune import masks as module
from projectkit.prune.cut import mask_point
from projectkit.prune.groups import groups
from projectkit.prune.masks import evaluator, race
from projectkit.prune.surgery import remove
from projectkit.prune.taylor import taylor
from projectkit.types import Recipe, Split

LONG = {"resnet8", "dsconv"}  # "resnet" and "convnet" have no other wiring; a depthwise convolution has a test of its own
BUILDS = {  # options, and layers of each kind
    "mlp": ({"widths": (20, 12)}, ("dense", "dense_1")),
    "convnet": ({"widths": (6, 8, 10)}, ("conv2d", "conv2d_2")),
    "resnet": ({"depth": 8, "width": 4}, ("conv2d_3", "conv2d_4", "conv2d_5")),  # first, second, projection of a block
    "resnet8": ({}, ("conv2d", "conv2d_7")),  # with biases
    "dsconv": ({"widths": (6, 8, 10)}, ("conv2d", "depthwise_conv2d", "conv2d_1")),
}


@pytest.fixture(scope="module", params=[pytest.param(name, marks=[pytest.mark.proof] if name in LONG else []) for name in BUILDS])
def network(request, digits):
    """Every architecture with batch normalization that does something."""
    options, names = BUILDS[request.param]
    return with_statistics(models.build(request.param, digits, **options)), names


@pytest.fixture(scope="module")
def trained(digits):
    model = models.build("mlp", digits, widths=(30, 20))
    train.fit(model, digits, Recipe(epochs=3, learning_rate=0.01), progress=False)
    return model


def with_statistics(model):
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, gamma.shape),
                    rng.normal(0, 0.3, beta.shape),
                    rng.normal(0, 0.3, mean.shape),
                    rng.uniform(0.5, 1.5, variance.shape),
                ]
            )
    return model


def silenced(model, layer_name, mask):
    """A twin whose readers of the channels without mask are blind to them: their kernels have zeros there."""
    twin = models.copy(model)
    for group in groups(model):
        for member in (*group.producers, *group.followers):
            if member.layer == layer_name:
                gone = ~np.asarray(mask, bool)[member.positions[:, 0]]
                for place in group.consumers:
                    for weight, axis in place.axes:
                        variable = getattr(twin.get_layer(place.layer), weight)
                        array = variable.numpy()
                        np.moveaxis(array, axis, 0)[place.positions[gone].ravel()] = 0
                        variable.assign(array)
    return twin


def one_at_a_time(model, layer_name, data, masks):
    """The naive loop: the whole network once a mask, the cross-entropy in NumPy."""
    loss, accuracy = [], []
    for mask in masks:
        logits = train.logits(silenced(model, layer_name, mask), data.x).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        loss.append(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(data)), data.y]))
        accuracy.append(np.mean(logits.argmax(axis=1) == data.y))
    return np.array(loss), np.array(accuracy)


def some_masks(channels, count=6):
    """Random ones, the whole layer, nothing, and one channel alone."""
    masks = np.random.default_rng(channels).random((count, channels)) < 0.5
    masks[0], masks[1], masks[2] = True, False, np.arange(channels) == channels // 2
    return masks


def test_equals_the_naive_loop(network, digits):
    data = digits.val.take(60)
    model, names = network
    for layer_name in names:
        evaluate = evaluator(model, layer_name, data)
        masks = some_masks(evaluate.channels)
        outcomes = evaluate(masks)
        loss, accuracy = one_at_a_time(model, layer_name, data, masks)
        np.testing.assert_allclose(outcomes.loss, loss, atol=1e-5, err_msg=layer_name)
        np.testing.assert_allclose(outcomes.accuracy, accuracy, atol=1e-9, err_msg=layer_name)


def test_a_copy_in_bfloat16_ranks_masks_as_float32_does(network, digits):
    data = digits.val.take(60)
    model, names = network
    weights = [array.copy() for array in model.get_weights()]
    for layer_name in names:
        exact = evaluator(model, layer_name, data)
        coarse = evaluator(model, layer_name, data, bfloat16=True)
        masks = some_masks(exact.channels, count=40)
        assert coarse.behind == exact.behind
        losses, nearly = exact(masks).loss, coarse(masks).loss
        np.testing.assert_allclose(nearly, losses, rtol=0.03, err_msg=layer_name)
        assert not np.array_equal(nearly, losses) and stats.spearmanr(losses, nearly).statistic > 0.9  # they are close
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))


def test_a_range_of_images_is_that_part_of_the_split(digits):
    data, network = digits.val.take(50), models.build("mlp", digits, widths=(20,))
    masks, part = some_masks(20), Split(digits.val.x[10:35], digits.val.y[10:35])
    ours, alone = evaluator(network, "dense", data)(masks, range(10, 35)), evaluator(network, "dense", part)(masks)
    np.testing.assert_allclose(ours.loss, alone.loss, atol=1e-6)
    np.testing.assert_allclose(ours.accuracy, alone.accuracy, atol=1e-9)
    for images in (range(0), range(40, 51), range(0, 50, 2)):
        with pytest.raises(DataError, match=r"within range\(50\)"):
            evaluator(network, "dense", data)(masks, images)


def test_a_race_judges_few_masks_on_all_images_and_finds_one_of_the_best(trained, digits):
    evaluate = evaluator(trained, "dense", digits.val)
    masks = np.random.default_rng(0).random((200, evaluate.channels)) < 0.6
    exact, raced = evaluate(masks).loss, race(evaluate, masks)
    counts = {int(images): int(np.sum(raced.images == images)) for images in np.unique(raced.images)}
    assert counts == {32: 150, 128: 37, 180: 13}
    whole = raced.images == evaluate.images
    np.testing.assert_allclose(raced.outcomes.loss[whole], exact[whole], atol=1e-5)
    assert raced.best == np.flatnonzero(whole)[np.argmin(exact[whole])]
    assert np.sum(exact < exact[raced.best]) <= 5  # of 200


def test_a_race_over_all_images_at_once_is_the_evaluator(digits):
    evaluate = evaluator(models.build("mlp", digits, widths=(20,)), "dense", digits.val.take(30))
    masks = some_masks(20)
    raced, exact = race(evaluate, masks, first=1000), evaluate(masks)
    assert raced.best == np.argmin(exact.loss) and (raced.images == 30).all()
    np.testing.assert_allclose(raced.outcomes.loss, exact.loss, atol=1e-6)
    for options, some in (({"first": 0}, masks), ({"factor": 1}, masks), ({}, masks[:0])):
        with pytest.raises(ModelError, match="A race needs masks"):
            race(evaluate, some, **options)


def test_small_portions_give_the_same(digits, monkeypatch):
    network = with_statistics(models.build("resnet", digits, depth=8, width=4))
    name = "conv2d_1"
    masks = some_masks(evaluator(network, name, digits.val.take(50)).channels, count=11)
    whole = evaluator(network, name, digits.val.take(50))(masks)
    for budget in (1, 20_000, 300_000):
        monkeypatch.setattr(module, "BYTES_IN_FLIGHT", budget)
        pieces = evaluator(network, name, digits.val.take(50))(masks)
        np.testing.assert_allclose(pieces.loss, whole.loss, atol=1e-5)
        np.testing.assert_allclose(pieces.accuracy, whole.accuracy, atol=1e-9)


def test_fixed_masks_are_worn_before_and_behind_the_layer(digits):
    network = models.build("mlp", digits, widths=(20, 12, 16))
    rng = np.random.default_rng(0)
    fixed = {"dense": rng.random(20) < 0.6, "dense_2": rng.random(16) < 0.6}
    masked = silenced(silenced(network, "dense", fixed["dense"]), "dense_2", fixed["dense_2"])
    data, masks = digits.val.take(80), some_masks(12)
    expected, _ = one_at_a_time(masked, "dense_1", data, masks)
    np.testing.assert_allclose(evaluator(network, "dense_1", data, fixed=fixed)(masks).loss, expected, atol=1e-5)


def test_a_channel_of_a_sum_is_masked_in_all_layers_that_add_to_it(digits):
    """Whichever layer is named: the stem and the second convolution of the first block make one group."""
    model = with_statistics(models.build("resnet", digits, depth=8, width=4))
    data, masks = digits.val.take(40), some_masks(4)
    removed = []
    for mask in masks[[0, 2, 3]]:
        smaller = remove(model, {"conv2d": mask})
        logits = train.logits(smaller, data.x).astype(np.float64)
        removed.append(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(data)), data.y]))
    for name in ("conv2d", "conv2d_2"):
        np.testing.assert_allclose(evaluator(model, name, data)(masks[[0, 2, 3]]).loss, removed, atol=1e-5)


def test_a_slope_along_a_sum_is_that_of_all_its_readers(digits):
    """Against finite differences: a gate of 1 + h before every reader of the channel is a kernel that reads it 1 + h times."""
    model = with_statistics(models.build("resnet", digits, depth=8, width=4))
    data, step = digits.val.take(1), 2e-3
    (group,) = (group for group in groups(model) if group.name == "conv2d")

    def loss(factors):
        twin = models.copy(model)
        for place in group.consumers:
            kernel = twin.get_layer(place.layer).kernel
            kernel.assign(kernel * factors[:, None])
        logits = train.logits(twin, data.x).astype(np.float64)
        return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(data)), data.y])

    slopes = [(loss(1 + step * one) - loss(1 - step * one)) / (2 * step) for one in np.eye(4)]
    for name in ("conv2d", "conv2d_2"):
        np.testing.assert_allclose(taylor(model, name, data), np.square(slopes), atol=0.03 * np.square(slopes).max())


def test_a_normalization_behind_a_concatenation_leaves_no_constant(digits):
    """As in a DenseNet: a zero that reached it would not stay one."""
    inputs = keras.Input(digits.shape)
    parts = [layers.Conv2D(width, 3, padding="same", name=name)(inputs) for width, name in ((5, "left"), (3, "right"))]
    x = layers.ReLU()(layers.BatchNormalization()(layers.Concatenate()(parts)))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, name="reader")(x))
    model = with_statistics(keras.Model(inputs, layers.Dense(10, name="logits")(x)))
    data, masks = digits.val.take(40), some_masks(3)
    expected, _ = one_at_a_time(model, "right", data, masks)
    np.testing.assert_allclose(evaluator(model, "right", data)(masks).loss, expected, atol=1e-5)


def test_a_mask_acts_behind_batch_normalization_and_activation(digits):
    network = models.build("convnet", digits, widths=(6, 8))
    assert mask_point(network, "conv2d_1").layer is network.layers[-3]
    assert isinstance(network.layers[-3], layers.ReLU)


def test_a_depthwise_convolution_is_inside_the_mask(digits):
    """A channel that is removed takes its depthwise filter along, so the offset of that must not stay either."""
    network = models.build("dsconv", digits, widths=(6, 8))
    names = [layer.name for layer in network.layers]
    first_pointwise = names.index("conv2d_1")
    assert mask_point(network, "conv2d").layer.name == names[first_pointwise - 1]


def test_the_model_stays_as_it_was(digits):
    network = models.build("resnet", digits, depth=8, width=4)
    weights = [array.copy() for array in network.get_weights()]
    nodes = [len(layer.inbound_nodes) for layer in network.layers]
    evaluate = evaluator(network, "conv2d", digits.val.take(30))
    evaluate(some_masks(evaluate.channels))
    assert all(np.array_equal(a, b) for a, b in zip(weights, network.get_weights(), strict=True))
    assert nodes == [len(layer.inbound_nodes) for layer in network.layers]


def test_a_network_in_mixed_precision_gives_nearly_the_same(digits):
    data, masks = digits.val.take(60), some_masks(12)
    exact = models.build("mlp", digits, widths=(12,))
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        coarse = models.build("mlp", digits, widths=(12,))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    coarse.set_weights(exact.get_weights())
    np.testing.assert_allclose(
        evaluator(coarse, "dense", data)(masks).loss, evaluator(exact, "dense", data)(masks).loss, atol=0.05
    )
    assert np.corrcoef(taylor(coarse, "dense", data), taylor(exact, "dense", data))[0, 1] > 0.99


@pytest.mark.parametrize(
    "name, words", [("pool", "Choose one of"), ("logits", "makes the model's outputs"), ("re_lu", "no layer with a kernel")]
)
def test_a_layer_that_cannot_be_masked_is_refused(digits, name, words):
    network = models.build("convnet", digits, widths=(6, 8))
    with pytest.raises(ModelError, match=words):
        evaluator(network, name, digits.val)


def test_a_layer_that_is_used_twice_is_refused(digits):
    inputs = keras.Input((4,))
    shared = layers.Dense(4, name="shared")
    model = keras.Model(inputs, layers.Dense(2)(shared(shared(inputs))))
    with pytest.raises(ModelError, match="used more than once"):
        mask_point(model, "shared")


def test_a_subclassed_model_is_refused(digits):
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ModelError, match="functional or sequential"):
        evaluator(Own(), "dense", digits.val)


@pytest.mark.parametrize("masks", [np.ones(20), np.ones((3, 19)), np.full((3, 20), 0.5), np.full((3, 20), np.nan)])
def test_masks_that_do_not_fit_are_refused(digits, masks):
    evaluate = evaluator(models.build("mlp", digits, widths=(20,)), "dense", digits.val.take(10))
    with pytest.raises(ModelError, match=r"expected \(masks, 20\) of 0 and 1"):
        evaluate(masks)


def test_no_images_are_refused(digits):
    with pytest.raises(DataError, match="at least one"):
        evaluator(models.build("mlp", digits), "dense", Split(digits.val.x[:0], digits.val.y[:0]))


def test_images_of_no_fixed_size_are_refused(digits):
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(inputs))))
    with pytest.raises(ModelError, match="fixed size"):
        evaluator(model, "conv", digits.val)


def test_a_sequential_model_will_do(digits):
    model = keras.Sequential([layers.Flatten(input_shape=digits.shape), layers.Dense(9, activation="relu"), layers.Dense(10)])
    name = model.layers[1].name
    masks = some_masks(9)
    expected, _ = one_at_a_time(model, name, digits.val.take(40), masks)
    np.testing.assert_allclose(evaluator(model, name, digits.val.take(40))(masks).loss, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.full((2, 8, 8, 1), np.nan), [0, 1], "128 pixels are NaN or infinite"),
        (np.zeros((2, 28, 28, 1)), [0, 1], r"images of \(28, 28, 1\); convnet takes \(8, 8, 1\)"),
        (np.zeros((2, 8, 8, 1)), [0, 10], "labels from 0 to 10; convnet knows 0 to 9"),
        (np.zeros((2, 8, 8, 1)), [-1, 1], "labels from -1 to 1"),
    ],
    ids=["nan", "size", "label", "negative label"],
)
def test_data_of_another_network_is_refused(digits, x, y, words):
    model = models.build("convnet", digits, widths=(6, 8, 10))
    with pytest.raises(DataError, match=words):
        evaluator(model, "conv2d", Split(x.astype(np.float32), np.array(y)))
