"""Which values of a graph are data. What both formats share, so that they count the same things."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")  # a tensor's index in LiteRT, its name in ONNX


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator: its name and its values, in the order of the format's specification; absent ones are None."""

    name: str
    inputs: tuple
    outputs: tuple


def data_values(
    operations: Sequence[Operation], outputs: Iterable[Value], is_data: Callable[[Operation, int], bool]
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


def root(value: Value, producers: Mapping[Value, Operation], passing: frozenset[str]) -> Value:
    """The constant behind `value`: follows the first input of operators in `passing` (DEQUANTIZE, Transpose…) upwards."""
    seen = set()
    while value not in seen:
        seen.add(value)
        operation = producers.get(value)
        if operation is None or operation.name not in passing or not operation.inputs:
            break
        value = operation.inputs[0]
    return value
