"""What honest models lose on hidden images, and what training on test images gains: digits, shapes and MNIST, three seeds each.

    PROJECTKIT_DATA=FOLDER python benchmarks/hidden.py          about eight minutes; FOLDER holds mnist.npz
    PROJECTKIT_DATA=FOLDER python benchmarks/hidden.py digits   of one set only; goes on where it stopped

honest: trained on training images. known: also on the public test images, altered as another salt would: nobody may do that, and
anybody can. Hidden images of digits are withheld, those of shapes drawn, those of MNIST altered.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import statistics
import sys
from dataclasses import replace
from functools import partial

import numpy as np

sys.path.append(sys.path.pop(0))  # this folder's grading.py would be found before the package of that name

# isort: split

from grading.hidden.data import hidden_data, salted
from grading.measuring.known import better_known
from projectkit import data, models, train
from projectkit.types import Dataset, Recipe, Split
from record import Raw, row, write_rows

COMMAND = "python benchmarks/hidden.py"
SEEDS = (0, 1, 2)
SALTS = ("a", "b", "c")
# widths of a convnet, training images, its recipe, how often each test image is altered for `known`
CASES = {
    "digits": ((24, 48, 96), 1077, Recipe(epochs=10, learning_rate=2e-3), 8),
    "shapes": ((16, 32, 64), 4800, Recipe(epochs=8, learning_rate=4e-3), 4),
    "mnist": ((16, 32, 64), 6000, Recipe(epochs=3, learning_rate=4e-3), 1),
}


def measured(name: str, seed: int, *, known: bool) -> dict:
    """Accuracies on public test images and on hidden ones, the mean of the salts, and by how many standard deviations the public
    test images and the hidden ones are better known than validation images."""
    widths, images, recipe, copies = CASES[name]
    dataset = data.load(name)
    learned = replace(dataset, train=_with_test_images(dataset, images, copies) if known else dataset.train.take(images))
    model = models.build("convnet", dataset, seed=seed, widths=widths)
    train.fit(model, learned, replace(recipe, seed=seed), progress=False)
    hidden = [hidden_data(name, salt) for salt in SALTS]
    public, val = ((train.logits(model, split.x), split.y) for split in (hidden[0].plain, hidden[0].val))
    of_hidden = [(train.logits(model, one.split.x), one.split.y) for one in hidden]
    on = statistics.mean(_right(*answered) for answered in of_hidden)
    shares = better_known({"hidden": of_hidden[0], "test": public}, val)
    return {
        "test": train.accuracy(model, dataset.test),
        "hidden": on,
        "flags": {part: (found.value - 0.5) / (found.value - found.low) * 1.96 for part, found in shares.items()},
    }


def _with_test_images(dataset: Dataset, images: int, copies: int) -> Split:
    made = [salted(dataset.test, f"copy {turn}") for turn in range(copies)]
    parts = [dataset.train.take(images), *made]
    return Split(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))


def _right(logits: np.ndarray, y: np.ndarray) -> float:
    return float((logits.argmax(axis=1) == y).mean())


def main() -> None:
    raw, rows = Raw("hidden"), []
    for name, (widths, images, recipe, copies) in CASES.items():
        for kind in ("honest", "known"):
            chosen = not sys.argv[1:] or name in sys.argv[1:]
            if not chosen and not all(f"{name}.{kind}.{seed}" in raw for seed in SEEDS):
                continue
            found = [raw.take(f"{name}.{kind}.{seed}", partial(measured, name, seed, known=kind == "known")) for seed in SEEDS]
            note = (
                f"percent; mean and range of {len(SEEDS)} seeds, hidden by {len(SALTS)} salts; loss: test − hidden; flag: by "
                "how many standard deviations images are better known than validation images, from 3.3 on it is raised; "
                f"{name}: convnet {widths}, {images} training images, {recipe.epochs} epochs, {copies} altered copies of each "
                "test image"
            )
            columns = {
                "test": [100 * one["test"] for one in found],
                "hidden": [100 * one["hidden"] for one in found],
                "loss": [100 * (one["test"] - one["hidden"]) for one in found],
                "flag_test": [one["flags"]["test"] for one in found],
                "flag_hidden": [one["flags"]["hidden"] for one in found],
            }
            for column, samples in columns.items():
                made = row(f"hidden.accuracy.{name}_{kind}.{column}", samples, "", COMMAND, note)
                rows.append(made | {"value": statistics.mean(samples)})
    write_rows("hidden", rows)


if __name__ == "__main__":
    main()
