"""Schedules: what is scored when, what is left after every step, and what is refused."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from projectkit import models, train
from projectkit.errors import ModelError
from projectkit.models.cost import macs, parameters
from projectkit.prune import SCORES, groups, keep_best, keep_by_validation, recalibrate, remove
from projectkit.prune.group_scores import free_groups, group_scores
from projectkit.prune.schedules import SCORE_IMAGES, by_validation, iterative, layer_by_layer, one_shot, ratio_for_macs, soft
from projectkit.types import Recipe

L1 = SCORES["l1"]
BRIEF = Recipe(epochs=2, learning_rate=2e-3)
HIDDEN = {"conv2d": 16, "conv2d_1": 32, "conv2d_2": 64}  # of `trained`


def first_channels(model, layer_name, data, *, seed=0):
    """Any function is a score: the earlier, the more important."""
    return -np.arange(model.get_layer(layer_name).output_shape[-1])


class Recorder:
    """A score that remembers on what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, model, layer_name, data, *, seed=0):
        self.asked.append((layer_name, {name: model.get_layer(name).filters for name in HIDDEN}, len(data)))
        return first_channels(model, layer_name, data)


@pytest.fixture(autouse=True)
def nobody_changes_the_shared_model(trained):
    weights = [array.copy() for array in trained.get_weights()]
    yield
    assert all(np.array_equal(a, b) for a, b in zip(weights, trained.get_weights(), strict=True))


def widths(model):
    return {name: model.get_layer(name).filters for name in HIDDEN}


def test_one_shot_is_score_keep_remove_recalibrate(trained, digits):
    pruned = one_shot(trained, L1, 0.4, digits)
    keep = {name: keep_best(L1(trained, name, digits.train), 0.4) for name in HIDDEN}
    cut = remove(trained, keep)
    by_hand = recalibrate(cut, digits.train.x[:SCORE_IMAGES])
    assert all(np.array_equal(a, b) for a, b in zip(pruned.model.get_weights(), by_hand.get_weights(), strict=True))
    (step,) = pruned.steps
    assert step.channels == widths(pruned.model) == {"conv2d": 9, "conv2d_1": 19, "conv2d_2": 38}
    assert (step.macs, step.parameters) == (macs(by_hand), parameters(by_hand))
    assert step.accuracy_cut == train.accuracy(cut, digits.val)
    assert step.accuracy == step.accuracy_recalibrated == train.accuracy(by_hand, digits.val)


def test_new_statistics_mend_much_and_fine_tuning_the_rest(trained, digits):
    (step,) = one_shot(trained, L1, 0.6, digits, BRIEF).steps
    assert step.accuracy_cut + 0.1 < step.accuracy_recalibrated < 0.85 < 0.9 < step.accuracy


def test_ratios_by_group_leave_the_others_whole(trained, digits):
    pruned = one_shot(trained, L1, {"conv2d_1": 0.5}, digits)
    assert widths(pruned.model) == HIDDEN | {"conv2d_1": 16}
    assert pruned.steps[0].channels == {"conv2d_1": 16}


def test_layer_by_layer_scores_the_network_as_it_has_become(trained, digits):
    score = Recorder()
    pruned = layer_by_layer(trained, score, 0.5, digits)
    assert [(layer, sizes) for layer, sizes, _ in score.asked] == [
        ("conv2d", HIDDEN),
        ("conv2d_1", HIDDEN | {"conv2d": 8}),
        ("conv2d_2", HIDDEN | {"conv2d": 8, "conv2d_1": 16}),
    ]
    assert [step.channels for step in pruned.steps] == [{"conv2d": 8}, {"conv2d_1": 16}, {"conv2d_2": 32}]
    assert pruned.steps[-1].macs == macs(pruned.model) == macs(one_shot(trained, L1, 0.5, digits).model)


def test_rounds_take_the_same_share_of_what_is_left(trained, digits):
    score = Recorder()
    pruned = iterative(trained, score, 0.75, digits, rounds=2)
    assert [step.channels for step in pruned.steps] == [
        {"conv2d": 8, "conv2d_1": 16, "conv2d_2": 32},
        {"conv2d": 4, "conv2d_1": 8, "conv2d_2": 16},
    ]
    assert [sizes for _, sizes, _ in score.asked] == [HIDDEN] * 3 + [pruned.steps[0].channels] * 3
    assert len({images for *_, images in score.asked}) == 1


