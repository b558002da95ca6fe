"""Opens a model file and runs it: floats in, floats out, for LiteRT, ONNX Runtime and supermasks alike. No TensorFlow.

with closing(open(Artifact.of("model.tflite"))) as session:
    logits = session.run(images)
"""

from projectkit.errors import ArtifactError
from projectkit.runtimes.litert import open_litert
from projectkit.runtimes.onnx import open_onnx
from projectkit.runtimes.supermask import open_supermask
from projectkit.types import Artifact, Session

OPENERS = {"litert": open_litert, "onnx": open_onnx, "supermask": open_supermask}


def open(artifact: Artifact, *, threads: int = 1) -> Session:
    """Opens `artifact` on `threads` threads (pinned: the runtime never uses more).

    Raises ArtifactError when the runtime refuses the file; the session's `run` raises it for inputs that do not fit, and
    once it is closed. A hostile file can crash the process: open what strangers hand in inside a sandbox only (grading
    does).
    """
    if artifact.format not in OPENERS:
        raise ArtifactError(f"{artifact.path}: format {artifact.format!r} has no runtime; known are {', '.join(OPENERS)}.")
    if threads < 1:
        raise ArtifactError(f"{artifact.path}: got {threads} threads; a session runs on at least 1. Give threads=1.")
    return OPENERS[artifact.format](artifact, threads=threads)
