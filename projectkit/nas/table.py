"""A tabular benchmark: every architecture of a small space was trained once, and a search looks its result up.

table = load()
search(study, objective(SPACE, table.evaluate, shape=SHAPE, classes=CLASSES), trials=50)

After Ying et al., "NAS-Bench-101", 2019, a thousand times smaller. benchmarks/nas_table.py made it and can make it again.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial

from projectkit.errors import ModelError
from projectkit.nas.repair import repair
from projectkit.nas.space import Space
from projectkit.nas.types import Architecture, Cost
from projectkit.types import Dataset, Recipe

SPACE = Space(
    depth=(1, 2, 3), filters=(4, 8, 16), kernel=(3,), stride=(1, 2), depthwise=(False,), activation=("relu",), skip=(False, True)
)
SHAPE, CLASSES = (8, 8, 1), 10
RECIPE = Recipe(epochs=12, batch_size=32, learning_rate=0.01)
FILE = Path(__file__).with_name("digits_table.json")


@dataclass(frozen=True, slots=True)
class Run:
    """One training. accuracy: on 360 validation images after each epoch, in [0, 1]; test: on 360 others after the last.
    The former are the validation and test images of `digits` together, the latter those that it withholds."""

    seed: int
    accuracy: tuple[float, ...]
    test: float


@dataclass(frozen=True, slots=True)
class TableEntry:
    """An architecture, its cost, and its trainings: the first is the one that searches see, others show how far chance goes."""

    architecture: Architecture
    cost: Cost
    runs: tuple[Run, ...]

    @property
    def curve(self) -> tuple[float, ...]:
        """Validation accuracy after each epoch."""
        return self.runs[0].accuracy

    @property
    def accuracy(self) -> float:
        """Validation accuracy after the last epoch, in [0, 1]: what a search maximizes."""
        return self.runs[0].accuracy[-1]

    @property
    def test(self) -> float:
        """Test accuracy of the same training. To report in the end, not to search by."""
        return self.runs[0].test


@dataclass(frozen=True, slots=True)
class Table:
    """`entries` by the digest of their architecture, in the order of SPACE.architectures()."""

    entries: Mapping[str, TableEntry]

    def lookup(self, architecture: Architecture | str) -> TableEntry:
        """The entry of an architecture or of a digest. Raises ModelError when the space has none such."""
        digest = architecture if isinstance(architecture, str) else repair(architecture, SHAPE)[0].digest
        if digest not in self.entries:
            raise ModelError(
                f"The table has no {architecture!r}; expected one of the {len(self.entries)} of {SPACE}. Search in table.SPACE."
            )
        return self.entries[digest]

    @property
    def best(self) -> TableEntry:
        """The entry of the highest validation accuracy; of several, the one with the least work."""
        return max(self.entries.values(), key=lambda entry: (entry.accuracy, -entry.cost.macs))

    @property
    def repeated(self) -> tuple[TableEntry, ...]:
        """The entries that were trained from several seeds."""
        return tuple(entry for entry in self.entries.values() if len(entry.runs) > 1)

    @property
    def noise(self) -> float:
        """How far chance usually moves the validation accuracy: the median, over the repeated entries, of the standard deviation
        between seeds. The least accurate scatter more."""
        return float(np.median([np.std([run.accuracy[-1] for run in entry.runs], ddof=1) for entry in self.repeated]))

    def evaluate(self, architecture: Architecture, trial: Trial) -> float:
        """What `objective` calls: the validation accuracy, with a report to the trial after each epoch.

        Raises TrialPruned where the study's pruner stops the curve (Optuna's default one does), ModelError for an architecture of
        another space.
        """
        entry = self.lookup(architecture)
        if len(trial.study.directions) == 1:  # Optuna prunes no others
            for epoch, accuracy in enumerate(entry.curve, 1):
                trial.report(accuracy, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned(f"stopped after epoch {epoch} of {len(entry.curve)}")
        return entry.accuracy


@functools.cache
def load(path: Path = FILE) -> Table:
    """The table that comes with the package. Raises ModelError when the file is absent, damaged or of another space."""
    try:
        stored = json.loads(path.read_text("utf-8"))
        entries = {each.digest: _entry(each, stored["entries"][each.digest], stored["images"]) for each in SPACE.architectures()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} cannot be read as the table ({type(error).__name__}: {error}); expected every architecture of {SPACE}. "
            "Install the package again, or make it anew with benchmarks/nas_table.py."
        ) from error
    return Table(entries)


def train_once(architecture: Architecture, dataset: Dataset, *, seed: int) -> Run:
    """Trains the architecture as the table's were: on `dataset.train` by RECIPE, in about a second. Loads TensorFlow."""
    from projectkit import train
    from projectkit.nas.network import build

    # isort: split
    import tf_keras as keras

    keras.utils.set_random_seed(seed)
    model = build(architecture, SHAPE, CLASSES)
    history = train.fit(model, dataset, replace(RECIPE, seed=seed), progress=False)
    return Run(seed, history.val_accuracy, train.accuracy(model, dataset.test))


def write(entries: Mapping[str, TableEntry], dataset: Dataset, path: Path = FILE) -> None:
    """Writes the table's file: right answers as whole numbers, one line an architecture."""
    images = {"validation": len(dataset.val), "test": len(dataset.test)}
    head = {"dataset": dataset.digest, "images": images, "recipe": asdict(RECIPE), "space": asdict(SPACE)}
    lines = [f"{json.dumps(digest)}: {json.dumps(_stored(entry, images))}" for digest, entry in entries.items()]
    text = json.dumps(head)[:-1] + ', "entries": {\n' + ",\n".join(lines) + "\n}}\n"
    path.write_text(text, encoding="utf-8")


def _stored(entry: TableEntry, images: Mapping[str, int]) -> dict[str, Any]:
    runs = [
        {
            "seed": run.seed,
            "validation": [round(accuracy * images["validation"]) for accuracy in run.accuracy],
            "test": round(run.test * images["test"]),
        }
        for run in entry.runs
    ]
    return asdict(entry.cost) | {"runs": runs}


def _entry(architecture: Architecture, stored: Mapping[str, Any], images: Mapping[str, int]) -> TableEntry:
    runs = tuple(
        Run(run["seed"], tuple(right / images["validation"] for right in run["validation"]), run["test"] / images["test"])
        for run in stored["runs"]
    )
    if not runs or any(len(run.accuracy) != RECIPE.epochs for run in runs):
        raise ValueError(f"{architecture.digest} has no whole training")
    return TableEntry(architecture, Cost(stored["parameters"], stored["macs"]), runs)