@pytest.mark.parametrize(("ratio", "rounds"), [(0.0, 2), (0.5, 3), (0.7, 1), (0.9, 3)])
def test_any_number_of_rounds_ends_with_as_many_channels_as_one_shot(trained, digits, ratio, rounds):
    few = digits.__class__("few", digits.train, digits.val.take(8), digits.test, digits.classes, "")
    pruned = iterative(trained, first_channels, ratio, few, rounds=rounds)
    assert widths(pruned.model) == one_shot(trained, first_channels, ratio, few).steps[0].channels
    assert len(pruned.steps) == rounds


def test_softly_removed_filters_grow_again(digits):
    """After the first epoch the first half is zeroed, after the second the other half: the first has had an epoch to return."""
    model = models.build("mlp", digits, widths=(12,))
    seen = []

    def turning(model, layer_name, data, *, seed=0):
        kernel = model.get_layer(layer_name).kernel.numpy()
        seen.append(np.abs(kernel).sum(axis=0) > 0)
        first_half = np.arange(12) < 6
        return (~first_half if len(seen) == 1 else first_half).astype(float)

    weights = model.get_weights()
    pruned = soft(model, 0.5, digits, Recipe(epochs=2), score=turning)
    assert seen[0].all()  # trained, nothing zeroed yet
    assert seen[1].all()  # the first half was zero when the epoch began, and has grown
    kernel = pruned.model.get_layer("dense").kernel.numpy()
    assert kernel.shape == (64, 6) and (np.abs(kernel).sum(axis=0) > 0).all()
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["convnet", "resnet8"], ids=["convnet", "a residual network with biases"])
def test_what_soft_pruning_removes_has_answered_nothing(digits, name):
    """Before = after: the network of the last epoch, whose channels are silent, and the one without them."""
    model, seen = models.build(name, digits), []

    def watching(network, layer_name, data, *, seed=0):
        seen.append(network)
        return L1(network, layer_name, data)

    few = replace(digits, train=digits.train.take(200), val=digits.val.take(100))
    (step,) = soft(model, 0.5, few, Recipe(epochs=2, learning_rate=2e-3), score=watching).steps
    grown = seen[-1]  # nothing has trained it after the last epoch
    keep = {}
    for group in free_groups(grown):
        keep[group.name] = np.abs(grown.get_layer(group.name).kernel.numpy()).sum(axis=(0, 1, 2)) > 0
        (consumer,) = group.consumers
        read = keras.Model(grown.input, grown.get_layer(consumer.layer).input)(few.val.x, training=False).numpy()
        assert not read[..., ~keep[group.name]].any()
    assert step.channels == {name: mask.sum() for name, mask in keep.items()}
    np.testing.assert_allclose(train.logits(remove(grown, keep), few.val.x), train.logits(grown, few.val.x), atol=1e-5)
    assert step.accuracy_cut == train.accuracy(grown, few.val)


def test_soft_pruning_ends_with_a_network_that_works(trained, digits):
    pruned = soft(trained, 0.4, digits, Recipe(epochs=4, learning_rate=2e-3))
    (step,) = pruned.steps
    assert step.channels == one_shot(trained, L1, 0.4, digits).steps[0].channels
    assert train.accuracy(pruned.model, digits.val) == step.accuracy > 0.85


def test_by_validation_goes_as_deep_in_each_layer_as_the_tolerance_allows(trained, digits):
    """Layer by layer by hand, each time in the network as it has become."""
    pruned, network = by_validation(trained, L1, digits, tolerance=0.03), trained
    for name, step in zip(HIDDEN, pruned.steps, strict=True):
        keep = keep_by_validation(network, name, L1(network, name, digits.train), digits.val, tolerance=0.03)
        before = train.accuracy(network, digits.val)
        network = recalibrate(remove(network, {name: keep}), digits.train.x[:SCORE_IMAGES])
        assert step.channels == {name: keep.sum()}
        assert step.accuracy_cut >= before - 0.03 - 1e-9
        assert step.accuracy_recalibrated == train.accuracy(network, digits.val)
    assert widths(network) == widths(pruned.model)
    assert sum(widths(pruned.model).values()) < sum(HIDDEN.values())


def test_a_tolerance_of_everything_leaves_one_channel_and_one_of_nothing_never_loses(trained, digits):
    assert set(widths(by_validation(trained, L1, digits, tolerance=1.0).model).values()) == {1}
    for step in by_validation(trained, L1, digits, tolerance=0.0, names=["conv2d_2"]).steps:
        assert step.accuracy_cut >= train.accuracy(trained, digits.val)


