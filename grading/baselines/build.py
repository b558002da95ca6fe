"""Makes the models that relative checks compare with: `python grading/baselines/build.py [quick] [full]`.

They are the starting points of the labs, unoptimized: trained networks as float32 .tflite files, and the same as .keras files,
from which the reference programs go on (a plain convnet, and for l09 one with branches); and the whole untrained network of l04.
full needs MNIST (`projectkit data get mnist`).
"""

import sys
from pathlib import Path

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import numpy as np
import tf_keras as keras

from projectkit import data, export, models, train
from projectkit.runtimes.supermask import Supermask, write_supermask
from projectkit.types import Dataset, Recipe

HERE = Path(__file__).parent
RECIPES = {
    "quick": ("digits", (48, 96, 192), Recipe(epochs=10, learning_rate=2e-3)),
    "full": ("mnist", (32, 64, 128), Recipe(epochs=3, learning_rate=2e-3)),
}

BRANCHED = {"quick": (24, 48, 96), "full": (16, 32, 64)}


def starting_point(scale: str):
    """(dataset, trained convnet, its recipe): where l01, l02 and l03 begin at `scale`."""
    name, _, recipe = RECIPES[scale]
    return data.load(name), keras.models.load_model(HERE / f"{name}_convnet.keras", compile=False), recipe


def branched_starting_point(scale: str):
    """(dataset, trained network with branches, its recipe): where l09 begins at `scale`."""
    name, _, recipe = RECIPES[scale]
    return data.load(name), keras.models.load_model(HERE / f"{name}_branched.keras", compile=False), recipe


def trained(scale: str, builder: str):
    """(dataset, network), trained anew."""
    name, widths, recipe = RECIPES[scale]
    dataset: Dataset = data.load(name)
    model = models.build(builder, dataset, widths=BRANCHED[scale] if builder == "branched" else widths)
    train.fit(model, dataset, recipe)
    return dataset, model


def whole_untrained(dataset: Dataset) -> Supermask:
    """Where l04 begins: LeNet-300-100 with all of its units."""
    return Supermask(dataset.shape, 0, (np.ones(300, bool), np.ones(100, bool)), len(dataset.classes))


def main(scales: list[str]) -> None:
    for scale in scales:
        for builder in ("convnet", "branched"):
            dataset, model = trained(scale, builder)
            models.copy(model).save(HERE / f"{dataset.name}_{builder}.keras")  # the copy has no optimizer to keep
            print(export.write(model, HERE / f"{dataset.name}_{builder}.tflite", compare=dataset.val.x[:200]))
            print(f"  accuracy on the test split: {train.accuracy(model, dataset.test):.1%}")
        print(write_supermask(whole_untrained(dataset), HERE / f"{dataset.name}_untrained.supermask"))


if __name__ == "__main__":
    main(sys.argv[1:] or list(RECIPES))
