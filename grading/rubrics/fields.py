"""Fields of a TOML table, each checked before it is used."""

import math
from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]  # of a TOML file; `text` and `kind` look at what is in a field


class FieldError(Exception):
    """What is wrong in a rubric; becomes a GradingError with the file's name."""


def only(table: object, allowed: set[str], where: str) -> None:
    """Raises FieldError unless `table` is a table with no other fields than those allowed."""
    if not isinstance(table, dict):
        raise FieldError(f"{where} is not a table.")
    if set(table) - allowed:
        raise FieldError(f"{where} has the unknown fields {', '.join(sorted(set(table) - allowed))}.")


def text(table: Table, name: str, where: str) -> str:
    """The field `name`. Raises FieldError unless it is a text that is not empty."""
    value = table.get(name)
    if not isinstance(value, str) or not value.strip():
        raise FieldError(f"{where}: {name} is {value!r}, expected a text.")
    return value


def kind(value: object, wanted: type, where: str) -> None:
    """Raises FieldError unless `value` is of this type; a float may be any finite number, and no number is a truth value."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    good = number if wanted is float else number and isinstance(value, int) if wanted is int else isinstance(value, wanted)
    if not good:
        raise FieldError(f"{where} is {value!r}, expected {'a finite number' if wanted is float else wanted.__name__}.")
