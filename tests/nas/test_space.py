"""The space as data: what is asked, what is repaired, what a network costs before there is one."""

import json
from dataclasses import asdict

import numpy as np
import optuna
import pytest
from optuna.trial import FixedTrial

from projectkit.errors import ModelError
from projectkit.nas import Architecture, Block, Cost, Space, build, cost, parse, repair

optuna.logging.set_verbosity(optuna.logging.ERROR)
SMALL = Space(depth=(1, 2), filters=(4, 8), kernel=(3,), stride=(1, 2), depthwise=(False,), activation=("relu",))
WIDE = Space(
    depth=(1, 2, 3, 4),
    filters=(3, 4, 6),
    kernel=(1, 2, 3, 5, 7),
    stride=(1, 2, 3),
    activation=("relu", "relu6", "swish"),
)


def architectures(space, count, seed=0):
    """Random ones, through Optuna."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.sample(study.ask()) for _ in range(count)]


def test_asks_only_for_what_has_an_effect():
    class Asked(FixedTrial):
        names = ()

        def suggest_categorical(self, name, choices):
            self.names = (*self.names, name)
            return super().suggest_categorical(name, choices)

    trial = Asked({"depth": 2, "filters_0": 4, "stride_0": 1, "filters_1": 4, "stride_1": 1, "skip_1": True})
    assert SMALL.sample(trial) == Architecture((Block(4), Block(4, skip=True)))
    assert trial.names == ("depth", "filters_0", "stride_0", "filters_1", "stride_1", "skip_1")
    trial = Asked({"depth": 1, "filters_0": 8, "stride_0": 2})
    assert SMALL.sample(trial) == Architecture((Block(8, stride=2),))
    assert trial.names == ("depth", "filters_0", "stride_0")
    trial = Asked({"depth": 2, "filters_0": 4, "stride_0": 1, "filters_1": 8, "stride_1": 1})  # no skip from 4 to 8 channels
    assert not SMALL.sample(trial).blocks[1].skip and trial.names[-1] == "stride_1"


def test_the_genes_are_what_trials_are_asked_for():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    met = {}
    for _ in range(300):
        trial = study.ask()
        WIDE.sample(trial)
        met |= trial.distributions
    assert met == WIDE.genes()


def test_every_architecture_of_a_small_space_once():
    everything = list(SMALL.architectures())
    # One block: 2 · 2. Two: 4 · 4, and once more with a skip where the second has stride 1 and as many filters: 4 · 1.
    assert len(everything) == 4 + 16 + 4 == len(set(everything)) == len({each.digest for each in everything})
    assert set(architectures(SMALL, 400)) == set(everything)


def test_the_values_of_an_architecture_make_it_again():
    for architecture in [*SMALL.architectures(), *architectures(WIDE, 50)]:
        space = SMALL if architecture in set(SMALL.architectures()) else WIDE
        assert space.sample(FixedTrial(space.values(architecture))) == architecture


@pytest.mark.parametrize(
    "stranger",
    [
        Architecture((Block(5),)),
        Architecture((Block(4),) * 3),
        Architecture((Block(4, skip=True),)),
        Architecture((Block(4, kernel=5),)),
    ],
)
def test_an_architecture_from_elsewhere_has_no_values(stranger):
    with pytest.raises(ModelError, match="not in the space"):
        SMALL.values(stranger)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"filters": ()}, r"filters is \(\).*at least one choice"),
        ({"depth": ()}, "depth is"),
        ({"kernel": (3, 3)}, "each once"),
        ({"stride": [1, 2]}, "expected a tuple"),
        ({"depth": (0, 1)}, "depth of 0"),
        ({"depth": (True,)}, "depth of True"),
        ({"filters": (0,)}, "filters must be a whole number of at least 1"),
        ({"kernel": (2.5,)}, "kernel must be a whole number"),
        ({"activation": ("relu", "step")}, "no activation 'step'.*Choose one of relu"),
        ({"skip": (1,)}, "skip must be true or false"),
    ],
)
def test_a_space_of_nothing_or_of_no_network_is_refused(choice, words):
    with pytest.raises(ModelError, match=words):
        Space(**choice)


REPAIRS = [  # block behind an image of 4×4 pixels and a stride of 4, what it amounts to, words
    (Block(4, stride=2), Block(4, kernel=1), ["stride 2 on a single pixel", "kernel 3 on 1 pixels, now 1"]),
    (Block(4, kernel=1, skip=True), Block(4, kernel=1), ["a skip between different shapes"]),
    (Block(6, kernel=1, skip=True), Block(6, kernel=1, skip=True), []),
    (Block(6, kernel=1, stride=3, skip=True), Block(6, kernel=1, skip=True), ["stride 3 on a single pixel"]),
]


@pytest.mark.parametrize(("block", "repaired", "words"), REPAIRS)
def test_genes_without_effect_are_set_to_what_they_amount_to(block, repaired, words):
    first = Block(6, stride=4)
    result, changes = repair(Architecture((first, block)), (4, 4, 1))
    assert result == Architecture((first, repaired))
    assert len(changes) == len(words)
    assert all(change.startswith("block 1: ") and word in change for change, word in zip(changes, words, strict=True))


def test_repairing_twice_changes_nothing_and_equal_networks_have_one_digest():
    digests = {}
    for architecture in architectures(WIDE, 200):
        once, _ = repair(architecture, (5, 3, 2))
        assert repair(once, (5, 3, 2)) == (once, ())
        digests.setdefault(once.digest, once)
        assert digests[once.digest] == once
    assert Architecture((Block(4), Block(6))).digest != Architecture((Block(6), Block(4))).digest


def test_the_digest_is_the_same_in_every_process_and_version():
    assert Architecture((Block(16),)).digest == "668d5074e3f70b24"


@pytest.mark.parametrize("shape", [(8, 8), (0, 8, 1), (8.0, 8, 1)])
def test_images_of_no_size_are_refused(shape):
    with pytest.raises(ModelError, match="expected \\(height, width, channels\\)"):
        repair(Architecture((Block(4),)), shape)


def test_an_architecture_survives_json_and_nonsense_is_refused():
    architecture = Architecture((Block(4, depthwise=True), Block(8, stride=2, activation="swish")))
    assert parse(json.loads(json.dumps(asdict(architecture)))) == architecture
    for nonsense in ({}, {"blocks": [{"width": 3}]}, {"blocks": 3}, {"blocks": []}, [], {"blocks": [{"filters": "8"}]}):
        with pytest.raises(ModelError):
            parse(nonsense)


def test_the_cost_by_hand():
    full = Architecture((Block(6, kernel=3, stride=2),))
    assert cost(full, (9, 9, 4), 10) == Cost(3 * 3 * 4 * 6 + 12 + 6 * 10 + 10, 5 * 5 * 3 * 3 * 4 * 6 + 60)
    apart = Architecture((Block(6, kernel=5, depthwise=True),))
    assert cost(apart, (9, 7, 4), 3) == Cost(25 * 4 + 8 + 24 + 12 + 18 + 3, 9 * 7 * (25 * 4 + 24) + 18)


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 3, 2)])
def test_cost_and_shape_agree_with_the_network(shape):
    """Against projectkit.models.cost, which counts what Keras built."""
    from projectkit.models.cost import macs, parameters

    for architecture in architectures(WIDE, 15, seed=1):
        model = build(architecture, shape, 7)
        assert cost(architecture, shape, 7) == Cost(parameters(model), macs(model))
        assert model.output_shape == (None, 7)


def test_the_network_of_the_repaired_architecture_computes_the_same():
    import tf_keras as keras

    architecture = Architecture(
        (Block(4, stride=2), Block(4, kernel=3, skip=True), Block(4, stride=2), Block(4, kernel=5, skip=True))
    )
    x = np.random.default_rng(0).random((3, 3, 3, 1), np.float32)
    outputs = []
    for each in (architecture, repair(architecture, (3, 3, 1))[0]):
        keras.utils.set_random_seed(0)
        outputs.append(build(each, (3, 3, 1), 5).predict(x, verbose=0))
    np.testing.assert_array_equal(*outputs)


def test_a_kernel_wider_than_the_image_was_only_padding():
    """The oracle of the repair: the middle of the wide kernel, in the narrow network, gives the same answers."""
    from tf_keras import layers

    import projectkit.models  # noqa: F401 — chooses Keras 2

    wide = layers.Conv2D(4, 7, padding="same", use_bias=False)
    narrow = layers.Conv2D(4, 3, padding="same", use_bias=False)
    x = np.random.default_rng(0).random((3, 2, 2, 1), np.float32)
    answers = wide(x)
    narrow(x)
    narrow.set_weights([wide.get_weights()[0][2:5, 2:5]])
    np.testing.assert_allclose(narrow(x), answers, rtol=1e-5, atol=1e-6)


def test_every_activation_and_both_kinds_of_convolution_can_be_built_and_trained():
    import tf_keras as keras

    activations = ("relu", "relu6", "swish")
    blocks = [Block(4, activation=name, depthwise=bool(i % 2), skip=i > 0) for i, name in enumerate(activations)]
    model = build(Architecture(tuple(blocks)), (6, 6, 1), 3)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    history = model.fit(rng.random((32, 6, 6, 1)), rng.integers(0, 3, 32), verbose=0, epochs=1)
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(model.predict(rng.random((5, 6, 6, 1)), verbose=0)).all()
    added = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert len(added) == len(activations) - 1
