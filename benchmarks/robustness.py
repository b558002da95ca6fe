"""Robust accuracy of a convolutional network on MNIST: trained plainly, adversarially by PGD, and with noise for certificates.

    PROJECTKIT_DATA=FOLDER python benchmarks/robustness.py

FOLDER holds mnist.npz. Three networks of each kind, from the seeds 0, 1 and 2. Everything is stored as it is made: a run that was
killed goes on where it stopped, in the middle of a training too. A training on PGD's images takes about a quarter of an hour of
one quiet core.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import tf_keras as keras
from tf_keras import layers

from projectkit import data, measure, robustness, train
from projectkit.robustness import certify, evaluate, noise_training, pgd, pgd_training, signs_of_masking, square, strongest
from projectkit.types import Dataset, Recipe
from record import Raw, percent, row, store_model, write_rows

BUILD = Path(__file__).parent.parent / "build" / "robustness"
COMMAND = "python benchmarks/robustness.py"
SEEDS = (0, 1, 2)
SPREAD = f"median of {len(SEEDS)} networks, and from the lowest to the highest end of their 95 % Wilson intervals"
EPSILON = 0.3  # in L∞, as Madry et al.
STEPS, WARM_UP = 7, 4
RECIPE = Recipe(epochs=5, batch_size=128, learning_rate=1e-3)
PGD_RECIPE = replace(RECIPE, epochs=20)
ATTACKED = 1000  # test images for attacks that need thousands of passes each
QUERIES = 5000
SIGMA, COPIES, CERTIFIED = 0.5, 10_000, 500
RADII = (0.0, 0.5, 1.0, 1.5)
# Madry et al. 2018, table 1 (white box, one restart), and what AutoAttack leaves of their network (Croce and Hein 2020).
PUBLISHED = {"pgd40": {"Madry et al. 2018": 93.2}, "strongest": {"AutoAttack on Madry et al.": 88.4}}

ATTACKS = {
    "pgd40": (10_000, partial(pgd, steps=40, step_size=0.01)),
    "square": (ATTACKED, partial(square, queries=QUERIES)),
    "strongest": (ATTACKED, partial(strongest, queries=QUERIES)),
}


def main() -> None:
    raw, dataset = Raw("robustness"), data.load("mnist")
    for seed in SEEDS:
        for name in ("plain", "pgd_trained"):
            attack(name, seed, dataset, raw)
        smooth(seed, dataset, raw)
    write_rows("robustness", [*attacked_rows(raw), smoothed_row(raw)])


def attack(name: str, seed: int, dataset: Dataset, raw: Raw) -> None:
    """Clean accuracy, what each attack leaves of it, and the signs of masked gradients."""
    model, test = network(name, seed, dataset), dataset.test
    key = f"{name}.{seed}"
    raw.take(f"{key}.clean", lambda: percent(measure.accuracy(train.logits(model, test.x), test.y)))
    for attack_name, (count, how) in ATTACKS.items():
        few = test.take(count)
        raw.take(f"{key}.{attack_name}", lambda few=few, how=how: percent(evaluate(model, few.x, few.y, how, EPSILON)))
    few = test.take(200)
    raw.take(f"{key}.signs", lambda: [f.sentence for f in signs_of_masking(model, few.x, few.y, EPSILON) if f.suspicious])


def smooth(seed: int, dataset: Dataset, raw: Raw) -> None:
    """The certified accuracy at every one of RADII."""

    def measured() -> dict:
        certificate = certify(network("noise_trained", seed, dataset), few.x, sigma=SIGMA, n=COPIES)
        return {str(radius): percent(certificate.accuracy(few.y, radius)) for radius in RADII} | {
            "abstained": int((certificate.labels == robustness.ABSTAIN).sum())
        }

    few = dataset.test.take(CERTIFIED)
    raw.take(f"certified.{seed}", measured)


def network(name: str, seed: int, dataset: Dataset) -> keras.Model:
    """The network in its file, trained when it is not there yet."""
    file = BUILD / f"{name}{seed}.keras"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        keras.utils.set_random_seed(seed)
        model = train.in_precision(strided_convnet(dataset), "mixed_bfloat16")
        checkpoint = file.with_suffix(".npz")
        trainings()[name](model, dataset, seed=seed, checkpoint=checkpoint)
        store_model(train.in_precision(model, "float32"), file)
        checkpoint.unlink()
    return keras.models.load_model(file, compile=False)


def trainings() -> dict[str, Callable]:
    """By name: (model, dataset, *, seed, checkpoint)."""

    def by(how: Callable, recipe: Recipe, **options) -> Callable:
        return lambda model, dataset, *, seed, checkpoint: how(
            model, dataset, replace(recipe, seed=seed), checkpoint=checkpoint, progress=False, **options
        )

    return {
        "plain": by(train.fit, RECIPE),
        "noise_trained": by(noise_training, RECIPE, sigma=SIGMA),
        "pgd_trained": by(pgd_training, PGD_RECIPE, epsilon=EPSILON, steps=STEPS, warm_up=WARM_UP),
    }


def strided_convnet(dataset: Dataset) -> keras.Model:
    """Two 4×4 convolutions with a stride of 2 and a hidden layer: a sixth of the time of Madry's network with its pools."""
    inputs = x = keras.Input(dataset.shape, name="image")
    for width in (32, 64):
        x = layers.Conv2D(width, 4, strides=2, padding="same", activation="relu")(x)
    x = layers.Dense(512, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(len(dataset.classes), name="logits")(x), name="strided_convnet")


