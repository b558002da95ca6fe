"""What is counted of a model file, and the values that hold it."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from projectkit.errors import ArtifactError

Known = TypeVar("Known")

# Element-wise operators multiply and add too: normalization, activation functions, gates, sums. Published counts leave that out,
# and so do these, up to so many operations for each element of the input and of each layer's output.
FREE_OPERATIONS = 4


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
class Unknown:
    """Why something cannot be counted, as the rest of a sentence that begins with the file."""

    reason: str


@dataclass(frozen=True, slots=True)
class Weights:
    """What is stored: values that differ from their zero point, the share of values that do not, the mean width of a weight."""

    nonzero: int
    sparsity: float
    bits: float | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A file's totals and layers. `operators`: (name, how many), most frequent first. Only operators that an output depends on
    count; the others answer nobody.

    parameters  elements of the constants that data flows through (weights, biases, slopes, offsets) and of all others of 64 bytes
                or more that such an operator reads (indices, tables); not small shapes and axes, not scales and zero points.
                A stored constant counts once, however many operators read it; two that are equal are two
    work        multiply-accumulates, or why they cannot be counted
    stored      what `nonzero_parameters`, `sparsity` and `weight_bits` say, or why that cannot be seen
    """

    parameters: int
    operators: tuple[tuple[str, int], ...]
    layers: tuple[Layer, ...]
    work: int | Unknown
    stored: Weights | Unknown

    @property
    def operator_count(self) -> int:
        """How many operators the file has: each is started, reads its inputs and writes its output."""
        return sum(count for _, count in self.operators)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference of one example, in convolutions and matrix products.

        Scaling by a constant a channel, activation functions, gates and sums count nothing, as in published figures, until a
        file does more of that than its layers need (see `Hidden`). Raises ArtifactError where operators are not known.
        """
        return _known(self.work)

    @property
    def nonzero_parameters(self) -> int:
        """The parameters that differ from their zero point. Raises ArtifactError where kernels are computed, not stored."""
        return _known(self.stored).nonzero

    @property
    def sparsity(self) -> float:
        """The share of zeros among the parameters that the first output depends on. Raises as `nonzero_parameters`."""
        return _known(self.stored).sparsity

    @property
    def weight_bits(self) -> float | None:
        """The mean width of a stored weight, over all kernels and tables that the first output depends on; None when there are
        none. Raises as `nonzero_parameters`."""
        return _known(self.stored).bits


def _known(found: Known | Unknown) -> Known:
    if isinstance(found, Unknown):
        raise ArtifactError(found.reason)
    return found


def count_operators(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """(name, how many) of `names`, most frequent first, then by name."""
    return tuple(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])))


class Hidden:
    """Counts the element-wise work of a file. A convolution can be written as multiplications of tensors and sums of them; how
    much of that work is more than usual therefore counts as multiply-accumulates, one for each operation.

    Work with a stored table, or on copies of an activation, is never usual: no normalization, activation function or gate needs
    it. Of the rest, `free_operations` of each layer and of the input are usual.
    """

    def __init__(self, free: int):
        self._free, self._usual, self._unusual = free, 0, 0

    def add_layer(self, elements: int, macs: int) -> None:
        """A convolution or matrix product that writes `elements`."""
        self._free += free_operations(elements, macs)

    def add(self, operations: int, written: int, read: Collection[int], *, table: bool, joins: bool, pairs: bool) -> None:
        """An operator that takes `operations` and writes so many elements.

        read: the elements of each activation that it reads, once each, and of constants that it puts beside them; table: whether
        it reads a stored table; pairs: whether it brings two tensors together; joins: whether it puts tensors or copies of them
        beside each other.
        """
        copies = written > (max(read, default=0) if pairs else sum(read))
        if pairs and (table or copies):
            self._unusual += max(operations, written)
        elif joins and not table and copies:
            self._unusual += written
        else:
            self._usual += operations

    @property
    def macs(self) -> int:
        """What it amounts to."""
        return self._unusual + max(0, self._usual - self._free)


def free_operations(elements: int, macs: int | None = None) -> int:
    """How many element-wise operations belong to a layer: FREE_OPERATIONS for each element that it writes, and no more than it
    has multiply-accumulates, so that no layer is worth adding for them. Without `macs`: to the model's input."""
    usual = FREE_OPERATIONS * elements
    return usual if macs is None else min(usual, macs)


def sentence(names: Collection[str]) -> Unknown:
    """Operators of which nothing says how often they multiply."""
    return Unknown(f"holds {', '.join(sorted(names))[:200]}, whose multiply-accumulates cannot be counted from the file.")
