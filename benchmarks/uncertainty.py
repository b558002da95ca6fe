"""Calibration of ten methods of uncertainty on MNIST and CIFAR-10, on corrupted and on out-of-distribution images.

    PROJECTKIT_DATA=FOLDER python benchmarks/uncertainty.py
    PROJECTKIT_DATA=FOLDER python benchmarks/uncertainty.py --set mnist

FOLDER holds mnist.npz and cifar10.npz. A LeNet learns from few images, for so long that it becomes too sure of itself: one that
does not overfit has little to mend. Every method has three seeds. The fifteen networks of the three ensembles are stored, and
each method's figures as it is done: a run that was killed goes on where it stopped.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import argparse
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import tf_keras as keras
from tf_keras import layers

from projectkit import data, uncertainty
from projectkit.robustness import CORRUPTIONS
from projectkit.types import Dataset, Recipe, Split
from projectkit.uncertainty.forward import logits
from record import Raw, row, store_model, write_rows

BUILD = Path(__file__).parent.parent / "build" / "uncertainty"
COMMAND = "python benchmarks/uncertainty.py"
MEMBERS = 5
SEEDS = (0, MEMBERS, 2 * MEMBERS)  # member k of an ensemble has seed + k: the three share no network
TEST, HELD_OUT, OTHERS, SHIFTED = 4000, 2000, 1000, 300  # images; OTHERS a set, SHIFTED a corruption and severity
SHIFTS = {"rotation": ("rotate",), "corruption": ("gaussian_noise", "motion_blur", "fog", "contrast")}
SEVERITIES = range(1, 6)
MISSES = 0.1  # that conformal prediction may make
SCORES = ("nll", "ece", "accuracy", "ood_auroc")
CONFORMAL = ("conformal", "conformal_shuffled")

Predict = Callable[[np.ndarray], np.ndarray]  # images -> probabilities (samples, n, classes)


@dataclass(frozen=True)
class Case:
    """A data set, and how a LeNet learns from how many of its images."""

    name: str
    images: int
    recipe: Recipe
    dropout: float
    out_of_distribution: tuple[str, str]  # other datasets
    unchanged: tuple  # transformations that leave the class as it is

    @cached_property
    def dataset(self) -> Dataset:
        """The first images of each split."""
        whole = data.load(self.name)
        return replace(whole, train=whole.train.take(self.images), val=whole.val.take(HELD_OUT), test=whole.test.take(TEST))

    @cached_property
    def training_data(self) -> Dataset:
        """The same for training, which only looks at few of the held-out images after each epoch."""
        return replace(self.dataset, val=self.dataset.val.take(100))

    @cached_property
    def outside(self) -> np.ndarray:
        """The images of two other sets, made as large and as colourful as ours."""
        return np.concatenate([like(data.load(name).test.x[:OTHERS], self.dataset.shape) for name in self.out_of_distribution])

    @cached_property
    def shifted(self) -> dict[str, dict[int, Split]]:
        """Family of shifts → severity → the first test images under each of its corruptions."""
        few = self.dataset.test.take(SHIFTED)
        return {family: {level: _changed(few, kinds, level) for level in SEVERITIES} for family, kinds in SHIFTS.items()}

    def network(self, seed: int) -> keras.Model:
        """The network with dropout that was trained from this seed: plain, and a member of an ensemble."""
        file = BUILD / self.name / f"network{seed}.keras"
        if not file.exists():
            fresh = uncertainty.with_dropout(lenet(self.dataset, seed), self.dropout)
            (trained,) = uncertainty.fit_ensemble(fresh, self.training_data, replace(self.recipe, seed=seed), members=1)
            store_model(trained, file)
        return keras.models.load_model(file, compile=False)


def lenet(dataset: Dataset, seed: int) -> keras.Model:
    """Two convolutions and two dense layers, without batch normalization, as in LeCun et al. (1998)."""
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input(dataset.shape)
    for width in (16, 32):
        x = layers.MaxPooling2D()(layers.Conv2D(width, 5, padding="same", activation="relu")(x))
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(len(dataset.classes))(x), name="lenet")


def mirrored(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Left and right exchanged: no class of CIFAR-10 minds."""
    return x[:, :, ::-1]


