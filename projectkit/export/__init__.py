"""Writes a Keras model to a file that a runtime serves, and compares the file's answers with the model's.

exported = write(model, "model.tflite", precision="int8", calibrate=train.x[:200], compare=val.x[:200])
print(exported)          # size, and how far the answers moved
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tf_keras as keras

from projectkit import runtimes
from projectkit.errors import ExportError
from projectkit.export.litert import to_litert
from projectkit.export.onnx import to_onnx
from projectkit.types import FORMATS, Artifact

EXPORTERS = {"litert": to_litert, "onnx": to_onnx}


@dataclass(frozen=True, slots=True)
class Difference:
    """How a file's logits differ from the Keras model's on n inputs; `agreement` is the share with the same top class."""

    largest: float
    mean: float
    agreement: float
    n: int


@dataclass(frozen=True, slots=True)
class Exported:
    """A written file and how far its answers moved."""

    artifact: Artifact
    precision: str
    difference: Difference

    def __str__(self) -> str:
        moved = self.difference
        return (
            f"{Path(self.artifact.path).name} ({self.precision}): {self.artifact.size / 1000:.1f} kB; on {moved.n} inputs the "
            f"logits differ from Keras by {moved.mean:.2g} on average, {moved.largest:.2g} at most; "
            f"same class on {moved.agreement:.1%}"
        )


def write(
    model: keras.Model,
    path: str | Path,
    *,
    compare: np.ndarray,
    precision: str | Mapping[str, int] = "float32",
    calibrate: np.ndarray | None = None,
    **options,
) -> Exported:
    """Writes `model` to `path` (.tflite or .onnx) in `precision` and compares the answers on the real inputs `compare`.

    precision: "float32", "float16", "dynamic", "int8"; for .tflite also "int16x8", "int4", or {layer name: weight bits}.
    calibrate: (n, …) real training inputs, needed where activations are quantized ahead of time ("int8", "int16x8").
    options: those of `to_litert` or `to_onnx`.

    The file is written whole or not at all. Raises ExportError when the format, the precision or the model does not fit.
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ExportError(f"{path.name}: the suffix chooses the format; expected {' or '.join(FORMATS)}, got {path.suffix!r}.")
    if len(compare) == 0:
        raise ExportError(f"{path.name}: `compare` is empty; give some real inputs, for example dataset.val.x[:100].")
    path.parent.mkdir(parents=True, exist_ok=True)
    artifact = EXPORTERS[FORMATS[path.suffix]](model, path, precision=precision, calibrate=calibrate, **options)
    name = precision if isinstance(precision, str) else "mixed"
    return Exported(artifact, name, difference(model, artifact, compare))


def difference(model: keras.Model, artifact: Artifact, x: np.ndarray) -> Difference:
    """Compares the file's logits with the model's on x: (n, height, width, channels)."""
    expected = np.asarray(model.predict(x, batch_size=256, verbose=0), dtype=np.float32)
    with closing(runtimes.open(artifact)) as session:
        got = session.run(x)
    if got.shape != expected.shape:
        raise ExportError(f"{artifact.path}: answers of shape {got.shape}, the model gives {expected.shape}.")
    apart = np.abs(got - expected)
    agreement = np.mean(got.argmax(axis=1) == expected.argmax(axis=1))
    return Difference(float(apart.max()), float(apart.mean()), float(agreement), len(x))
