"""Runs an .onnx file with ONNX Runtime on its CPU kernels."""

from pathlib import Path

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.runtimes.tensors import check_signature, closed, first_line, run_in_chunks
from projectkit.types import Artifact, Tensor

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}


class OnnxSession:
    """A loaded .onnx file."""

    def __init__(self, artifact: Artifact, threads: int):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._path = artifact.path
        try:
            # Bytes, not a path: a file given as bytes cannot reach for external data beside it.
            self._session = onnxruntime.InferenceSession(
                Path(artifact.path).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise ArtifactError(f"{artifact.path}: ONNX Runtime cannot load this file ({first_line(error)}).") from error
        self.inputs = tuple(self._tensor(value) for value in self._session.get_inputs())
        self.outputs = tuple(self._tensor(value) for value in self._session.get_outputs())
        check_signature(self.inputs, self.outputs, artifact.path)

    def _tensor(self, value) -> Tensor:
        if value.type not in DTYPES:
            raise ArtifactError(f"{self._path}: tensor {value.name!r} has type {value.type}; known are {', '.join(DTYPES)}.")
        shape = tuple(size if isinstance(size, int) else -1 for size in value.shape[1:])
        return Tensor(value.name, shape, DTYPES[value.type])

    def run(self, x: np.ndarray) -> np.ndarray:
        if self._session is None:
            raise closed(self._path)
        return run_in_chunks(self._call, x, self.inputs[0], self.outputs[0], self._path)

    def _call(self, stored: np.ndarray) -> np.ndarray:
        return self._session.run([self.outputs[0].name], {self.inputs[0].name: stored})[0]

    def close(self) -> None:
        self._session = None


def open_onnx(artifact: Artifact, *, threads: int = 1) -> OnnxSession:
    """Opens an .onnx file. Raises ArtifactError when ONNX Runtime refuses it."""
    return OnnxSession(artifact, threads)
