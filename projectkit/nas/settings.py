"""A search as a TOML file: the space, the data, how each network is trained, what counts, and which strategy looks for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection

from projectkit.devices import Estimated, read_device
from projectkit.errors import DeviceError, ModelError, SearchError
from projectkit.nas import PRUNERS, SAMPLERS
from projectkit.nas.space import Space
from projectkit.toml_file import read_toml
from projectkit.types import Recipe

OBJECTIVES = {
    "accuracy": "maximize",
    "latency": "minimize",
    "memory": "minimize",
    "parameters": "minimize",
    "macs": "minimize",
}

EXAMPLE = """\
# A search for a small network. Run it:                   projectkit search THIS_FILE
# With more workers, here or on machines that see the same storage:  projectkit search THIS_FILE --worker

study = "digits-first"         # its name in the storage
dataset = "digits"             # one of `projectkit data list`, or an .npz
objectives = ["accuracy"]      # or more: "latency" (against a fixed network, measured), "memory" (measured), "parameters", "macs"
strategy = "evolution"         # random grid tpe gp cmaes nsga2 evolution reinforce annealing swarm ants
pruner = "median"              # none median hyperband; with one objective only
patience = 4                   # epochs without a better one after which a training ends; 0: none
trials = 20                    # different architectures; one that comes again costs nothing. May be raised later
seed = 0
most_parameters = 20_000       # larger ones are refused without training; also: most_macs
# device = "tls://HOST:PORT/jetson"     latency and memory are measured there; left out: here
# most_memory = 8_000_000      # bytes that the network may take on the device; who takes more is never among the best

[space]                        # each may be one of these; a single choice is fixed
depth = [1, 2, 3]
filters = [8, 16, 32]
kernel = [3, 5]
stride = [1, 2]
depthwise = [false, true]
activation = ["relu"]
skip = [false, true]

[recipe]                       # how each network is trained
epochs = 8
batch_size = 32
learning_rate = 0.01
"""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What the file says. Every field but `trials` is part of the study: workers that differ in one of them do not mix.

    objectives: names of OBJECTIVES, "accuracy" first. strategy: a member of SAMPLERS. pruner: a member of PRUNERS.
    patience: that of `train_and_validate`, 0 for none. trials: of different architectures. device: where latency and memory are
    measured, as `devices.read_device` reads it; None: here. most_memory: bytes, see `note_measured`.
    Raises SearchError for what no study can be made of.
    """

    study: str
    space: Space
    dataset: str = "digits"
    recipe: Recipe = field(default_factory=Recipe)
    objectives: tuple[str, ...] = ("accuracy",)
    strategy: str = "evolution"
    pruner: str = "none"
    patience: int = 0
    trials: int = 20
    seed: int = 0
    most_parameters: int | None = None
    most_macs: int | None = None
    device: str | None = None
    most_memory: int | None = None

    def __post_init__(self) -> None:
        for name, table in (("strategy", SAMPLERS), ("pruner", PRUNERS)):
            if getattr(self, name) not in table:
                raise SearchError(f"There is no {name} {getattr(self, name)!r}. Choose one of {', '.join(table)}.")
        if strangers := [name for name in self.objectives if name not in list(OBJECTIVES)]:
            raise SearchError(f"There is no objective {strangers[0]!r}. Choose from {', '.join(OBJECTIVES)}.")
        if self.objectives[:1] != ("accuracy",) or len(set(self.objectives)) < len(self.objectives):
            raise SearchError(f"The objectives are {', '.join(self.objectives) or 'none'}; expected accuracy first, each once.")
        if self.pruner != "none" and len(self.objectives) > 1:
            raise SearchError(
                f"The pruner is {self.pruner!r} in a search of {len(self.objectives)} objectives; trials can be compared in the "
                'middle of their training by one only. Set pruner = "none", or one objective.'
            )
        for name, number in (("trials", self.trials), ("epochs", self.recipe.epochs)):
            if number < 1:
                raise SearchError(f"The number of {name} is {number}; expected at least 1. Give for example {name} = 20.")
        if self.patience < 0:
            raise SearchError(f"The patience is {self.patience} epochs; expected at least 0, which is none. Give patience = 4.")
        if self.device is not None:
            self._check_device(self.device)
        self._try_strategy()

    def sampler(self) -> BaseSampler:
        """The strategy, for this space and seed."""
        return SAMPLERS[self.strategy](self.space.genes(), seed=self.seed)

    def make_pruner(self) -> BasePruner:
        """The pruner, for trials of as many epochs."""
        return PRUNERS[self.pruner](epochs=self.recipe.epochs)

    @property
    def directions(self) -> list[StudyDirection]:
        """One an objective."""
        return [StudyDirection[OBJECTIVES[name].upper()] for name in self.objectives]

    @property
    def measures_on_device(self) -> bool:
        """Whether more is asked of a device than the latency on this one."""
        return self.device is not None or "memory" in self.objectives or self.most_memory is not None

    def _check_device(self, device: str) -> None:
        if isinstance(read_device(device), Estimated):
            raise SearchError(f"The device {device} is only estimated; a search measures. Give here, or an agent's address.")
        if not {"latency", "memory"} & set(self.objectives) and self.most_memory is None:
            raise SearchError(
                f"The device {device} would have nothing to do: no objective is measured. Add latency or memory to the "
                "objectives, or a limit most_memory."
            )

    def _try_strategy(self) -> None:
        """In a study that nobody sees: a space without a choice, or too many objectives for the strategy, is refused here."""
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            trial = optuna.create_study(sampler=self.sampler(), pruner=self.make_pruner(), directions=self.directions).ask()
            self.space.sample(trial)
        finally:
            optuna.logging.set_verbosity(verbosity)


