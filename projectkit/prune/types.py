"""What a pruning step speaks of: channels that stand or fall together."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a group's channels lie in one layer.

    positions: (channels, factor) int64; row c lists where channel c lies on the layer's channel axis. The factor is above
    1 after a Flatten (every pixel has its own copy), a depth multiplier, or when a layer reads the same channels twice.
    axes: (weight, axis) pairs on which `positions` index the layer's weights, for example (("kernel", -2),).
    """

    layer: str
    positions: np.ndarray
    axes: tuple[tuple[str, int], ...]

    @property
    def offset(self) -> int:
        """Where the group's first channel lies: above 0 behind a Concatenate."""
        return int(self.positions.min())

    @property
    def factor(self) -> int:
        """How often each channel occurs."""
        return self.positions.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Channels of which each can only be removed from all of these layers at once.

    Named after its first producer. Producers (Conv, Dense) make the channels, followers (batch normalization, depthwise
    convolution) keep weights for each of them, consumers read them. `reason` says why nothing can be removed; it
    is empty for a prunable group.
    """

    name: str
    channels: int
    producers: tuple[Place, ...]
    followers: tuple[Place, ...]
    consumers: tuple[Place, ...]
    reason: str = ""

    @property
    def prunable(self) -> bool:
        """Whether channels of this group can be removed."""
        return not self.reason
