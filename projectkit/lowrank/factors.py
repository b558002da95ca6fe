"""What a factorized kernel is: small kernels, the kernel that they stand for, and the thin layers that compute with them.

Kernels are Keras': (height, width, in, out) of a convolution, (in, out) of a dense layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tf_keras as keras

Rank = int | tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Thin:
    """A layer that is not built yet: `kind(**options)`, and the weights that it gets."""

    kind: type[keras.layers.Layer]
    options: Mapping[str, Any]
    weights: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a layer stands: its stride, dilation and padding ("same" or "valid"), and the size of its input, (height, width)."""

    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: str = "same"
    size: tuple[int, int] = (1, 1)


class Factors(Protocol):
    """A kernel in factors."""

    @property
    def rank(self) -> tuple[int, ...]:
        """The ranks that were used, none above what the kernel can have."""

    @property
    def parameters(self) -> int:
        """How many numbers the factors have. The bias stays as it was and is not counted."""

    def kernel(self) -> np.ndarray:
        """The kernel that the factors stand for, of the original's shape."""

    def thin_layers(self, place: Place) -> list[Thin]:
        """The layers that answer, one after the other, as a layer with `kernel()` would; without bias and activation."""


def relative_error(factors: Factors, kernel: np.ndarray) -> float:
    """‖kernel − its factors‖ / ‖kernel‖ (Frobenius norms); 0 for a kernel of zeros."""
    norm = float(np.linalg.norm(kernel))
    return float(np.linalg.norm(kernel - factors.kernel())) / norm if norm else 0.0