def read_settings(path: Path) -> SearchSettings:
    """The settings in a TOML file. Raises SearchError when there is none, or something in it is unknown or of the wrong kind."""
    content = read_toml(path, SearchError, advice="`projectkit search --example` prints one.")
    try:
        return _parse({"study": path.stem} | content)
    except (DeviceError, ModelError, SearchError) as error:
        raise SearchError(f"{path}: {error}") from error


def _parse(content: dict[str, Any]) -> SearchSettings:
    if not isinstance(content.get("space"), dict) or not content["space"]:
        raise SearchError(
            "there is no [space], expected the choices of an architecture. `projectkit search --example` prints one."
        )
    choices = {name: tuple(value) if isinstance(value, list) else value for name, value in content.pop("space").items()}
    try:
        space = Space(**_known(choices, asdict(Space()), "[space]", checked=False))
    except TypeError as error:  # a list in a list
        raise SearchError(f"[space] is {choices!r}; expected lists of numbers, names, true and false ({error}).") from error
    recipe = content.pop("recipe", {})
    if not isinstance(recipe, dict):
        raise SearchError(f"[recipe] is {recipe!r}, expected a table. Give for example epochs = 8 below [recipe].")
    recipe = Recipe(**_known(recipe, asdict(Recipe()), "[recipe]"))
    if isinstance(content.get("objectives"), list):
        content["objectives"] = tuple(content["objectives"])
    defaults = {each.name: each.default for each in fields(SearchSettings) if each.name not in ("space", "recipe")}
    defaults |= {"study": "", "most_parameters": 0, "most_macs": 0, "device": "", "most_memory": 0}
    return SearchSettings(space=space, recipe=recipe, **_known(content, defaults, "the file"))


def _known(given: Mapping[str, Any], defaults: Mapping[str, Any], where: str, *, checked: bool = True) -> dict[str, Any]:
    """`given` itself, after a look at its names and, if `checked`, at the kinds of its values: those of the defaults."""
    for name, value in given.items():
        if name not in defaults:
            raise SearchError(f"{where} has {name!r}, which is unknown. Expected are {', '.join(defaults)}.")
        kind = type(defaults[name])
        fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
        if checked and not fits:
            raise SearchError(f"{where} says {name} = {value!r}, expected something like {defaults[name]!r}.")
    return dict(given)
