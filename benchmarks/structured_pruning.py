"""Structured pruning of ResNet-20 and ResNet-32 on CIFAR-10: what each score costs at an equal cut, beside the published rows.

    PROJECTKIT_DATA=FOLDER python benchmarks/structured_pruning.py
    PROJECTKIT_DATA=FOLDER python benchmarks/structured_pruning.py --recipe published   where there is a GPU

FOLDER holds cifar10.npz. The first convolution of every residual block loses half of its filters, which cuts about half of the
multiply-accumulates whatever the score, so that the drop in accuracy is what differs. A stage of the network is scored layer by
layer, pruned and trained on before the next is looked at; all scores get the same epochs. Everything is stored as it is made: a
run that was killed goes on where it stopped.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import argparse
import math
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import tf_keras as keras

from projectkit import data, export, measure, models, train
from projectkit.models.cost import macs, parameters
from projectkit.prune import SCORES
from projectkit.prune.group_scores import free_groups
from projectkit.prune.lfe import MASKS_PER_CHANNEL, lfe
from projectkit.prune.pgbp import Climb, pgbp_loss
from projectkit.prune.schedules import layer_by_layer, one_shot
from projectkit.types import Dataset, Recipe
from record import Raw, percent, row, store_model, write_rows

FOLDER = Path(__file__).parent.parent / "build" / "structured_pruning"
COMMAND = "python benchmarks/structured_pruning.py"
DEPTHS = (20, 32)
METHODS = ("random", "l1", "fpgm", "lfe", "pgbp")
SEEDS = (0, 1, 2)  # of the scores; the training is repeated for none of them
RATIO = 0.5
WATCHED = 1000  # validation images on which a removal is watched


@dataclass(frozen=True, slots=True)
class Recipes:
    """How the baseline is trained, how the network is trained on after each stage, and at the end."""

    baseline: Recipe
    between: Recipe
    finish: Recipe


# Keras takes the weight decay out of the momentum: 2e-3 here pulls as 2e-4 in the papers does with a momentum of 0.9.
SGD = Recipe(batch_size=128, learning_rate=0.1, optimizer="sgd", weight_decay=2e-3, augmentation="crop_flip")
RECIPES = {
    "laptop": Recipes(
        baseline=replace(SGD, epochs=30),
        between=replace(SGD, epochs=1, learning_rate=0.01, schedule="constant"),
        finish=replace(SGD, epochs=8, learning_rate=0.03),
    ),
    # The baseline is that of He et al., "Deep residual learning", 2015, section 4.2 (64 000 steps, weight decay 1e-4). How long
    # the thesis fine-tunes is not published: these lengths are ours.
    "published": Recipes(
        baseline=replace(SGD, epochs=182, schedule="steps", weight_decay=1e-3),
        between=replace(SGD, epochs=10, learning_rate=0.01, schedule="constant", weight_decay=1e-3),
        finish=replace(SGD, epochs=60, learning_rate=0.01, schedule="steps", weight_decay=1e-3),
    ),
}
# Sándor's thesis, table 2.1, CIFAR-10; the authors' figures, the other methods' as that table prints them. Percent.
PUBLISHED = {
    (32, "fpgm"): {"baseline": 92.63, "pruned": 92.82, "drop": -0.19, "macs_cut": 53.2, "params_cut": 53.2},
    (32, "lfe"): {"baseline": 92.97, "pruned": 92.42, "drop": 0.55, "macs_cut": 46.4, "params_cut": 49.35},
    (32, "pgbp"): {"baseline": 92.97, "pruned": 92.29, "drop": 0.68, "macs_cut": 50.22, "params_cut": 43.65},
}


def few_masks(model, layer_name, images, *, seed=0):
    """LFE with half of the usual masks, on 256 images."""
    channels = model.get_layer(layer_name).filters
    return lfe(model, layer_name, images.take(256), seed=seed, masks=MASKS_PER_CHANNEL // 2 * channels)


def short_climb(model, layer_name, images, *, seed=0):
    """PGBP with the loss as its score: 60 steps of 10 masks, on 256 images."""
    return pgbp_loss(model, layer_name, images.take(256), seed=seed, climb=Climb(iterations=60))


SCORE = {name: SCORES[name] for name in ("random", "l1", "fpgm")} | {"lfe": few_masks, "pgbp": short_climb}


def trained(model: keras.Model, dataset: Dataset, recipe: Recipe, path: Path) -> keras.Model:
    """`model` trained by `recipe`, in float32; from `path` when it was done before, and going on in the middle of it."""
    if path.exists():
        return keras.models.load_model(path, compile=False)
    mixed = train.in_precision(model, "mixed_bfloat16")
    checkpoint = path.with_suffix(".npz")
    history = train.fit(mixed, dataset, recipe, checkpoint=checkpoint, progress=False)
    print(f"{path}: validation {history.val_accuracy[-1]:.4f} after {sum(history.seconds):.0f} s", flush=True)
    result = train.in_precision(mixed, "float32")
    store_model(result, path)
    checkpoint.unlink()
    return result


def stages(model: keras.Model) -> list[list[str]]:
    """The names of the groups inside the blocks, stage by stage."""
    free = free_groups(model)
    each = len(free) // 3
    return [[group.name for group in free[start : start + each]] for start in range(0, len(free), each)]


def watched(dataset: Dataset) -> Dataset:
    return replace(dataset, val=dataset.val.take(WATCHED))


def before_training(model: keras.Model, method: str, dataset: Dataset, seed: int) -> dict:
    """What the score alone is worth: all layers pruned one after another, nothing trained. Accuracy on the test images."""
    started = time.perf_counter()
    pruned = layer_by_layer(model, SCORE[method], RATIO, watched(dataset), seed=seed)
    return {"accuracy": train.accuracy(pruned.model, dataset.test), "seconds": time.perf_counter() - started}


def pruned_and_trained(model: keras.Model, method: str, dataset: Dataset, recipes: Recipes, folder: Path) -> keras.Model:
    """Stage by stage: score and prune layer by layer, train on; then the last training."""
    for index, names in enumerate(stages(model)):
        path = folder / f"stage{index}.keras"
        if path.exists():
            model = keras.models.load_model(path, compile=False)
            continue
        ratios = dict.fromkeys(names, RATIO)
        model = layer_by_layer(model, SCORE[method], ratios, watched(dataset)).model
        model = trained(model, dataset, recipes.between, path)
    return trained(model, dataset, recipes.finish, folder / "finished.keras")


def outcome(baseline: keras.Model, pruned: keras.Model, dataset: Dataset, folder: Path) -> dict:
    """Figures of two networks by name, each [value, low, high, n]: accuracies in percent of the test images with their 95 %
    interval, that of the drop from the images on which the two differ; the ratio of the exported files' latencies. And the cuts.
    """
    files = {
        name: export.write(model, folder / f"{name}.tflite", compare=dataset.val.x[:100]).artifact
        for name, model in (("baseline", baseline), ("pruned", pruned))
    }
    profiles = measure.compare(tuple(files.values()), dataset.test.take(1000), baseline=files["baseline"], budget=10.0)
    ratio = next(p.values["latency_ratio"] for p in profiles if p.artifact.sha256 == files["pruned"].sha256)
    test = dataset.test
    logits = {name: train.logits(model, test.x) for name, model in (("baseline", baseline), ("pruned", pruned))}
    found = {name: percent(measure.accuracy(one, test.y)) for name, one in logits.items()}
    right = {name: one.argmax(axis=1) == test.y for name, one in logits.items()}
    return found | {
        "drop": mean_and_interval(100.0 * right["baseline"] - 100.0 * right["pruned"]),
        "cuts": cuts(baseline, pruned),
        "latency_ratio": [ratio.value, ratio.low, ratio.high, ratio.n],
    }


def mean_and_interval(values: np.ndarray) -> list[float]:
    """[mean, low, high, n] with the 95 % interval of the mean of many values."""
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values))
    mean = float(values.mean())
    return [mean, mean - half, mean + half, len(values)]


def cuts(baseline: keras.Model, pruned: keras.Model) -> list[float]:
    """Percent of the multiply-accumulates and of the parameters that are gone."""
    return [100 * (1 - count(pruned) / count(baseline)) for count in (macs, parameters)]


def cuts_of_draws(baseline: keras.Model, dataset: Dataset) -> list[list[float]]:
    """The cuts of networks whose channels were drawn: how many go does not depend on which."""
    drawn = [one_shot(baseline, SCORES["random"], RATIO, watched(dataset), seed=seed).model for seed in SEEDS]
    return [cuts(baseline, one) for one in drawn]


def figures(depth: int, method: str, raw: Raw, recipes: Recipes) -> list[dict]:
    """The rows of one line of the table."""
    result = raw.take(f"resnet{depth}.{method}.finished", dict)
    early = [raw.take(f"resnet{depth}.{method}.before.{seed}", dict) for seed in SEEDS]
    drawn = raw.take(f"resnet{depth}.cuts", list)
    published = PUBLISHED.get((depth, method), {})
    epochs = 3 * recipes.between.epochs + recipes.finish.epochs
    note = (
        "percent of 10 000 CIFAR-10 test images (re-compressed as JPEG); baseline trained once for "
        f"{recipes.baseline.epochs} epochs (He et al.: 182), pruned ones once for {epochs} more: their intervals are those "
        f"of the test images, not of other trainings; `before`: right after pruning, {len(SEEDS)} seeds, the first of which was "
        f"trained on; cuts counted of this network and of {len(drawn)} with drawn channels; latency of the LiteRT files in turn, "
        "one thread; published: Sándor's thesis, table 2.1"
    )
    key = f"structured.resnet{depth}.{method}"
    rows = [row(f"{key}.before", [100 * run["accuracy"] for run in early], "%", COMMAND, note)]
    for name, unit in (("baseline", "%"), ("pruned", "%"), ("drop", "%"), ("latency_ratio", "")):
        value, low, high, n = result[name]
        measured = {"low": low, "high": high, "n": n}
        rows.append(row(f"{key}.{name}", [value], unit, COMMAND, note, beside(published, name)) | measured)
    for index, name in enumerate(("macs_cut", "params_cut")):
        counted = [cut[index] for cut in (result["cuts"], *drawn)]
        rows.append(row(f"{key}.{name}", counted, "%", COMMAND, note, beside(published, name)))
    rows.append(row(f"{key}.scoring_seconds", [run["seconds"] for run in early], "s", COMMAND, note))
    return rows


def beside(published: dict[str, float], name: str) -> dict[str, float]:
    return {"published": published[name]} if name in published else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=RECIPES, default="laptop")
    parser.add_argument("--depths", type=int, nargs="+", default=DEPTHS)
    parser.add_argument("--methods", choices=METHODS, nargs="+", default=METHODS)
    options = parser.parse_args()
    recipes, dataset = RECIPES[options.recipe], data.load("cifar10")
    name = "structured_pruning" if options.recipe == "laptop" else f"structured_pruning_{options.recipe}"
    raw = Raw(name)
    raw.take("recipes", partial(asdict, recipes))
    for depth in options.depths:
        folder = FOLDER / options.recipe / f"resnet{depth}"
        baseline = trained(
            models.build("resnet", dataset, seed=0, depth=depth), dataset, recipes.baseline, folder / "baseline.keras"
        )
        raw.take(f"resnet{depth}.cuts", partial(cuts_of_draws, baseline, dataset))
        for method in options.methods:
            for seed in SEEDS:
                raw.take(f"resnet{depth}.{method}.before.{seed}", partial(before_training, baseline, method, dataset, seed))
        for method in options.methods:
            place = folder / method

            def run(method=method, place=place, baseline=baseline) -> dict:
                return outcome(baseline, pruned_and_trained(baseline, method, dataset, recipes, place), dataset, place)

            raw.take(f"resnet{depth}.{method}.finished", run)
        write_rows(name, finished_rows(raw, recipes))


def finished_rows(raw: Raw, recipes: Recipes) -> list[dict]:
    """Figures of everything that is finished by now."""
    finished = [(depth, method) for depth in DEPTHS for method in METHODS if f"resnet{depth}.{method}.finished" in raw]
    return [figure for depth, method in finished for figure in figures(depth, method, raw, recipes)]


if __name__ == "__main__":
    main()
