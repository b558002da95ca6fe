"""Opens a model file and runs it: floats in, floats out, for LiteRT, ONNX Runtime and supermasks alike. No TensorFlow.

with closing(open(Artifact.of("model.tflite"))) as session:
    logits = session.run(images)
"""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from projectkit.errors import ArtifactError
from projectkit.runtimes.litert import open_litert
from projectkit.runtimes.litert_micro import open_litert_micro
from projectkit.runtimes.onnx import LEVELS, open_onnx
from projectkit.runtimes.supermask import open_supermask
from projectkit.runtimes.tensorrt import open_tensorrt
from projectkit.types import Artifact, Session

__all__ = [
    "LEVELS",
    "OPENERS",
    "VARIANTS",
    "Opener",
    "open",
    "open_litert",
    "open_litert_micro",
    "open_onnx",
    "open_supermask",
    "open_tensorrt",
]


class Opener(Protocol):
    """Opens a model file on `threads` threads. Raises ArtifactError when the runtime refuses it, NotHere without the runtime."""

    def __call__(self, artifact: Artifact, *, threads: int = 1) -> Session: ...


OPENERS: Mapping[str, Opener] = {"litert": open_litert, "onnx": open_onnx, "supermask": open_supermask}

# Format → variant → opener with the same signature. The first of each runs as the one in OPENERS does.
VARIANTS: Mapping[str, Mapping[str, Opener]] = {
    "litert": {"xnnpack": open_litert, "built-in": partial(open_litert, xnnpack=False), "micro": open_litert_micro},
    "onnx": {
        **{level: partial(open_onnx, level=level) for level in reversed(LEVELS)},
        "tensorrt": open_tensorrt,
    },
    "supermask": {"numpy": open_supermask},
}


def open(artifact: Artifact, *, threads: int = 1, variant: str | None = None) -> Session:
    """Opens `artifact` on `threads` threads; the runtime never uses more. They are not tied to cores.

    variant: a key of VARIANTS[artifact.format], how it is run; the format's usual runtime when None.

    Raises ArtifactError when the runtime refuses the file, NotHere when this machine lacks what the variant needs; the
    session's `run` raises ArtifactError for inputs that do not fit, and once it is closed. A hostile file can crash the
    process: open what strangers hand in inside a sandbox only (grading does).
    """
    if artifact.format not in OPENERS:
        raise ArtifactError(f"{artifact.path}: format {artifact.format!r} has no runtime; known are {', '.join(OPENERS)}.")
    if threads < 1:
        raise ArtifactError(f"{artifact.path}: got {threads} threads; a session runs on at least 1. Give threads=1.")
    if variant is None:
        return OPENERS[artifact.format](artifact, threads=threads)
    variants = VARIANTS[artifact.format]
    if variant not in variants:
        raise ArtifactError(f"{artifact.path}: {artifact.format} has no variant {variant!r}; known are {', '.join(variants)}.")
    return variants[variant](artifact, threads=threads)
