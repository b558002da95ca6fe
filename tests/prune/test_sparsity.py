"""Single weights: what is pruned stays zero down to the file, what is clustered keeps few values, tickets rewind."""

import gzip
import itertools

import numpy as np
import pytest
import tf_keras as keras

from projectkit import models, train
from projectkit.errors import ModelError
from projectkit.export import write
from projectkit.measure import compressed_size, read_graph, read_patterns
from projectkit.measure.litert_file import parse
from projectkit.prune import clustering, collaborative, lottery, sparsity, weight_masks
from projectkit.quantize import qat
from projectkit.types import Recipe

SHORT = Recipe(epochs=2, learning_rate=1e-3)
FEW_STEPS = Recipe(epochs=1, batch_size=256)


def kernels(model):
    return {
        layer.name: layer.get_weights()[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    }


def zeros(model):
    return {name: float(np.mean(kernel == 0)) for name, kernel in kernels(model).items()}


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def stored_kernels(path):
    """What a .tflite file stores with four or two axes, read as NumPy integers or floats."""
    found = [tensor for tensor in parse(path.read_bytes()).tensors if tensor.data is not None and len(tensor.shape) in (2, 4)]
    types = {"INT8": np.int8, "FLOAT32": np.float32}
    return [tensor.data.view(types[tensor.type]).reshape(tensor.shape) for tensor in found if tensor.type in types]


@pytest.fixture(scope="module")
def sparse(trained, digits):
    """`trained`, pruned to 80 % in two epochs by the polynomial schedule."""
    growing = sparsity.prepare(trained, sparsity.polynomial(0.8, end=sparsity.steps(digits, SHORT) // 2, frequency=3))
    train.fit(growing, digits, SHORT, progress=False)
    return sparsity.strip(growing)


@pytest.fixture(scope="module")
def clustered(sparse):
    return clustering.strip(clustering.prepare(sparse, clusters=8, keep_zeros=True))


def test_every_layer_reaches_the_schedules_sparsity(sparse, trained):
    for name, share in zeros(sparse).items():
        assert share == pytest.approx(0.8, abs=1 / kernels(sparse)[name].size), name
    assert weight_masks.layer_sparsity(sparse) == pytest.approx(zeros(sparse))
    assert max(zeros(trained).values()) < 0.01


def test_stripped_models_are_plain_and_answer(sparse, digits):
    assert all(type(layer).__module__.startswith("tf_keras.") for layer in sparse.layers)
    assert train.accuracy(sparse, digits.val) > 0.5  # chance is 0.1


def test_the_model_that_was_passed_stays_as_it_was(digits):
    model = models.build("convnet", digits, widths=(8, 16, 24))
    before = [array.copy() for array in model.get_weights()]
    steps = [
        sparsity.prepare(model, sparsity.constant(0.5, frequency=2), layers=["conv2d_1"]),
        sparsity.prepare_two_of_four(model),
        clustering.prepare(model, clusters=4),
    ]
    for step in steps:
        train.fit(step, digits, FEW_STEPS, progress=False)
    assert equal(before, model.get_weights())
    constant = zeros(sparsity.strip(steps[0]))
    assert constant["conv2d_1"] == pytest.approx(0.5, abs=0.001) and constant["conv2d_2"] < 0.01
    stripped = kernels(sparsity.strip(steps[1]))
    for name in ("conv2d_1", "conv2d_2", "logits"):  # at most 2 of every 4 neighbours along the input channels
        groups = np.moveaxis(stripped[name], -2, -1).reshape(-1, 4)
        assert np.all(np.count_nonzero(groups, axis=1) <= 2) and np.count_nonzero(groups) > 0.4 * groups.size
    assert zeros(sparsity.strip(steps[1]))["conv2d"] < 0.01  # one input channel: nothing to group
    assert max(clustering.distinct_values(clustering.strip(steps[2])).values()) <= 4


def test_one_threshold_keeps_exactly_the_largest_weights_of_all(trained):
    masks = weight_masks.global_masks(trained, 0.7)
    weights = kernels(trained)
    kept = np.concatenate([np.abs(weights[name][mask]) for name, mask in masks.items()])
    dropped = np.concatenate([np.abs(weights[name][~mask]) for name, mask in masks.items()])
    assert dropped.max() <= kept.min()
    assert len(dropped) == round(0.7 * (len(dropped) + len(kept)))
    layerwise = weight_masks.layerwise_masks(trained, 0.7)
    assert all(np.mean(~mask) == pytest.approx(0.7, abs=0.5 / mask.size) for mask in layerwise.values())
    assert len({round(float(np.mean(mask)), 2) for mask in masks.values()}) > 1


def test_masked_weights_stay_zero_through_training_and_copies(trained, digits):
    masks = weight_masks.global_masks(trained, 0.7)
    before = [array.copy() for array in trained.get_weights()]
    copied = models.copy(weight_masks.masked(trained, masks))
    train.fit(copied, digits, Recipe(epochs=1, batch_size=256, optimizer="sgd"), progress=False)  # momentum would move zeros
    assert equal(before, trained.get_weights())
    after = kernels(weight_masks.unmasked(copied))
    assert all(np.array_equal(after[name] != 0, mask) for name, mask in masks.items())
    assert not equal([after[name] for name in masks], [kernels(trained)[name] * masks[name] for name in masks])


def test_zeros_are_counted_in_the_file_and_shrink_it_when_compressed(sparse, trained, digits, tmp_path):
    files = {}
    for name, model in (("dense", trained), ("sparse", sparse)):
        files[name] = write(model, tmp_path / f"{name}.tflite", compare=digits.val.x[:50]).artifact
    assert read_graph(files["sparse"]).sparsity == pytest.approx(0.8, abs=0.02)
    assert abs(files["sparse"].size - files["dense"].size) < 1000  # zeros take as much room as other weights
    sizes = {name: compressed_size(artifact.path) for name, artifact in files.items()}
    assert sizes["sparse"] < 0.5 * sizes["dense"]
    assert sizes["dense"] == pytest.approx(len(gzip.compress((tmp_path / "dense.tflite").read_bytes(), 9)), rel=0.05)


def test_quantization_aware_training_keeps_the_zeros_down_to_the_file(sparse, digits, tmp_path):
    kept = collaborative.preserve(sparse, qat.prepare(sparse, calibrate=digits.train.x[:100]), keep="zeros")
    before = zeros(sparse)
    assert train.accuracy(kept, digits.val) > train.accuracy(sparse, digits.val) - 0.05  # ranges fit from the start
    train.fit(kept, digits, FEW_STEPS, progress=False)
    exported = write(collaborative.strip(kept), tmp_path / "pqat.tflite", precision="int8", compare=digits.val.x)
    assert exported.difference.agreement > 0.95
    assert zeros(sparse) == before
    for kernel in stored_kernels(tmp_path / "pqat.tflite"):
        assert np.mean(kernel == 0) >= 0.79


def test_quantization_aware_training_keeps_clusters_and_zeros(clustered, digits, tmp_path):
    assert max(len(np.unique(kernel)) for kernel in kernels(clustered).values()) <= 8
    assert all(share > 0.79 for share in zeros(clustered).values())
    kept = collaborative.preserve(clustered, qat.prepare(clustered, calibrate=digits.train.x[:100]), keep="both")
    train.fit(kept, digits, FEW_STEPS, progress=False)
    write(collaborative.strip(kept), tmp_path / "pcqat.tflite", precision="int8", compare=digits.val.x[:50])
    stored = stored_kernels(tmp_path / "pcqat.tflite")
    assert len(stored) == 4
    for kernel in stored:  # (output channels, …): every channel has a scale of its own
        assert max(len(np.unique(channel)) for channel in kernel) <= 8
        assert np.mean(kernel == 0) >= 0.79


@pytest.mark.proof
def test_quantization_aware_training_keeps_clusters_alone(digits, tmp_path):
    model = models.build("mlp", digits, widths=(64,))
    train.fit(model, digits, SHORT, progress=False)
    shared = clustering.strip(clustering.prepare(model, clusters=8, start="linear"))
    aware = qat.prepare(shared, calibrate=digits.train.x[:64])
    for keep, most in (("clusters", 8), ("zeros", 256)):
        kept = collaborative.preserve(shared, aware, keep=keep)
        before = kernels(shared)
        train.fit(kept, digits, FEW_STEPS, progress=False)
        exported = write(collaborative.strip(kept), tmp_path / f"{keep}.tflite", precision="int8", compare=digits.val.x)
        assert exported.difference.agreement > 0.95
        distinct = read_patterns(exported.artifact).distinct_weights
        assert distinct <= most and (distinct > 20) == (keep == "zeros")  # nothing holds the values but what was asked to
    assert all(np.array_equal(kernel, before[name]) for name, kernel in kernels(shared).items())


def test_tickets_begin_where_the_network_began_and_never_regrow(digits):
    recipe = Recipe(epochs=1, learning_rate=3e-3)
    tickets = lottery.find_tickets(models.lenet300, digits, recipe, rounds=2, rate=0.5, seed=3)
    initial = models.build("lenet300", digits, seed=3).get_weights()[::2]
    assert [ticket.density for ticket in tickets] == pytest.approx([1, 0.5, 0.25], abs=0.02)  # the output layer at half the rate
    for older, newer in itertools.pairwise(tickets):
        for name, weights in zip(older.masks, older.end[::2], strict=True):
            assert not np.any(newer.masks[name] & ~older.masks[name])
            gone = older.masks[name] & ~newer.masks[name]
            assert np.abs(weights[gone]).max() <= np.abs(weights[newer.masks[name]]).min()
    for ticket in tickets:
        for mask, first, start, end in zip(ticket.masks.values(), initial, ticket.start[::2], ticket.end[::2], strict=True):
            assert np.array_equal(start, first * mask)
            assert not np.any(end[~mask])
    other = lottery.train_reinitialized(models.lenet300, tickets[-1], digits, recipe, seed=4)
    assert all(np.array_equal(other.masks[name], mask) for name, mask in tickets[-1].masks.items())
    assert not equal(other.start, tickets[-1].start)


def test_rewinding_goes_back_to_an_early_epoch(digits):
    recipe = Recipe(epochs=1, learning_rate=3e-3)
    (ticket,) = lottery.find_tickets(models.lenet300, digits, recipe, rounds=0, rewind=1, seed=3)
    assert ticket.density == 1
    initial = models.build("lenet300", digits, seed=3)
    train.fit(initial, digits, Recipe(epochs=1, learning_rate=3e-3, schedule="constant"), progress=False)
    assert equal(ticket.start, initial.get_weights())


REFUSED = {
    "sparsity above 1": (lambda model: weight_masks.global_masks(model, 1.0), r"in \[0, 1\); got 1.0"),
    "sparsity in percent": (lambda model: sparsity.constant(80), r"Give 0.8 for 80 %"),
    "schedule too short": (lambda model: sparsity.polynomial(0.8, end=50, frequency=100), "never prunes"),
    "no such layer": (lambda model: weight_masks.layerwise_masks(model, 0.5, layers=["nose"]), "nose; those with a kernel"),
    "all of a layer": (lambda model: weight_masks.global_masks(model, 0.9995), "takes every weight of"),
    "2:4 of one channel": (lambda model: sparsity.prepare_two_of_four(model, layers=["conv2d"]), r"conv2d \(1\)"),
    "one cluster": (lambda model: clustering.prepare(model, clusters=1), "at least 2"),
    "too many clusters": (lambda model: clustering.prepare(model, clusters=200), "conv2d"),
    "strange start": (lambda model: clustering.prepare(model, clusters=4, start="middle"), "kmeans"),
    "nothing to strip": (sparsity.strip, "nothing in it prunes"),
    "not clustered": (clustering.strip, "nothing in it is clustered"),
    "never trained": (lambda model: sparsity.strip(sparsity.prepare(model, sparsity.constant(0.5))), "in 0 steps"),
    "mask of another shape": (lambda model: weight_masks.masked(model, {"logits": np.ones((3, 3))}), r"\(3, 3\)"),
    "unknown thing to keep": (lambda model: collaborative.preserve(model, model, keep="all"), "zeros, clusters, both"),
    "not prepared": (lambda model: collaborative.preserve(model, model, keep="zeros"), "quantize.qat.prepare"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nonsense_is_refused_in_a_sentence(case, trained):
    call, message = REFUSED[case]
    with pytest.raises(ModelError, match=message):
        call(trained)


def test_spoilt_weights_and_subclassed_models_are_refused(trained):
    spoilt = models.copy(trained)
    spoilt.get_layer("logits").kernel.assign(spoilt.get_layer("logits").kernel * np.nan)
    with pytest.raises(ModelError, match="logits are NaN"):
        weight_masks.global_masks(spoilt, 0.5)

    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ModelError, match="subclassed"):
        sparsity.prepare(Own(), sparsity.constant(0.5))


class Killed(Exception):
    """What stands for a kill, just after a checkpoint was written."""


def killed_and_resumed(prepare, dataset, recipe, path, monkeypatch):
    """What `prepare()` makes, trained with a kill after the first epoch and again from the beginning in another model."""
    from projectkit.train import checkpoint

    def save_and_die(*arguments):
        save(*arguments)
        raise Killed

    save = checkpoint.save
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", save_and_die)
        with pytest.raises(Killed):
            train.fit(prepare(), dataset, recipe, checkpoint=path, progress=False)
    resumed = prepare()
    history = train.fit(resumed, dataset, recipe, checkpoint=path, progress=False)
    assert len(history) == recipe.epochs
    return resumed


STEPS_THAT_TRAIN = {
    "layer by layer": lambda model, aware: sparsity.prepare(model, sparsity.polynomial(0.8, end=9, frequency=3)),
    "clusters": lambda model, aware: clustering.prepare(model, clusters=8),
    "clusters while quantized": lambda model, aware: collaborative.preserve(model, aware, keep="clusters"),
}


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=[pytest.mark.proof] if step == "clusters" else []) for step in STEPS_THAT_TRAIN]
)
def test_a_killed_training_goes_on_to_the_same_weights(step, digits, tmp_path, monkeypatch):
    recipe = Recipe(epochs=2, batch_size=256, learning_rate=1e-3)
    model = models.build("mlp", digits, widths=(32,))
    aware = qat.prepare(model, calibrate=digits.train.x[:32])

    def prepare():
        keras.utils.set_random_seed(5)  # k-means begins at random
        return STEPS_THAT_TRAIN[step](model, aware)

    whole = prepare()
    train.fit(whole, digits, recipe, progress=False)
    resumed = killed_and_resumed(prepare, digits, recipe, tmp_path / "run.npz", monkeypatch)
    assert equal(whole.get_weights(), resumed.get_weights())
