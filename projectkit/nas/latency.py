"""How fast an architecture is on this device: its file against a fixed network's, timed in turn."""

import tempfile
from pathlib import Path

import numpy as np

from projectkit.nas.network import build
from projectkit.nas.types import Architecture, Block
from projectkit.quiet import quiet
from projectkit.types import Artifact, Measurement

# A small network of every kind of block. A new one makes all ratios that were measured before incomparable.
REFERENCE = Architecture((Block(16), Block(32, stride=2, depthwise=True), Block(32, skip=True)))


def write_reference(path: Path, images: np.ndarray, classes: int) -> Artifact:
    """The file of REFERENCE for images (n, height, width, channels), at `path` (.tflite or .onnx)."""
    return write_untrained(REFERENCE, path, images, classes)


def latency_ratio(
    architecture: Architecture, reference: Artifact, images: np.ndarray, classes: int, *, budget: float = 0.3, threads: int = 1
) -> Measurement:
    """Median latency of the exported, untrained architecture / median latency of the file `reference`, one image at a time.

    Both run in turn for about `budget` seconds each, so that a machine that is busy or warm is so for both: the ratio stands
    still where seconds would not. images: (n, height, width, channels) float32. What the weights are does not matter for the
    time, so nothing has to be trained. Raises ExportError when the architecture cannot be exported.
    """
    from projectkit import measure

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{architecture.digest}{Path(reference.path).suffix}"
        artifact = write_untrained(architecture, path, images, classes)
        return measure.compare_latency(artifact, reference, images, threads=threads, budget=budget)


def write_untrained(
    architecture: Architecture, path: Path, images: np.ndarray, classes: int, *, precision: str = "float32"
) -> Artifact:
    """The file of the untrained architecture for images (n, height, width, channels), at `path` (.tflite or .onnx), in one of the
    precisions of `export.write`; the images calibrate it where that is needed."""
    from projectkit import export

    calibrate = images if precision.startswith("int") else None

    with quiet():  # Keras warns of networks that are made and answer once, which is what this does
        model = build(architecture, images.shape[1:], classes)
        return export.write(model, path, compare=images[:8], precision=precision, calibrate=calibrate).artifact
