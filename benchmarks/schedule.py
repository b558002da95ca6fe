"""Missed deadlines of three models on two cores: the plan that `projectkit.schedule` finds, beside the naive ones.

    python benchmarks/schedule.py      about five minutes on two quiet cores; goes on where it stopped
    python benchmarks/schedule.py --smoke      two short blocks, nothing is written

Convolutional networks with random weights (only time matters): a camera in float32 or int8, a gesture and a keyword network.
On one thread, in float32, they need 1.2, 0.5 and 0.15 cores; deadlines are 2, 1 and a quarter of a camera call. Rates and
deadlines follow from the times that this machine shows, so that the load is the same on any. All plans run in turn on the
same requests, block after block.
"""

import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from projectkit import export, models, schedule
from record import Raw, interval, row, write_rows

COMMAND = "python benchmarks/schedule.py"
CORES, BLOCKS, SECONDS, SIMULATED = 2, 12, 4.0, 10.0
NETWORKS = {
    "camera": (192, (48, 96, 192), ("float32", "int8")),
    "gesture": (128, (32, 64), ("float32",)),
    "keyword": (96, (16, 32), ("float32",)),
}
LOAD, DEADLINES = (1.2, 0.5, 0.15), (2.0, 1.0, 0.25)  # cores, on one thread in float32; in camera calls
PLANNED = "planned"


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
    """Profiles and searches: {"seconds": of each model, "plan": the best as a dict, "simulated": share missed by plan}."""
    anyhow = workload(files, [1.0] * len(files))
    costs = schedule.profile(anyhow, seconds=0.5)
    seconds = [costs.seconds[task, 0, 1, 1] for task in range(len(files))]
    searched = schedule.find(workload(files, seconds), costs, seconds=SIMULATED)
    simulated = {name: score.misses for name, (_, score) in searched.naive.items()}
    return {
        "seconds": seconds,
        "plan": asdict(searched.found.plan),
        "simulated": simulated | {PLANNED: searched.found.score.misses},
    }


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
        found = plan(files) if smoke else raw.take("plan", partial(plan, files))
        work = workload(files, found["seconds"])
        plans = {PLANNED: as_plan(found["plan"])} | {name: make(work) for name, make in schedule.NAIVE.items()}
        if smoke:
            print(found, [block(work, plans, index, 1.0) for index in range(2)], sep="\n")
            return
        blocks = [raw.take(f"block.{index}", partial(block, work, plans, index, SECONDS)) for index in range(BLOCKS)]
    write_rows("schedule", rows(blocks, found["simulated"]))


def rows(blocks: list[dict[str, float]], simulated: dict[str, float]) -> list[dict]:
    """The planned one and, of the naive plans, the one that misses least; means and their 95 % intervals."""
    misses = {name: [one[name] for one in blocks] for name in blocks[0]}
    means = {name: interval(shares)[0] for name, shares in misses.items()}
    best = min(schedule.NAIVE, key=means.__getitem__)
    note = f"share of the requests; {len(blocks)} blocks of {SECONDS:g} s, all plans in turn on the same requests; {CORES} cores"
    found = []
    for what, name, others in (
        ("naive", best, [other for other in schedule.NAIVE if other != best]),
        ("planned", PLANNED, list(schedule.NAIVE)),
    ):
        beside = {other: means[other] for other in others} | {"simulated": simulated[name]}
        mean, low, high = interval(misses[name])
        text = f"{note}; {name}, the better of the naive plans" if what == "naive" else note
        one = row(f"schedule.misses.{what}", misses[name], "", COMMAND, text, beside)
        found.append(one | {"value": mean, "low": low, "high": high})
    return found


if __name__ == "__main__":
    main()
