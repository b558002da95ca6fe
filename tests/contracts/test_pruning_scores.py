"""What every score of channels promises. A new member of SCORES is held to it by being there; so is a student's own function."""

import functools

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import data, models
from projectkit.errors import DataError, ModelError
from projectkit.prune import SCORES, check_score, compute, keep_best
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
    """Elsewhere, an untrained network may have channels of which none matters more than another."""
    call = check_score if kind in ("convolution", "fully connected") and seed == 3 else compute
    return call(MEMBERS[member], network(kind), NETWORKS[kind][2], some_images(), seed=seed)


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_keeps_the_promises_of_the_family_and_the_best_are_kept_by_it(member, kind):
    scores = scored(member, kind)
    channels = NETWORKS[kind][3]
    assert scores.shape == (channels,) and scores.dtype == np.float64
    kept = keep_best(scores, 0.5)
    assert kept.sum() == max(1, channels // 2)
    assert scores[kept].min() >= scores[~kept].max(initial=-np.inf)


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


def broken(change):
    """A score that looks at the size of a kernel's columns, after `change`(scores, model, layer name, data)."""

    def mine(model, layer_name, data, *, seed=0):
        return change(np.abs(model.get_layer(layer_name).kernel.numpy()).sum(axis=(0, 1, 2)), model, layer_name, data)

    return mine


def spoil(array):
    array *= 0.5
    return 1.0


def freeze(layer):
    layer.trainable = False
    return 1.0


def seeded():
    np.random.seed(0)
    return np.random.random(8)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s, model, name, data: s[1:], r"mine of conv2d_1: got scores of shape \(7,\).*expected \(8,\), all finite"),
        (lambda s, model, name, data: s * np.nan, r"8 of them not finite; expected \(8,\)"),
        (lambda s, model, name, data: s > 0, "all 8 channels have the same score, 1, which is no order; expected different ones"),
        (lambda s, model, name, data: s * spoil(data.x), "received images and labels and changed them; .*Work on copies"),
        (lambda s, model, name, data: s * freeze(model.get_layer(name)), "received a model and changed its weights, or which"),
        (
            lambda s, model, name, data: (
                s * (model.get_layer(name).set_weights([0 * w for w in model.get_layer(name).weights]) or 1)
            ),
            r"received a model and changed its weights.*Work on models\.copy",
        ),
        (
            lambda s, model, name, data: s + np.random.default_rng().random(8),
            "gave other scores when called again with the seed 0",
        ),
        (lambda s, model, name, data: s + seeded(), "generator of random numbers, or set its seed; .*Draw from"),
        (lambda s, model, name, data: s * data.x[0].sum(), "the same images in another order, by up to .*Take sums or means"),
    ],
    ids=["too few", "NaN", "no order", "images", "trainable", "weights", "chance", "the process's generator", "order of images"],
)
def test_a_broken_promise_is_told(change, sentence):
    with pytest.raises(ModelError, match=sentence):
        check_score(broken(change), models.copy(network("convolution")), "conv2d_1", some_images())


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
