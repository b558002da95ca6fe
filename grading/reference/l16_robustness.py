"""A solution of l16: networks that were trained on attacked images, the small one in 8-bit integers.

At full scale the lab's baseline is trained on, for a short while: robustness comes late in a training, and recognition is there.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grading.reference.build import main
from grading.rubrics.loading import load_rubric
from projectkit import data
from projectkit.types import Dataset, Recipe

if TYPE_CHECKING:
    import tf_keras as keras

LAB = "l16_robustness"
WIDTHS = {"robust": (32, 64, 128), "robust_small": (16, 32, 64)}  # at quick scale
RECIPES = {"quick": Recipe(epochs=12, learning_rate=4e-3), "full": Recipe(epochs=1, learning_rate=2e-3)}
IMAGES = 10_000  # of MNIST
FARTHER = 1.5  # than the grader's attack: the hidden images, a little moved and turned, are less sure to the network


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from projectkit import export, models

    rubric = load_rubric(LAB, scale)
    dataset = data.load(rubric.dataset)
    if scale == "full":
        import tf_keras as keras

        started = keras.models.load_model(rubric.baseline_file.with_suffix(".keras"), compile=False)
        networks = dict.fromkeys(WIDTHS, started)
    else:
        networks = {slot: models.build("convnet", dataset, widths=widths) for slot, widths in WIDTHS.items()}
    files = {}
    for slot, model in networks.items():
        if slot == "robust" or scale == "quick":
            harden(model, dataset, scale, FARTHER * rubric.black_box.epsilon)
        target = folder / f"{slot}.tflite"
        if slot == "robust":
            written = export.write(model, target, compare=dataset.val.x[:200])
        else:
            written = export.write(model, target, precision="int8", calibrate=dataset.train.x[:200], compare=dataset.val.x[:200])
        files[slot] = Path(written.artifact.path)
    return files


def harden(model: "keras.Model", dataset: Dataset, scale: str, epsilon: float) -> None:
    """Trains `model` in place on attacked images."""
    from projectkit import robustness

    if scale == "quick":
        robustness.pgd_training(model, dataset, RECIPES[scale], epsilon=epsilon, progress=False)
    else:
        few = replace(dataset, train=dataset.train.take(IMAGES), val=dataset.val.take(200))
        robustness.fgsm_training(model, few, RECIPES[scale], epsilon=epsilon, progress=False)


if __name__ == "__main__":
    main(LAB, make_models)
