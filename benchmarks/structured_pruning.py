"""Structured pruning at an equal cut: accuracy right after it, recalibrated, and fine-tuned, beside the controls.

    PROJECTKIT_DATA=FOLDER python benchmarks/structured_pruning.py                         digits and MNIST, half an hour
    PROJECTKIT_DATA=FOLDER python benchmarks/structured_pruning.py --networks resnet20     CIFAR-10, hours

FOLDER holds mnist.npz and cifar10.npz. Every score chooses the channels of one trained network at once, of all layers the same
share, so that the same work is left whatever the score. Then the statistics of batch normalization are estimated anew and nothing
is trained; then all are fine-tuned alike. Controls: channels at random; the whole network, recalibrated and trained on for as
many epochs; the small network trained from scratch for all epochs together. Everything is stored as it is made: a run that was
killed goes on where it stopped.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import argparse
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from projectkit import data, export, measure, models, train
from projectkit.models.cost import macs
from projectkit.prune import SCORES, keep_best, recalibrate, remove
from projectkit.prune.group_scores import free_groups, group_scores
from projectkit.prune.lfe import lfe
from projectkit.prune.pgbp import Climb, pgbp_loss
from projectkit.prune.schedules import SCORE_IMAGES, by_validation, ratio_for_macs
from projectkit.types import Dataset, Recipe
from record import Raw, row, store_model, write_rows

FOLDER = Path(__file__).parent.parent / "build" / "structured_pruning"
COMMAND = "python benchmarks/structured_pruning.py"
CUTS = (0.5, 0.85)  # of the multiply-accumulates
SEEDS = (0, 1, 2)  # each another network, other drawings of the scores and another fine-tuning
STAGES = ("cut", "recalibrated", "fine_tuned")
BESIDE = ("l1", "pgbp")  # methods whose rows name the controls
VALIDATED = ("random", "l1", "lfe", "pgbp")  # methods that also choose the cut
MASKED = 128  # images on which masks are judged
TOLERANCE = 0.01  # of accuracy, a layer, where validation chooses the cut


@dataclass(frozen=True, slots=True)
class Setting:
    """A network, its data, how it is trained, and how it is fine-tuned. `validation`: whether the cut is also chosen by that;
    images: how many of the training images, None for all."""

    dataset: str
    builder: str
    options: Mapping[str, Any]
    recipe: Recipe
    mend: Recipe
    precision: str = "float32"
    validation: bool = False
    images: int | None = None

    @property
    def epochs(self) -> int:
        """What a network sees in all."""
        return self.recipe.epochs + self.mend.epochs


# Keras takes the weight decay out of the momentum: 2e-3 here pulls as 2e-4 in the papers does with a momentum of 0.9.
SGD = Recipe(batch_size=128, learning_rate=0.1, optimizer="sgd", weight_decay=2e-3, augmentation="crop_flip")
SETTINGS = {
    "digits": Setting(
        "digits", "convnet", {"widths": (48, 96, 192)}, Recipe(epochs=10, learning_rate=2e-3), Recipe(epochs=2), validation=True
    ),
    "mnist": Setting(
        "mnist",
        "convnet",
        {"widths": (16, 32, 64)},
        Recipe(epochs=4, batch_size=128, learning_rate=4e-3),
        Recipe(epochs=2, batch_size=128),
        "mixed_bfloat16",
        images=12_000,
    ),
    "resnet20": Setting(
        "cifar10",
        "resnet",
        {"depth": 20},
        replace(SGD, epochs=20),
        replace(SGD, epochs=2, learning_rate=0.03),
        "mixed_bfloat16",
    ),
}


def some_masks(model, layer_name, images, *, seed=0):
    """LFE with half of the usual masks a channel, of which each keeps nine channels of ten."""
    return lfe(model, layer_name, images.take(MASKED), seed=seed, masks=8 * model.get_layer(layer_name).filters, keep=0.9)


def short_climb(model, layer_name, images, *, seed=0):
    """PGBP with the loss as its score: 60 steps of 10 masks."""
    return pgbp_loss(model, layer_name, images.take(MASKED), seed=seed, climb=Climb(iterations=60))


METHODS = {name: SCORES[name] for name in ("random", "l1", "fpgm", "taylor")} | {"lfe": some_masks, "pgbp": short_climb}


def accuracy(model: keras.Model, dataset: Dataset) -> float:
    """Percent of the test images. Nothing is chosen on them."""
    return 100 * train.accuracy(model, dataset.test)


def trained(model: keras.Model, dataset: Dataset, recipe: Recipe, precision: str) -> keras.Model:
    """A float32 copy of `model` that was trained in `precision`."""
    learning = train.in_precision(model, precision)
    train.fit(learning, dataset, recipe, progress=False)
    return train.in_precision(learning, "float32")


def baseline(setting: Setting, dataset: Dataset, seed: int, path: Path) -> keras.Model:
    """The trained network; from `path` when it was trained before."""
    if path.exists():
        return keras.models.load_model(path, compile=False)
    model = models.build(setting.builder, dataset, seed=seed, **setting.options)
    model = trained(model, dataset, replace(setting.recipe, seed=seed), setting.precision)
    store_model(model, path)
    return model


def stages(model: keras.Model, setting: Setting, dataset: Dataset, seed: int) -> dict[str, float]:
    """Accuracy of a network as it is, recalibrated, and trained on."""
    fitting = recalibrate(model, dataset.train.x[:SCORE_IMAGES])
    mended = trained(fitting, dataset, replace(setting.mend, seed=seed), setting.precision)
    return {name: accuracy(one, dataset) for name, one in zip(STAGES, (model, fitting, mended), strict=True)}


def kept(model: keras.Model, scores: Mapping[str, list[float]], cut: float) -> keras.Model:
    """What is left of the network when the lowest scores go, the same share of every group."""
    ratio = ratio_for_macs(model, cut)
    return remove(model, {name: keep_best(np.array(of_group), ratio) for name, of_group in scores.items()})


def from_scratch(shape: keras.Model, setting: Setting, dataset: Dataset, seed: int) -> float:
    """Accuracy of a network of the same shape with fresh weights, trained for as many epochs as the others were in all."""
    keras.utils.set_random_seed(100 + seed)
    fresh, recipe = keras.models.clone_model(shape), replace(setting.recipe, epochs=setting.epochs, seed=seed)
    return accuracy(trained(fresh, dataset, recipe, setting.precision), dataset)


def latency_ratio(small: keras.Model, whole: keras.Model, dataset: Dataset, folder: Path) -> float:
    """Of the LiteRT files, timed in turn."""
    whole_file, small_file = (
        export.write(model, folder / f"{name}.tflite", compare=dataset.val.x[:100]).artifact
        for name, model in (("whole", whole), ("small", small))
    )
    profiles = measure.compare((whole_file, small_file), dataset.test.take(500), baseline=whole_file, budget=2.0)
    return next(p.values["latency_ratio"].value for p in profiles if p.artifact.sha256 == small_file.sha256)


def validated(model: keras.Model, method: str, setting: Setting, dataset: Dataset, seed: int) -> dict[str, float]:
    """Each layer cut as deep as validation allows, one after the other; the test images have the last word."""
    mend = replace(setting.mend, seed=seed)
    pruned = by_validation(model, METHODS[method], dataset, mend, tolerance=TOLERANCE, seed=seed).model
    return {"macs_cut": 100 * (1 - macs(pruned) / macs(model)), "fine_tuned": accuracy(pruned, dataset)}


def run(name: str, raw: Raw, folder: Path) -> None:
    """Measures what is not there yet of one setting."""
    setting = SETTINGS[name]
    dataset = data.load(setting.dataset)
    dataset = replace(dataset, train=dataset.train.take(setting.images or len(dataset.train)))
    raw.take(f"{name}.setting", partial(asdict, setting))
    for seed in SEEDS:
        whole = baseline(setting, dataset, seed, folder / name / f"{seed}.keras")
        raw.take(f"{name}.whole.{seed}", partial(stages, whole, setting, dataset, seed))
        images, scores = dataset.train.take(SCORE_IMAGES), {}
        for method, score in METHODS.items():

            def scored(score=score, whole=whole, images=images, seed=seed) -> dict[str, list[float]]:
                found = {group.name: group_scores(score, whole, group, images, seed=seed) for group in free_groups(whole)}
                return {group: [float(f"{value:.6g}") for value in values] for group, values in found.items()}

            scores[method] = raw.take(f"{name}.scores.{method}.{seed}", scored)
        for cut in CUTS:
            for method in METHODS:
                small = kept(whole, scores[method], cut)
                raw.take(f"{name}.{cut}.{method}.{seed}", partial(stages, small, setting, dataset, seed))
            raw.take(f"{name}.{cut}.from_scratch.{seed}", partial(from_scratch, small, setting, dataset, seed))
            raw.take(f"{name}.{cut}.macs_cut.{seed}", lambda small=small, whole=whole: 100 * (1 - macs(small) / macs(whole)))
            raw.take(f"{name}.{cut}.latency_ratio.{seed}", partial(latency_ratio, small, whole, dataset, folder))
        if setting.validation:
            for method in VALIDATED:
                raw.take(f"{name}.validated.{method}.{seed}", partial(validated, whole, method, setting, dataset, seed))


def finished(name: str, raw: Raw) -> bool:
    last = f"validated.{VALIDATED[-1]}" if SETTINGS[name].validation else f"{CUTS[-1]}.latency_ratio"
    return f"{name}.{last}.{SEEDS[-1]}" in raw


def mean_row(what: str, samples: list[float], unit: str, note: str, beside: dict[str, float] | None = None) -> dict:
    return row(what, samples, unit, COMMAND, note, beside) | {"value": statistics.mean(samples)}


def figures(name: str, raw: Raw) -> list[dict]:
    """The rows of one setting."""
    setting = SETTINGS[name]

    def samples(key: str) -> list:
        return [raw.take(f"{name}.{key}.{seed}", dict) for seed in SEEDS]

    note = (
        f"percent of the test images of {setting.dataset}, mean and range of {len(SEEDS)} networks ({setting.builder}, "
        f"{', '.join(f'{key} {value}' for key, value in setting.options.items())}), trained for {setting.recipe.epochs} epochs "
        f"on {setting.images or 'all'} training images and fine-tuned for {setting.mend.epochs}; recalibrated: statistics of "
        f"batch normalization estimated anew on {SCORE_IMAGES} of them, nothing trained; whole: nothing is cut, as trained, "
        f"recalibrated, trained on as long; from_scratch: the shape that is left, fresh weights, {setting.epochs} epochs; any: "
        "whatever is kept, as only the number of channels counts; latency of the LiteRT files in turn, one thread"
    )
    rows = []
    for cut in CUTS:
        key, scratch = f"structured.{name}_{100 * cut:.0f}", samples(f"{cut}.from_scratch")
        controls = {stage: {"random": statistics.mean(one[stage] for one in samples(f"{cut}.random"))} for stage in STAGES}
        controls["fine_tuned"] |= {
            "from scratch": statistics.mean(scratch),
            "whole trained on": statistics.mean(one["fine_tuned"] for one in samples("whole")),
        }
        for variant, of_seeds in (("whole", samples("whole")), *((method, samples(f"{cut}.{method}")) for method in METHODS)):
            for stage in STAGES:
                beside = controls[stage] if variant in BESIDE else {}
                rows.append(mean_row(f"{key}.{variant}.{stage}", [one[stage] for one in of_seeds], "%", note, beside))
        rows.append(mean_row(f"{key}.from_scratch.fine_tuned", scratch, "%", note))
        rows.append(mean_row(f"{key}.any.macs_cut", samples(f"{cut}.macs_cut"), "%", note))
        rows.append(mean_row(f"{key}.any.latency_ratio", samples(f"{cut}.latency_ratio"), "", note))
    for method in VALIDATED if setting.validation else ():
        of_seeds = samples(f"validated.{method}")
        said = (
            f"{note.partition(';')[0]}; every layer loses as many channels as cost at most {TOLERANCE:.0%} of accuracy on the "
            f"validation images, one layer after the other, each followed by {setting.mend.epochs} epochs; the cuts differ"
        )
        for metric in ("macs_cut", "fine_tuned"):
            rows.append(mean_row(f"structured.{name}_validated.{method}.{metric}", [one[metric] for one in of_seeds], "%", said))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", choices=SETTINGS, nargs="+", default=("digits", "mnist"))
    options = parser.parse_args()
    raw = Raw("structured_pruning")
    for name in options.networks:
        run(name, raw, FOLDER)
    write_rows("structured_pruning", [one for name in SETTINGS if finished(name, raw) for one in figures(name, raw)])


if __name__ == "__main__":
    main()
