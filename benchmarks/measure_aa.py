"""Whether "95 %" is 95 %: the latency ratio of a file to itself, and the smallest ratio that is told apart.

A against A: the same file is compared with itself, 100 times each for LiteRT and ONNX Runtime, float32 and int8, on digits (8×8)
and MNIST's size (28×28). `coverage` is the share of intervals that hold 1; in 200 it lies between 0.92 and 0.98 when it is 0.95.

Power: `told_apart` is the median half width of the intervals, as a ratio above 1: what differs by more is told apart in half of
the runs or more.

Across processes: the ratio int8 / float32 in 12 processes with its range, and the share of the 12 intervals that hold their mean.
"""

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from projectkit import measure
from projectkit.types import Artifact
from record import Raw, write_rows

COMMAND = "python benchmarks/measure_aa.py"
SIZES = {"small": (8, 8, 1), "large": (28, 28, 1)}
SUFFIXES = {"litert": "tflite", "onnx": "onnx"}
PRECISIONS = ("float32", "int8")
WIDTHS = (16, 32, 64)
PAIRS, PROCESSES, AT_ONCE = 100, 12, 10
BUDGETS = (1.0, 5.0)  # seconds a file
SHORT = 0.5  # the grader's


def write_files(folder: Path) -> None:
    """The untrained networks as files: what the weights are does not matter for the time."""
    from projectkit import export, models

    for size, shape in SIZES.items():
        model = models.BUILDERS["convnet"](shape, 10, widths=WIDTHS)
        x = inputs(size)
        for suffix in SUFFIXES.values():
            for precision in PRECISIONS:
                path = folder / f"{size}_{precision}.{suffix}"
                export.write(model, path, precision=precision, calibrate=x if precision == "int8" else None, compare=x[:8])


def inputs(size: str) -> np.ndarray:
    return np.random.default_rng(0).random((64, *SIZES[size]), dtype=np.float32)


def pair(first: Path, second: Path, budget: float, count: int = 1) -> list[list[float]]:
    """[value, low, high] of `count` comparisons in a new process."""
    command = [sys.executable, __file__, "--pair", str(first), str(second), str(budget), str(count)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def single(first: Path, second: Path) -> list[float]:
    """[value, low, high] of one comparison in a new process, as long as the grader's."""
    return pair(first, second, SHORT)[0]


def compared(first: str, second: str, budget: float, count: int) -> list[list[float]]:
    x = inputs(Path(first).name.split("_")[0])
    one, other = Artifact.of(first), Artifact.of(second)
    found = [measure.compare_latency(one, other, x, budget=budget) for _ in range(count)]
    return [[ratio.value, ratio.low, ratio.high] for ratio in found]


def main() -> None:
    raw, rows = Raw("measure_aa"), []
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        write_files(files)
        for runtime, suffix in SUFFIXES.items():
            for precision in PRECISIONS:
                rows += against_itself(raw, files, runtime, precision, suffix)
            rows += across_processes(raw, files, runtime, suffix)
    write_rows("measure_aa", rows)


def against_itself(raw: Raw, files: Path, runtime: str, precision: str, suffix: str) -> list[dict]:
    rows, held = [], {}
    for size in SIZES:
        file = files / f"{size}_{precision}.{suffix}"
        found = []
        for block in range(PAIRS // AT_ONCE):
            key = f"{runtime}.{precision}.{size}.{block}"
            found += raw.take(key, partial(pair, file, file, SHORT, AT_ONCE))
        held[size] = [low <= 1 <= high for _, low, high in found]
    # Every comparison is one trial: the share that holds 1, with its range by size.
    shares = [float(np.mean(own)) for own in held.values()]
    note = (
        f"{PAIRS} comparisons of a file with itself for each of two sizes (8×8, 28×28), {AT_ONCE} in a process, {SHORT} s a "
        f"file; low and high: the two sizes; convnet {WIDTHS}, one thread"
    )
    all_of = [hold for own in held.values() for hold in own]
    rows.append(
        entry(f"measure.aa.{runtime}.{precision}.coverage", float(np.mean(all_of)), min(shares), max(shares), len(all_of), note)
    )
    for budget in BUDGETS:
        key = f"{runtime}.{precision}.power.{budget:g}"
        file = files / f"small_{precision}.{suffix}"
        found = raw.take(key, partial(pair, file, file, budget, 5))
        halves = [float(np.sqrt(high / low)) for _, low, high in found]
        words = f"half the interval's width as a ratio, five comparisons of the 8×8 network with itself, {budget:g} s a file"
        what = f"measure.aa.{runtime}.{precision}.told_apart_{budget:g}s"
        rows.append(entry(what, float(np.median(halves)), min(halves), max(halves), len(halves), words))
    return rows


def across_processes(raw: Raw, files: Path, runtime: str, suffix: str) -> list[dict]:
    rows = []
    for size in SIZES:
        one, other = (files / f"{size}_{precision}.{suffix}" for precision in ("int8", "float32"))
        found = [raw.take(f"{runtime}.{size}.process.{index}", partial(single, one, other)) for index in range(PROCESSES)]
        values = np.array([value for value, _, _ in found])
        mean = float(np.exp(np.log(values).mean()))
        note = f"int8 over float32, a comparison in each of {PROCESSES} processes, {SHORT} s a file"
        what = f"measure.aa.{runtime}.processes_{size}"
        rows.append(entry(f"{what}.ratio", mean, float(values.min()), float(values.max()), PROCESSES, note))
        covered = float(np.mean([low <= mean <= high for _, low, high in found]))
        rows.append(
            entry(f"{what}.covered", covered, covered, covered, PROCESSES, note + "; the share of intervals that hold the mean")
        )
    return rows


def entry(what: str, value: float, low: float, high: float, n: int, note: str) -> dict:
    return {
        "what": what,
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "unit": "",
        "beside": {},
        "command": COMMAND,
        "note": note,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pair"]:
        first, second, budget, count = sys.argv[2:]
        print(json.dumps(compared(first, second, float(budget), int(count))))
    else:
        main()
