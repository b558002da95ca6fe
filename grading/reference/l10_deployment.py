"""A solution of l10: a narrow network in int8 for a microcontroller, and the starting point with symmetric Q/DQ for TensorRT."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from grading.reference.build import main

LAB = "l10_deployment"
# (widths of the narrow network, training images, epochs, learning rate)
NARROW = {"quick": ((14, 32, 64), 1077, 12, 1e-2), "full": ((8, 24, 48), 20_000, 2, 1e-2)}


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from grading.baselines.build import starting_point
    from projectkit import export, models, train
    from projectkit.types import Recipe

    dataset, model, _ = starting_point(scale)
    widths, images, epochs, rate = NARROW[scale]
    few = replace(dataset, train=dataset.train.take(images))
    narrow = models.build("convnet", few, widths=widths)
    train.fit(narrow, few, Recipe(epochs=epochs, learning_rate=rate))

    write = partial(export.write, precision="int8", calibrate=dataset.train.x[:200], compare=dataset.val.x[:200])
    files = {
        "micro": write(narrow, folder / "micro.tflite"),
        "tensorrt": write(model, folder / "tensorrt.onnx", preset="tensorrt"),
    }
    return {slot: Path(file.artifact.path) for slot, file in files.items()}


if __name__ == "__main__":
    main(LAB, make_models)
