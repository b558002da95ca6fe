"""How wrong estimated latencies are: the roofline model of a device, applied to this machine, beside its measured latencies.

    python benchmarks/estimate.py            five minutes or so on two quiet cores; goes on where it stopped

Every round measures the roofline anew and then each file, one thread, batch 1, LiteRT. The weights are random: they do not
matter for the time. A file's error is the median of its rounds; `estimate.error` is the median of |estimate / measured − 1| over
the files, from the least to the greatest. Beside it stands the error that is left when every estimate is multiplied with one
number, which is found on the other files: how far a calibration on some files helps for another one.
"""

import statistics
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from projectkit.devices import calibrate, measure_roofline
from projectkit.types import Artifact
from record import Raw, write_rows

COMMAND = "python benchmarks/estimate.py"
ROUNDS = 5
ROOFLINE_SECONDS, SECONDS = 6.0, 1.0  # of each measurement
# name of the network: shape of an image. "mobilenet" is Keras' own, a quarter as wide.
NETWORKS = {
    "resnet8": (32, 32, 3),
    "dsconv": (32, 32, 3),
    "mlp": (28, 28, 1),
    "mobilenet": (96, 96, 3),
}
PRECISIONS = ("float32", "int8")
CLASSES = 10


def write_files(folder: Path) -> dict[str, tuple[Artifact, np.ndarray]]:
    """name.precision → (the file of the untrained network, inputs (64, height, width, channels))."""
    import tf_keras as keras

    from projectkit import export, models
    from projectkit.quiet import quiet

    files = {}
    for name, shape in NETWORKS.items():
        keras.utils.set_random_seed(0)
        x = np.random.default_rng(0).random((64, *shape), dtype=np.float32)
        if name == "mobilenet":
            make = partial(keras.applications.MobileNet, alpha=0.25, weights=None, classifier_activation=None)
            model = make(input_shape=shape, classes=CLASSES)
        else:
            model = models.BUILDERS[name](shape, CLASSES)
        for precision in PRECISIONS:
            with quiet():
                written = export.write(
                    model, folder / f"{name}.{precision}.tflite", compare=x[:8], precision=precision, calibrate=x
                )
            files[f"{name}.{precision}"] = (written.artifact, x)
    return files


def one_round(files: dict[str, tuple[Artifact, np.ndarray]]) -> dict[str, list[float]]:
    """name → [estimated seconds, measured seconds]."""
    artifacts, inputs = zip(*files.values(), strict=True)
    roofline = measure_roofline(budget=ROOFLINE_SECONDS).roofline
    calibration = calibrate(roofline, artifacts, inputs, budget=SECONDS)
    pairs = [[one.estimate, one.measured.value] for one in calibration.comparisons]
    return dict(zip(files, pairs, strict=True))


def errors_of(rounds: list[dict[str, list[float]]]) -> dict[str, float]:
    """name → the median over the rounds of estimate / measured − 1."""
    return {name: statistics.median(pairs[name][0] / pairs[name][1] - 1 for pairs in rounds) for name in rounds[0]}


def left_after_calibration(errors: dict[str, float]) -> dict[str, float]:
    """name → the error of its estimate, divided by the median of estimate / measured of the other files."""
    left = {}
    for name, error in errors.items():
        others = statistics.median(1 + other for each, other in errors.items() if each != name)
        left[name] = (1 + error) / others - 1
    return left


def main() -> None:
    raw = Raw("estimate")
    with tempfile.TemporaryDirectory() as folder:
        missing = [str(index) for index in range(ROUNDS) if str(index) not in raw]
        files = write_files(Path(folder)) if missing else {}
        rounds = [raw.take(str(index), partial(one_round, files)) for index in range(ROUNDS)]
    errors = errors_of(rounds)
    left = left_after_calibration(errors)
    note = f"LiteRT, one thread, {ROUNDS} rounds; by file: " + ", ".join(
        f"{name} {100 * one:+.0f} %" for name, one in errors.items()
    )
    sizes, rest = [abs(error) for error in errors.values()], statistics.median(map(abs, left.values()))
    row = {
        "what": "estimate.error",
        "value": statistics.median(sizes),
        "low": min(sizes),
        "high": max(sizes),
        "n": len(sizes),
        "unit": "",
        "beside": {"after one factor from the other files": rest},
        "command": COMMAND,
        "note": note,
    }
    write_rows("estimate", [row])


if __name__ == "__main__":
    main()
