"""How often the 95 % intervals of NLL, Brier score and calibration error hold the truth, and what temperature scaling mends.

    python benchmarks/calibration.py                              the coverage, about five minutes
    PROJECTKIT_DATA=FOLDER python benchmarks/calibration.py       also MNIST, if FOLDER holds mnist.npz: three minutes more

Forecasters whose truth is known: logits of ten classes, labels drawn from their softmax, and what is stated is the softmax of the
logits times a factor: 1 is calibrated, above 1 too sure. The truth of each score is its expectation on 200,000 images, that of
the calibration errors in bins which hold the same shares. Goes on where it stopped.
"""

import statistics
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from projectkit import data, uncertainty
from projectkit.types import Measurement
from projectkit.uncertainty import BINS, SCORES, calibration_interval, score_interval, softmax
from projectkit.uncertainty.bins import equal_mass, equal_width, in_bins
from projectkit.uncertainty.scores import NEVER
from record import Raw, row, write_rows

COMMAND = "python benchmarks/calibration.py"
IMAGES = (300, 500, 1000)
TRIALS, DRAWS, MANY = 400, 100, 200_000
# By name: (how far the right class leads on average and how much that varies, the factor of the logits).
FORECASTERS = {
    "calibrated": ((10.0, 3.0), 1.0),
    "less_accurate": ((5.0, 2.0), 1.0),
    "too_sure": ((10.0, 3.0), 2.0),
    "much_too_sure": ((5.0, 2.0), 3.0),
    "too_modest": ((10.0, 3.0), 0.6),
}
SEEDS = (0, 5, 10)  # as in benchmarks/uncertainty.py: the same networks


def plain_ece(probs: np.ndarray, y: np.ndarray) -> float:
    """The plain error, under another name: score_interval refuses it under its own."""
    return SCORES["ece"](probs, y)


def bootstrapped(score: Callable[[np.ndarray, np.ndarray], float], probs: np.ndarray, y: np.ndarray) -> Measurement:
    return score_interval(score, probs, y, draws=DRAWS)


INTERVALS: dict[str, Callable[[np.ndarray, np.ndarray], Measurement]] = {
    "nll": partial(bootstrapped, SCORES["nll"]),
    "brier": partial(bootstrapped, SCORES["brier"]),
    "ece_debiased": calibration_interval,
    "ece": partial(bootstrapped, plain_ece),
}


