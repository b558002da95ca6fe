"""Writes a Keras model to a file that a runtime serves, and compares the file's answers with the model's.

exported = write(model, "model.tflite", precision="int8", calibrate=train.x[:200], compare=val.x[:200])
print(exported)          # size, and how far the answers moved
"""

from projectkit import tensorflow_quietly  # noqa: F401 — before anything below imports tf_keras

# isort: split
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tf_keras as keras

from projectkit import runtimes
from projectkit.errors import ArtifactError, ExportError
from projectkit.export import files
from projectkit.export.fusion import fuse
from projectkit.export.litert import to_litert
from projectkit.export.onnx import to_onnx
from projectkit.export.unfuse import unfuse
from projectkit.types import FORMATS, Artifact

__all__ = [
    "EXPORTERS",
    "Difference",
    "Exported",
    "Exporter",
    "difference",
    "fuse",
    "to_litert",
    "to_onnx",
    "unfuse",
    "write",
]


class Exporter(Protocol):
    """Writes a model to the file `path` in a precision that the format knows; calibrate: (n, …) real inputs, where activations
    are quantized ahead of time. Further options have a default. Raises ExportError for what the format or the model cannot do."""

    def __call__(
        self,
        model: keras.Model,
        path: str | Path,
        /,
        *,
        precision: str | Mapping[str, int] = "float32",
        calibrate: np.ndarray | None = None,
    ) -> Artifact: ...


EXPORTERS: Mapping[str, Exporter] = {"litert": to_litert, "onnx": to_onnx}


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
    **options: Any,
) -> Exported:
    """Writes `model` to `path` (.tflite or .onnx) in `precision` and compares the answers on the real inputs `compare`.

    precision: "float32", "float16", "dynamic", "int8"; for .tflite also "sparse", "int16x8", "int4", or {layer name:
        weight bits}.
    calibrate: (n, …) real training inputs, needed where activations are quantized ahead of time ("int8", "int16x8").
    options: those of `to_litert` or `to_onnx`.

    The file is put in place when it is whole and its runtime has run it, else `path` stays as it was. Raises ExportError when the
    format, the precision, the inputs or the model does not fit.
    """
    path = Path(path)
    if FORMATS.get(path.suffix) not in EXPORTERS:
        known = " or ".join(suffix for suffix, name in FORMATS.items() if name in EXPORTERS)
        raise ExportError(f"{path.name}: the suffix chooses the format; expected {known}, got {path.suffix!r}.")
    if np.shape(compare)[1:] != tuple(model.input_shape[1:]) or len(compare) == 0:
        wanted = ", ".join(["n", *map(str, model.input_shape[1:])])
        raise ExportError(
            f"{path.name}: `compare` has shape {np.shape(compare)}; {model.name} takes ({wanted}) with n ≥ 1. "
            "Give real inputs, for example dataset.val.x[:100]."
        )
    with tempfile.TemporaryDirectory() as folder:
        export = partial(EXPORTERS[FORMATS[path.suffix]], precision=precision, calibrate=calibrate)
        draft = export(model, Path(folder) / path.name, **options)
        moved = difference(model, draft, compare)
        artifact = files.write_artifact(path, Path(draft.path).read_bytes())
    return Exported(artifact, precision if isinstance(precision, str) else "mixed", moved)


def difference(model: keras.Model, artifact: Artifact, x: np.ndarray) -> Difference:
    """Compares the file's logits with the model's on x: (n, height, width, channels).

    Raises ExportError when the runtime refuses the file or its answers are not comparable: another shape, or not finite.
    """
    name = Path(artifact.path).name
    expected = np.asarray(model.predict(x, batch_size=256, verbose=0), dtype=np.float32)
    try:
        with closing(runtimes.open(artifact)) as session:
            got = session.run(x)
    except ArtifactError as error:
        reason = str(error).removeprefix(f"{artifact.path}: ")  # of a draft that will not be there any more
        raise ExportError(f"{name}: its runtime refuses the file ({reason}) Export in another precision.") from error
    if got.shape != expected.shape:
        raise ExportError(f"{name}: answers of shape {got.shape}, the model gives {expected.shape}.")
    apart = np.abs(got - expected)
    if not np.all(np.isfinite(apart)):
        raise ExportError(f"{name}: some logits of the file or of {model.name} are NaN or infinite. Look for an overflow.")
    agreement = np.mean(got.argmax(axis=1) == expected.argmax(axis=1))
    return Difference(float(apart.max()), float(apart.mean()), float(agreement), len(x))
