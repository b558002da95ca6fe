"""What is counted of a model file, and the values that hold it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator that multiplies and accumulates.

    parameters: all its constants; weights: only the largest of them, the kernel; bits: the width of one stored weight,
    0 when it has none.
    """

    name: str
    operator: str
    macs: int
    parameters: int
    weights: int
    bits: int


@dataclass(frozen=True, slots=True)
class Graph:
    """A file's totals and layers. `operators`: (name, how many), most frequent first.

    parameters          elements of the constants that data flows through (weights, biases, slopes, offsets), each stored
                        constant once; not shapes, axes, paddings, scales or zero points
    nonzero_parameters  those that differ from their zero point
    macs                multiply-accumulates of one inference of one example, in convolutions and matrix products
    """

    parameters: int
    nonzero_parameters: int
    macs: int
    operators: tuple[tuple[str, int], ...]
    layers: tuple[Layer, ...]

    @property
    def operator_count(self) -> int:
        """How many operators the file has: each is started, reads its inputs and writes its output."""
        return sum(count for _, count in self.operators)

    @property
    def sparsity(self) -> float:
        """The share of parameters that are zero."""
        return 1 - self.nonzero_parameters / self.parameters if self.parameters else 0.0

    @property
    def weight_bits(self) -> float | None:
        """The mean width of a stored weight over the layers' kernels; None when no layer has one."""
        weights = sum(layer.weights for layer in self.layers)
        return sum(layer.weights * layer.bits for layer in self.layers) / weights if weights else None


def count_operators(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """(name, how many) of `names`, most frequent first, then by name."""
    return tuple(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])))
