"""A checkpoint: one .npz with everything that training needs to go on after a kill."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.files import written_whole
from projectkit.train.history import History
from projectkit.types import Dataset, Recipe

if TYPE_CHECKING:
    import tensorflow as tf


def save(path: Path, model: keras.Model, history: History, recipe: Recipe, dataset: Dataset, method: str | None = None) -> None:
    """Writes the checkpoint whole or not at all: a kill in the middle leaves the one before."""
    arrays = {f"variable_{index}": array for index, array in enumerate(_state(model))}
    arrays["about"] = np.array(json.dumps(_about(recipe, dataset, method) | {"history": asdict(history)}))
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes every array for `allow_pickle`


def load(path: Path, model: keras.Model, recipe: Recipe, dataset: Dataset, method: str | None = None) -> History:
    """Puts the state in `path` into `model` and its optimizer; returns the history so far.

    Raises ModelError when the checkpoint is of another recipe, dataset, method or architecture, or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            history = History(**{name: tuple(values) for name, values in about.pop("history").items()})
            arrays = [file[f"variable_{index}"] for index in range(len(file.files) - 1)]
    except Exception as error:
        raise ModelError(f"{path}: is not a checkpoint or is damaged ({error}). Delete it to start over.") from error
    for name, expected in _about(recipe, dataset, method).items():
        if about.get(name) != expected:
            raise ModelError(
                f"{path}: was written with {name} {about.get(name)}, this run has {expected}. "
                "Give another checkpoint path, or delete the file to start over."
            )
    variables = _variables(model)
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [array.shape for array in arrays]:
        raise ModelError(f"{path}: belongs to another architecture than {model.name}. Give another path, or delete it.")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return history


def _about(recipe: Recipe, dataset: Dataset, method: str | None) -> dict[str, object]:
    return {"recipe": asdict(recipe), "dataset": dataset.digest, "method": method}


def _variables(model: keras.Model) -> "list[tf.Variable]":
    return [*model.variables, *model.optimizer.variables]


def _state(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in _variables(model)]