def drawn(name: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities that a forecaster states, and the true ones: (count, 10) each."""
    (lead, spread), factor = FORECASTERS[name]
    logits = rng.normal(0, 1.5, (count, 10))
    logits[np.arange(count), rng.integers(0, 10, count)] += rng.normal(lead, spread, count)
    return softmax(factor * logits), softmax(logits)


def labels_of(true: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One label an image, drawn from its probabilities."""
    return (true.cumsum(axis=1) < rng.random((len(true), 1))).sum(axis=1).clip(max=true.shape[1] - 1)


def truth_of(stated: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """What the mean over all labels of each score is, but for the chance in the bins."""
    sure, right = stated.max(axis=1), true[np.arange(len(true)), stated.argmax(axis=1)]
    wide, even = in_bins(sure, right, equal_width(BINS)), in_bins(sure, right, equal_mass(sure, BINS))
    return {
        "nll": float(-(true * np.log(np.clip(stated, NEVER, 1))).sum(axis=1).mean()),
        "brier": float((stated**2 - 2 * stated * true + true).sum(axis=1).mean()),
        "ece_debiased": float((even.count @ even.gap**2 / len(true)) ** 0.5),
        "ece": float(wide.count @ wide.gap / len(true)),
    }


def trials(name: str, count: int) -> dict:
    """Over the draws of `count` images: how often each interval holds the truth, and the mean of each value."""
    rng = np.random.default_rng([list(FORECASTERS).index(name), count])
    truth = truth_of(*drawn(name, MANY, rng))
    found: dict[str, list[Measurement]] = {metric: [] for metric in INTERVALS}
    for _ in range(TRIALS):
        stated, true = drawn(name, count, rng)
        y = labels_of(true, rng)
        for metric, interval in INTERVALS.items():
            found[metric].append(interval(stated, y))
    return {
        metric: {
            "covered": sum(one.low <= truth[metric] <= one.high for one in ones),
            "mean": statistics.mean(one.value for one in ones),
            "truth": truth[metric],
        }
        for metric, ones in found.items()
    }


def mnist(seed: int) -> dict:
    """Calibration errors of the LeNet of benchmarks/uncertainty.py, before and after a temperature from held-out images."""
    from uncertainty import CASES

    from projectkit.train import logits

    case = CASES["mnist"]
    network = case.network(seed)
    val, test = (logits(network, split.x) for split in (case.dataset.val, case.dataset.test))
    calibrated = uncertainty.temperature(val, case.dataset.val.y)
    y = case.dataset.test.y
    found = {}
    for state, probs in (("before", softmax(test)), ("after", calibrated(test))):
        one = calibration_interval(probs, y)
        found[state] = {"ece": SCORES["ece"](probs, y), "debiased": [one.value, one.low, one.high], "floor": floor(probs)}
    return found


def floor(probs: np.ndarray) -> float:
    """The mean ECE of a perfect forecaster that states these probabilities: labels are drawn from them."""
    rng = np.random.default_rng(0)
    return statistics.mean(SCORES["ece"](probs, labels_of(probs, rng)) for _ in range(100))


def main() -> None:
    raw = Raw("calibration")
    rows = [entry for name in FORECASTERS for count in IMAGES for entry in coverages(raw, name, count)]
    if any(listing.about.name == "mnist" and listing.place == "present" for listing in data.describe()):
        for seed in SEEDS:
            raw.take(f"mnist.{seed}", partial(mnist, seed))
    if all(f"mnist.{seed}" in raw for seed in SEEDS):
        rows += mended([raw.take(f"mnist.{seed}", dict) for seed in SEEDS])
    write_rows("calibration", rows)


def coverages(raw: Raw, name: str, count: int) -> Iterator[dict]:
    """One row an interval."""
    found = raw.take(f"{name}.{count}", partial(trials, name, count))
    for metric, one in found.items():
        share = Measurement.share(metric, one["covered"], TRIALS)
        note = (
            f"share of {TRIALS} draws in which the 95 % interval holds the truth, with its Wilson interval; nll, brier and, as a "
            "control, ece: value ± 1.96 standard deviations of a bootstrap; ece_debiased: calibration_interval; beside: the mean "
            "of the value, and the truth"
        )
        made = row(f"calibration.coverage.{name}_{count}.{metric}", [share.value], "", COMMAND, note)
        beside = {"mean": one["mean"], "truth": one["truth"]} if metric.startswith("ece") else {}
        yield made | {"low": share.low, "high": share.high, "n": TRIALS, "beside": beside}


def mended(of_seeds: list[dict]) -> list[dict]:
    """MNIST: both errors before and after, and their ratio, beside the floor."""
    note = (
        f"LeNet, 1000 training images, 30 epochs; 4000 test images; mean and range of {len(of_seeds)} seeds; debiased: root mean "
        "square; floor: mean ECE of a perfect forecaster with these probabilities"
    )
    rows = []
    for state in ("before", "after"):
        floors = statistics.mean(one[state]["floor"] for one in of_seeds)
        debiased = [one[state]["debiased"] for one in of_seeds]
        ends = {"least low end": min(low for _, low, _ in debiased), "largest high end": max(high for *_, high in debiased)}
        rows.append(_mean(f"calibration.mnist.{state}_ece", [one[state]["ece"] for one in of_seeds], note, {"floor": floors}))
        rows.append(_mean(f"calibration.mnist.{state}_debiased", [value for value, *_ in debiased], note, ends))
    ratios = [one["after"]["debiased"][0] / one["before"]["debiased"][0] for one in of_seeds]
    plain = [one["after"]["ece"] / one["before"]["ece"] for one in of_seeds]
    perfect = statistics.mean(one["after"]["floor"] / one["before"]["ece"] for one in of_seeds)
    beside = {"plain ECE": statistics.mean(plain), "plain ECE of a perfect forecaster": perfect}
    rows.append(_mean("calibration.mnist.ratio_debiased", ratios, note, beside))
    return rows


def _mean(what: str, samples: list[float], note: str, beside: dict[str, float]) -> dict:
    return row(what, samples, "", COMMAND, note, beside) | {"value": statistics.mean(samples)}


if __name__ == "__main__":
    main()
