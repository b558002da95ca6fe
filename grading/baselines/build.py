"""Makes the models that relative checks compare with: `python grading/baselines/build.py [quick] [full]`.

They are the starting points of the labs, unoptimized: trained networks as float32 .tflite files, and the same as .keras files,
from which the reference programs go on (a plain convnet, for l09 one with branches, for l15 one that is too sure of itself); and
the whole untrained network of l04.
full needs MNIST (`projectkit data get mnist`).
"""

import sys
from dataclasses import replace
from pathlib import Path

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import numpy as np
import tf_keras as keras

from projectkit import data, export, models, train
from projectkit.runtimes.supermask import Supermask, write_supermask
from projectkit.types import Dataset, Recipe, Split

HERE = Path(__file__).parent
RECIPES = {
    "quick": ("digits", (48, 96, 192), Recipe(epochs=10, learning_rate=2e-3)),
    "full": ("mnist", (32, 64, 128), Recipe(epochs=3, learning_rate=2e-3)),
}

BRANCHED = {"quick": (24, 48, 96), "full": (16, 32, 64)}

# l15: labelled images, how often an epoch shows each, widths of a multi-layer perceptron, and how long it learns them by heart.
FEW = {
    "quick": (100, 10, (128, 128), Recipe(epochs=15, batch_size=50, learning_rate=1e-2)),
    "full": (1000, 4, (64, 64), Recipe(epochs=12, batch_size=100, learning_rate=1e-2)),
}


def starting_point(scale: str) -> tuple[Dataset, keras.Model, Recipe]:
    """(dataset, trained convnet, its recipe): where l01, l02 and l03 begin at `scale`."""
    name, _, recipe = RECIPES[scale]
    return data.load(name), keras.models.load_model(HERE / f"{name}_convnet.keras", compile=False), recipe


def branched_starting_point(scale: str) -> tuple[Dataset, keras.Model, Recipe]:
    """(dataset, trained network with branches, its recipe): where l09 begins at `scale`."""
    name, _, recipe = RECIPES[scale]
    return data.load(name), keras.models.load_model(HERE / f"{name}_branched.keras", compile=False), recipe


def trained(scale: str, builder: str) -> tuple[Dataset, keras.Model]:
    """(dataset, network), trained anew."""
    name, widths, recipe = RECIPES[scale]
    dataset: Dataset = data.load(name)
    model = models.build(builder, dataset, widths=BRANCHED[scale] if builder == "branched" else widths)
    train.fit(model, dataset, recipe)
    return dataset, model


def overconfident_starting_point(scale: str) -> tuple[Dataset, keras.Model]:
    """(dataset, network that knows a few images by heart): where l15 begins at `scale`."""
    name = RECIPES[scale][0]
    return data.load(name), keras.models.load_model(HERE / f"{name}_overconfident.keras", compile=False)


def overconfident(dataset: Dataset, scale: str, seed: int = 0) -> keras.Model:
    """A network that has learned the first few training images by heart, each many times."""
    count, times, widths, recipe = FEW[scale]
    index = np.tile(np.arange(count), times)
    few = replace(dataset, train=Split(dataset.train.x[index], dataset.train.y[index]), val=dataset.val.take(100))
    model = models.build("mlp", dataset, seed=seed, widths=widths)
    train.fit(model, few, replace(recipe, seed=seed), progress=False)
    return model


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
        sure = overconfident(dataset, scale)
        models.copy(sure).save(HERE / f"{dataset.name}_overconfident.keras")
        print(export.write(sure, HERE / f"{dataset.name}_overconfident.tflite", compare=dataset.val.x[:200]))
        print(write_supermask(whole_untrained(dataset), HERE / f"{dataset.name}_untrained.supermask"))


if __name__ == "__main__":
    main(sys.argv[1:] or list(RECIPES))
