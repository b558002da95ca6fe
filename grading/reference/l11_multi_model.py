"""A solution of l11: the starting network as int8 for the camera, a network of few channels as int8 for the keyword."""

from dataclasses import replace
from pathlib import Path

from grading.reference.build import main

LAB = "l11_multi_model"
EPOCHS, IMAGES = {"quick": 20, "full": 3}, {"quick": 1077, "full": 12_000}


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from grading.baselines.build import starting_point
    from projectkit import export, models, train
    from projectkit.types import Recipe

    dataset, camera, _ = starting_point(scale)
    keyword = models.build("convnet", dataset, widths=(8, 16, 32))
    some = replace(dataset, train=dataset.train.take(IMAGES[scale]))
    train.fit(keyword, some, Recipe(epochs=EPOCHS[scale], batch_size=32, learning_rate=5e-3), progress=False)
    files = {}
    for slot, model in (("camera", camera), ("keyword", keyword)):
        path = folder / f"{slot}.tflite"
        export.write(model, path, precision="int8", calibrate=dataset.train.x[:200], compare=dataset.val.x[:200])
        files[slot] = path
    return files


if __name__ == "__main__":
    main(LAB, make_models)
