"""Surgery: a smaller model answers like the whole one with masks, whatever the wiring; PFEC's published counts come out."""

import gc

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from branched import CHANNELS, GROUPS, SHAPE, branched
from tf_keras import layers

from projectkit import runtimes
from projectkit.errors import ModelError
from projectkit.export import write
from projectkit.models import BUILDERS, copy
from projectkit.models.resnet import resnet
from projectkit.prune.groups import groups
from projectkit.prune.surgery import keep_best, remove, silence

KERAS = {"MobileNetV2": 32, "ResNet50": 32, "DenseNet121": 32, "EfficientNetB0": 32, "VGG16": 64}  # pixels a side
LARGE = {"ResNet50", "DenseNet121", "VGG16"}
LONG = LARGE | {"EfficientNetB0"}  # `make test` has MobileNetV2 of these, and sums, concatenations and squeezes in "branched"


def of_keras(name):
    build = getattr(keras.applications, name)
    return build(weights=None, input_shape=(KERAS[name], KERAS[name], 3), classes=10, classifier_activation=None)


MODELS = {
    **{name: lambda build=build: build((16, 16, 3), 10) for name, build in BUILDERS.items()},
    "branched": branched,
    **{name: lambda name=name: of_keras(name) for name in KERAS},
}


def with_random_weights(model, seed=0):
    """Weights whose every entry matters: kernels of twice He's variance, so that signals survive when half of the channels
    go, and batch normalization far from the identity."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            name, shape = variable.name, variable.shape
            if "kernel" in name:
                inputs = np.prod(shape[:2]) if "depthwise" in name else np.prod(shape[:-1])
                variable.assign(rng.standard_normal(shape, np.float32) * np.sqrt(4 / inputs))
            elif "gamma" in name or "variance" in name:
                variable.assign(rng.uniform(0.5, 1.5, shape))
            elif len(shape) == 1:
                variable.assign(rng.normal(0, 0.2, shape))
        layer.finalize_state()  # Normalization computes with constants made from its weights
    return model


def random_masks(found, seed=0):
    """About half of every group stays."""
    rng = np.random.default_rng(seed)
    masks = {group.name: rng.random(group.channels) < 0.5 for group in found if group.prunable}
    for mask in masks.values():
        mask[rng.integers(len(mask))] = True
    return masks


def images(model, count=4, seed=1):
    return np.random.default_rng(seed).random((count, *model.input_shape[1:]), np.float32)


def answers(model, x):
    return [output.numpy() for output in tf.nest.flatten(model(x, training=False))]


def close(got, expected):
    """1e-4, of the largest answer: random weights may make answers of any size."""
    return all(np.abs(a - b).max() <= 1e-4 * np.abs(b).max() for a, b in zip(got, expected, strict=True))


def blinded(model, found, masks):
    """The model whose consumers are blind to the channels that go: their kernels have zeros there."""
    twin = copy(model)
    for group in found:
        gone = ~masks.get(group.name, np.ones(group.channels, bool))
        for place in group.consumers:
            for weight, axis in place.axes:
                variable = getattr(twin.get_layer(place.layer), weight)
                array = np.moveaxis(variable.numpy(), axis, 0)
                array[place.positions[gone].ravel()] = 0
                variable.assign(np.moveaxis(array, 0, axis))
    return twin


class Case:
    """A model, what its surgery needs and what came of it; made once for all tests below."""

    def __init__(self, name):
        self.name = name
        self.model = with_random_weights(MODELS[name]())
        self.before = [array.copy() for array in self.model.get_weights()]
        self.x = images(self.model) * (255 if name == "EfficientNetB0" else 1)  # it rescales by itself
        self.whole = answers(self.model, self.x)
        self.groups = groups(self.model)
        self.masks = random_masks(self.groups)
        self.smaller = remove(self.model, self.masks)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=[pytest.mark.proof] if name in LONG else []) for name in MODELS])
def case(request):
    yield Case(request.param)
    keras.backend.clear_session()
    gc.collect()


def test_silent_channels_answer_zero_and_their_removal_changes_nothing(case):
    """The same network before and after, and every reader of a silent channel reads zeros."""
    if case.name == "branched":
        pytest.skip("its Rescaling has an offset: what is silent does not stay so")
    silent = copy(case.model)
    silence(silent, case.masks)
    assert close(answers(silent, case.x), answers(case.smaller, case.x))
    assert not close(answers(silent, case.x), case.whole)
    for group in case.groups:
        gone = ~case.masks.get(group.name, np.ones(group.channels, bool))
        for place in group.consumers if gone.any() else ():
            layer = silent.get_layer(place.layer)
            (read,) = answers(keras.Model(silent.input, layer.input), case.x)
            assert not read[..., place.positions[gone].ravel()].any(), place.layer


def test_groups_part_the_channels_of_every_layer(case):
    produced = {}
    for group in case.groups:
        for place in group.producers:
            produced.setdefault(place.layer, []).extend(place.positions.ravel().tolist())
    makers = (layers.Conv2D, layers.Dense, layers.SeparableConv2D)  # Conv2DTranspose is a Conv2D
    expected = {
        layer.name: list(range(layer.output_shape[-1]))
        for layer in case.model.layers
        if isinstance(layer, makers) and not isinstance(layer, layers.DepthwiseConv2D)
    }
    assert {layer: sorted(positions) for layer, positions in produced.items()} == expected


def test_only_outputs_cannot_be_pruned(case):
    kept = {group.name for group in case.groups if not group.prunable}
    assert kept == set(case.model.output_names)


def test_the_smaller_model_answers_like_the_blinded_one(case):
    expected = answers(blinded(case.model, case.groups, case.masks), case.x)
    spread = np.ptp(expected[0], axis=0).max() / np.abs(expected[0]).max()
    assert spread > 0.01, "the blinded model is dead: it says the same of every image"
    assert not close(expected, case.whole)
    assert close(answers(case.smaller, case.x), expected)


def test_it_is_smaller_layer_by_layer(case):
    assert case.smaller.count_params() < 0.5 * case.model.count_params()
    for group in case.groups:
        left = case.masks.get(group.name, np.ones(group.channels)).sum()
        only = [place.layer for place in group.producers if case.model.get_layer(place.layer).output_shape[-1] == group.channels]
        assert all(case.smaller.get_layer(layer).output_shape[-1] == left for layer in only)
    assert case.smaller.output_shape == case.model.output_shape


def test_the_model_that_was_passed_stays_as_it_was(case):
    assert all(np.array_equal(a, b) for a, b in zip(case.before, case.model.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(case.whole, answers(case.model, case.x), strict=True))


def test_it_can_still_be_trained(case):
    with tf.GradientTape() as tape:
        loss = sum(tf.reduce_mean(output**2) for output in tf.nest.flatten(case.smaller(case.x, training=False)))
    gradients = tape.gradient(loss, case.smaller.trainable_variables)
    assert len(gradients) == len(case.model.trainable_variables)
    assert all(gradient is not None and np.isfinite(gradient).all() for gradient in gradients)


def test_it_is_saved_and_loaded(case, tmp_path):
    if case.name in LARGE:
        pytest.skip("only takes longer: its layers are saved elsewhere")
    case.smaller.save(tmp_path / "smaller.keras")
    loaded = keras.models.load_model(tmp_path / "smaller.keras", compile=False)
    assert close(answers(loaded, case.x), answers(case.smaller, case.x))


def test_removing_nothing_changes_nothing(case):
    if case.name in LARGE:
        pytest.skip("only takes longer: its wiring is kept elsewhere")
    same = remove(case.model, {group.name: np.ones(group.channels, bool) for group in case.groups})
    assert all(np.array_equal(a, b) for a, b in zip(case.before, same.get_weights(), strict=True))
    assert close(answers(same, case.x), case.whole)


@pytest.mark.parametrize("name", ["resnet8", "dsconv"])
def test_it_is_exported(name, tmp_path):
    case = Case(name)
    exported = write(case.smaller, tmp_path / "smaller.tflite", compare=case.x)
    session = runtimes.open(exported.artifact)
    assert close([session.run(case.x)], answers(case.smaller, case.x))
    session.close()


def test_names_and_frozen_layers_and_two_inputs_are_kept():
    left, right = keras.Input((6, 6, 3), name="left"), keras.Input((4,), name="right")
    frozen = layers.Conv2D(8, 3, trainable=False, kernel_regularizer="l2", name="frozen")(left)
    hidden = layers.Dense(6, activation="tanh", name="hidden")(right)
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(frozen), hidden])
    model = with_random_weights(keras.Model([left, right], layers.Dense(2, name="logits")(joined), name="two"))
    keep = {"frozen": np.arange(8) % 2 == 0, "hidden": np.arange(6) > 3}
    smaller = remove(model, keep)
    x = [np.random.default_rng(0).random((3, 6, 6, 3), np.float32), np.random.default_rng(1).random((3, 4), np.float32)]
    assert close(answers(smaller, x), answers(blinded(model, groups(model), keep), x))
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in model.layers] and smaller.name == "two"
    assert smaller.input_names == ["left", "right"]
    assert [layer.trainable for layer in smaller.layers] == [layer.trainable for layer in model.layers]
    assert len(smaller.losses) == 1


# Masks placed by hand, independent of what `groups` finds.


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("left", ["one", "some"])
def test_the_branched_model_equals_one_with_masks_behind_its_activations(group, left):
    rng = np.random.default_rng(GROUPS.index(group))
    masks = {name: np.ones(channels, bool) for name, channels in CHANNELS.items()}
    masks[group] = rng.permutation(CHANNELS[group]) < (1 if left == "one" else CHANNELS[group] // 2)
    whole = with_random_weights(branched())
    masked = branched(masks)
    masked.set_weights(whole.get_weights())
    x = images(whole)
    expected = answers(masked, x)
    assert not close(expected, answers(whole, x))
    found = next(g.name for g in groups(whole) if any(place.layer == group for place in g.producers))
    assert close(answers(remove(whole, {found: masks[group]}), x), expected)


def test_the_branched_model_with_all_masks_at_once():
    masks = {name: np.arange(channels) % 2 == 0 for name, channels in CHANNELS.items()}
    whole = with_random_weights(branched())
    masked = branched(masks)
    masked.set_weights(whole.get_weights())
    names = {place.layer: group.name for group in groups(whole) for place in group.producers if place.offset == 0}
    smaller = remove(whole, {names[name]: mask for name, mask in masks.items()})
    assert smaller.input_shape[1:] == SHAPE
    assert close(answers(smaller, images(whole)), answers(masked, images(whole)))


@pytest.mark.parametrize("depth", [8, pytest.param(20, marks=pytest.mark.proof)])
def test_every_group_of_a_resnet_may_be_left_with_one_channel(depth):
    model = with_random_weights(resnet((16, 16, 3), 10, depth=depth))
    x = images(model)
    for group in groups(model):
        if group.prunable:
            keep = {group.name: np.arange(group.channels) == 3}
            assert close(answers(remove(model, keep), x), answers(blinded(model, groups(model), keep), x)), group.name


# Published counts: Li et al., "Pruning filters for efficient convnets", 2017, table 1. Its shortcuts have no parameters;
# ours are two 1×1 projections, which its pruning does not touch.
PROJECTIONS = 16 * 32 + 32 * 64
PROJECTION_MACS = 16 * 16 * 16 * 32 + 8 * 8 * 32 * 64


def trainable(model):
    return sum(np.prod(variable.shape) for variable in model.trainable_variables)


def macs(model):
    kernels = [layer for layer in model.layers if hasattr(layer, "kernel")]
    return int(sum(np.prod(layer.kernel.shape) * np.prod(layer.output_shape[1:-1]) for layer in kernels))


def pfec(model, rates, skipped):
    """Prunes the first convolution of each block by its stage's rate; convolutions are numbered as in the paper."""
    first = [group for group in groups(model) if group.prunable and len(group.producers) == 1]
    keep = {}
    for block, group in enumerate(first):
        rate = 0 if 2 * block + 2 in skipped else rates[block // (len(first) // 3)]
        norms = np.abs(model.get_layer(group.name).kernel.numpy()).sum((0, 1, 2))
        keep[group.name] = keep_best(norms, rate)
    return remove(model, keep)


@pytest.mark.parametrize(
    ("depth", "parameters", "millions"),
    [
        (20, 269722, 40.55),
        (32, 464154, 68.86),
        pytest.param(56, 853018, 125.49, marks=pytest.mark.proof),
        pytest.param(110, 1727962, 252.89, marks=pytest.mark.proof),
    ],
)
def test_resnets_have_the_published_counts(depth, parameters, millions):
    model = resnet((32, 32, 3), 10, depth=depth)
    assert trainable(model) - PROJECTIONS == parameters
    assert round((macs(model) - PROJECTION_MACS) / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("depth", "rates", "skipped", "parameters", "flops"),
    [
        (56, (0.1, 0.1, 0.1), {16, 20, 38, 54}, 9.4, 10.4),
        pytest.param(56, (0.6, 0.3, 0.1), {16, 18, 20, 34, 38, 54}, 13.7, 27.6, marks=pytest.mark.proof),
        pytest.param(110, (0.5, 0.0, 0.0), {36}, 2.3, 15.9, marks=pytest.mark.proof),
        pytest.param(110, (0.5, 0.4, 0.3), {36, 38, 74}, 32.4, 38.6, marks=pytest.mark.proof),
    ],
    ids=["56-A", "56-B", "110-A", "110-B"],
)
def test_pfec_removes_what_it_published(depth, rates, skipped, parameters, flops):
    model = resnet((32, 32, 3), 10, depth=depth)
    pruned = pfec(model, rates, skipped)
    parameters_cut = 100 * (trainable(model) - trainable(pruned)) / (trainable(model) - PROJECTIONS)
    macs_cut = 100 * (macs(model) - macs(pruned)) / (macs(model) - PROJECTION_MACS)
    assert abs(parameters_cut - parameters) < 0.1 and abs(macs_cut - flops) < 0.1


# Choices and mistakes.


def test_the_best_stay():
    assert keep_best([3, 1, 2, 5], 0.5).tolist() == [True, False, False, True]
    assert keep_best([1, 1, 1], 0.3).tolist() == [True, True, False]
    assert keep_best(np.arange(10), 0.9).sum() == 1
    assert keep_best(np.arange(4), 0.99).tolist() == [False, False, False, True]
    assert keep_best(np.arange(16), 0.1).sum() == 14  # int(14.4), as PFEC counts
    assert keep_best([2.0, 1.0], 0).all()


@pytest.mark.parametrize("ratio", [1, 1.5, -0.1, float("nan")])
def test_a_ratio_outside_its_range_is_refused(ratio):
    with pytest.raises(ModelError, match=r"\[0, 1\)"):
        keep_best([1, 2], ratio)


@pytest.mark.parametrize("scores", [[1, float("nan")], [float("inf"), 1]])
def test_scores_that_are_not_finite_are_refused(scores):
    with pytest.raises(ModelError, match=r"channels \[[01]\] are NaN or infinite"):
        keep_best(scores, 0.5)


def test_scores_of_another_shape_are_refused():
    with pytest.raises(ModelError, match=r"\(2, 2\).*\(channels,\)"):
        keep_best(np.ones((2, 2)), 0.5)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"stem": np.zeros(6, bool)}, "would become empty: 6 of 6"),
        ({"stem": np.ones(5, bool)}, r"shape \(5,\).*expected \(6,\) bool"),
        ({"stem": np.arange(6)}, "type int64; expected"),
        ({"logits": np.arange(4) > 1}, "cannot be pruned: it is an output of the model; expected all 4"),
        ({"conv2d_99": np.ones(16, bool)}, "no group 'conv2d_99'; expected one of .*stem"),
        ({"side": np.ones(6, bool)}, "channels of side belong to the group .*; expected that name"),
    ],
    ids=["empty", "length", "indices", "output", "unknown", "member"],
)
def test_masks_that_make_no_sense_are_refused(keep, message):
    with pytest.raises(ModelError, match=message):
        remove(branched(), keep)


def test_a_model_with_own_layers_is_refused():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(layers.Lambda(lambda x: x * 2)(inputs)))
    with pytest.raises(ModelError, match=r"is a Lambda.*supported are"):
        remove(model, {})
