"""Fields of a TOML table, each checked before it is used."""

import math


class Wrong(Exception):
    """What is wrong in a rubric; becomes a GradingError with the file's name."""


def only(table: object, allowed: set[str], where: str) -> None:
    """Raises Wrong unless `table` is a table with no other fields than those allowed."""
    if not isinstance(table, dict):
        raise Wrong(f"{where} is not a table.")
    if set(table) - allowed:
        raise Wrong(f"{where} has the unknown fields {', '.join(sorted(set(table) - allowed))}.")


def text(table: dict, name: str, where: str) -> str:
    """The field `name`. Raises Wrong unless it is a text that is not empty."""
    if not isinstance(table.get(name), str) or not table[name].strip():
        raise Wrong(f"{where}: {name} is {table.get(name)!r}, expected a text.")
    return table[name]


def kind(value: object, wanted: type, where: str) -> None:
    """Raises Wrong unless `value` is of this type; a float may be any finite number, and no number is a truth value."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    good = number if wanted is float else number and isinstance(value, int) if wanted is int else isinstance(value, wanted)
    if not good:
        raise Wrong(f"{where} is {value!r}, expected {'a finite number' if wanted is float else wanted.__name__}.")
