"""The search space as data: what each block may be, and how a trial chooses."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, CategoricalDistribution

from projectkit.errors import ModelError
from projectkit.nas.types import Architecture, Block

CHOICES_OF_A_BLOCK = ("filters", "kernel", "stride", "depthwise", "activation", "skip")


class Chooser(Protocol):
    """What a space asks: Optuna's Trial and FixedTrial are such."""

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Space:
    """The choices of an architecture: how many blocks, and for each of them its fields.

    A choice with one member is not asked. Conditional: the fields of block i only when there are more than i blocks, and its
    skip only where the shape allows one (stride 1, as many filters as channels come in). Raises ModelError for a choice
    that is empty, says something twice or that no network can have.
    """

    depth: tuple[int, ...] = (1, 2, 3, 4)
    filters: tuple[int, ...] = (8, 16, 32, 64)
    kernel: tuple[int, ...] = (1, 3, 5)
    stride: tuple[int, ...] = (1, 2)
    depthwise: tuple[bool, ...] = (False, True)
    activation: tuple[str, ...] = ("relu", "swish")
    skip: tuple[bool, ...] = (False, True)

    def __post_init__(self) -> None:
        for name in ("depth", *CHOICES_OF_A_BLOCK):
            choices = getattr(self, name)
            if not isinstance(choices, tuple) or not choices or len(set(choices)) != len(choices):
                raise ModelError(
                    f"The space's {name} is {choices!r}; expected a tuple of at least one choice, each once. "
                    "Give for example (3, 5), or (3,) for no choice."
                )
            for choice in choices:
                if name == "depth" and (isinstance(choice, bool) or not isinstance(choice, int) or choice < 1):
                    raise ModelError(f"A depth of {choice!r} blocks: expected a whole number of at least 1. Give for example 2.")
                if name != "depth":
                    Block(**{"filters": 1, name: choice})  # refuses with a reason

    def genes(self) -> Mapping[str, BaseDistribution]:
        """Every parameter that some architecture of the space is asked for, by name: what the strategies search."""
        asked = {"depth": self.depth}
        for index in range(max(self.depth)):
            skippable = index and 1 in self.stride
            fields = CHOICES_OF_A_BLOCK if skippable else CHOICES_OF_A_BLOCK[:-1]
            asked |= {_gene(name, index): getattr(self, name) for name in fields}
        return {name: CategoricalDistribution(choices) for name, choices in asked.items() if len(choices) > 1}

    def sample(self, trial: Chooser) -> Architecture:
        """The architecture that `trial` chooses, asked only for what has an effect."""
        blocks: list[Block] = []
        for index in range(_ask(trial, "depth", self.depth)):
            fields = {name: _ask(trial, _gene(name, index), getattr(self, name)) for name in CHOICES_OF_A_BLOCK[:-1]}
            skip = self._may_skip(blocks, fields) and _ask(trial, _gene("skip", index), self.skip)
            blocks.append(Block(**fields, skip=skip))
        return Architecture(tuple(blocks))

    def architectures(self) -> Iterator[Architecture]:
        """Every architecture of the space, each once, before any repair for the size of the images."""
        for depth in self.depth:
            yield from (Architecture(blocks) for blocks in self._chains((), depth))

    def values(self, architecture: Architecture) -> dict[str, Any]:
        """The choices that make `sample` give this architecture, for `study.enqueue_trial`. Raises ModelError when none do."""
        values = {"depth": len(architecture.blocks)}
        for index, block in enumerate(architecture.blocks):
            values |= {_gene(name, index): getattr(block, name) for name in CHOICES_OF_A_BLOCK}
        asked = _Recorder(values)
        if any(v not in getattr(self, n.partition("_")[0]) for n, v in values.items() if not n.startswith("skip")) or (
            self.sample(asked) != architecture
        ):
            raise ModelError(f"{architecture} is not in the space {self}. Repair it, or widen the space's choices.")
        return asked.asked

    def _may_skip(self, before: Sequence[Block], fields: Mapping[str, Any]) -> bool:
        return bool(before) and fields["stride"] == 1 and fields["filters"] == before[-1].filters

    def _chains(self, before: tuple[Block, ...], depth: int) -> Iterator[tuple[Block, ...]]:
        if len(before) == depth:
            yield before
            return
        for values in itertools.product(*(getattr(self, name) for name in CHOICES_OF_A_BLOCK[:-1])):
            fields = dict(zip(CHOICES_OF_A_BLOCK, values, strict=False))
            for skip in self.skip if self._may_skip(before, fields) else (False,):
                yield from self._chains((*before, Block(**fields, skip=skip)), depth)


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Answers from a dict and keeps what was asked."""

    values: dict[str, Any]
    asked: dict[str, Any] = field(default_factory=dict)

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        self.asked[name] = self.values[name]
        return self.values[name]


def _gene(name: str, index: int) -> str:
    return f"{name}_{index}"


def _ask(trial: Chooser, name: str, choices: tuple[Any, ...]) -> Any:
    return choices[0] if len(choices) == 1 else trial.suggest_categorical(name, choices)
