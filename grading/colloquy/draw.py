"""A student's own numbers: drawn from a hash, so that they can be drawn again on any machine."""

import hashlib
import json
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of numbers that depends on `key` alone. Built on `random.random`, the one generator whose sequence Python
    promises to keep between versions."""

    def __init__(self, *key: str) -> None:
        digest = hashlib.sha256(json.dumps(key).encode()).digest()
        self._random = random.Random(int.from_bytes(digest))

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def decimal(self, low: float, high: float, places: int) -> float:
        """A number from low to high with that many decimals, so that it is printed exactly."""
        scale = 10**places
        return round(self.integer(round(low * scale), round(high * scale)) / scale, places)

    def decimals(self, count: int, low: float, high: float, places: int) -> tuple[float, ...]:
        """Several of `decimal`."""
        return tuple(self.decimal(low, high, places) for _ in range(count))

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.integer(0, len(options) - 1)]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """The options in another order (Fisher-Yates)."""
        order = list(options)
        for last in range(len(order) - 1, 0, -1):
            other = self.integer(0, last)
            order[last], order[other] = order[other], order[last]
        return order

    def distribution(self, classes: int) -> tuple[float, ...]:
        """Probabilities of that many classes in steps of 0.05, none below 0.05, that add up to 1."""
        cuts = sorted(self.shuffled(range(1, 20))[: classes - 1])
        return tuple(round((right - left) / 20, 2) for left, right in zip([0, *cuts], [*cuts, 20], strict=True))
