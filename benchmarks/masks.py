"""Masks a second: `projectkit.prune.masks` beside the naive Keras loop, in turns on the same images.

The workload is that of linear filter ensembles over a whole network: 16 masks a channel, layer by layer, for the first
convolution of every block of ResNet-20 and for both hidden layers of LeNet-300-100. Weights and images are random: how long a
mask takes does not depend on them.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import time
from statistics import median

import numpy as np
import tf_keras as keras

from projectkit import models, train
from projectkit.models.cost import layer_macs
from projectkit.prune.cut import mask_point
from projectkit.prune.masks import evaluator
from projectkit.types import Dataset, Split
from record import Raw, row, write_rows

COMMAND = "python benchmarks/masks.py"
ROUNDS = 5
NETWORKS = {  # builder, its options, shape, images, masks a round of the naive loop and of ours
    "resnet20": ("resnet", {"depth": 20}, (32, 32, 3), 256, 1, 8),
    "lenet300": ("lenet300", {}, (28, 28, 1), 1000, 10, 400),
}


def images(shape: tuple[int, ...], count: int) -> Dataset:
    """Random ones, of 10 classes."""
    rng = np.random.default_rng(0)
    split = Split(rng.random((count, *shape), dtype=np.float32), rng.integers(0, 10, count))
    return Dataset("random", split, split, split, tuple(map(str, range(10))), "random")


def scored_layers(model: keras.Model) -> list[str]:
    """Hidden layers whose channels nothing else adds to."""
    hidden = [layer for layer in model.layers if hasattr(layer, "kernel")][:-1]
    if not isinstance(hidden[0], keras.layers.Conv2D):
        return [layer.name for layer in hidden]
    inner = [layer for layer in hidden[1:] if layer.kernel_size == (3, 3)]
    return [layer.name for layer in inner if isinstance(mask_point(model, layer.name).layer, keras.layers.ReLU)]


def naive(model: keras.Model, layer_name: str, data: Split, masks: np.ndarray) -> np.ndarray:
    """The loss under each mask: zero the channels' weights, run the whole network, put the weights back."""
    names = [layer.name for layer in model.layers]
    follower = model.layers[names.index(layer_name) + 1]
    target = follower if isinstance(follower, keras.layers.BatchNormalization) else model.get_layer(layer_name)
    weights, losses = target.get_weights(), []
    for mask in masks:
        changed = weights[:2] if target is follower else weights
        target.set_weights([array * mask for array in changed] + weights[len(changed) :])
        logits = train.logits(model, data.x)
        losses.append(float(np.mean(keras.losses.sparse_categorical_crossentropy(data.y, logits, from_logits=True))))
    target.set_weights(weights)
    return np.array(losses)


def measure(name: str) -> dict:
    """{layer: {"channels", "bound", "prepare" (s), "naive": [s a mask], "ours": [s a mask]}}."""
    builder, options, shape, count, few, many = NETWORKS[name]
    dataset = images(shape, count)
    model = models.build(builder, dataset, **options)
    work, rows = layer_macs(model), {}
    naive(model, scored_layers(model)[0], dataset.train, np.ones((1, 1)))  # traces the network
    for layer_name in scored_layers(model):
        started = time.perf_counter()
        evaluate = evaluator(model, layer_name, dataset.train)
        masks = np.random.default_rng(1).random((many, evaluate.channels)) < 0.5
        evaluate(masks)
        prepared = time.perf_counter() - started
        behind = sum(work.get(layer, 0) for layer in evaluate.behind)
        times = {"naive": [], "ours": []}
        for _ in range(ROUNDS):
            started = time.perf_counter()
            slow = naive(model, layer_name, dataset.train, masks[:few])
            times["naive"].append((time.perf_counter() - started) / few)
            started = time.perf_counter()
            fast = evaluate(masks).loss
            times["ours"].append((time.perf_counter() - started) / many)
            np.testing.assert_allclose(fast[:few], slow, atol=1e-5)
        rows[layer_name] = {"channels": evaluate.channels, "bound": sum(work.values()) / behind, "prepare": prepared, **times}
    return rows


def figures(name: str, layers: dict) -> list[dict]:
    """The ratio over the whole workload, round by round, and our masks a second."""

    def workload(seconds) -> float:
        return sum(layer["channels"] * seconds(layer) for layer in layers.values())

    rounds = range(ROUNDS)
    channels = workload(lambda layer: 1)
    slow = [workload(lambda layer, i=i: layer["naive"][i]) for i in rounds]
    fast = [workload(lambda layer, i=i: layer["ours"][i]) for i in rounds]
    bound = channels / workload(lambda layer: 1 / layer["bound"])
    each = [f"{median(layer['naive']) / median(layer['ours']):.1f} ({layer['bound']:.1f})" for layer in layers.values()]
    prepare = max(layer["prepare"] for layer in layers.values())
    note = (
        f"{NETWORKS[name][3]} images, 16 masks a channel over {len(layers)} layers; the multiply-accumulates behind the layers "
        f"bound what can be saved by not repeating the part before them to {bound:.2f}; layer by layer, bound in brackets: "
        f"{', '.join(each)}; beyond it goes what the loop spends outside of arithmetic. "
        f"Preparing a layer takes at most {prepare:.1f} s, not counted."
    )
    return [
        row(f"masks.{name}.ratio", [a / b for a, b in zip(slow, fast, strict=True)], "", COMMAND, note, {"bound": bound}),
        row(
            f"masks.{name}.rate",
            [channels / seconds for seconds in fast],
            "masks/s",
            COMMAND,
            f"{NETWORKS[name][3]} images",
            {"naive Keras loop": channels / median(slow)},
        ),
    ]


def main() -> None:
    raw, rows = Raw("masks"), []
    for name in NETWORKS:
        rows += figures(name, raw.take(name, lambda name=name: measure(name)))
    write_rows("masks", rows)


if __name__ == "__main__":
    main()
