"""Architecture search: a space as data, its cost before any training, and strategies that share Optuna's storage and plots.

space = Space(depth=(1, 2, 3), filters=(8, 16, 32))
study = optuna.create_study(direction="maximize", sampler=SAMPLERS["evolution"](space.genes(), seed=0))
search(study, objective(space, evaluate, shape=(8, 8, 1), classes=10), trials=50)

`work` instead of `search` shares a study of `open_storage(place)` with any number of workers; `projectkit search` does all this
from a TOML file.
Loads no TensorFlow until the first network is built.
"""

from collections.abc import Mapping
from typing import Protocol

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from projectkit.nas.annealing import annealing
from projectkit.nas.ants import ants
from projectkit.nas.evolution import cmaes, evolution, nsga2
from projectkit.nas.genes import Genes
from projectkit.nas.history import different
from projectkit.nas.latency import latency_ratio, write_reference
from projectkit.nas.model_based import gp, tpe
from projectkit.nas.network import build
from projectkit.nas.objective import evaluated, objective, search
from projectkit.nas.on_device import measure_architecture, note_measured
from projectkit.nas.pruning import hyperband, median, none
from projectkit.nas.reinforce import reinforce
from projectkit.nas.repair import cost, repair
from projectkit.nas.space import Space
from projectkit.nas.storage import open_storage
from projectkit.nas.study_file import StudyRecord, TrialRecord, export_study, read_study
from projectkit.nas.swarm import swarm
from projectkit.nas.training import train_and_validate
from projectkit.nas.types import Architecture, Block, Cost, parse
from projectkit.nas.uniform import grid, random
from projectkit.nas.worker import work

__all__ = [
    "PRUNERS",
    "SAMPLERS",
    "Architecture",
    "Block",
    "Cost",
    "Genes",
    "PrunerFactory",
    "SamplerFactory",
    "Space",
    "StudyRecord",
    "TrialRecord",
    "annealing",
    "ants",
    "build",
    "cmaes",
    "cost",
    "different",
    "evaluated",
    "evolution",
    "export_study",
    "gp",
    "grid",
    "hyperband",
    "latency_ratio",
    "measure_architecture",
    "median",
    "none",
    "note_measured",
    "nsga2",
    "objective",
    "open_storage",
    "parse",
    "random",
    "read_study",
    "reinforce",
    "repair",
    "search",
    "swarm",
    "tpe",
    "train_and_validate",
    "work",
    "write_reference",
]


# (space = None, *, seed) -> sampler. The space is a dict of Optuna's distributions; without one it is found in the trials,
# except by the grid. Served by random, grid, tpe and nsga2 only: studies of several objectives.
class SamplerFactory(Protocol):
    """Makes a strategy of search: an Optuna sampler, of which equal seeds make the same proposals to equal studies.

    space: the distributions by gene; without one it is found in the trials. Further options have a default. Raises SearchError
    for a space or options that the strategy cannot use.
    """

    def __call__(self, space: Genes | None = None, /, *, seed: int) -> BaseSampler: ...


class PrunerFactory(Protocol):
    """Makes an Optuna pruner for trials that report after each of `epochs` epochs."""

    def __call__(self, *, epochs: int) -> BasePruner: ...


SAMPLERS: Mapping[str, SamplerFactory] = {
    "random": random,
    "grid": grid,
    "tpe": tpe,
    "gp": gp,
    "cmaes": cmaes,
    "nsga2": nsga2,
    "evolution": evolution,
    "reinforce": reinforce,
    "annealing": annealing,
    "swarm": swarm,
    "ants": ants,
}

# (*, epochs) -> pruner, for trials that report once an epoch, as `train_and_validate` does.
PRUNERS: Mapping[str, PrunerFactory] = {"none": none, "median": median, "hyperband": hyperband}
