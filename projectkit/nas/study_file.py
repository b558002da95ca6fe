"""A study as one JSON file: what is handed in, archived and plotted elsewhere, without Optuna and without the storage."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from projectkit.errors import ModelError, SearchError
from projectkit.files import write_whole
from projectkit.nas.history import SAME_AS
from projectkit.nas.space import Space
from projectkit.nas.types import Architecture, parse

FORMAT = 1
SPACE = "space"  # the study's attribute that holds the fields of its space; `objective` writes it
STATES = ("complete", "pruned", "fail", "running")
STATED = ("architecture", "digest", "parameters", "macs", "reason", SAME_AS)  # attributes that `objective` writes


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial of a study file. `values`: one an objective, None unless complete. What was not known when the trial ended is
    None. `reason`: why it failed or was pruned. `same_as`: the trial that had tried this architecture before."""

    number: int
    state: str
    values: tuple[float, ...] | None
    architecture: Architecture | None = None
    digest: str | None = None
    parameters: int | None = None
    macs: int | None = None
    reason: str | None = None
    same_as: int | None = None


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study file. `direction`: "maximize" or "minimize", one an objective."""

    space: Space
    direction: tuple[str, ...]
    trials: tuple[TrialRecord, ...]


def export_study(study: Study, path: str | Path) -> Path:
    """Writes the study to `path` as JSON, whole or not at all, and returns the path:

        {"format": 1,
         "space": {"depth": [1, 2], "filters": [8, 16], ...},      the fields of Space
         "direction": ["maximize"],                                one an objective
         "trials": [{"number": 0, "state": "complete", "values": [0.93],
                     "architecture": {"blocks": [{"filters": 8, "kernel": 3, ...}, ...]},
                     "digest": "668d5074e3f70b24", "parameters": 1234, "macs": 56789}, ...]}

    Trials stand in the order of their numbers; those that nobody has begun are left out. `state` is "complete", "pruned",
    "fail" or "running"; `values` is null unless complete. "reason" and "same_as" stand only in trials that have one, and what
    a trial ended too early to know is absent. Numbers are finite. Raises SearchError for a study that was not run with
    `objective`, which writes all this beside the trials, and for a path that cannot be written.
    """
    space = study.user_attrs.get(SPACE)
    if space is None:
        raise SearchError(
            f"The study {study.study_name!r} does not say which space it searches; expected one run with nas.objective. "
            "Run it with search(study, objective(space, …)) first."
        )
    begun = [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]
    record = {
        "format": FORMAT,
        "space": space,
        "direction": [direction.name.lower() for direction in study.directions],
        "trials": [_fields(trial) for trial in sorted(begun, key=lambda trial: trial.number)],
    }
    path = Path(path)
    try:
        write_whole(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise SearchError(f"{path}: cannot be written ({error.strerror}). Give a path in a folder that is yours.") from error
    return path


def read_study(path: str | Path) -> StudyRecord:
    """What `export_study` wrote. Raises SearchError for anything else: no such file, no JSON, another format, wrong fields."""
    path = Path(path)
    try:
        content = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']!r}, this version reads {FORMAT}")
        space = Space(**{name: tuple(choices) for name, choices in content["space"].items()})
        direction = tuple(content["direction"])
        if not direction or any(each not in ("maximize", "minimize") for each in direction):
            raise ValueError(f"direction {direction!r}")
        trials = tuple(_trial(fields, len(direction)) for fields in content["trials"])
        if [trial.number for trial in trials] != sorted({trial.number for trial in trials}):
            raise ValueError("trials out of order, or one number twice")
    except OSError as error:
        raise SearchError(f"{path}: cannot be read ({error.strerror}). Give the file that nas.export_study wrote.") from error
    except KeyError as error:
        raise SearchError(f"{path}: is not a study: {error} is missing. Write it with nas.export_study.") from error
    except (ValueError, TypeError, AttributeError, RecursionError, ModelError) as error:
        raise SearchError(f"{path}: is not a study: {error}. Write it with nas.export_study.") from error
    return StudyRecord(space, direction, trials)


def note_space(study: Study, space: Space) -> None:
    """Writes the space beside the study, once, so that the file can say what was searched."""
    if SPACE not in study.user_attrs:
        study.set_user_attr(SPACE, {name: list(choices) for name, choices in asdict(space).items()})


def _fields(trial: FrozenTrial) -> dict[str, Any]:
    complete = trial.state == TrialState.COMPLETE
    fields = {"number": trial.number, "state": trial.state.name.lower(), "values": list(trial.values) if complete else None}
    return fields | {name: trial.user_attrs[name] for name in STATED if name in trial.user_attrs}


def _trial(fields: Mapping[str, Any], objectives: int) -> TrialRecord:
    known = dict(fields)
    number, state, values = known["number"], known["state"], known["values"]
    if not _is_count(number) or state not in STATES:
        raise ValueError(f"trial {number!r} in the state {state!r}")
    numbers = values is not None and len(values) == objectives and all(_is_finite(value) for value in values)
    if numbers != (state == "complete") or (values is not None and not numbers):
        raise ValueError(f"trial {number} is {state} with the values {values!r}")
    if any(not _is_count(known[name]) for name in ("parameters", "macs", "same_as") if known.get(name) is not None):
        raise ValueError(f"trial {number} has a count that is none")
    if any(not isinstance(known[name], str) for name in ("digest", "reason") if known.get(name) is not None):
        raise ValueError(f"trial {number} has a digest or a reason that is no text")
    architecture = known.get("architecture")
    return TrialRecord(
        **known
        | {
            "values": None if values is None else tuple(map(float, values)),
            "architecture": None if architecture is None else parse(architecture),
        }
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
