"""Dense supermasks: MNIST accuracy of an untrained network when some of its hidden units are masked.

    python benchmarks/supermasks.py                       everything that is not measured yet; hours
    python benchmarks/supermasks.py lenet300.lfe wide     only these
    python benchmarks/supermasks.py --verify              measures the kept masks again, in seconds (also with names)

Masks are scored on training images, cut on validation images (training images, too) and judged on the 10,000 test images. Each
network is drawn from six seeds: the efforts below were chosen while looking at the first three, the others came after. For
lfe_layers it was the first one, and three others came after. MNIST is read from PROJECTKIT_DATA or data/cache.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from projectkit import data, measure, runtimes
from projectkit.prune.supermasks import SCORES, Effort, Found, Scene, best, front_to_back, iterative, one_shot, prepare
from projectkit.runtimes.supermask import read_supermask, write_supermask
from projectkit.types import Artifact, Dataset
from record import RESULTS, Raw, row, write_rows

COMMAND = "python benchmarks/supermasks.py"
LAYERS = "lfe_layers"  # linear ensembles of one layer after the other, front to back; one-shot only
KEPT = RESULTS / "supermasks"
HIDDEN = {"lenet300": (300, 100), "wide": (3010, 1010)}
SHARES = {"lenet300.lfe": 0.1}  # removed of a layer in a round, at most; 0.2 elsewhere
VALIDATION = {"lenet300": 3000, "wide": 1500}  # images that cuts are chosen on
METHODS = {"random": "random", "l1": "l1", "lfe": "lfe", "pgbp_loss": "pgbp_loss", "pgbp_exp": "pgbp_exponential"}
METHODS |= {LAYERS: LAYERS}
SCHEDULES = ("oneshot", "iterative", "tenth")  # the last: the best of the iterative one with at most a tenth of the weights
# The effort of the first scoring, which is the only one of one-shot, and of each later round.
EFFORTS = {
    "lenet300": {
        "lfe": (Effort(masks=32), Effort(masks=16, images=500, keep=0.9, gain=5.0)),
        LAYERS: (Effort(masks=256, images=50), Effort()),
        "pgbp_loss": (Effort(steps=6000, groups=512), Effort(steps=800, groups=512)),
        "pgbp_exp": (Effort(steps=8000, groups=32, rate=0.03), Effort(steps=300, groups=32, rate=0.03)),
    },
    "wide": {
        "lfe": (Effort(masks=2, images=100), Effort(masks=2, images=100, keep=0.9, gain=5.0)),
        "pgbp_loss": (Effort(steps=3000, groups=512), Effort(steps=200, groups=512)),
        "pgbp_exp": (Effort(steps=1000, groups=16), Effort(steps=100, groups=16)),
    },
}
NAMES = [(name, method) for name in HIDDEN for method in METHODS if method in EFFORTS[name] or method in ("random", "l1")]
PUBLISHED = {  # Sándor's dissertation: the share that was removed in words, as it stands there
    "lenet300.lfe.oneshot": (0.342, "70 % removed"),
    f"lenet300.{LAYERS}.oneshot": (0.342, "70 % removed"),
    "lenet300.pgbp_loss.oneshot": (0.3686, "33 % removed"),
    "lenet300.pgbp_exp.oneshot": (0.4108, "67 % removed"),
    "lenet300.lfe.iterative": (0.398, ""),
    "lenet300.pgbp_exp.iterative": (0.4682, ""),
    "lenet300.pgbp_loss.iterative": (0.5052, ""),
    "wide.pgbp_loss.iterative": (0.80, "more than this, 70 % removed"),
    "wide.pgbp_loss.tenth": (0.733, "about a tenth of its size"),
}


NOTES = {
    "lenet300.lfe.oneshot": (
        "short of the published figure. Tried, on one to three seeds: masks that keep 0.15, 0.3, 0.5, 0.7 or 0.85 (15–30 %); "
        "logits times 0.2 to 6 in the loss (13–30 %), or of one size under every mask (20–29 %); accuracy as the success "
        "(25–28 %); 128 masks a unit instead of 32 (25–31 %); one layer after the other from the last (22–33 %). What helps is "
        "to begin at the front, see lfe_layers, or to score again, see iterative"
    ),
    "lenet300.lfe.iterative": "with masks that keep half of the units in every round, not 0.9 of them, 37.2 % (34.8–41.1 %)",
    "lenet300.pgbp_exp.iterative": "with groups of 16 images under 16 masks, not of 64 under 4, 43.7 % (42.6–44.7 %)",
}


def seeds_of(method: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Those whose test accuracy was seen while the efforts were chosen, and those that were drawn when nothing was changed any
    more."""
    return ((0,), (6, 7, 8)) if method == LAYERS else ((0, 1, 2), (3, 4, 5))


