"""Reads a task as JSON: dataset, images, epochs, batch_size, learning_rate, seeds, and architectures, each a list of blocks.

Writes for each architecture its parameters, its multiply-accumulates, and for each seed the validation accuracy after each epoch.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from projectkit import data, nas, train
from projectkit.models.cost import macs, parameters
from projectkit.nas.types import parse
from projectkit.types import Dataset, Recipe


def retrain(blocks: Sequence[Mapping[str, Any]], dataset: Dataset, recipes: Sequence[Recipe]) -> dict[str, Any]:
    """One architecture, trained by each recipe."""
    import tf_keras as keras

    found: dict[str, Any] = {"curves": []}
    for recipe in recipes:
        keras.backend.clear_session()
        keras.utils.set_random_seed(recipe.seed)
        model = nas.build(parse({"blocks": blocks}), dataset.shape, len(dataset.classes))
        found |= {"parameters": parameters(model), "macs": macs(model)}
        history = train.fit(model, dataset, recipe, progress=False)
        found["curves"].append([float(accuracy) for accuracy in history.val_accuracy])
    return found


def main() -> None:
    """The task from standard input, the answer to standard output; whatever libraries print goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    task = json.load(sys.stdin)
    dataset = data.load(task["dataset"])
    dataset = replace(dataset, train=dataset.train.take(task["images"]))
    recipe = Recipe(epochs=task["epochs"], batch_size=task["batch_size"], learning_rate=task["learning_rate"])
    recipes = [replace(recipe, seed=seed) for seed in task["seeds"]]
    json.dump([retrain(blocks, dataset, recipes) for blocks in task["architectures"]], answers)


if __name__ == "__main__":
    main()
