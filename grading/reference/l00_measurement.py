"""A solution of l00: the baseline's architecture at a third of its width, trained twice as long."""

from dataclasses import replace
from pathlib import Path

from grading.baselines.build import RECIPES
from grading.reference.build import main

LAB = "l00_measurement"


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from projectkit import data, export, models, train

    name, widths, recipe = RECIPES[scale]
    dataset = data.load(name)
    small = models.build("convnet", dataset, widths=tuple(width // 3 for width in widths))
    train.fit(small, dataset, replace(recipe, epochs=2 * recipe.epochs, learning_rate=4e-3))
    return {"small": Path(export.write(small, folder / "small.tflite", compare=dataset.val.x[:200]).artifact.path)}


if __name__ == "__main__":
    main(LAB, make_models)
