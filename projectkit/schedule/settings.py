"""A workload as a TOML file: the models, what is asked of them, and how the plan is looked for and proven."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from projectkit.errors import ScheduleError
from projectkit.schedule.arrivals import ARRIVALS
from projectkit.schedule.optimize import OPTIMIZERS
from projectkit.schedule.types import Task, Workload
from projectkit.toml_file import read_toml

EXAMPLE = """\
# Two models on one device. Find a plan and prove it:      projectkit schedule THIS_FILE

cores = 2
batches = [1]                  # how many waiting requests one call may answer, such as [1, 4]
memory_cap = 1_000_000_000     # bytes of all processes together; leave it out for no cap
profile = 0.3                  # seconds for each kind of call that is timed
optimizer = "exhaustive"       # exhaustive heuristic optuna
simulate = 20.0                # seconds of requests on which every plan is played
blocks = 5                     # the proof: so many blocks, all plans in turn
seconds = 3.0                  # of requests in each block
seed = 0

[[model]]
name = "camera"
files = ["camera_float32.tflite", "camera_int8.tflite"]     # any of them will do
rate = 10.0                    # requests a second
deadline = 0.1                 # seconds from a request's arrival
arrivals = "periodic"          # or "poisson"

[[model]]
name = "keyword"
files = ["keyword.tflite"]
rate = 50.0
deadline = 0.01
weight = 2.0                   # how much a missed deadline counts
"""


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """What the file says. profile: seconds for each kind of call that is timed; optimizer: a name of OPTIMIZERS; simulate,
    seconds: of requests for a simulation and for a block of the proof.

    Raises ScheduleError for an unknown optimizer, for what is no number of blocks (2 to 10) and for seconds that are not above 0.
    """

    workload: Workload
    profile: float = 0.3
    optimizer: str = "exhaustive"
    simulate: float = 20.0
    blocks: int = 5
    seconds: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ScheduleError(f"There is no optimizer {self.optimizer!r}. Choose one of {', '.join(OPTIMIZERS)}.")
        if not 2 <= self.blocks <= 10:
            raise ScheduleError(f"The number of blocks is {self.blocks}; expected 2 to 10, so that there is an interval.")
        for name in ("profile", "simulate", "seconds"):
            if not getattr(self, name) > 0:
                raise ScheduleError(f"{name} is {getattr(self, name)}; expected seconds, more than 0. Give for example 3.0.")
        if self.seed < 0:
            raise ScheduleError(f"The seed is {self.seed}; expected 0 or more. Give seed = 0.")


KINDS: Mapping[str, type] = {
    "cores": int,
    "batches": list,
    "memory_cap": float,
    "profile": float,
    "optimizer": str,
    "simulate": float,
    "blocks": int,
    "seconds": float,
    "seed": int,
    "model": list,
}
IN_WORDS = {int: "a whole number", float: "a number", str: "a text in quotes", list: "a list"}
MODEL_KINDS: Mapping[str, type] = {
    "name": str,
    "files": list,
    "rate": float,
    "deadline": float,
    "arrivals": str,
    "weight": float,
}


def read_settings(path: Path) -> ScheduleSettings:
    """The settings in a TOML file; models lie beside it. Raises ScheduleError when there is none, or something in it is
    unknown, of the wrong kind or absent."""
    content = read_toml(path, ScheduleError, advice="`projectkit schedule --example` prints one.")
    try:
        return _parse(content, path.parent)
    except ScheduleError as error:
        raise ScheduleError(f"{path}: {error}") from error


def _parse(content: dict[str, Any], folder: Path) -> ScheduleSettings:
    _check(content, KINDS, "the file", needed=("cores", "model"))
    tasks = []
    for number, model in enumerate(content.pop("model"), 1):
        where = f"[[model]] number {number}"
        if not isinstance(model, dict):
            raise ScheduleError(f"{where} is {model!r}, expected a table. `projectkit schedule --example` prints one.")
        _check(model, MODEL_KINDS, where, needed=("name", "files", "rate", "deadline"))
        if model.get("arrivals", "poisson") not in ARRIVALS:
            raise ScheduleError(f"{where} says arrivals = {model['arrivals']!r}, expected one of {', '.join(ARRIVALS)}.")
        files = _list_of(str, model, "files", where)
        if absent := [file for file in files if not (folder / file).is_file()]:
            raise ScheduleError(f"{where}: there is no file {absent[0]}. Paths begin where the TOML file lies.")
        tasks.append(Task(**model | {"files": tuple(str(folder / file) for file in files)}))
    batches = tuple(_list_of(int, content, "batches", "the file")) if "batches" in content else (1,)
    workload = Workload(tuple(tasks), content.pop("cores"), content.pop("memory_cap", None), batches)
    content.pop("batches", None)
    return ScheduleSettings(workload, **content)


def _check(given: Mapping[str, Any], kinds: Mapping[str, type], where: str, *, needed: tuple[str, ...]) -> None:
    """Raises ScheduleError for a name that is unknown or absent, and a value of another kind; a float may be written as 3."""
    if absent := [name for name in needed if name not in given]:
        raise ScheduleError(f"{where} has no {absent[0]}. `projectkit schedule --example` prints a file with all there is.")
    for name, value in given.items():
        if name not in kinds:
            raise ScheduleError(f"{where} has {name!r}, which is unknown. Expected are {', '.join(kinds)}.")
        kind = kinds[name]
        if not isinstance(value, (int, float) if kind is float else kind) or isinstance(value, bool):
            raise ScheduleError(f"{where} says {name} = {value!r}, expected {IN_WORDS[kind]}.")


def _list_of(kind: type, given: Mapping[str, Any], name: str, where: str) -> list[Any]:
    values = given[name]
    if not values or not all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
        raise ScheduleError(f"{where} says {name} = {values!r}, expected a list, each {IN_WORDS[kind]}, at least one.")
    return values