def test_by_validation_masks_a_sum_as_a_whole(residual, digits):
    """What validation has judged is the network without these channels in all layers of the group."""
    few = replace(digits, train=digits.train.take(64), val=digits.val.take(128))
    whole = train.accuracy(residual, few.val)
    (step,) = by_validation(residual, first_channels, few, tolerance=0.05, names=["conv2d"]).steps
    keep = np.arange(4) < step.channels["conv2d"]
    assert step.accuracy_cut == train.accuracy(remove(residual, {"conv2d": keep}), few.val) >= whole - 0.05
    if not keep.all() and keep.sum() > 1:
        one_less = np.arange(4) < keep.sum() - 1
        assert train.accuracy(remove(residual, {"conv2d": one_less}), few.val) < whole - 0.05


@pytest.mark.parametrize(("options", "words"), [({"tolerance": -0.1}, "loss of accuracy"), ({"names": ["logits"]}, "cannot be")])
def test_a_validation_that_makes_no_sense_is_refused(trained, digits, options, words):
    with pytest.raises(ModelError, match=words):
        by_validation(trained, L1, digits, **options)


# Groups and ratios.


@pytest.fixture(scope="module")
def residual(digits):
    return models.build("resnet", digits, depth=8, width=4)


def test_one_number_means_the_inside_of_the_blocks(residual, digits):
    pruned = one_shot(residual, L1, 0.5, digits)
    inside = {group.name: group.channels // 2 for group in groups(residual) if group.prunable and len(group.producers) == 1}
    assert pruned.steps[0].channels == inside == {group.name: group.channels // 2 for group in free_groups(residual)}
    sums = {group.name for group in groups(residual) if len(group.producers) > 1}
    assert len(inside) == len(sums) == 3
    assert all(pruned.model.get_layer(name).filters == residual.get_layer(name).filters for name in sums)


def test_a_sum_is_pruned_whole_when_it_is_named(residual, digits):
    (group,) = (group for group in groups(residual) if group.name == "conv2d")
    pruned = one_shot(residual, L1, {"conv2d": 0.5}, digits)
    assert [place.layer for place in group.producers] == ["conv2d", "conv2d_2"]
    assert all(pruned.model.get_layer(place.layer).filters == 2 for place in group.producers)


def test_scores_of_a_sum_weigh_its_layers_alike(residual, digits):
    (group,) = (group for group in groups(residual) if group.name == "conv2d")
    twin = models.copy(residual)
    second = twin.get_layer("conv2d_2").kernel
    second.assign(1000 * second)
    rows = []
    for place in group.producers:
        norms = np.abs(residual.get_layer(place.layer).kernel.numpy()).sum(axis=(0, 1, 2))
        rows.append((norms - norms.mean()) / norms.std())
    np.testing.assert_allclose(group_scores(L1, residual, group, digits.train), np.mean(rows, axis=0), rtol=1e-5)
    np.testing.assert_allclose(group_scores(L1, twin, group, digits.train), np.mean(rows, axis=0), rtol=1e-5)


def test_a_layer_whose_channels_are_all_alike_leaves_the_choice_to_the_others(residual, digits):
    (group,) = (group for group in groups(residual) if group.name == "conv2d")

    def only_one_has_an_opinion(model, layer_name, data, *, seed=0):
        return np.arange(4.0) if layer_name == "conv2d" else np.ones(4)

    assert group_scores(only_one_has_an_opinion, residual, group, digits.train).argsort().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("name", "cut"), [("convnet", 0.5), ("convnet", 0.9), ("residual", 0.1), ("residual", 0.6)])
def test_the_ratio_for_a_cut_is_the_smallest_that_gives_it(trained, residual, name, cut):
    model = {"convnet": trained, "residual": residual}[name]
    ratio = ratio_for_macs(model, cut, tolerance=0.005)

    def cut_by(ratio):
        keep = {group.name: keep_best(np.arange(group.channels), ratio) for group in free_groups(model)}
        return 1 - macs(remove(model, keep)) / macs(model)

    assert cut_by(ratio) >= cut > cut_by(max(0, ratio - 0.01))


def test_a_cut_that_the_groups_cannot_give_is_refused(residual):
    with pytest.raises(ModelError, match=r"a cut of 99.0% is out of reach\. Cut less, or name"):
        ratio_for_macs(residual, 0.99)


# Mistakes. Each is said before anything is trained.

SCHEDULES = {
    "one shot": lambda model, score, ratios, data: one_shot(model, score, ratios, data, BRIEF),
    "layer by layer": lambda model, score, ratios, data: layer_by_layer(model, score, ratios, data, BRIEF),
    "iterative": lambda model, score, ratios, data: iterative(model, score, ratios, data, BRIEF),
    "soft": lambda model, score, ratios, data: soft(model, ratios, data, Recipe(epochs=1), score=score),
}
schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


@schedule
@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        (1.0, r"conv2d: received the ratio 1.0; expected .* in \[0, 1\)"),
        (-0.1, r"received the ratio -0.1"),
        (float("nan"), r"received the ratio nan"),
        ({"conv2d": 0.5, "conv2d_1": 2}, r"conv2d_1: received the ratio 2"),
        ({"logits": 0.5}, r"'logits' cannot be pruned: it is an output of the model. Expected some of conv2d, conv2d_1"),
        ({"conv2d_9": 0.5}, r"'conv2d_9' is no group of it. Expected some of conv2d, "),
        ({}, r"no group to prune"),
    ],
    ids=["all", "negative", "nan", "one of several", "outputs", "unknown", "none"],
)
def test_ratios_that_make_no_sense_are_refused(trained, digits, schedule, ratios, words):
    with pytest.raises(ModelError, match=words):
        schedule(trained, L1, ratios, digits)