def schedules_of(method: str) -> tuple[str, ...]:
    """The schedules that a method was run with."""
    return SCHEDULES[:1] if method == LAYERS else SCHEDULES


def bfloat16(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A matrix product with factors of 8 significant bits: several times faster, and exact enough to compare masks by."""
    import tensorflow as tf

    product = tf.matmul(tf.cast(a, tf.bfloat16), tf.cast(b, tf.bfloat16))
    return tf.cast(product, tf.float32).numpy()


def search(name: str, method: str, seed: int, dataset: Dataset) -> dict:
    """All schedules from one first scoring. {schedule: {...}, "curve": one row a round, "seconds"}; the masks go into files."""
    start = time.perf_counter()
    matmul = bfloat16 if name == "wide" else np.matmul
    scene = prepare(replace(dataset, val=dataset.val.take(VALIDATION[name])), HIDDEN[name], seed=seed, matmul=matmul)
    first, later = EFFORTS[name].get(method, (Effort(), Effort()))
    if method == LAYERS:
        layered = front_to_back(scene, effort=first, seed=seed)
        kept = keep(scene, layered, f"{name}.{method}.oneshot.{seed}", dataset)
        return {"oneshot": kept, "seconds": round(time.perf_counter() - start)}
    score, scored = SCORES[METHODS[method]], {}

    def once(scene, *, start=None, **options):
        """The first scoring, done once for both schedules."""
        if start is not None:
            return score(scene, start=start, **options)
        if "first" not in scored:
            scored["first"] = score(scene, **options)
        return scored["first"]

    found = {"oneshot": one_shot(scene, once, effort=first, seed=seed)}
    share = SHARES.get(f"{name}.{method}", 0.2)
    rounds = iterative(scene, once, effort=later, first=first, share=share, seed=seed, least=0.04)
    found |= {"iterative": best(rounds), "tenth": best(rounds, removed=0.9)}
    result: dict = {schedule: keep(scene, one, f"{name}.{method}.{schedule}.{seed}", dataset) for schedule, one in found.items()}
    result["curve"] = [[round(one.removed, 4), tested(scene, one, dataset)] for one in rounds]
    return result | {"seconds": round(time.perf_counter() - start)}


def keep(scene: Scene, found: Found, name: str, dataset: Dataset) -> dict:
    """Writes the masks as a file and measures that file."""
    supermask = found.supermask(scene)
    write_supermask(supermask, KEPT / f"{name}.supermask")
    units = [f"{kept} of {all_}" for kept, all_ in zip(supermask.kept[1:-1], supermask.units[1:-1], strict=True)]
    return {"accuracy": accuracy(KEPT / f"{name}.supermask", dataset), "removed": found.removed, "units": units}


def accuracy(path: Path, dataset: Dataset) -> float:
    """The share of the test images that a file gets right."""
    with closing(runtimes.open(Artifact.of(path))) as session:
        return measure.accuracy(session.run(dataset.test.x), dataset.test.y).value


def tested(scene: Scene, found: Found, dataset: Dataset) -> float:
    """The accuracy of a round on the test images: for the curve, chosen by nobody."""
    path = write_supermask(found.supermask(scene), KEPT / "round.supermask").path
    value = accuracy(Path(path), dataset)
    Path(path).unlink()
    return value


def rows(results: dict) -> list[dict]:
    """The figures of everything that is measured with all its seeds: those of the choice, or these and the fresh ones."""
    made = []
    for name, method in NAMES:
        halves = [[results[key] for seed in seeds if (key := f"{name}.{method}.{seed}") in results] for seeds in seeds_of(method)]
        seen, fresh = (half if len(half) == len(seeds) else [] for half, seeds in zip(halves, seeds_of(method), strict=True))
        if seen:
            made += [figure(f"{name}.{method}.{it}", [run[it] for run in [*seen, *fresh]]) for it in schedules_of(method)]
    return made


def figure(key: str, runs: Sequence[dict]) -> dict:
    """Mean, least and most over the seeds."""
    name, method, schedule = key.split(".")
    values = [run["accuracy"] for run in runs]
    published, words = PUBLISHED.get(key, (None, ""))
    removed = ", ".join(f"{run['removed']:.0%}" for run in runs)
    seen, fresh = seeds_of(method)
    halves = {
        f"seed{f's {seen[0]}–' if len(seen) > 1 else ' '}{seen[-1]}, seen while the efforts were chosen": values[: len(seen)],
        f"fresh seeds {fresh[0]}–{fresh[-1]}": values[len(seen) :],
    }
    means = ", ".join(f"{words}: {statistics.mean(half):.1%}" for words, half in halves.items() if half)
    note = (
        f"784-{'-'.join(map(str, HIDDEN[name]))}-10, untrained: accuracy on MNIST's test images, mean and range over seeds; "
        "oneshot: all units scored once, iterative: again and again, tenth: the best of it with at most a tenth of the weights; "
        f"{means}; weights removed {removed}, units left {'; '.join(' and '.join(run['units']) for run in runs)}"
    )
    note += f". {NOTES[key]}" if key in NOTES else ""
    beside = {f"published{', ' + words if words else ''}": published} if published else {}
    made = row(f"supermask.{name}.{method}.{schedule}", values, "", COMMAND, note, beside)
    return made | {"value": statistics.mean(values)}


def verify(results: dict, dataset: Dataset) -> int:
    """Measures every kept file again. The number of those that differ from what was recorded by more than a rounding."""
    wrong = 0
    for key, result in results.items():
        name, method, seed = key.split(".")
        for schedule in schedules_of(method):
            path = KEPT / f"{name}.{method}.{schedule}.{seed}.supermask"
            value, recorded = accuracy(path, dataset), result[schedule]["accuracy"]
            same = abs(value - recorded) <= 2 / len(dataset.test)  # another machine's products may round a tie the other way
            removed = read_supermask(Artifact.of(path)).removed
            wrong += not same
            print(f"{'✓' if same else '✗'} {path.name:44} {value:.2%}, {removed:.0%} removed, recorded {recorded:.2%}")
    return wrong


def main() -> int:
    arguments, raw, results = sys.argv[1:], Raw("supermasks"), {}
    dataset = data.load("mnist")  # raises DataError where it is not
    names = [f"{name}.{method}.{seed}" for name, method in NAMES for seeds in seeds_of(method) for seed in seeds]
    chosen = [argument for argument in arguments if not argument.startswith("--")]
    for key in names:
        name, method, seed = key.split(".")
        wanted = not chosen or any(key.startswith(prefix) for prefix in chosen)
        if wanted and "--verify" not in arguments:
            raw.take(key, lambda name=name, method=method, seed=seed: search(name, method, int(seed), dataset))
        if key in raw and (wanted or "--verify" not in arguments):
            results[key] = raw.take(key, dict)
    if "--verify" in arguments:
        return min(1, verify(results, dataset))
    write_rows("supermasks", rows(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
