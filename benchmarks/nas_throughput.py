"""Trials a minute of one study with 1, 2 and 4 workers: the speed-up by more processes of `projectkit search --worker`.

    python benchmarks/nas_throughput.py      about ten minutes on two quiet cores; goes on where it stopped

Each worker is a process with one thread, all on this machine, with a journal file between them; tiny networks on digits, so that
the storage and not the training would be what holds them up. A grid, so that no network comes twice. Counted are the trials
that end between the moment at which every worker has finished its first one (TensorFlow is loaded and warm) and the moment at
which the first finds nothing more to do. The numbers of workers take turns, round by round; the speedup is that of one round.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import optuna

from projectkit.nas import open_storage
from record import Raw, row, write_rows

COMMAND = "python benchmarks/nas_throughput.py"
WORKERS = (1, 2, 4)
ROUNDS = 3
PROGRAM = "from projectkit.cli import app; app()"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
SEARCH = """
study = "throughput"
strategy = "grid"
trials = 28
[space]
depth = [2]
filters = [8, 9, 10, 11, 12, 13]
kernel = [3]
stride = [2]
depthwise = [false]
activation = ["relu"]
skip = [false]
[recipe]
epochs = 3
learning_rate = 0.004
"""


def trials_a_minute(workers: int) -> float:
    """A whole study by so many workers at once, from an empty journal."""
    with tempfile.TemporaryDirectory() as folder:
        file, journal = Path(folder) / "search.toml", str(Path(folder) / "search.journal")
        file.write_text(SEARCH)
        command = [sys.executable, "-c", PROGRAM, "search", str(file), "--storage", journal, "--worker"]
        running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | ONE_THREAD) for _ in range(workers)]
        codes = [worker.wait() for worker in running]
        if any(codes):
            raise SystemExit(f"A worker ended with {max(codes)}: run `projectkit search` on the benchmark's file to see why.")
        return rate(optuna.load_study(study_name="throughput", storage=open_storage(journal)).get_trials(), workers)


def rate(trials: list[optuna.trial.FrozenTrial], workers: int) -> float:
    """Finished trials a minute while all workers were at work."""
    firsts: dict[str, object] = {}
    for trial in sorted(trials, key=lambda trial: trial.datetime_complete):
        firsts.setdefault(trial.user_attrs["worker"], trial.datetime_complete)
    if len(firsts) < workers:
        raise SystemExit(f"Of {workers} workers {len(firsts)} came to a trial at all: more trials are needed.")
    begin, end = max(firsts.values()), max(trial.datetime_start for trial in trials)
    counted = sum(begin < trial.datetime_complete <= end for trial in trials)
    if counted < workers:
        raise SystemExit(f"{counted} trials were counted: more are needed.")
    return 60 * counted / (end - begin).total_seconds()


def main() -> None:
    raw, rates = Raw("nas_throughput"), {workers: [] for workers in WORKERS}
    for index in range(ROUNDS):
        for workers in WORKERS:
            rates[workers].append(raw.take(f"{index}.{workers}", partial(trials_a_minute, workers)))
    note = f"digits, tiny networks, one thread a worker, all workers on one machine of {os.cpu_count()} cores; a journal file"
    one = row("", rates[1], "", COMMAND)["value"]
    rows = [
        row(f"nas.throughput.{workers}", rates[workers], "trials/min", COMMAND, note, {"one worker": one} if workers > 1 else {})
        for workers in WORKERS
    ]
    for workers in WORKERS[1:]:
        speedups = [many / single for many, single in zip(rates[workers], rates[1], strict=True)]
        rows.append(row(f"nas.speedup.{workers}", speedups, "", COMMAND, f"{note}; against one worker of the same round"))
    write_rows("nas_throughput", rows)


if __name__ == "__main__":
    main()
