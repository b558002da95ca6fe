"""How a worker comes to its study: made by the first, found by the others, refused to those whose settings differ."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.study import Study

from projectkit.errors import SearchError
from projectkit.nas.settings import SearchSettings
from projectkit.nas.study_file import note_space
from projectkit.nas.worker import make_place
from projectkit.types import Dataset

SETTINGS = "settings"  # the study's attribute
PATIENCE = 10.0  # seconds that whoever made a study may need until its settings are written


def join(settings: SearchSettings, dataset: Dataset, storage: BaseStorage, *, before_making: Callable[[], None]) -> Study:
    """The study of these settings in `storage`, made with its places if it is not there; `before_making` may still refuse that.

    Raises SearchError when a study of this name was made with other settings (`trials` may differ) or on other data, and says
    which; or not by `projectkit search`.
    """
    made_with = identity(settings, dataset)
    sampler, pruner = settings.sampler(), settings.make_pruner()
    if settings.study not in [study.study_name for study in storage.get_all_studies()]:
        before_making()
        try:
            study = optuna.create_study(
                study_name=settings.study, storage=storage, directions=settings.directions, sampler=sampler, pruner=pruner
            )
        except DuplicatedStudyError:
            pass  # another worker was faster
        else:
            study.set_user_attr(SETTINGS, made_with)
            note_space(study, settings.space)
            for _ in range(settings.trials):
                make_place(study)
            return study
    study = optuna.load_study(study_name=settings.study, storage=storage, sampler=sampler, pruner=pruner)
    differences = _differences(_settings_of(study), made_with)
    if differences:
        raise SearchError(
            f"The study {settings.study!r} was made with other settings: {'; '.join(differences)}. "
            "Use the file that it was made with, or give this search a name of its own: study = ..."
        )
    return study


def identity(settings: SearchSettings, dataset: Dataset) -> dict[str, Any]:
    """What has to be equal for all workers of a study, as JSON has it."""
    content = asdict(settings) | {"data": dataset.digest}
    return json.loads(json.dumps({name: value for name, value in content.items() if name != "trials"}))


def _settings_of(study: Study) -> Mapping[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while SETTINGS not in study.user_attrs:
        if time.monotonic() > deadline:
            raise SearchError(
                f"There is a study {study.study_name!r} that `projectkit search` did not make, or did not get to make. "
                "Give this search a name of its own: study = ..."
            )
        time.sleep(0.1)
    return study.user_attrs[SETTINGS]


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Such as "recipe.epochs is 8 there, 6 here"."""
    found = []
    for name in dict.fromkeys((*there, *here)):
        old, new = there.get(name), here.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} is {old!r} there, {new!r} here")
    return found
