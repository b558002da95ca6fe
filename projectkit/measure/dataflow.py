"""Which values of a graph are data, which are needed, and what is stored behind them. What both formats share, so that they
count the same things. Every walk visits a value once, however long the chains of a file are and however many start at one value.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from projectkit.errors import ArtifactError

Value = TypeVar("Value")  # a tensor's index in LiteRT, its name in ONNX

# What they answer follows from the shapes and not from the values of their input.
SHAPES = frozenset({"SHAPE", "RANK", "Shape", "Size"})


@dataclass(frozen=True, slots=True)
class Operation(Generic[Value]):
    """One operator: its name and its values, in the order of the format's specification; absent inputs are None."""

    name: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]

    @property
    def present(self) -> tuple[Value, ...]:
        """The inputs that are there, in their order."""
        return tuple(value for value in self.inputs if value is not None)

    def input(self, position: int) -> Value:
        """The input at `position`. Raises ArtifactError when it is absent."""
        value = self.inputs[position] if position < len(self.inputs) else None
        if value is None:
            raise ArtifactError(f"is damaged: the operator {self.name} lacks its input {position}. Export it again.")
        return value


def producers_of(operations: Iterable[Operation[Value]]) -> dict[Value, Operation[Value]]:
    """value → the operator that writes it."""
    return {value: operation for operation in operations for value in operation.outputs}


def check_written_once(operations: Sequence[Operation[Value]], given: Collection[Value]) -> None:
    """Raises ArtifactError when a value is written by two operators, or one of `given` (the inputs and constants) by any: what
    is read then depends on when it is read, and no walk over the graph sees that."""
    written = set(given)
    for operation in operations:
        for value in operation.outputs:
            if value in written:
                raise ArtifactError(f"is damaged: {operation.name} writes over a tensor that is there already. Export it again.")
            written.add(value)


def live_positions(operations: Sequence[Operation[Value]], outputs: Iterable[Value]) -> list[int]:
    """The positions in `operations` of those that `outputs` depend on, in their order. The others run for nobody."""
    places = {value: place for place, operation in enumerate(operations) for value in operation.outputs}
    live: set[int] = set()
    pending = [places[value] for value in outputs if value in places]
    while pending:
        place = pending.pop()
        if place not in live:
            live.add(place)
            pending.extend(places[value] for value in operations[place].present if value in places)
    return sorted(live)


def live_operations(operations: Sequence[Operation[Value]], outputs: Iterable[Value]) -> list[Operation[Value]]:
    """The operators that `outputs` depend on, in their order."""
    return [operations[place] for place in live_positions(operations, outputs)]


def computed_values(operations: Sequence[Operation[Value]], inputs: Iterable[Value]) -> set[Value]:
    """The values that depend on the values of `inputs` (not on their shapes only), the inputs included."""
    readers: dict[Value, list[Operation[Value]]] = {}
    for operation in operations:
        for value in operation.present:
            readers.setdefault(value, []).append(operation)
    computed: set[Value] = set()
    pending = list(inputs)
    while pending:
        value = pending.pop()
        if value in computed:
            continue
        computed.add(value)
        pending.extend(made for reader in readers.get(value, ()) if reader.name not in SHAPES for made in reader.outputs)
    return computed


def data_values(
    operations: Sequence[Operation[Value]], outputs: Iterable[Value], is_data: Callable[[Operation[Value], int], bool]
) -> set[Value]:
    """Everything that flows into `outputs` as data, found backwards from them.

    `is_data(operation, position)`: whether the input at `position` is data and not a shape, an axis, a scale… What only
    computes such a thing (the constants of a shape calculation) is thereby left out as well.
    """
    producers = producers_of(operations)
    data: set[Value] = set()
    pending = list(outputs)
    while pending:
        value = pending.pop()
        if value in data:
            continue
        data.add(value)
        operation = producers.get(value)
        if operation is not None:
            pending.extend(
                name for position, name in enumerate(operation.inputs) if name is not None and is_data(operation, position)
            )
    return data


class Roots(Generic[Value]):
    """Finds what is behind a value: follows the first input of operators in `passing` (DEQUANTIZE, Transpose…) upwards.

    What was found is kept, so that all questions about a file together take as long as the file is.
    """

    def __init__(self, producers: Mapping[Value, Operation[Value]], passing: Collection[str]):
        self._producers, self._passing = producers, passing
        self._known: dict[Value, Value] = {}

    def __call__(self, value: Value) -> Value:
        way: list[Value] = []
        seen: set[Value] = set()
        while value not in self._known and value not in seen:
            seen.add(value)
            way.append(value)
            operation = self._producers.get(value)
            if operation is None or operation.name not in self._passing or not operation.inputs:
                break
            value = operation.input(0)
        found = self._known.get(value, value)
        self._known |= dict.fromkeys(way, found)
        return found
