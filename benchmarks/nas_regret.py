"""Search strategies on the table of projectkit.nas: is any better than random search, and by how much?

    python benchmarks/nas_regret.py      a few minutes; goes on where it stopped

Each strategy of SAMPLERS, 30 seeds, 50 different architectures, no pruning. Simple regret: how far the best validation accuracy
found lies below the best of the table, in percentage points. A trial that repeats an architecture is free and not counted, so
that random search is random without repeats, which is the yardstick. A strategy that proposes nothing new any more ends with
fewer. No strategy was tuned: all have the defaults of projectkit.nas. Delete benchmarks/results/raw/nas_regret.json after a
change of the strategies.

Beside them weight sharing: whether a supernet, trained once, puts the architectures into the order of the table.
"""

import projectkit  # noqa: F401

# isort: split
import hashlib
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import optuna

from projectkit import data
from projectkit.measure import student_interval
from projectkit.nas import SAMPLERS, different, objective, search, supernet, table
from projectkit.nas.table import Table
from projectkit.types import Recipe
from record import Raw, row, write_rows

COMMAND = "python benchmarks/nas_regret.py"
SEEDS, BUDGET = range(30), 50  # different architectures
SEVERAL = ("random", "tpe", "nsga2")  # of two objectives: accuracy up, multiply-accumulates down
OF_SUPERNET = Recipe(epochs=60, batch_size=64, learning_rate=0.1, optimizer="sgd")
SUPERNETS = range(3)
LEAST_ACCURACY = 0.9  # the corner of the hypervolume: who recognizes less is of no use, however cheap


def one_objective(known: Table, strategy: str, seed: int) -> dict:
    """A search for accuracy: the best so far after each architecture, what its best reaches on test images, the trials made."""
    study = searched(strategy, seed, known.evaluate, direction="maximize")
    found = np.maximum.accumulate([trial.value for trial in different(study)])
    return {
        "best_so_far": [round(accuracy, 6) for accuracy in found.tolist()],
        "test": round(known.lookup(study.best_trial.user_attrs["digest"]).test, 6),
        "trials": 1 + different(study)[-1].number,
    }


def two_objectives(known: Table, strategy: str, seed: int) -> float:
    """A search for accuracy and little work: its hypervolume as a share of that of the whole table."""

    def evaluate(architecture, trial):
        return known.evaluate(architecture, trial), known.lookup(architecture).cost.macs

    study = searched(strategy, seed, evaluate, directions=("maximize", "minimize"))
    everything = [(entry.accuracy, entry.cost.macs) for entry in known.entries.values()]
    most = max(macs for _, macs in everything)
    return hypervolume([trial.values for trial in study.trials], most) / hypervolume(everything, most)


def order_of_supernet(known: Table, seed: int) -> float:
    """Kendall's τ between the accuracies with inherited weights and those of the table."""
    from scipy import stats

    digits, net = data.load("digits"), supernet.build(table.SPACE, table.SHAPE, table.CLASSES, seed=seed)
    supernet.train(net, digits, replace(OF_SUPERNET, seed=seed))
    inherited = supernet.accuracies(net, [entry.architecture for entry in known.entries.values()], digits)
    return float(stats.kendalltau(inherited, [entry.accuracy for entry in known.entries.values()]).statistic)


def searched(strategy: str, seed: int, evaluate, **directions) -> optuna.Study:
    """A study of BUDGET architectures of the table's space."""
    sampler = SAMPLERS[strategy](table.SPACE.genes(), seed=seed)
    study = optuna.create_study(sampler=sampler, pruner=optuna.pruners.NopPruner(), **directions)
    search(study, objective(table.SPACE, evaluate, shape=table.SHAPE, classes=table.CLASSES), trials=BUDGET)
    return study


def hypervolume(points: Sequence[Sequence[float]], most: float) -> float:
    """The area between the points' front and the corner (LEAST_ACCURACY, `most` work), work on a logarithmic scale."""
    area, reached = 0.0, LEAST_ACCURACY
    for accuracy, macs in sorted(points, key=lambda point: (point[1], -point[0])):
        area += max(accuracy - reached, 0.0) * np.log10(most / macs)
        reached = max(reached, accuracy)
    return area


def figure(what: str, samples: Sequence[float], chance: Sequence[float], unit: str, note: str) -> dict:
    """Mean and interval, random's mean beside, and the difference from it seed by seed."""
    mean, low, high = student_interval(samples)
    beside = {}
    if not what.endswith(".random"):
        beside = {"random": statistics.mean(chance)}
        off, least, most = student_interval([mine - its for mine, its in zip(samples, chance, strict=True)])
        verdict = "no difference shown" if least <= 0 <= most else "the interval excludes 0"
        note += f"; minus random's, seed by seed: {off:+.2f} [{least:+.2f}, {most:+.2f}], {verdict}"
    return row(what, list(samples), unit, COMMAND, note, beside) | {"value": mean, "low": low, "high": high}


