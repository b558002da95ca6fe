"""A solution of l11: the starting network as int8 for the camera, a network of few channels for the keyword."""

from pathlib import Path

from grading.reference.build import main
from projectkit.types import Recipe

LAB = "l11_multi_model"
WIDTHS = {"quick": (8, 16, 32), "full": (8, 16, 16)}
RECIPES = {
    "quick": Recipe(epochs=20, batch_size=32, learning_rate=5e-3),
    "full": Recipe(epochs=4, batch_size=64, learning_rate=5e-3),
}
# 16-bit weights are small enough at full scale, and the network is then as fast on fast processors as on slow ones: what an int8
# call costs besides the network, to quantize its input, does not shrink with the network.
KEYWORD = {"quick": "int8", "full": "float16"}


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from grading.baselines.build import starting_point
    from projectkit import export, models, train

    dataset, camera, _ = starting_point(scale)
    keyword = models.build("convnet", dataset, widths=WIDTHS[scale])
    train.fit(keyword, dataset, RECIPES[scale], progress=False)
    files = {}
    for slot, model, precision in (("camera", camera, "int8"), ("keyword", keyword, KEYWORD[scale])):
        path = folder / f"{slot}.tflite"
        export.write(model, path, precision=precision, calibrate=dataset.train.x[:200], compare=dataset.val.x[:200])
        files[slot] = path
    return files


if __name__ == "__main__":
    main(LAB, make_models)
