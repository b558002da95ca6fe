"""A solution of l05: a network with a small part of its teacher's work, taught on all images, and again while it rounds.

The teacher is the lab's baseline: a student needs its answers only, and a file gives these as well as a network in training.
"""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from grading.reference.build import main
from grading.rubrics.loading import load_rubric
from projectkit import data, runtimes
from projectkit.types import Artifact, Recipe

LAB = "l05_distillation"
WIDTHS = {"quick": (4, 8, 16), "full": (6, 12, 24)}
RECIPES = {
    "quick": Recipe(epochs=14, batch_size=32, learning_rate=1e-2),
    "full": Recipe(epochs=5, batch_size=128, learning_rate=1e-2),
}


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from projectkit import distill, export, models
    from projectkit.quantize import qat

    rubric, recipe = load_rubric(LAB, scale), RECIPES[scale]
    dataset = data.load(rubric.dataset)
    with closing(runtimes.open(Artifact.of(rubric.baseline_file))) as teacher:
        answers = teacher.run(dataset.train.x)
    student = models.build("convnet", dataset, widths=WIDTHS[scale])
    distill.distill(student, answers, dataset, recipe, progress=False)
    files = {"student": export.write(student, folder / "student.tflite", compare=dataset.val.x[:200])}
    aware = qat.prepare(student, calibrate=dataset.train.x[:200])
    slower = replace(recipe, epochs=max(1, recipe.epochs // 3), learning_rate=2e-3)
    distill.distill(aware, answers, dataset, slower, progress=False)
    files["int8"] = export.write(aware, folder / "int8.tflite", precision="int8", compare=dataset.val.x[:200])
    return {slot: Path(file.artifact.path) for slot, file in files.items()}


if __name__ == "__main__":
    main(LAB, make_models)
