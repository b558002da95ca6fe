"""Runs an .onnx file with ONNX Runtime, on its CPU kernels unless told otherwise."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import ArtifactError, NotHere
from projectkit.runtimes.failures import in_words
from projectkit.runtimes.session import RuntimeSession
from projectkit.runtimes.tensors import check_signature
from projectkit.types import Artifact, Tensor

if TYPE_CHECKING:
    import onnxruntime

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}
LEVELS = {  # of the optimization of the graph; each does what the one before it does
    "none": "ORT_DISABLE_ALL",  # runs the graph as it stands
    "basic": "ORT_ENABLE_BASIC",  # constants folded, what does nothing removed, batch normalization folded
    "extended": "ORT_ENABLE_EXTENDED",  # operators fused into those of the CPU: activations into convolutions, Q/DQ into int8
    "all": "ORT_ENABLE_ALL",  # the layout too, which its convolutions compute in blocks of channels
}
CPU = "CPUExecutionProvider"


class OnnxSession(RuntimeSession):
    """A loaded .onnx file. Inputs and outputs are bound, so that a call copies neither."""

    def __init__(self, artifact: Artifact, threads: int, level: str, providers: Sequence[str]):
        import onnxruntime

        _check(artifact, level, providers, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, LEVELS[level])
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._path = artifact.path
        try:
            # Bytes, not a path: a file given as bytes cannot reach for external data beside it.
            self._session = onnxruntime.InferenceSession(Path(artifact.path).read_bytes(), options, providers=list(providers))
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise ArtifactError(f"{artifact.path}: ONNX Runtime cannot load this file ({in_words(error)}).") from error
        self.inputs = tuple(self._tensor(value) for value in self._session.get_inputs())
        self.outputs = tuple(self._tensor(value) for value in self._session.get_outputs())
        check_signature(self.inputs, self.outputs, artifact.path)
        batch = self._session.get_inputs()[0].shape[:1]
        self._batch = batch[0] if batch and isinstance(batch[0], int) else None
        if self._batch == 1:
            self._batch_at_most = 1
        self._binding = self._session.io_binding()

    def _tensor(self, value: "onnxruntime.NodeArg") -> Tensor:
        if value.type not in DTYPES:
            raise ArtifactError(f"{self._path}: tensor {value.name!r} has type {value.type}; known are {', '.join(DTYPES)}.")
        shape = tuple(size if isinstance(size, int) else -1 for size in value.shape[1:])
        return Tensor(value.name, shape, DTYPES[value.type])

    def _set(self, stored: np.ndarray) -> None:
        if self._batch not in (None, len(stored)):
            raise ArtifactError(
                f"{self._path}: takes {self._batch} inputs a call, got {len(stored)}; export it with a free batch axis, "
                "or a batch of 1."
            )
        self._bound = stored  # the binding holds its address only
        self._binding.bind_cpu_input(self.inputs[0].name, stored)
        self._binding.bind_output(self.outputs[0].name)  # anew: its size follows that of the input

    def _invoke(self) -> None:
        self._session.run_with_iobinding(self._binding)

    def _get(self) -> np.ndarray:
        return self._binding.copy_outputs_to_cpu()[0]

    def _free(self) -> None:
        self._session = self._binding = None


def open_onnx(artifact: Artifact, *, threads: int = 1, level: str = "all", providers: Sequence[str] = (CPU,)) -> OnnxSession:
    """Opens an .onnx file. Raises ArtifactError when ONNX Runtime refuses it.

    level: a key of LEVELS, how far the graph is optimized before it runs.
    providers: execution providers by ONNX Runtime's names, the preferred first; what none of them can run, the CPU does.
    Raises NotHere when the installed ONNX Runtime lacks one of them.
    """
    return OnnxSession(artifact, threads, level, providers)


def _check(artifact: Artifact, level: str, providers: Sequence[str], available: Sequence[str]) -> None:
    if level not in LEVELS:
        raise ArtifactError(f"{artifact.path}: there is no optimization level {level!r}; known are {', '.join(LEVELS)}.")
    if lacking := [provider for provider in providers if provider not in available]:
        raise NotHere(f"this ONNX Runtime has no {', '.join(lacking)}, only {', '.join(available)}")