def attacked_rows(raw: Raw) -> list[dict]:
    note = (
        f"percent of MNIST's test images (of the first {ATTACKED} under square and strongest), {SPREAD}; L∞, "
        f"ε = {EPSILON:g}; two 4×4 convolutions of stride 2 (32, 64) and 512 hidden units; pgd_trained: {PGD_RECIPE.epochs} "
        f"epochs of Adam on PGD of {STEPS} steps of {2.5 / STEPS:.2f} ε, ε growing over the first {WARM_UP}; pgd40: 0.01 a step "
        f"from one random start; square: {QUERIES} queries; strongest: APGD on two losses (100 steps, nine targets), then Square"
    )
    made = []
    for name in ("plain", "pgd_trained"):
        for attack_name in ("clean", *ATTACKS):
            samples = [raw.take(f"{name}.{seed}.{attack_name}", list) for seed in SEEDS]
            beside = PUBLISHED.get(attack_name, {}) if name == "pgd_trained" else {}
            made.append(spread_row(f"robust.mnist.{name}.{attack_name}", samples, note + signs(raw, name), beside))
    return made


def spread_row(what: str, samples: list[list[float]], note: str, beside: dict | None = None) -> dict:
    """Networks and images are both samples: the interval holds what either may change."""
    ends = {"low": min(sample[1] for sample in samples), "high": max(sample[2] for sample in samples)}
    return row(what, [sample[0] for sample in samples], "%", COMMAND, note, beside) | ends


def signs(raw: Raw, name: str) -> str:
    found = sorted({sentence for seed in SEEDS for sentence in raw.take(f"{name}.{seed}.signs", list)})
    return f"; signs of masked gradients: {' '.join(found)}" if found else "; no sign of masked gradients by signs_of_masking"


def smoothed_row(raw: Raw) -> dict:
    told = [raw.take(f"certified.{seed}", dict) for seed in SEEDS]
    medians = {radius: statistics.median(one[str(radius)][0] for one in told) for radius in RADII if radius != 0.5}
    others = ", ".join(f"{median:.1f} at {radius:g}" for radius, median in medians.items())
    without = ", ".join(str(one["abstained"]) for one in told)
    note = (
        f"percent of MNIST's first {CERTIFIED} test images with the right class proven within an L2 radius of 0.5 (others: "
        f"{others}), {SPREAD}; without a class: {without}; σ = {SIGMA:g}, n0 = 100, n = {COPIES}, α = 0.001; the same network, "
        f"trained for {RECIPE.epochs} epochs on noise"
    )
    return spread_row("smoothing.mnist.certified", [one["0.5"] for one in told], note)


if __name__ == "__main__":
    main()
