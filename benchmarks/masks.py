"""Masks a second: `projectkit.prune.masks` beside the naive Keras loop, in turns on the same images.

The workload is that of linear filter ensembles over a whole network: 16 masks a channel, layer by layer, for the first
convolution of every block of ResNet-20 and for both hidden layers of LeNet-300-100. `ratio` is exact, to rounding.
`ratio_bfloat16` runs the layers behind as a copy in bfloat16. `ratio_race` looks only for the best of 64 masks a layer, few
images first, with that copy. The naive loop runs in float32, and once more as a network in bfloat16. What a coarser answer costs
is measured on briefly trained networks: ResNet-20 on shapes, LeNet-300-100 on MNIST, which is read from PROJECTKIT_DATA or
data/cache.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import tf_keras as keras

from projectkit import data, models, train
from projectkit.models.cost import layer_macs
from projectkit.prune.cut import mask_point
from projectkit.prune.lfe import filter_shares
from projectkit.prune.masks import evaluator, race
from projectkit.types import Dataset, Recipe, Split
from record import Raw, row, write_rows

COMMAND = "python benchmarks/masks.py"
ROUNDS, RACED = 5, 64
NETWORKS = {  # builder, its options, data, training images and epochs, images, masks a round of the naive loop and of ours
    "resnet20": ("resnet", {"depth": 20}, "shapes", 2000, 4, 256, 1, 8),
    "lenet300": ("lenet300", {}, "mnist", 6000, 3, 1000, 10, 400),
}
WAYS = ("naive", "naive_bfloat16", "ours", "bfloat16", "race", "race_float32")


def scored_layers(model: keras.Model) -> list[str]:
    """Hidden layers whose channels nothing else adds to."""
    hidden = [layer for layer in model.layers if hasattr(layer, "kernel")][:-1]
    if not isinstance(hidden[0], keras.layers.Conv2D):
        return [layer.name for layer in hidden]
    inner = [layer for layer in hidden[1:] if layer.kernel_size == (3, 3)]
    return [layer.name for layer in inner if isinstance(mask_point(model, layer.name).layer, keras.layers.ReLU)]


def naive(model: keras.Model, layer_name: str, split: Split, masks: np.ndarray) -> np.ndarray:
    """The loss under each mask: zero the channels' weights, run the whole network, put the weights back."""
    names = [layer.name for layer in model.layers]
    follower = model.layers[names.index(layer_name) + 1]
    target = follower if isinstance(follower, keras.layers.BatchNormalization) else model.get_layer(layer_name)
    weights, losses = target.get_weights(), []
    for mask in masks:
        changed = weights[:2] if target is follower else weights
        target.set_weights([array * mask for array in changed] + weights[len(changed) :])
        logits = train.logits(model, split.x)
        losses.append(float(np.mean(keras.losses.sparse_categorical_crossentropy(split.y, logits, from_logits=True))))
    target.set_weights(weights)
    return np.array(losses)


def prepared(name: str) -> tuple[dict[str, keras.Model], Split]:
    """The trained network in float32 and as a network in bfloat16, and the images in random order."""
    builder, options, source, examples, epochs, count, *_ = NETWORKS[name]
    dataset = data.load(source)
    shuffled = np.random.default_rng(0).permutation(len(dataset.train))
    few = Split(dataset.train.x[shuffled[:examples]], dataset.train.y[shuffled[:examples]])
    keras.utils.set_random_seed(0)
    model = models.build(builder, dataset, **options)
    recipe = Recipe(epochs=epochs, learning_rate=0.003)
    train.fit(model, Dataset(dataset.name, few, dataset.val, dataset.test, dataset.classes, ""), recipe, progress=False)
    print(f"{name}: {train.accuracy(model, dataset.val):.1%} of the validation images", flush=True)
    coarse = keras.models.clone_model(
        model, clone_function=lambda layer: type(layer).from_config(layer.get_config() | {"dtype": "bfloat16"})
    )
    coarse.set_weights(model.get_weights())
    shuffled = np.random.default_rng(1).permutation(len(dataset.val))[:count]
    return {"float32": model, "bfloat16": coarse}, Split(dataset.val.x[shuffled], dataset.val.y[shuffled])


def timed(work: Callable[[], object], masks: int) -> tuple[object, float]:
    """What `work` returns, and its seconds a mask."""
    started = time.perf_counter()
    result = work()
    return result, (time.perf_counter() - started) / masks


def measure(name: str) -> dict:
    """What `measure_layer` finds, by layer."""
    networks, images = prepared(name)
    for network in networks.values():
        naive(network, scored_layers(network)[0], images, np.ones((1, 1)))  # traces the network
    return {layer: measure_layer(networks, layer, images, *NETWORKS[name][-2:]) for layer in scored_layers(networks["float32"])}


