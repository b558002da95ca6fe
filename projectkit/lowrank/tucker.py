"""Tucker-2: a small convolution between two 1×1 convolutions."""

import numpy as np

from projectkit.lowrank.chain import Chain, Stage, product
from projectkit.lowrank.checks import checked, ranks_of
from projectkit.lowrank.factors import Rank


def tucker2(kernel: np.ndarray, rank: Rank, *, iterations: int = 50) -> Chain:
    """Higher-order orthogonal iteration over the input and the output channels, by TensorLy (Kim et al., "Compression of deep
    convolutional neural networks for fast and low power mobile applications", 2016).

    kernel: (height, width, in, out); rank: (of the inputs, of the outputs); iterations: at most.
    S·R₃ + R₃·R₄·D² + R₄·T parameters for S inputs, T
    outputs and a kernel of D × D. Raises ModelError as `svd`.
    """
    from tensorly.decomposition import partial_tucker

    kernel = checked(kernel, (4,), "tucker2")
    ranks = ranks_of(rank, most(kernel.shape), "tucker2")
    (core, (ins, outs)), _ = partial_tucker(kernel, rank=list(ranks), modes=[2, 3], n_iter_max=iterations, tol=1e-8)
    stages = (ins[None, None], core, outs.T[None, None])
    return Chain(ranks, tuple(Stage(np.ascontiguousarray(stage, np.float32)) for stage in stages), product)


def most(shape: tuple[int, ...]) -> tuple[int, int]:
    """The largest ranks of a kernel of this shape: of its input and of its output channels."""
    height, width, ins, outs = shape
    return min(ins, height * width * outs), min(outs, height * width * ins)


def unfoldings(kernel: np.ndarray) -> tuple[np.ndarray, ...]:
    """The matrices that the ranks are those of: (in, the rest) and (out, the rest)."""
    return tuple(np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1) for axis in (2, 3))
