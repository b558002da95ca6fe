"""A ResNet-8 distilled from a ResNet-20 on CIFAR-10: the gain over training on the labels alone.

    PROJECTKIT_DATA=FOLDER python benchmarks/distillation.py
    PROJECTKIT_DATA=FOLDER python benchmarks/distillation.py --teacher resnet20.keras   a teacher that is trained already
    PROJECTKIT_DATA=FOLDER python benchmarks/distillation.py --epochs 100               where there is a GPU

FOLDER holds cifar10.npz. Each student is trained twice from the same seed, by one recipe and for as many epochs: on the labels,
and on the labels with the teacher's softened answers to the very crops that the student sees. Everything is stored as it is made:
a run that was killed goes on where it stopped.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import argparse
import statistics
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import tf_keras as keras

from projectkit import data, measure, models, train
from projectkit.distill import distill
from projectkit.distill.hinton import hinton
from projectkit.distill.teacher import digest_of_model
from projectkit.measure import student_interval
from projectkit.types import Dataset, Recipe
from record import Raw, percent, row, store_model, write_rows

BUILD = Path(__file__).parent.parent / "build" / "distillation"
COMMAND = "python benchmarks/distillation.py"
SEEDS = (0, 1, 2)
EPOCHS = 10  # of a student
TEACHER_EPOCHS = 30
TEACHER, STUDENT = {"depth": 20}, {"depth": 8}
TEMPERATURE, ALPHA = 4.0, 0.9
# Keras takes the weight decay out of the momentum: 2e-3 here pulls as 2e-4 does in papers with a momentum of 0.9.
RECIPE = Recipe(batch_size=128, learning_rate=0.1, optimizer="sgd", weight_decay=2e-3, augmentation="crop_flip")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, metavar="FILE.keras", help="a trained network for CIFAR-10, ending in logits")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of a student; each length keeps its own files")
    options = parser.parse_args()
    name = "distillation" if options.epochs == EPOCHS else f"distillation_{options.epochs}"
    run(name, data.load("cifar10"), options.teacher, replace(RECIPE, epochs=options.epochs))


def run(name: str, dataset: Dataset, teacher_file: Path | None, recipe: Recipe) -> None:
    """Everything that is not measured yet, then the rows."""
    raw, folder = Raw(name), BUILD / name
    teacher = chosen_teacher(teacher_file, dataset, folder)
    about = raw.take("teacher", partial(examined, teacher, dataset)), raw.take("recipe", partial(asdict, recipe))
    if (about[0]["digest"], about[1]) != (digest_of_model(teacher), asdict(recipe)):
        raise SystemExit(f"{name}: was begun with another teacher or recipe. Go on with that one, or delete its raw results.")
    for seed in SEEDS:
        for way in ("student", "distilled"):
            raw.take(f"{way}.{seed}", partial(taught, way, teacher, dataset, replace(recipe, seed=seed), folder))
    write_rows(name, rows(raw, recipe))


def chosen_teacher(file: Path | None, dataset: Dataset, folder: Path) -> keras.Model:
    """The network in `file`; without one, our own, trained when it is not there yet."""
    own = folder.parent / "teacher.keras"
    if file is None and not own.exists():
        model = train.in_precision(models.build("resnet", dataset, seed=0, **TEACHER), "mixed_bfloat16")
        checkpoint = own.with_suffix(".npz")
        train.fit(model, dataset, replace(RECIPE, epochs=TEACHER_EPOCHS), checkpoint=checkpoint, progress=False)
        store_model(train.in_precision(model, "float32"), own)
        checkpoint.unlink()
    return keras.models.load_model(file or own, compile=False)


def examined(teacher: keras.Model, dataset: Dataset) -> dict:
    """Which network it is, and its accuracy on the test images, [value, low, high, n] in percent."""
    accuracy = measure.accuracy(train.logits(teacher, dataset.test.x), dataset.test.y)
    return {"digest": digest_of_model(teacher), "name": teacher.name, "accuracy": percent(accuracy)}


def taught(way: str, teacher: keras.Model, dataset: Dataset, recipe: Recipe, folder: Path) -> dict:
    """A student of seed `recipe.seed`, trained on the labels alone or with the teacher: accuracy in percent, seconds."""
    student = train.in_precision(models.build("resnet", dataset, seed=recipe.seed, **STUDENT), "mixed_bfloat16")
    checkpoint = folder / f"{way}{recipe.seed}.npz"
    if way == "student":
        history = train.fit(student, dataset, recipe, checkpoint=checkpoint, progress=False)
    else:
        loss = partial(hinton, temperature=TEMPERATURE, alpha=ALPHA)
        quick = train.in_precision(teacher, "mixed_bfloat16")
        history = distill(student, quick, dataset, recipe, loss=loss, checkpoint=checkpoint, progress=False)
    accuracy = 100 * train.accuracy(train.in_precision(student, "float32"), dataset.test)
    checkpoint.unlink()
    return {"accuracy": accuracy, "seconds": round(sum(history.seconds))}


def rows(raw: Raw, recipe: Recipe) -> list[dict]:
    """Teacher, plain and distilled students, and the difference from the same seed."""
    teacher = raw.take("teacher", dict)
    accuracies = {way: [raw.take(f"{way}.{seed}", dict)["accuracy"] for seed in SEEDS] for way in ("student", "distilled")}
    accuracies["gain"] = [after - before for before, after in zip(*accuracies.values(), strict=True)]
    mean, low, high = student_interval(accuracies["gain"])
    verdict = "above" if low > 0 else "below" if high < 0 else "not to be told apart from"
    note = (
        f"percent of 10 000 CIFAR-10 test images (re-compressed as JPEG); ResNet-8 taught by {teacher['name']}, {recipe.epochs} "
        f"epochs of SGD with crops and flips, mixed bfloat16; soft targets with T = {TEMPERATURE:g}, α = {ALPHA:g}, the teacher "
        "answers the same crops; "
        f"mean and 95 % interval by Student's t of {len(SEEDS)} seeds; of the teacher, trained once, that of the "
        f"images; gain: distilled − student of the same seed, {mean:.2f} "
        f"[{low:.2f}, {high:.2f}] points: the distilled student is {verdict} the plain one"
    )
    value, low, high, n = teacher["accuracy"]
    made = [row("distill.cifar10.teacher", [value], "%", COMMAND, note) | {"low": low, "high": high, "n": n}]
    for name, samples in accuracies.items():
        beside = {"student": statistics.mean(accuracies["student"])} if name == "distilled" else {}
        mean, low, high = student_interval(samples)
        unit = "points" if name == "gain" else "%"
        entry = row(f"distill.cifar10.{name}", samples, unit, COMMAND, note, beside)
        made.append(entry | {"value": mean, "low": low, "high": high})
    return made


if __name__ == "__main__":
    main()
