"""Tensors of any runtime: checking what goes in, and converting by a file's own scale and zero point."""

import functools

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.types import Tensor


def check_signature(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], path: str) -> None:
    """Raises ArtifactError unless the file takes one numeric tensor and its first output is numeric."""
    if len(inputs) != 1 or not outputs:
        raise ArtifactError(f"{path}: expected one input and at least one output, found {len(inputs)} and {len(outputs)}.")
    for tensor in (inputs[0], outputs[0]):
        if np.dtype(tensor.dtype).kind not in "fiu":
            raise ArtifactError(f"{path}: tensor {tensor.name!r} holds {tensor.dtype}; expected numbers. Export it again.")


def check_input(x: np.ndarray, shape: tuple[int, ...], path: str) -> np.ndarray:
    """x as contiguous float32, after checking it against the input `shape` (without the batch axis; -1 fits any length)."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    fits = x.ndim == len(shape) + 1 and all(want in (-1, got) for want, got in zip(shape, x.shape[1:], strict=True))
    if not fits or not len(x):
        wanted = ", ".join(["n", *map(str, shape)])
        raise ArtifactError(f"{path}: expects inputs of shape ({wanted}) with n ≥ 1, got {x.shape}. Give images of that shape.")
    return x


def to_stored(x: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Real values → what the file stores: round(x / scale) + zero_point, clipped to the integer type. Floats pass through."""
    limits = _integer_limits(tensor.dtype)
    if limits is None:
        return x.astype(tensor.dtype, copy=False)
    # In place: a tiny int8 model takes no longer than five passes over its input.
    stored = np.divide(x, tensor.scale or 1.0, dtype=np.float32)
    np.rint(stored, out=stored)
    stored += tensor.zero_point
    np.maximum(stored, limits[0], out=stored)
    np.minimum(stored, limits[1], out=stored)
    return stored.astype(tensor.dtype)


def to_real(stored: np.ndarray, tensor: Tensor) -> np.ndarray:
    """What the file stores → real values: scale · (stored − zero_point), as float32."""
    real = stored.astype(np.float32)
    if tensor.scale and stored.dtype.kind in "iu":
        real -= tensor.zero_point
        real *= np.float32(tensor.scale)
    return real


@functools.cache
def _integer_limits(dtype: str) -> tuple[float, float] | None:
    """(smallest, largest) of an integer type, None for floats. Clipped in float32: exact for 8 and 16 bits."""
    if np.dtype(dtype).kind not in "iu":
        return None
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def first_line(error: Exception) -> str:
    """The start of a runtime's own message, short enough for a sentence of ours."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
