"""Makes projectkit/nas/digits_table.json: trains every architecture of the table's space once on digits.

    python benchmarks/nas_table.py

342 architectures, about a second each on one core, and some from four more seeds: 20 spread over the range of work, and the ten
best, of which it shows how much was luck. Goes on where it stopped; delete the raw file to train anew.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import sys
import time

import numpy as np

from projectkit.data.digits import division_of_the_table
from projectkit.nas import cost, table
from record import Raw

SEEDS, SPREAD, BEST = (0, 1, 2, 3, 4), 20, 10


def run(raw: Raw, architecture, dataset, seed: int) -> table.Run:
    """The training of this seed, recorded or new."""

    def train() -> dict:
        from tf_keras import backend

        backend.clear_session()  # else every network that was ever built stays in the graph
        start = time.perf_counter()
        trained = table.train_once(architecture, dataset, seed=seed)
        accuracy = [round(value, 5) for value in trained.accuracy]
        return {"accuracy": accuracy, "test": round(trained.test, 5), "seconds": round(time.perf_counter() - start, 2)}

    taken = raw.take(f"{architecture.digest}.{seed}", train)
    return table.Run(seed, tuple(taken["accuracy"]), taken["test"])


def again(entries: list[table.TableEntry]) -> set[str]:
    """The digests of those that are trained from every seed."""
    by_work = sorted(entries, key=lambda entry: entry.cost.macs)
    spread = [by_work[index] for index in np.linspace(0, len(by_work) - 1, SPREAD).round().astype(int)]
    best = sorted(entries, key=lambda entry: (-entry.accuracy, entry.cost.macs))[:BEST]
    return {entry.architecture.digest for entry in (*spread, *best)}


def main() -> int:
    raw, dataset, shape = Raw("nas_table"), division_of_the_table(), (table.SHAPE, table.CLASSES)
    one_core()
    entries = [
        table.TableEntry(architecture, cost(architecture, *shape), (run(raw, architecture, dataset, SEEDS[0]),))
        for architecture in table.SPACE.architectures()
    ]
    repeated = again(entries)
    whole = {}
    for entry in entries:
        digest = entry.architecture.digest
        more = [run(raw, entry.architecture, dataset, seed) for seed in SEEDS[1:] if digest in repeated]
        whole[digest] = table.TableEntry(entry.architecture, entry.cost, (*entry.runs, *more))
    table.write(whole, dataset)
    made = table.load()
    print(f"{len(made.entries)} architectures; best {made.best.accuracy:.2%}; between seeds {made.noise:.2%}")
    return 0


def one_core() -> None:
    """Networks this small are no faster on more, and sums are added in one order."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    sys.exit(main())
