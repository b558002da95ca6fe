"""Missed deadlines of three models on two cores: plans that `projectkit.schedule` finds, beside the naive ones, file by file.

    python benchmarks/schedule.py      about five minutes on two quiet cores; goes on where it stopped
    python benchmarks/schedule.py --smoke      two short blocks, nothing is written

Convolutional networks with random weights (only time matters): a camera in float32 or int8, a gesture and a keyword network.
On one thread, in float32, they need 1.2, 0.5 and 0.15 cores; deadlines are 2, 1 and a quarter of a camera call. Rates and
deadlines follow from the times that this machine shows, so that the load is the same on any. All plans run in turn on the
same requests, block after block.

A plan that may choose the int8 file has an advantage that is not the planner's. So each effect has its row: naive plans with the
float32 files and with the camera's int8 file, and plans that were found among the float32 files, with the int8 file given, and
among both.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from projectkit import export, models, schedule
from projectkit.measure import student_interval
from record import Raw, row, write_rows

COMMAND = "python benchmarks/schedule.py"
CORES, BLOCKS, SECONDS, SIMULATED = 2, 12, 2.0, 10.0
NETWORKS = {
    "camera": (192, (48, 96, 192), ("float32", "int8")),
    "gesture": (128, (32, 64), ("float32",)),
    "keyword": (96, (16, 32), ("float32",)),
}
LOAD, DEADLINES = (1.2, 0.5, 0.15), (2.0, 1.0, 0.25)  # cores, on one thread in float32; in camera calls
# What the camera may run, by the variants of its files; the other models have one.
FILES = {"float32": (0,), "int8": (1,), "either": (0, 1)}
PLANNED = {"float32": "planned_float32", "int8": "planned_int8", "either": "planned"}
NAIVE = {"float32": "naive", "int8": "naive_int8"}


def write_networks(folder: Path) -> dict[str, tuple[str, ...]]:
    """The files of each network."""
    files = {}
    for name, (size, widths, precisions) in NETWORKS.items():
        model = models.BUILDERS["convnet"]((size, size, 1), 10, widths=widths)
        images = np.random.default_rng(0).random((4, size, size, 1), dtype=np.float32)
        paths = [folder / f"{name}_{precision}.tflite" for precision in precisions]
        for path, precision in zip(paths, precisions, strict=True):
            export.write(model, path, precision=precision, calibrate=images, compare=images)
        files[name] = tuple(map(str, paths))
    return files


def workload(files: dict[str, tuple[str, ...]], seconds: list[float]) -> schedule.Workload:
    """The three tasks, when a float32 call on one thread takes so many seconds each."""
    tasks = zip(files.items(), LOAD, DEADLINES, seconds, strict=True)
    return schedule.Workload(
        tuple(
            schedule.Task(name, paths, load / call, calls * seconds[0], "periodic" if name == "camera" else "poisson")
            for (name, paths), load, calls, call in tasks
        ),
        CORES,
    )


def plan(files: dict[str, tuple[str, ...]]) -> dict:
    """Profiles and searches: {"seconds": of each model, "plans": by name, as dicts, "simulated": share missed by plan}."""
    anyhow = workload(files, [1.0] * len(files))
    costs = schedule.profile(anyhow, seconds=0.5)
    seconds = [costs.seconds[task, 0, 1, 1] for task in range(len(files))]
    plans, simulated = {}, {}
    for precision, variants in FILES.items():
        allowed = {name: tuple(paths[v] for v in variants if v < len(paths)) or paths for name, paths in files.items()}
        searched = schedule.find(workload(allowed, seconds), only(costs, variants), seconds=SIMULATED)
        found = {PLANNED[precision]: (searched.found.plan, searched.found.score)}
        found |= {f"{name}_{precision}": pair for name, pair in searched.naive.items()} if precision in NAIVE else {}
        plans |= {name: asdict(with_variants(one, variants)) for name, (one, _) in found.items()}
        simulated |= {name: score.misses for name, (_, score) in found.items()}
    return {"seconds": seconds, "plans": plans, "simulated": simulated}


def only(costs: schedule.Costs, variants: tuple[int, ...]) -> schedule.Costs:
    """The costs when the camera has these of its files and no others."""

    def kept(known: Mapping[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
        return {
            (task, variants.index(variant) if task == 0 else variant, *how): value
            for (task, variant, *how), value in known.items()
            if task != 0 or variant in variants
        }

    return replace(costs, seconds=kept(costs.seconds), memory=kept(costs.memory))


def with_variants(found: schedule.Plan, variants: tuple[int, ...]) -> schedule.Plan:
    """The plan in the words of all files: the camera's file by its place among them."""
    camera, *others = found.choices
    return replace(found, choices=(replace(camera, variant=variants[camera.variant]), *others))


