"""Weight sharing: what is shared, and that a path through the supernet is the network it stands for."""

import itertools

import numpy as np
import pytest

from projectkit.errors import ModelError
from projectkit.nas import Architecture, Block, Space, supernet
from projectkit.types import Dataset, Recipe, Split

TINY = Space(depth=(1, 2), filters=(3, 6), kernel=(1, 3), stride=(1, 2), activation=("relu", "swish"))
SHAPE, CLASSES = (6, 6, 2), 3
RECIPE = Recipe(epochs=12, batch_size=16, learning_rate=0.1, optimizer="sgd")
PATHS = [
    Architecture((Block(3),)),
    Architecture((Block(6, kernel=1, stride=2, activation="swish"), Block(3, depthwise=True))),
    Architecture((Block(6, depthwise=True, stride=2), Block(6, kernel=3, skip=True))),
    Architecture((Block(3, stride=2), Block(3, depthwise=True, kernel=1, skip=True, activation="swish"))),
]


@pytest.fixture(scope="module")
def blobs():
    """Three classes that differ in how many channels are bright."""
    rng = np.random.default_rng(0)

    def split(count):
        y = rng.integers(0, 3, count)
        x = rng.random((count, *SHAPE), np.float32) * 0.5
        for image, label in zip(x, y, strict=True):
            image[:, :, :label] += 0.5
        return Split(x, y)

    return Dataset("blobs", split(96), split(60), split(10), ("a", "b", "c"), "0" * 64)


@pytest.fixture(scope="module")
def trained(blobs):
    net = supernet.build(TINY, SHAPE, CLASSES, seed=0)
    return net, supernet.train(net, blobs, RECIPE)


def copy_of(net):
    return {name: weight.numpy() for name, weight in net.weights.items()}


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_a_path_answers_as_the_network_of_its_own_with_the_sliced_weights(trained, blobs, path):
    net, _ = trained
    alone = supernet.subnetwork(net, path, calibrate=blobs.train.x)
    answers = supernet.logits(net, path, blobs.val.x, calibrate=blobs.train.x)
    assert answers.shape == (60, CLASSES)
    np.testing.assert_allclose(alone(blobs.val.x, training=False), answers, rtol=1e-5, atol=1e-5)


def test_narrow_kernels_and_few_filters_are_the_middle_and_the_first_of_the_largest(trained, blobs):
    net, _ = trained
    weights = copy_of(net)
    narrow = supernet.subnetwork(net, Architecture((Block(3, kernel=1), Block(6))), calibrate=blobs.train.x).get_weights()
    np.testing.assert_array_equal(narrow[0], weights["conv_0"][1:2, 1:2, :, :3])
    np.testing.assert_array_equal(narrow[1], weights["conv_0_scale"][:3])
    np.testing.assert_array_equal(narrow[5], weights["conv_1"][:, :, :3, :])
    np.testing.assert_array_equal(narrow[-2], weights["logits"])


def test_training_one_path_changes_the_paths_that_share_with_it_and_no_others(blobs):
    """A space of one choice trains that path only."""
    net = supernet.build(TINY, SHAPE, CLASSES, seed=0)
    before = copy_of(net)
    wide, apart = Architecture((Block(6),)), Architecture((Block(6, depthwise=True),))
    answers = [supernet.logits(net, path, blobs.val.x, calibrate=blobs.train.x) for path in (wide, apart)]
    only_narrow = Space(
        depth=(1,), filters=(3,), kernel=(3,), stride=(1,), depthwise=(False,), activation=("relu",), skip=(False,)
    )
    supernet.train(supernet.Supernet(only_narrow, SHAPE, CLASSES, net.weights), blobs, Recipe(epochs=1, batch_size=32))
    after = copy_of(net)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"conv_0", "conv_0_scale", "conv_0_shift", "logits", "logits_bias"}
    np.testing.assert_array_equal(before["conv_0"][..., 3:], after["conv_0"][..., 3:])  # the wide path's other half
    assert (before["conv_0"][..., :3] != after["conv_0"][..., :3]).any()
    assert not np.array_equal(answers[0], supernet.logits(net, wide, blobs.val.x, calibrate=blobs.train.x))


def test_training_teaches_every_path_something(trained, blobs):
    net, losses = trained
    untrained = supernet.build(TINY, SHAPE, CLASSES, seed=0)
    before, after = (supernet.accuracies(one, PATHS, blobs) for one in (untrained, net))
    assert len(losses) == RECIPE.epochs and losses[-1] < losses[0]
    assert after.mean() > before.mean() + 0.15 and after.shape == (len(PATHS),)


def test_the_seeds_decide(blobs):
    def run(seed, of_training):
        net = supernet.build(TINY, SHAPE, CLASSES, seed=seed)
        return supernet.train(net, blobs, Recipe(epochs=1, batch_size=16, seed=of_training)), copy_of(net)

    (losses, weights), (same_losses, same_weights) = run(0, 0), run(0, 0)
    assert losses == same_losses and all(np.array_equal(weights[name], same_weights[name]) for name in weights)
    assert run(1, 0)[0] != losses != run(0, 1)[0]


def test_a_subnetwork_is_a_copy(trained, blobs):
    net, _ = trained
    before = copy_of(net)
    alone = supernet.subnetwork(net, PATHS[0], calibrate=blobs.train.x)
    alone.set_weights([np.zeros_like(weight) for weight in alone.get_weights()])
    assert all(np.array_equal(before[name], weight) for name, weight in copy_of(net).items())


def test_calibration_decides_the_statistics_and_not_the_images_that_are_judged(trained, blobs):
    net, _ = trained
    together = supernet.logits(net, PATHS[2], blobs.val.x, calibrate=blobs.train.x)
    alone = [supernet.logits(net, PATHS[2], blobs.val.x[i : i + 1], calibrate=blobs.train.x)[0] for i in range(3)]
    np.testing.assert_allclose(together[:3], alone, rtol=1e-4, atol=1e-5)
    elsewhere = supernet.logits(net, PATHS[2], blobs.val.x, calibrate=blobs.train.x * 0.5)
    assert np.abs(elsewhere - together).max() > 1e-3


def test_has_a_path_for_every_architecture_of_its_space(trained, blobs):
    net, _ = trained
    some = list(itertools.islice(TINY.architectures(), 0, None, 97))
    accuracies = supernet.accuracies(net, some, blobs)
    assert len(some) > 10 and accuracies.shape == (len(some),) and ((accuracies >= 0) & (accuracies <= 1)).all()


@pytest.mark.parametrize(
    "stranger",
    [Architecture((Block(7),)), Architecture((Block(3, kernel=5),)), Architecture((Block(3),) * 3)],
    ids=["wide", "kernel", "deep"],
)
def test_an_architecture_from_elsewhere_is_refused(trained, blobs, stranger):
    net, _ = trained
    with pytest.raises(ModelError, match="no weights for"):
        supernet.subnetwork(net, stranger, calibrate=blobs.train.x)


def test_a_loss_that_explodes_is_said(blobs):
    net = supernet.build(TINY, SHAPE, CLASSES, seed=0)
    with pytest.raises(ModelError, match=r"loss became .* in epoch 1.*Lower the rate"):
        supernet.train(net, blobs, Recipe(epochs=1, batch_size=16, learning_rate=1e30, optimizer="sgd", schedule="constant"))
