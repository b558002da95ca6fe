"""Which stored constants are the weights of a network: one rule for all metrics of weights, and for both formats.

A kernel is what a convolution or a matrix product multiplies by. It has to be stored; between the constant and the operator may
stand what exporters write there: another number format (DEQUANTIZE, DENSIFY, Cast) and, in .onnx files, another arrangement of
the same elements (Transpose, Reshape). A kernel that the graph computes in any other way, be it of constants only, is refused,
because what is stored says nothing of it then.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from projectkit.errors import ArtifactError
from projectkit.measure.dataflow import Operation, Value, producers_of

LEAST_VALUES, LEAST_BYTES = 16, 64  # constants below both are shapes, axes, pads and scales, wherever they stand
SMALL_SHARE = 8  # biases and scales are left out while they are less than this part of the weights
Stored = TypeVar("Stored")


@dataclass(frozen=True, slots=True)
class Unpacking:
    """What may stand between a stored kernel and its operator, by the operator's name.

    formats: another number format of the same elements in the same places; arrangements: the same elements in other places.
    """

    formats: frozenset[str]
    arrangements: frozenset[str]


@dataclass(frozen=True, slots=True)
class Kernel(Generic[Value]):
    """One operand of a convolution or matrix product that is stored.

    value: the constant; operation, position: who multiplies by it, and as which of its inputs; plain: whether its elements are
    stored in the places in which they are multiplied; scales: the other constants that unpack it.
    """

    value: Value
    operation: Operation[Value]
    position: int
    plain: bool
    scales: tuple[Value, ...]


def kernels_of(
    operations: Sequence[Operation[Value]],
    constants: Collection[Value],
    computed: Collection[Value],
    operands: Callable[[Operation[Value]], tuple[int, ...]],
    unpacking: Unpacking,
) -> list[Kernel[Value]]:
    """The kernels of `operations`, the live ones of a file.

    computed: the values that depend on the model's input; operands: the positions of the two tensors that an operator
    multiplies, () for one that is no convolution or matrix product.

    Raises ArtifactError for an operator of which a kernel is computed, or both factors are: one of them could be a kernel.
    """
    sources = _Sources(producers_of(operations), constants, unpacking)
    kernels: list[Kernel[Value]] = []
    for operation in operations:
        found: list[Kernel[Value]] = []
        inputs = [(position, operation.input(position)) for position in operands(operation)]
        for position, value in inputs:
            source = sources(value)
            if source is not None:
                found.append(Kernel(source.value, operation, position, source.plain, source.scales))
            elif value not in computed:
                maker = sources.maker(value)
                raise ArtifactError(
                    f"computes a kernel of {operation.name} when it runs{f' (by {maker})' if maker else ''}, instead of storing "
                    "it: what its weights are cannot be seen. Export it again, with the weights as constants."
                )
        if inputs and not found:
            raise ArtifactError(
                f"multiplies two tensors that it computes when it runs ({operation.name}): whether one of them holds weights "
                "cannot be seen. Export it with the weights as constants."
            )
        kernels += found
    return kernels


@dataclass(frozen=True, slots=True)
class _Source(Generic[Value]):
    value: Value
    plain: bool
    scales: tuple[Value, ...]


class _Sources(Generic[Value]):
    """The stored constant behind a value, None where there is none. Each value is walked over once."""

    def __init__(self, producers: Mapping[Value, Operation[Value]], constants: Collection[Value], unpacking: Unpacking):
        self._producers, self._constants, self._unpacking = producers, constants, unpacking
        self._known: dict[Value, _Source[Value] | None] = {}

    def __call__(self, value: Value) -> _Source[Value] | None:
        way: list[tuple[Value, Operation[Value]]] = []
        seen: set[Value] = set()
        while value not in self._known and value not in self._constants and value not in seen:
            seen.add(value)
            operation = self._producers.get(value)
            if operation is None or not self._unpacks(operation):
                break
            way.append((value, operation))
            value = operation.input(0)
        source = self._known.get(value) or (_Source(value, True, ()) if value in self._constants else None)
        self._known[value] = source
        for passed, operation in reversed(way):
            if source is not None:
                plain = source.plain and operation.name in self._unpacking.formats
                scales = operation.present[1:2] if operation.name in self._unpacking.formats else ()
                source = _Source(source.value, plain, (*source.scales, *scales)[:4])
            self._known[passed] = source
        return source

    def _unpacks(self, operation: Operation[Value]) -> bool:
        """All but the first input (scales, zero points, axes) must be stored as they are."""
        known = operation.name in self._unpacking.formats or operation.name in self._unpacking.arrangements
        return known and bool(operation.inputs) and all(value in self._constants for value in operation.present[1:])

    def maker(self, value: Value) -> str:
        """The first operator above `value` that does not only unpack."""
        seen: set[Value] = set()
        while value not in seen and (operation := self._producers.get(value)) is not None:
            seen.add(value)
            if not self._unpacks(operation):
                return operation.name
            value = operation.input(0)
        return ""


@dataclass(frozen=True, slots=True)
class Constant:
    """What is counted of a stored constant. shape: of all its elements, stored or not; bits: of one of them; scales: how many
    scales it is unpacked with, 0 where they are one for each channel."""

    shape: tuple[int, ...]
    elements: int
    bits: int
    scales: int = 0

    @property
    def is_large(self) -> bool:
        """Whether it could be data wherever it stands."""
        return self.elements >= LEAST_VALUES and self.elements * self.bits >= 8 * LEAST_BYTES

    @property
    def is_table(self) -> bool:
        """Whether it has more than one axis along which it can differ, as no bias and no scale has."""
        return self.is_large and sum(size > 1 for size in self.shape) > 1


def weights_among(constants: Mapping[Stored, Constant], kernels: Collection[Stored]) -> set[Stored]:
    """Those of `constants`, by whatever names them, that are weights: the kernels, tables that stand elsewhere, and the rest too
    (biases, scales, slopes) unless it is small beside them."""
    chosen = {key for key, constant in constants.items() if key in kernels or constant.is_table}
    large = sum(constants[key].elements for key in chosen)
    rest = sum(constant.elements for key, constant in constants.items() if key not in chosen)
    return set(constants) if rest * SMALL_SHARE > large else chosen


def mean_bits(weights: Collection[Constant]) -> float | None:
    """The mean width of a stored weight, None without weights. Scales that take more than the weights they belong to count."""
    elements = sum(weight.elements for weight in weights)
    stored = sum(weight.elements * weight.bits for weight in weights)
    scales = sum(32 * weight.scales for weight in weights if 32 * weight.scales > weight.elements * weight.bits > 0)
    return (stored + scales) / elements if elements else None
