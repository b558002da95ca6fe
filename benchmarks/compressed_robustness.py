"""What compression does to a robust network: attacks on its pruned, quantized and distilled versions, and transfer between them.

    PROJECTKIT_DATA=FOLDER python benchmarks/compressed_robustness.py

FOLDER holds mnist.npz. The network is the one that benchmarks/robustness.py trained on PGD's images, with seed 0; it is trained
here when that was not done. A run that was killed goes on where it stopped.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

import tf_keras as keras

from projectkit import data, export, measure, runtimes, train
from projectkit.distill import distill
from projectkit.prune.weight_masks import global_masks, masked, unmasked
from projectkit.robustness import evaluate, logits, pgd, pgd_training, signs_of_masking, square, transfer
from projectkit.types import Artifact, Dataset, Recipe, Split
from record import Raw, percent, row, store_model, write_rows
from robustness import ATTACKED, BUILD, EPSILON, RECIPE, STEPS, network, strided_convnet

COMMAND = "python benchmarks/compressed_robustness.py"
QUERIES = 1000
SPARSITY = 0.8
AFTERWARDS = Recipe(epochs=2, batch_size=128, learning_rate=3e-4)  # of training the weights that pruning left
PGD40 = partial(pgd, steps=40, step_size=0.01)
NOTES = {
    "float": "trained on PGD's images",
    "int8": "its int8 file in LiteRT, which has no gradients",
    "pruned": f"{100 * SPARSITY:.0f} % of its weights gone by magnitude, then {AFTERWARDS.epochs} epochs on clean images",
    "pruned_pgd": f"{100 * SPARSITY:.0f} % of its weights gone by magnitude, then {AFTERWARDS.epochs} epochs on PGD's images",
    "distilled": f"the same architecture, taught by its answers to clean images for {RECIPE.epochs} epochs",
}


def main() -> None:
    raw, dataset = Raw("compressed_robustness"), data.load("mnist")
    few = dataset.test.take(ATTACKED)
    float_model = network("pgd_trained", 0, dataset)
    models = {"float": float_model} | {name: version(name, float_model, dataset) for name in makers()}
    with ExitStack() as opened:
        models["int8"] = opened.enter_context(closing(runtimes.open(int8_file(float_model, dataset))))
        for name, model in models.items():
            raw.take(f"{name}.clean", lambda model=model: percent(measure.accuracy(logits(model, few.x), few.y)))
            by_square = partial(evaluate, model, few.x, few.y, partial(square, queries=QUERIES), EPSILON)
            raw.take(f"{name}.square", lambda by_square=by_square: percent(by_square()))
        for source in NOTES:
            if source != "int8":
                raw.take(f"transfer.{source}", partial(transferred, source, models, few))
                raw.take(f"signs.{source}", partial(signs, models[source], few.take(200)))
    write_rows("compressed_robustness", rows(raw))


def version(name: str, float_model: keras.Model, dataset: Dataset) -> keras.Model:
    """A compressed version of the network, from its file when it is there."""
    file = BUILD / f"{name}.keras"
    if not file.exists():
        store_model(makers()[name](float_model, dataset), file)
    return keras.models.load_model(file, compile=False)


def makers() -> dict[str, Callable[[keras.Model, Dataset], keras.Model]]:
    """By name: (float network, dataset) -> compressed version."""

    def pruned(model: keras.Model, dataset: Dataset, *, how: Callable) -> keras.Model:
        sparse = train.in_precision(masked(model, global_masks(model, SPARSITY)), "mixed_bfloat16")
        how(sparse, dataset, AFTERWARDS, progress=False)
        return unmasked(train.in_precision(sparse, "float32"))

    def distilled(model: keras.Model, dataset: Dataset) -> keras.Model:
        keras.utils.set_random_seed(1)
        student = train.in_precision(strided_convnet(dataset), "mixed_bfloat16")
        distill(student, train.in_precision(model, "mixed_bfloat16"), dataset, replace(RECIPE, seed=1), progress=False)
        return train.in_precision(student, "float32")

    return {
        "pruned": partial(pruned, how=train.fit),
        "pruned_pgd": partial(pruned, how=partial(pgd_training, epsilon=EPSILON, steps=STEPS)),
        "distilled": distilled,
    }


def int8_file(model: keras.Model, dataset: Dataset) -> Artifact:
    """The network in int8, written anew."""
    path, calibrate = BUILD / "pgd_trained0_int8.tflite", dataset.train.x[:500]
    return export.write(model, path, precision="int8", calibrate=calibrate, compare=dataset.val.x[:500]).artifact


def transferred(source: str, models: dict, few: Split) -> dict[str, list[float]]:
    """{target: [value, low, high, n] in percent} under PGD on `source`."""
    matrix = transfer(models, few.x, few.y, PGD40, EPSILON, sources=[source])
    return {target: percent(measured) for target, measured in matrix[source].items()}


def signs(model: keras.Model, few: Split) -> list[str]:
    """The checks that take the network's gradients for masked."""
    return [finding.check for finding in signs_of_masking(model, few.x, few.y, EPSILON) if finding.suspicious]


def rows(raw: Raw) -> list[dict]:
    """Of each version: clean, under Square, and under PGD-40 made on itself and on each of the others."""
    sources = [name for name in NOTES if name != "int8"]
    flagged = "; ".join(f"{name}: {', '.join(raw.take(f'signs.{name}', list)) or 'none'}" for name in sources)
    note = (
        f"percent of MNIST's first {ATTACKED} test images, 95 % Wilson interval; L∞, ε = {EPSILON:g}; square: {QUERIES} queries; "
        f"from_X: PGD, 40 steps of 0.01, made on X; {'; '.join(f'{name}: {about}' for name, about in NOTES.items())}; signs of "
        f"masked gradients: {flagged}"
    )
    made = []
    for name in NOTES:
        figures = {what: raw.take(f"{name}.{what}", list) for what in ("clean", "square")}
        figures |= {f"from_{source}": raw.take(f"transfer.{source}", dict)[name] for source in sources}
        for what, (value, low, high, n) in figures.items():
            over_images = {"low": low, "high": high, "n": n}
            made.append(row(f"robust.compressed.{name}.{what}", [value], "%", COMMAND, note) | over_images)
    return made


if __name__ == "__main__":
    main()
