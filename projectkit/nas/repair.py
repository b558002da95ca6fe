"""One form for architectures that are the same network: genes without effect are set to what they amount to."""

import math
from collections.abc import Iterator
from dataclasses import replace

from projectkit.errors import ModelError
from projectkit.nas.types import Architecture, Block, Cost

Shape = tuple[int, int, int]


def repair(architecture: Architecture, shape: Shape) -> tuple[Architecture, tuple[str, ...]]:
    """The network that `architecture` amounts to on images of `shape` (height, width, channels), and what was changed, in words.

    A stride on a single pixel moves nothing and becomes 1; a kernel reaches no other pixel when it is wider than
    2·size − 1 and is cut to that; a skip between different shapes cannot be added and goes. Repairing twice changes
    nothing more. Raises ModelError for a shape that is none.
    """
    if len(shape) != 3 or any(not isinstance(size, int) or size < 1 for size in shape):
        raise ModelError(
            f"Images of shape {shape!r}: expected (height, width, channels), each at least 1. Give for example (8, 8, 1)."
        )
    blocks, changes = [], []
    for index, block in enumerate(architecture.blocks):
        block, reasons = _repair_block(block, shape)
        changes += [f"block {index}: {reason}" for reason in reasons]
        blocks.append(block)
        shape = after(block, shape)
    return Architecture(tuple(blocks)), tuple(changes)


def after(block: Block, shape: Shape) -> Shape:
    """The shape behind a block, with padding "same"."""
    return math.ceil(shape[0] / block.stride), math.ceil(shape[1] / block.stride), block.filters


def cost(architecture: Architecture, shape: Shape, classes: int) -> Cost:
    """Parameters and multiply-accumulates of `build(architecture, shape, classes)`, in closed form and counted as
    projectkit.models.cost counts: batch normalization is two numbers a channel and no work."""
    architecture, _ = repair(architecture, shape)
    numbers = work = 0
    for block in architecture.blocks:
        channels, shape = shape[2], after(block, shape)
        for kernel_numbers, made in _kernels(block, channels):
            numbers += kernel_numbers + 2 * made
            work += kernel_numbers * shape[0] * shape[1]
    return Cost(parameters=numbers + shape[2] * classes + classes, macs=work + shape[2] * classes)


def _kernels(block: Block, channels: int) -> Iterator[tuple[int, int]]:
    """For each convolution of a block: the numbers in its kernel, the channels it makes."""
    area = block.kernel**2
    if block.depthwise:
        yield area * channels, channels
        yield channels * block.filters, block.filters
    else:
        yield area * channels * block.filters, block.filters


def _repair_block(block: Block, shape: Shape) -> tuple[Block, list[str]]:
    size, reasons = max(shape[:2]), []
    if size == 1 and block.stride > 1:
        reasons.append(f"stride {block.stride} on a single pixel, now 1")
        block = replace(block, stride=1)
    if block.kernel > 2 * size - 1:
        reasons.append(f"kernel {block.kernel} on {size} pixels, now {2 * size - 1}")
        block = replace(block, kernel=2 * size - 1)
    if block.skip and (block.stride != 1 or block.filters != shape[2]):
        reasons.append("a skip between different shapes, now none")
        block = replace(block, skip=False)
    return block, reasons