def effort(runs: Sequence[dict]) -> str:
    """How many trials a strategy made for its architectures, and how many times it had fewer than BUDGET to propose."""
    ended = [len(run["best_so_far"]) for run in runs if len(run["best_so_far"]) < BUDGET]
    words = f"{statistics.mean(run['trials'] for run in runs):.0f} trials for {BUDGET} architectures"
    return words + (f", {len(ended)} searches ended early, after {min(ended)} to {max(ended)}" if ended else "")


def rows(known: Table, regrets: dict, volumes: dict) -> list[dict]:
    """The figures of all strategies."""
    made, best = [], known.best
    ten = sorted(known.repeated, key=lambda entry: (-entry.accuracy, entry.cost.macs))[:10]
    here, elsewhere = statistics.mean(e.accuracy for e in ten), statistics.mean(r.accuracy[-1] for e in ten for r in e.runs[1:])
    for strategy, runs in regrets.items():
        samples, chance = (
            [100 * (best.accuracy - run["best_so_far"][-1]) for run in regrets[name]] for name in (strategy, "random")
        )
        note = (
            f"mean and 95 % interval over {len(SEEDS)} seeds of {BUDGET} different architectures of {len(known.entries)}, "
            f"the best {best.accuracy:.2%}, repeats free; found it {sum(sample <= 0 for sample in samples)} times; "
            f"{effort(runs)}; test accuracy of the found "
            f"{statistics.mean(run['test'] for run in runs):.2%}. Chance: usually ±{100 * known.noise:.2f} between seeds of one "
            f"architecture; the table's ten best have {here:.2%}, and {elsewhere:.2%} from other seeds"
        )
        made.append(figure(f"nas.regret.{strategy}", samples, chance, "points", note))
    for strategy in regrets:
        note = f"made for {BUDGET} different architectures; mean and 95 % interval over {len(SEEDS)} seeds"
        samples, chance = ([float(run["trials"]) for run in regrets[name]] for name in (strategy, "random"))
        made.append(figure(f"nas.trials.{strategy}", samples, chance, "trials", note))
    for strategy in volumes:
        note = (
            "accuracy above 90 % against the logarithm of multiply-accumulates: the area under the front that was found, of the "
            f"area under the table's; mean and 95 % interval over {len(SEEDS)} seeds of {BUDGET} different architectures"
        )
        samples, chance = ([100 * share for share in volumes[name]] for name in (strategy, "random"))
        made.append(figure(f"nas.hypervolume.{strategy}", samples, chance, "%", note))
    return made


def agreement(known: Table, orders: Sequence[float]) -> dict:
    """The figure of weight sharing; beside it, what a short training of each architecture and what counting tells."""
    from scipy import stats

    entries = list(known.entries.values())
    tellers = {f"{epochs} epoch(s) of each": [entry.curve[epochs - 1] for entry in entries] for epochs in (1, 3, 6)}
    tellers |= {name: [getattr(entry.cost, name) for entry in entries] for name in ("parameters", "macs")}
    final = [entry.accuracy for entry in entries]
    beside = {name: float(stats.kendalltau(told, final).statistic) for name, told in tellers.items()}
    note = (
        f"Kendall's τ of {OF_SUPERNET.epochs} epochs of one supernet with every architecture trained on its own: "
        f"median and range of {len(orders)} seeds"
    )
    return row("nas.supernet.tau", list(orders), "", COMMAND, note, beside)


def main() -> int:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    known, raw = table.load(), Raw("nas_regret")
    fingerprint = hashlib.sha256(repr([entry.curve for entry in known.entries.values()]).encode()).hexdigest()[:16]
    if raw.take("table", lambda: fingerprint) != fingerprint:
        sys.exit("These searches ran on another table. Delete benchmarks/results/raw/nas_regret.json to run them anew.")
    regrets = {
        name: [raw.take(f"{name}.{seed}", lambda n=name, s=seed: one_objective(known, n, s)) for seed in SEEDS]
        for name in SAMPLERS
    }
    volumes = {
        name: [raw.take(f"hypervolume.{name}.{seed}", lambda n=name, s=seed: two_objectives(known, n, s)) for seed in SEEDS]
        for name in SEVERAL
    }
    orders = [raw.take(f"supernet.{seed}", lambda s=seed: order_of_supernet(known, s)) for seed in SUPERNETS]
    write_rows("nas_regret", [*rows(known, regrets, volumes), agreement(known, orders)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
