"""Which values of a graph are data. What both formats share, so that they count the same things."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from projectkit.errors import ArtifactError

Value = TypeVar("Value")  # a tensor's index in LiteRT, its name in ONNX


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


def data_values(
    operations: Sequence[Operation[Value]], outputs: Iterable[Value], is_data: Callable[[Operation[Value], int], bool]
) -> set[Value]:
    """Everything that flows into `outputs` as data, found backwards from them.

    `is_data(operation, position)`: whether the input at `position` is data and not a shape, an axis, a scale… What only
    computes such a thing (the constants of a shape calculation) is thereby left out as well.
    """
    producers = {value: operation for operation in operations for value in operation.outputs}
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


def root(value: Value, producers: Mapping[Value, Operation[Value]], passing: frozenset[str]) -> Value:
    """The constant behind `value`: follows the first input of operators in `passing` (DEQUANTIZE, Transpose…) upwards."""
    seen: set[Value] = set()
    while value not in seen:
        seen.add(value)
        operation = producers.get(value)
        if operation is None or operation.name not in passing or not operation.inputs:
            break
        value = operation.input(0)
    return value