@schedule
def test_a_score_that_says_nothing_is_refused(trained, digits, schedule):
    def broken(model, layer_name, data, *, seed=0):
        return np.full(model.get_layer(layer_name).filters, np.nan)

    with pytest.raises(ModelError, match=r"broken of conv2d: .* not finite; expected"):
        schedule(trained, broken, 0.5, digits)


@schedule
def test_a_model_with_layers_of_its_own_is_refused(digits, schedule):
    class Doubled(layers.Layer):
        def call(self, x):
            return 2 * x

    inputs = keras.Input(digits.shape)
    x = Doubled(name="doubled")(layers.Dense(8, activation="relu")(layers.Flatten()(inputs)))
    with pytest.raises(ModelError, match=r"doubled is a Doubled.*supported are.*Replace it"):
        schedule(keras.Model(inputs, layers.Dense(10)(x)), L1, 0.5, digits)


def test_a_model_without_hidden_layers_has_nothing_to_prune(digits):
    with pytest.raises(ModelError, match=r"no group to prune; expected at least one. See groups\(model\)"):
        one_shot(models.build("mlp", digits, widths=()), L1, 0.5, digits)


@pytest.mark.parametrize("schedule", [layer_by_layer, partial(iterative, rounds=3)], ids=["layer by layer", "iterative"])
def test_two_groups_of_one_layer_are_pruned_to_the_end(digits, schedule):
    """c is added to a concatenation of a and b: its channels are of two groups. Where the second lies changes with the first."""
    inputs = keras.Input(digits.shape)
    a, b, c = (layers.Conv2D(width, 3, name=name)(inputs) for width, name in ((6, "a"), (10, "b"), (16, "c")))
    x = layers.Add()([layers.ReLU()(layers.ReLU()(c)), layers.Concatenate()([a, b])])
    model = keras.Model(inputs, layers.Dense(10, name="logits")(layers.Flatten()(x)))
    names = [group.name for group in groups(model) if group.prunable]
    assert names == ["c", "c:2"]
    smaller = schedule(model, first_channels, dict.fromkeys(names, 0.5), digits).model
    assert [smaller.get_layer(name).filters for name in "abc"] == [3, 5, 8]


def test_soft_pruning_removes_what_it_has_silenced(trained, digits):
    """With a score that follows the seed of the call only, and one that would choose anew at the end."""
    asked = []

    def moody(model, layer_name, data, *, seed=0):
        asked.append(layer_name)
        return np.roll(np.arange(16.0), len(asked))

    pruned = soft(trained, {"conv2d": 0.5}, digits, BRIEF, score=moody)
    assert asked == ["conv2d"] * BRIEF.epochs
    assert pruned.model.get_layer("conv2d").filters == 8
    assert np.abs(pruned.model.get_layer("conv2d").kernel.numpy()).sum(axis=(0, 1, 2)).all()  # none of the zeroed ones stayed


def test_no_cut_needs_no_removal(trained):
    assert ratio_for_macs(trained, 0) == 0


def test_no_group_becomes_empty(trained, digits):
    """The largest ratio there is leaves one channel everywhere, and a network that answers."""
    pruned = iterative(trained, L1, 0.999, digits, rounds=2)
    assert set(widths(pruned.model).values()) == {1}
    assert np.isfinite(train.logits(pruned.model, digits.val.x[:5])).all()


@pytest.mark.parametrize("rounds", [0, -1])
def test_no_rounds_are_refused(trained, digits, rounds):
    with pytest.raises(ModelError, match="expected at least one"):
        iterative(trained, L1, 0.5, digits, rounds=rounds)


@pytest.mark.parametrize("cut", [1, -0.1, 1.5, float("nan")])
def test_a_cut_outside_its_range_is_refused(trained, cut):
    with pytest.raises(ModelError, match=r"expected the share of multiply-accumulates to remove, in \[0, 1\)"):
        ratio_for_macs(trained, cut)
