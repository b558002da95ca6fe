"""What every score of channels promises. A new member of SCORES is held to it by being there; so is a student's own function."""

import functools

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import data, models
from projectkit.errors import DataError, ModelError
from projectkit.prune import SCORES, compute, keep_best
from projectkit.types import Split


def activity(model, layer_name, data, *, seed=0):
    """A student's own score: how strongly a channel answers to images, on average over the places where it can."""
    layer = model.get_layer(layer_name)
    answers = keras.Model(model.input, layer.output).predict(data.x, verbose=0)
    return np.abs(answers).mean(axis=tuple(range(answers.ndim - 1)))


MEMBERS = SCORES | {"a student's own": activity}
NETWORKS = {  # builder, options, layer, channels
    "convolution": ("convnet", {"widths": (6, 8)}, "conv2d_1", 8),
    "fully connected": ("mlp", {"widths": (12,)}, "dense", 12),
    "first of a residual block": ("resnet", {"depth": 8, "width": 4}, "conv2d_3", 8),
    "depthwise": ("dsconv", {"widths": (6, 8)}, "depthwise_conv2d", 6),
    "one channel": ("convnet", {"widths": (6, 1)}, "conv2d_1", 1),
}
IMAGES = 40


@functools.cache
def network(kind):
    """The network, far from its fresh state: batch normalization does something."""
    builder, options, _, _ = NETWORKS[kind]
    model = models.build(builder, data.load("digits"), **options)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma * rng.uniform(0.5, 1.5, gamma.shape), rng.normal(0, 0.2, beta.shape), mean, variance])
    return model


def some_images():
    return data.load("digits").train.take(IMAGES)


@functools.cache
def scored(member, kind, seed=3):
    return compute(MEMBERS[member], network(kind), NETWORKS[kind][2], some_images(), seed=seed)


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_one_finite_number_a_channel_by_which_the_best_are_kept(member, kind):
    scores = scored(member, kind)
    channels = NETWORKS[kind][3]
    assert scores.shape == (channels,) and scores.dtype == np.float64
    assert np.isfinite(scores).all()
    kept = keep_best(scores, 0.5)
    assert kept.sum() == max(1, channels // 2)
    assert scores[kept].min() >= scores[~kept].max(initial=-np.inf)


@pytest.mark.parametrize("member", MEMBERS)
def test_tells_channels_apart(member):
    assert np.ptp(scored(member, "convolution")) > 0


@pytest.mark.parametrize("member", MEMBERS)
def test_the_seed_decides_and_no_generator_of_the_process(member):
    """The same again after others have drawn numbers; rounding may differ between two runs on several cores."""
    kind = "convolution"
    model, name = network(kind), NETWORKS[kind][2]
    once = scored(member, kind)
    keras.utils.set_random_seed(99)
    before = np.random.get_state()[1].copy()
    again = compute(MEMBERS[member], model, name, some_images(), seed=3)
    np.testing.assert_allclose(again, once, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("member", MEMBERS)
def test_another_seed_gives_numbers_of_the_same_size(member):
    spreads = [np.std(scored(member, "convolution", seed)) for seed in (3, 4)]
    assert 0.2 < spreads[0] / spreads[1] < 5


@pytest.mark.parametrize("member", MEMBERS)
def test_the_order_of_the_images_does_not_matter(member):
    kind = "fully connected"
    images = some_images()
    order = np.random.default_rng(0).permutation(IMAGES)
    shuffled = Split(images.x[order], images.y[order])
    again = compute(MEMBERS[member], network(kind), NETWORKS[kind][2], shuffled, seed=3)
    np.testing.assert_allclose(again, scored(member, kind), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("member", MEMBERS)
def test_the_model_stays_as_it_was(member):
    kind = "first of a residual block"
    model, name = network(kind), NETWORKS[kind][2]
    weights = [array.copy() for array in model.get_weights()]
    trainable = [layer.trainable for layer in model.layers]
    MEMBERS[member](model, name, some_images(), seed=5)
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))
    assert trainable == [layer.trainable for layer in model.layers]


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize(
    ("name", "words"),
    [("logits", "must all stay. Choose a layer before it: conv2d"), ("conv2d_9", "Choose one of"), ("re_lu", "Choose one of")],
    ids=["outputs", "unknown", "without channels of its own"],
)
def test_a_layer_that_cannot_be_pruned_is_refused(member, name, words):
    with pytest.raises(ModelError, match=words):
        compute(MEMBERS[member], network("convolution"), name, some_images())


@pytest.mark.parametrize("member", SCORES)
def test_no_images_are_refused_or_not_needed(member):
    kind = "convolution"
    none = Split(some_images().x[:0], some_images().y[:0])
    try:
        scores = SCORES[member](network(kind), NETWORKS[kind][2], none, seed=3)
    except DataError as error:
        assert "Give a split with at least one" in str(error)
    else:
        np.testing.assert_array_equal(scores, scored(member, kind))


@pytest.mark.parametrize(
    ("member", "spoilt"),
    [
        ("l1", "conv2d_1"),
        ("l2", "conv2d_1"),
        ("fpgm", "conv2d_1"),
        ("taylor", "logits"),
        ("lfe", "logits"),
        ("pgbp_loss", "logits"),
    ],
)
def test_weights_that_are_no_numbers_give_no_score(member, spoilt):
    """The layer's own, or those of a layer behind it where the score asks for the loss."""
    model = models.copy(network("convolution"))
    kernel = model.get_layer(spoilt).kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(ModelError, match="finite"):
        compute(SCORES[member], model, "conv2d_1", some_images())


class Turned(layers.Layer):
    """A layer of a student's own whose kernel has its channels on the first axis."""

    def __init__(self, channels, **options):
        super().__init__(**options)
        self.channels = channels

    def build(self, shape):
        self.kernel = self.add_weight("kernel", (self.channels, shape[-1]))

    def call(self, x):
        return x @ keras.backend.transpose(self.kernel)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_layer_of_a_students_own_gets_one_score_a_channel_or_a_refusal(member, digits):
    """What asks the network for its answers works on any layer; what reads kernels must not take rows for channels."""
    inputs = keras.Input(digits.shape)
    x = layers.ReLU()(Turned(5, name="turned")(layers.Flatten()(inputs)))
    model = keras.Model(inputs, layers.Dense(10)(x))
    if member in ("l1", "l2", "fpgm"):
        with pytest.raises(ModelError, match=r"expected \(5,\)"):
            compute(MEMBERS[member], model, "turned", some_images())
    else:
        assert compute(MEMBERS[member], model, "turned", some_images()).shape == (5,)
