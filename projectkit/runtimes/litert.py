"""Runs a .tflite file with LiteRT, on XNNPACK's CPU kernels or on its own."""

import math
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.quiet import quiet
from projectkit.runtimes.failures import in_words
from projectkit.runtimes.session import RuntimeSession
from projectkit.runtimes.tensors import check_signature
from projectkit.types import Artifact, Tensor

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


class Detail(TypedDict):
    """What LiteRT says of a tensor. shape_signature: with -1 for a free axis, empty where no axis is free."""

    name: str
    index: int
    shape: np.ndarray
    shape_signature: np.ndarray
    dtype: type[np.generic]
    quantization: tuple[float, int]  # scale, zero point


class LiteRTSession(RuntimeSession):
    """A loaded .tflite file. The batch axis is resized to what it gets."""

    def __init__(self, artifact: Artifact, threads: int, xnnpack: bool):
        self._path = artifact.path
        try:
            with quiet():
                self._interpreter = _interpreter(artifact, threads, xnnpack)
                self.inputs = tuple(_tensor(detail) for detail in self._interpreter.get_input_details())
                self.outputs = tuple(_tensor(detail) for detail in self._interpreter.get_output_details())
                check_signature(self.inputs, self.outputs, artifact.path)
                self._resize(1)
                if _is_single(self._interpreter.get_input_details()[0]):
                    self._batch_at_most = 1
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(f"{artifact.path}: LiteRT cannot load this file ({in_words(error)}).") from error

    def _resize(self, batch: int) -> None:
        self._input_index = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.resize_tensor_input(self._input_index, (batch, *self.inputs[0].shape))
        self._interpreter.allocate_tensors()
        self._output_index = self._interpreter.get_output_details()[0]["index"]
        self._batch = batch

    def _set(self, stored: np.ndarray) -> None:
        if len(stored) != self._batch:
            self._resize(len(stored))
        self._interpreter.set_tensor(self._input_index, stored)

    def _invoke(self) -> None:
        self._interpreter.invoke()

    def _get(self) -> np.ndarray:
        return self._interpreter.get_tensor(self._output_index)

    def _free(self) -> None:
        self._interpreter = None


def open_litert(artifact: Artifact, *, threads: int = 1, xnnpack: bool = True) -> LiteRTSession:
    """Opens a .tflite file. Raises ArtifactError when LiteRT refuses it.

    xnnpack: hand what it can run to the XNNPACK delegate, which is LiteRT's default; without, the built-in kernels run it.
    """
    return LiteRTSession(artifact, threads, xnnpack)


def describe(artifact: Artifact) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], int]:
    """(inputs, outputs, bytes of all tensors for one example) of a .tflite file, after LiteRT has looked that it is intact.

    Raises ArtifactError when it is not.
    """
    session = LiteRTSession(artifact, 1, False)
    details = session._interpreter.get_tensor_details()
    sizes = [math.prod(int(size) for size in detail["shape"]) * np.dtype(detail["dtype"]).itemsize for detail in details]
    return session.inputs, session.outputs, sum(sizes)


def _interpreter(artifact: Artifact, threads: int, xnnpack: bool) -> "Interpreter":
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    if xnnpack:
        return Interpreter(model_path=artifact.path, num_threads=threads)
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(model_path=artifact.path, num_threads=threads, experimental_op_resolver_type=plain)


def _is_single(detail: Detail) -> bool:
    """Whether the file was exported for one example a call, so that shapes inside it may hold for one only."""
    signature = detail["shape_signature"]
    return bool(len(signature)) and signature[0] == 1


def _tensor(detail: Detail) -> Tensor:
    scale, zero_point = detail["quantization"]
    shape = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    return Tensor(
        detail["name"], tuple(int(size) for size in shape[1:]), np.dtype(detail["dtype"]).name, float(scale), int(zero_point)
    )
