"""Lab 1's files on digits and on MNIST: accuracy, and size and latency relative to float32, three seeds.

MNIST is read from PROJECTKIT_DATA or data/cache; without it only digits is measured.
"""

import sys
import tempfile
from pathlib import Path

from projectkit import data, export, measure, models, train
from projectkit.errors import DataError
from projectkit.quantize.qat import prepare
from projectkit.types import Recipe
from record import Raw, row, write_rows

COMMAND = "python benchmarks/l01.py"
SEEDS = (0, 1, 2)
SETTINGS = {
    "digits": ((48, 96, 192), Recipe(epochs=10, learning_rate=2e-3), Recipe(epochs=5, learning_rate=5e-4)),
    "mnist": ((32, 64, 128), Recipe(epochs=3, learning_rate=2e-3), Recipe(epochs=1, learning_rate=5e-4)),
}
PRECISIONS = ("float32", "dynamic", "float16", "int8", "qat", "onnx_int8")
METRICS = {"accuracy": "", "size_ratio": "", "latency_ratio": ""}


def one_seed(name: str, seed: int) -> dict:
    """{precision: {metric: value}} for one trained network."""
    widths, recipe, aware_recipe = SETTINGS[name]
    dataset = data.load(name)
    calibrate, compare = dataset.train.x[:200], dataset.val.x[:200]
    model = models.build("convnet", dataset, seed=seed, widths=widths)
    train.fit(model, dataset, Recipe(recipe.epochs, learning_rate=recipe.learning_rate, seed=seed), progress=False)
    aware = prepare(model, calibrate=calibrate)
    train.fit(aware, dataset, Recipe(aware_recipe.epochs, learning_rate=aware_recipe.learning_rate, seed=seed), progress=False)
    with tempfile.TemporaryDirectory() as folder:
        files = {
            precision: export.write(
                model, Path(folder) / f"{precision}.tflite", precision=precision, calibrate=calibrate, compare=compare
            )
            for precision in ("float32", "dynamic", "float16", "int8")
        }
        files["qat"] = export.write(aware, Path(folder) / "qat.tflite", precision="int8", compare=compare)
        files["onnx_int8"] = export.write(
            model, Path(folder) / "onnx_int8.onnx", precision="int8", calibrate=calibrate, compare=compare
        )
        artifacts = [files[precision].artifact for precision in PRECISIONS]
        profiles = measure.compare(artifacts, dataset.test, baseline=artifacts[0], budget=2.0)
    size = profiles[0].values["size"].value
    return {
        precision: {
            "accuracy": profile.values["accuracy"].value,
            "size_ratio": profile.values["size"].value / size,
            "latency_ratio": profile.values["latency_ratio"].value,
        }
        for precision, profile in zip(PRECISIONS, profiles, strict=True)
    }


def main() -> None:
    raw, rows = Raw("l01"), []
    for name in sys.argv[1:] or SETTINGS:
        try:
            seeds = [raw.take(f"{name}.{seed}", lambda name=name, seed=seed: one_seed(name, seed)) for seed in SEEDS]
        except DataError as error:
            print(f"{name} is not measured: {error}")
            continue
        note = f"{name}, convnet {SETTINGS[name][0]}, {len(SEEDS)} seeds; ratios to LiteRT float32 in the same run"
        for precision in PRECISIONS:
            for metric, unit in METRICS.items():
                values = [result[precision][metric] for result in seeds]
                rows.append(row(f"l01.{name}.{precision}.{metric}", values, unit, COMMAND, note))
    write_rows("l01", rows)


if __name__ == "__main__":
    main()
