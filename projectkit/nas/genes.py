"""A parameter of Optuna as a position in [0, 1], so that one strategy searches numbers, sizes and choices alike."""

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from projectkit.errors import SearchError

Genes = Mapping[str, BaseDistribution]
Values = dict[str, Any]


def levels(gene: BaseDistribution) -> int | None:
    """How many values the gene has; None for a continuous one, and for whole numbers on a logarithmic scale, which are searched
    as if they were."""
    if isinstance(gene, CategoricalDistribution):
        return len(gene.choices)
    gene = _numeric(gene)
    if gene.log or gene.step is None:
        return None
    return round((gene.high - gene.low) / gene.step) + 1


def ordered(gene: BaseDistribution) -> bool:
    """Whether neighbouring positions mean similar values: numbers do, also as choices; names do not."""
    return not isinstance(gene, CategoricalDistribution) or all(_is_number(choice) for choice in gene.choices)


def value_at(gene: BaseDistribution, position: float) -> Any:
    """The value at a position in [0, 1]; each of n levels has 1/n of it, so uniform positions are uniform values."""
    count = levels(gene)
    if count is not None:
        return _level(gene, min(int(position * count), count - 1))
    gene = _numeric(gene)
    low, high = _ends(gene)
    value = low + position * (high - low)
    if gene.log:
        value = math.exp(value)
    if isinstance(gene, IntDistribution):
        value = round(value)
    return min(max(value, gene.low), gene.high)


def position_of(gene: BaseDistribution, value: Any) -> float:
    """The position of a value: the middle of its level."""
    count = levels(gene)
    if count is not None:
        return (_index(gene, value) + 0.5) / count
    gene = _numeric(gene)
    low, high = _ends(gene)
    if high == low:
        return 0.5
    return min(max(((math.log(value) if gene.log else value) - low) / (high - low), 0.0), 1.0)


def uniform(genes: Genes, rng: np.random.Generator) -> Values:
    """A value for every gene, each at a uniform position."""
    return {name: value_at(gene, rng.random()) for name, gene in genes.items()}


def neighbour(gene: BaseDistribution, value: Any, rng: np.random.Generator, *, step: float = 0.1) -> Any:
    """Another value near by: a normal step of the position, reflected at the walls, at least one level far; any other name for a
    gene without an order. The value itself when there is no other."""
    count = levels(gene)
    if gene.single():
        return value
    if isinstance(gene, CategoricalDistribution) and not ordered(gene):
        others = [choice for choice in gene.choices if choice != value]
        return others[rng.integers(len(others))]
    move = rng.normal(0.0, step)
    if count is None:
        return value_at(gene, _reflect(position_of(gene, value) + move))
    index, moved = _index(gene, value), max(1, round(abs(move) * count)) * (1 if move > 0 else -1)
    target = index + moved
    if not 0 <= target < count:
        target = min(max(index - moved, 0), count - 1)
    return _level(gene, target)


def mutate(genes: Genes, values: Values, active: Sequence[str], rng: np.random.Generator) -> Values:
    """The values with one active gene changed to a neighbour."""
    free = [name for name in genes if name in active and not genes[name].single()]
    if not free:
        return uniform(genes, rng)
    name = free[rng.integers(len(free))]
    return values | {name: neighbour(genes[name], values[name], rng)}


def holds(gene: BaseDistribution, value: Any) -> bool:
    """Whether a value that some trial had under this name is one that the gene can have."""
    if isinstance(gene, CategoricalDistribution):
        return value in gene.choices
    gene = _numeric(gene)
    return _is_number(value) and gene.low <= value <= gene.high


def generator(*key: int | str) -> np.random.Generator:
    """Random numbers that depend on the key only: the seed, the trial, the parameter."""
    return np.random.default_rng([zlib.crc32(part.encode()) if isinstance(part, str) else part for part in key])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _choices(gene: CategoricalDistribution) -> list[Any]:
    return sorted(gene.choices) if ordered(gene) else list(gene.choices)


def _level(gene: BaseDistribution, index: int) -> Any:
    if isinstance(gene, CategoricalDistribution):
        return _choices(gene)[index]
    gene = _numeric(gene)
    value = gene.low + index * (gene.step or 1)
    return min(value, gene.high) if isinstance(gene, FloatDistribution) else int(value)


def _index(gene: BaseDistribution, value: Any) -> int:
    if isinstance(gene, CategoricalDistribution):
        return _choices(gene).index(value)
    gene = _numeric(gene)
    return round((value - gene.low) / (gene.step or 1))


def _numeric(gene: BaseDistribution) -> FloatDistribution | IntDistribution:
    """The gene, which is a range of numbers: all of Optuna's distributions that are no choices are."""
    if not isinstance(gene, (FloatDistribution, IntDistribution)):
        raise SearchError(f"A parameter is a {type(gene).__name__}, expected choices or a range of numbers. Suggest it as one.")
    return gene


def _ends(gene: FloatDistribution | IntDistribution) -> tuple[float, float]:
    margin = 0.5 if isinstance(gene, IntDistribution) else 0.0
    low, high = gene.low - margin, gene.high + margin
    return (math.log(low), math.log(high)) if gene.log else (low, high)


def _reflect(position: float) -> float:
    position = abs(position) % 2
    return 2 - position if position > 1 else position