def measure_layer(networks: dict[str, keras.Model], layer: str, images: Split, few: int, many: int) -> dict:
    """{"channels", "bound", "prepare" (s), seconds a mask in each round of each way, and how far the coarse ways agree}."""
    model = networks["float32"]
    work = layer_macs(model)
    exact, prepare = timed(lambda: ready(model, layer, images, many, bfloat16=False), 1)
    coarse = ready(model, layer, images, many, bfloat16=True)
    masks = np.random.default_rng(1).random((max(many, RACED), exact.channels)) < 0.5
    ways = {
        "naive": (few, lambda: naive(model, layer, images, masks[:few])),
        "naive_bfloat16": (few, lambda: naive(networks["bfloat16"], layer, images, masks[:few])),
        "ours": (many, lambda: exact(masks[:many])),
        "bfloat16": (many, lambda: coarse(masks[:many])),
        "race": (RACED, lambda: race(coarse, masks[:RACED])),
        "race_float32": (RACED, lambda: race(exact, masks[:RACED])),
    }
    times, results = {way: [] for way in ways}, {}
    for _ in range(ROUNDS):
        for way, (count, run) in ways.items():
            results[way], seconds = timed(run, count)
            times[way].append(seconds)
    np.testing.assert_allclose(results["ours"].loss[:few], results["naive"], atol=1e-4)
    whole = [evaluate(masks[:RACED]).loss for evaluate in (exact, coarse)]
    winner = whole[0][results["race"].best]
    agreement = {
        "rank_of_losses": rank_correlation(*whole),
        "rank_of_shares": rank_correlation(*(filter_shares(masks[:RACED], losses) for losses in whole)),
        "place_of_winner": 1 + int(np.sum(whole[0] < winner)),
        "excess_of_winner": float((winner - whole[0].min()) / np.std(whole[0])),
    }
    print(layer, agreement, flush=True)
    bound = sum(work.values()) / sum(work.get(behind, 0) for behind in exact.behind)
    return {"channels": exact.channels, "bound": bound, "prepare": prepare, **times, **agreement}


def ready(model: keras.Model, layer_name: str, images: Split, many: int, *, bfloat16: bool):
    """The evaluator of a layer, with every graph traced that will be timed."""
    evaluate = evaluator(model, layer_name, images, bfloat16=bfloat16)
    masks = np.random.default_rng(2).random((max(many, RACED), evaluate.channels)) < 0.5
    evaluate(masks[:many])
    race(evaluate, masks[:RACED])
    return evaluate


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's."""
    from scipy import stats

    return float(stats.spearmanr(a, b).statistic)


def figures(name: str, layers: dict) -> list[dict]:
    """The ratios over the whole workload, round by round, and our masks a second."""

    def workload(way: str) -> np.ndarray:
        """Seconds of a mask a channel, (rounds,)."""
        return sum(layer["channels"] * np.array(layer[way]) for layer in layers.values())

    def least(key: str) -> float:
        return min(layer[key] for layer in layers.values())

    channels = sum(layer["channels"] for layer in layers.values())
    seconds = {way: workload(way) for way in WAYS}
    slow = seconds["naive"]
    bound = channels / sum(layer["channels"] / layer["bound"] for layer in layers.values())
    each = [f"{median(layer['naive']) / median(layer['ours']):.1f} ({layer['bound']:.1f})" for layer in layers.values()]
    prepare = max(layer["prepare"] for layer in layers.values())
    images = NETWORKS[name][5]
    shared = f"{images} images, {len(layers)} layers; the naive loop in float32"
    note = (
        f"{shared}; 16 masks a channel, in float32, the same losses; the multiply-accumulates behind the layers "
        f"bound what can be saved by not repeating the part before them to {bound:.2f}; layer by layer, bound in brackets: "
        f"{', '.join(each)}; beyond it goes what the loop spends outside of arithmetic. "
        f"Preparing a layer takes at most {prepare:.1f} s, not counted."
    )
    coarse = f"{shared}; 16 masks a channel, the layers behind as a copy in bfloat16; least rank correlations of a layer"
    winners = ", ".join(str(layer["place_of_winner"]) for layer in layers.values())
    excess = max(layer["excess_of_winner"] for layer in layers.values())
    raced = (
        f"{shared}; the best of {RACED} masks a layer by a race, in bfloat16: all on 32 images, a quarter on four times as many, "
        f"and so on; place of the winner among the {RACED} on all images, layer by layer: {winners}; its loss at most "
        f"{excess:.2f} standard deviations above the least"
    )

    def over(way: str) -> list[float]:
        return (slow / seconds[way]).tolist()

    against = {"loop in bfloat16": float(np.median(seconds["naive_bfloat16"] / seconds["bfloat16"]))}
    ranks = {"rank of losses": least("rank_of_losses"), "rank of LFE's shares": least("rank_of_shares")}
    return [
        row(f"masks.{name}.ratio", over("ours"), "", COMMAND, note, {"bound": bound}),
        row(f"masks.{name}.ratio_bfloat16", over("bfloat16"), "", COMMAND, coarse, against | ranks),
        row(f"masks.{name}.ratio_race", over("race"), "", COMMAND, raced, {"in float32": median(over("race_float32"))}),
        row(
            f"masks.{name}.rate",
            (channels / seconds["ours"]).tolist(),
            "masks/s",
            COMMAND,
            f"{images} images",
            {"naive Keras loop": channels / median(slow), "bfloat16": channels / median(seconds["bfloat16"])},
        ),
    ]


def main() -> None:
    raw, rows = Raw("masks"), []
    for name in NETWORKS:
        rows += figures(name, raw.take(name, lambda name=name: measure(name)))
    write_rows("masks", rows)


if __name__ == "__main__":
    main()