CASES = {
    "mnist": Case(
        "mnist",
        1000,
        Recipe(epochs=30, batch_size=32, learning_rate=1e-3),
        0.3,
        ("cifar10", "shapes"),
        uncertainty.SHIFTS,
    ),
    "cifar10": Case(
        "cifar10",
        2000,
        Recipe(epochs=30, batch_size=32, learning_rate=2e-3),
        0.2,
        ("mnist", "shapes"),
        (*uncertainty.SHIFTS, mirrored),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=CASES, action="append", help="measure this one only; both without it")
    raw = Raw("uncertainty")
    for name in parser.parse_args().set or CASES:
        case = CASES[name]
        about = asdict(case.recipe) | {"images": case.images, "dropout": case.dropout}
        if raw.take(f"{name}.recipe", lambda about=about: about) != about:
            raise SystemExit(f"{name}: was begun with another recipe. Go on with that one, or delete its raw results.")
        for way in CONFORMAL:
            for seed in SEEDS:
                raw.take(f"{name}.{way}.{seed}", partial(conformal, case, seed, shuffled=way == "conformal_shuffled"))
        for method, make in METHODS.items():
            for seed in SEEDS:
                raw.take(f"{name}.{method}.{seed}", partial(measured, case, make, seed))
    write_rows("uncertainty", [entry for case in CASES.values() for entry in rows(raw, case)])


def measured(case: Case, make: Callable[[Case, int], Predict], seed: int) -> dict:
    """Scores on the test images, the AUROC of images from outside, and NLL and accuracy under shift, severity by severity."""
    predict = make(case, seed)

    def mean(x: np.ndarray) -> np.ndarray:
        return uncertainty.predictive(predict(x))

    inside = mean(case.dataset.test.x)
    found = _scores(inside, case.dataset.test.y)
    found["ood_auroc"] = uncertainty.auroc(1 - inside.max(axis=1), 1 - mean(case.outside).max(axis=1))
    for family, splits in case.shifted.items():
        at = {level: _scores(mean(split.x), split.y) for level, split in splits.items()}
        found[family] = {score: [at[level][score] for level in SEVERITIES] for score in at[1]}
    return found


def conformal(case: Case, seed: int, *, shuffled: bool) -> dict:
    """Of the plain network: the share of test labels in the sets, and the mean size of these, by each method.

    shuffled: held-out and test images are put together and divided anew, so that they come from the same source for certain.
    """
    network, splits = case.network(seed), (case.dataset.val, case.dataset.test)
    probs = np.concatenate([uncertainty.softmax(logits(network, split.x)) for split in splits])
    y = np.concatenate([split.y for split in splits])
    order = np.random.default_rng(seed).permutation(len(y)) if shuffled else np.arange(len(y))
    held_out, test, found = order[:HELD_OUT], order[HELD_OUT:], {}
    for name, fit in uncertainty.CONFORMAL.items():
        sets = fit(probs[held_out], y[held_out], MISSES)(probs[test])
        found[name] = {"coverage": uncertainty.coverage(sets, y[test]), "size": float(sets.sum(axis=1).mean())}
    return found


def _scores(probs: np.ndarray, y: np.ndarray) -> dict[str, float]:
    nll, ece = (uncertainty.SCORES[name](probs, y) for name in ("nll", "ece"))
    return {"nll": nll, "ece": ece, "accuracy": float(np.mean(probs.argmax(axis=1) == y))}


def _plain(case: Case, seed: int) -> Predict:
    return partial(uncertainty.plain, case.network(seed))


def _temperature(case: Case, seed: int) -> Predict:
    network = case.network(seed)
    calibrated = uncertainty.temperature(logits(network, case.dataset.val.x), case.dataset.val.y)
    return lambda x: calibrated(logits(network, x))[None]


def _mc_dropout(case: Case, seed: int) -> Predict:
    return partial(uncertainty.mc_dropout, case.network(seed), seed=seed)


def _ensemble(case: Case, seed: int) -> Predict:
    return partial(uncertainty.ensemble, tuple(case.network(seed + member) for member in range(MEMBERS)))


def _snapshot(case: Case, seed: int) -> Predict:
    fresh = uncertainty.with_dropout(lenet(case.dataset, seed), case.dropout)
    return partial(uncertainty.ensemble, uncertainty.fit_snapshots(fresh, case.training_data, replace(case.recipe, seed=seed)))


def _swag(case: Case, seed: int) -> Predict:
    recipe = replace(case.recipe, epochs=case.recipe.epochs // 2, seed=seed)
    return partial(uncertainty.swag, uncertainty.fit_swag(case.network(seed), case.training_data, recipe), seed=seed)


def _laplace(case: Case, seed: int) -> Predict:
    return partial(uncertainty.laplace, uncertainty.fit_laplace(case.network(seed), case.dataset), seed=seed)


def _variational(case: Case, seed: int) -> Predict:
    fitted = uncertainty.fit_variational(lenet(case.dataset, seed), case.training_data, replace(case.recipe, seed=seed))
    return partial(uncertainty.variational, fitted, seed=seed)


def _batch_ensemble(case: Case, seed: int) -> Predict:
    longer = replace(case.recipe, epochs=case.recipe.epochs * 3 // 2, seed=seed)  # a member sees a share of the images only
    return partial(
        uncertainty.batch_ensemble, uncertainty.fit_batch_ensemble(lenet(case.dataset, seed), case.training_data, longer)
    )


def _augmented(case: Case, seed: int) -> Predict:
    return partial(uncertainty.augmented, case.network(seed), transformations=case.unchanged)


METHODS: dict[str, Callable[[Case, int], Predict]] = {
    "plain": _plain,
    "temperature": _temperature,
    "mc_dropout": _mc_dropout,
    "ensemble": _ensemble,
    "snapshot": _snapshot,
    "swag": _swag,
    "laplace": _laplace,
    "variational": _variational,
    "batch_ensemble": _batch_ensemble,
    "tta": _augmented,
}


def like(x: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Images (n, h, w, c) in another size, by the nearest pixel, and grey or in three equal channels."""
    rows, columns = (np.arange(size) * old // size for size, old in zip(shape[:2], x.shape[1:3], strict=True))
    x = x[:, rows][:, :, columns]
    return np.repeat(x.mean(axis=3, keepdims=True), shape[2], axis=3) if x.shape[3] != shape[2] else x


def _changed(split: Split, kinds: tuple[str, ...], level: int) -> Split:
    rng = np.random.default_rng(level)
    return Split(
        np.concatenate([CORRUPTIONS[kind](split.x, level, rng) for kind in kinds]), np.concatenate([split.y] * len(kinds))
    )


def rows(raw: Raw, case: Case) -> list[dict]:
    """The figures of every method that has all its seeds, what was expected of them, and the coverage of prediction sets."""
    found = {
        method: [raw.take(f"{case.name}.{method}.{seed}", dict) for seed in SEEDS]
        for method in (*METHODS, *CONFORMAL)
        if all(f"{case.name}.{method}.{seed}" in raw for seed in SEEDS)
    }
    coverages = [_coverage(f"uncertainty.{way}.{case.name}", found.pop(way)) for way in CONFORMAL if way in found]
    return [*_table(case, found), *_expected(case.name, found), *(entry for of_way in coverages for entry in of_way)]


def _table(case: Case, found: dict[str, list[dict]]) -> list[dict]:
    """Ten methods by their scores, their NLL under shift and their place by that, 1 for the best."""
    note = (
        f"mean and range of {len(SEEDS)} seeds; LeNet, {case.images} training images, {case.recipe.epochs} epochs, no "
        f"augmentation; {TEST} test images; ood_auroc by the largest probability, beside {OTHERS} images of "
        f"{' and of '.join(case.out_of_distribution)} each; rotation and corruption: mean over five severities of {SHIFTED} "
        f"images, beside the first and the last; place: among the {len(found)} by NLL, mean of the seeds, median and range of "
        "the severities"
    )
    if not found:
        return []
    nll = {family: np.array([[one[family]["nll"] for one in of_seeds] for of_seeds in found.values()]) for family in SHIFTS}
    made = []
    for index, (method, of_seeds) in enumerate(found.items()):
        key = f"uncertainty.{case.name}.{method}"
        made += [_row(f"{key}.{score}", [one[score] for one in of_seeds], note) for score in SCORES]
        for family in SHIFTS:
            by_seed = nll[family][index]  # seeds, severities
            made.append(_row(f"{key}.{family}_nll", by_seed.mean(axis=1).tolist(), note, _ends(by_seed.mean(axis=0))))
    return made


def _ends(of_severities: np.ndarray) -> dict[str, float]:
    return {"severity 1": float(of_severities[0]), "severity 5": float(of_severities[-1])}


def _expected(name: str, found: dict[str, list[dict]]) -> list[dict]:
    """Three expectations, each with what came out, seed by seed."""
    if not {"plain", "temperature", "mc_dropout", "ensemble"} <= set(found):
        return []
    halved = [after["ece"] / before["ece"] for before, after in zip(found["plain"], found["temperature"], strict=True)]
    note = (
        "ECE after temperature scaling, over before; expected: at most 0.5, at unchanged accuracy; so it was with "
        f"{sum(ratio <= 0.5 for ratio in halved)} of {len(SEEDS)} seeds"
    )
    made = [_row(f"uncertainty.expected.{name}_ece_ratio", halved, note)]
    for better, worse in (("ensemble", "mc_dropout"), ("mc_dropout", "plain")):
        gains = [after["nll"] - before["nll"] for before, after in zip(found[worse], found[better], strict=True)]
        note = f"NLL; expected: below 0; so it was with {sum(gain < 0 for gain in gains)} of {len(SEEDS)} seeds"
        made.append(_row(f"uncertainty.expected.{name}_{better}_minus_{worse}", gains, note))
    return made


def _coverage(key: str, of_seeds: list[dict]) -> list[dict]:
    """The coverage by each method, beside what chance allows."""
    from scipy import stats

    # The coverage of TEST images, over the draws of both sets: beta-binomial (Angelopoulos and Bates, 2021).
    place = int(np.ceil((HELD_OUT + 1) * (1 - MISSES)))
    low, high = stats.betabinom(TEST, place, HELD_OUT + 1 - place).ppf([0.025, 0.975]) / TEST
    made = []
    for name in of_seeds[0]:
        covered, sizes = ([one[name][what] for one in of_seeds] for what in ("coverage", "size"))
        inside = sum(low <= share <= high for share in covered)
        note = (
            f"target {1 - MISSES:g} from {HELD_OUT} images; 95 % of draws give {low:.3f} to {high:.3f} on {TEST}; so it was with "
            f"{inside} of {len(SEEDS)} seeds; beside: classes in a set"
        )
        made.append(_row(f"{key}_{name}", covered, note, {"size": statistics.mean(sizes)}))
    return made


def _row(what: str, samples: list[float], note: str, beside: dict | None = None) -> dict:
    return row(what, samples, "", COMMAND, note, beside) | {"value": statistics.mean(samples)}


if __name__ == "__main__":
    main()
