"""An architecture as a value: a chain of blocks of convolutions. Two equal networks have one digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from projectkit.errors import ModelError

ACTIVATIONS = ("relu", "relu6", "swish")


@dataclass(frozen=True, slots=True)
class Block:
    """One convolution with batch normalization and an activation: (h, w, c) → (⌈h/stride⌉, ⌈w/stride⌉, filters).

    `depthwise`: a kernel per channel followed by a 1×1 convolution, instead of one full convolution. `skip`: the input is
    added before the activation. Raises ModelError for a value that no network can have.
    """

    filters: int
    kernel: int = 3
    stride: int = 1
    depthwise: bool = False
    activation: str = "relu"
    skip: bool = False

    def __post_init__(self) -> None:
        for name in ("filters", "kernel", "stride"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ModelError(f"A block's {name} must be a whole number of at least 1, got {value!r}. Give for example 3.")
        for name in ("depthwise", "skip"):
            if not isinstance(getattr(self, name), bool):
                raise ModelError(f"A block's {name} must be true or false, got {getattr(self, name)!r}. Give one of the two.")
        if self.activation not in ACTIVATIONS:
            raise ModelError(f"There is no activation {self.activation!r} for a block. Choose one of {', '.join(ACTIVATIONS)}.")

    def __str__(self) -> str:
        """Such as "3×3 depthwise 16 /2 swish +skip"; what is usual is not said."""
        words = [f"{self.kernel}×{self.kernel}", "depthwise" * self.depthwise, str(self.filters)]
        words += [f"/{self.stride}" * (self.stride > 1), self.activation * (self.activation != "relu"), "+skip" * self.skip]
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Architecture:
    """Blocks from the image to the mean over it; the logits follow. Raises ModelError without a block."""

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ModelError("An architecture without blocks has nothing to compute with; expected at least one. Add a Block.")

    def __str__(self) -> str:
        return " → ".join(map(str, self.blocks))

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name this architecture; take it of a repaired one, which has no gene without effect."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Cost:
    """What the network costs before it is trained: numbers that training finds, and multiply-accumulates for one image."""

    parameters: int
    macs: int


def parse(fields: Mapping[str, Any]) -> Architecture:
    """The architecture that `dataclasses.asdict` made these fields of (so JSON can hold it). Raises ModelError when none did."""
    try:
        return Architecture(tuple(Block(**block) for block in fields["blocks"]))
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"No architecture can be read from {fields!r} ({error}); expected {{'blocks': [{{'filters': 16, …}}, …]}}. "
            "Write it with dataclasses.asdict(architecture)."
        ) from error