def as_plan(stored: dict) -> schedule.Plan:
    """The plan of its dict, which may come from JSON."""
    choices = (schedule.Choice(**choice | {"cores": tuple(choice["cores"])}) for choice in stored["choices"])
    return schedule.Plan(tuple(choices), stored["order"])


def block(work: schedule.Workload, plans: dict[str, schedule.Plan], index: int, seconds: float) -> dict[str, float]:
    """The share that each plan misses on the requests of this block; the plan that begins changes from block to block."""
    names = list(plans)[index % len(plans) :] + list(plans)[: index % len(plans)]
    proof = schedule.prove(work, {name: plans[name] for name in names}, blocks=1, seconds=seconds, seed=index)
    return {name: float(proof.misses(name)[0]) for name in plans}


def main() -> None:
    smoke = "--smoke" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        files = write_networks(Path(folder))
        raw = None if smoke else Raw("schedule")
        found = plan(files) if smoke else raw.take("plans", partial(plan, files))
        work = workload(files, found["seconds"])
        plans = {name: as_plan(stored) for name, stored in found["plans"].items()}
        if smoke:
            print(found, [block(work, plans, index, 1.0) for index in range(2)], sep="\n")
            return
        blocks = [raw.take(f"turn.{index}", partial(block, work, plans, index, SECONDS)) for index in range(BLOCKS)]
    write_rows("schedule", rows(blocks, found["simulated"]))


def rows(blocks: list[dict[str, float]], simulated: dict[str, float]) -> list[dict]:
    """By files: of the naive plans the one that misses least, and the planned one; means and their 95 % intervals."""
    misses = {name: [one[name] for one in blocks] for name in blocks[0]}
    means = {name: student_interval(shares)[0] for name, shares in misses.items()}
    note = f"share of the requests; {len(blocks)} blocks of {SECONDS:g} s, all plans in turn on the same requests; {CORES} cores"
    found = []
    for precision in FILES:
        words = "float32 or int8, as the plan likes" if precision == "either" else f"{precision}, the others float32"
        text = f"{note}; the camera's file: {words}"
        if precision in NAIVE:
            best = best_naive(means, precision)
            others = {other: means[f"{other}_{precision}"] for other in schedule.NAIVE if not best.startswith(other)}
            found.append(figure(NAIVE[precision], misses[best], simulated[best], others, f"{text}; {best}, the better of two"))
        name = PLANNED[precision]
        beside = {naive: means[best_naive(means, kind)] for kind, naive in NAIVE.items()} if precision == "either" else {}
        found.append(figure(name, misses[name], simulated[name], beside, text))
    return found


def best_naive(means: Mapping[str, float], precision: str) -> str:
    """The naive plan with these files that misses least."""
    return min((f"{name}_{precision}" for name in schedule.NAIVE), key=means.__getitem__)


def figure(what: str, shares: list[float], simulated: float, beside: dict[str, float], note: str) -> dict:
    """Mean and interval of the shares of missed deadlines."""
    mean, low, high = student_interval(shares)
    made = row(f"schedule.misses.{what}", shares, "", COMMAND, note, beside | {"simulated": simulated})
    return made | {"value": mean, "low": low, "high": high}


if __name__ == "__main__":
    main()
