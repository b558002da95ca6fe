"""What the weights in a model file have in common: the 2:4 pattern, and how few different values they take."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from projectkit.measure.parsing import parse_file
from projectkit.measure.stored_kernels import Kernel, litert_kernels, onnx_kernels
from projectkit.types import Artifact


@dataclass(frozen=True, slots=True)
class Patterns:
    """What the kernels of convolutions and matrix products keep to.

    two_of_four       the share of their weights that lie in kernels with at most 2 non-zeros among every 4 neighbours along the
                      input channels: only a kernel that keeps to it everywhere can be given to a GPU's sparse tensor cores.
                      Kernels whose input channels are no multiple of 4 do not count as keeping to it, depthwise ones included
    distinct_weights  how many different values the filter stores that has most of them; batch normalization and the scales
                      of int8 are folded into filters, so that weights share values within a filter only
    Both are None when the file stores no kernel.
    """

    two_of_four: float | None
    distinct_weights: int | None


def read_patterns(artifact: Artifact) -> Patterns:
    """Reads the weights of `artifact`, without a runtime. Raises ArtifactError when the file is malformed, may hide weights in
    operators such as loops, or stores only the non-zero weights of a kernel (precision "sparse")."""
    readers = {"litert": litert_kernels, "onnx": onnx_kernels}
    return parse_file(artifact, {name: partial(_patterns_of, kernels) for name, kernels in readers.items()})


def _patterns_of(kernels: Callable[[bytes], Iterator[Kernel]], content: bytes) -> Patterns:
    weights = fitting = distinct = 0
    for kernel in kernels(content):
        weights += kernel.values.size
        fitting += kernel.values.size * _is_two_of_four(kernel)
        distinct = max(distinct, _most_distinct(kernel.values))
    return Patterns(fitting / weights, distinct) if weights else Patterns(None, None)


def _most_distinct(values: np.ndarray) -> int:
    """Of all filters at once: a stranger's file may have millions."""
    ordered = np.sort(values.reshape(len(values), -1), axis=1)
    return 1 + int((ordered[:, 1:] != ordered[:, :-1]).sum(axis=1).max(initial=0))


def _is_two_of_four(kernel: Kernel) -> bool:
    if kernel.nonzero.shape[-1] % 4:
        return False
    by_four = np.ascontiguousarray(kernel.nonzero).reshape(-1, 4).view(np.uint8)
    return bool(by_four.sum(axis=1, dtype=np.uint8).max() <= 2)
