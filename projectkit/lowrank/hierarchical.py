"""HT-2: hierarchical Tucker decomposition, two 1×1 convolutions around a vertical and a horizontal one."""

import numpy as np

from projectkit.lowrank.chain import Chain, Stage, product
from projectkit.lowrank.checks import checked, ranks_of
from projectkit.lowrank.factors import Rank


def ht2(kernel: np.ndarray, rank: Rank) -> Chain:
    """Hierarchical Tucker-2 (Gabor and Zdunek, "Compressing convolutional neural networks with hierarchical Tucker-2
    decomposition", Applied Soft Computing 132, 2023).

    The channels are projected onto the left singular vectors of their unfoldings, ranks R₁ of the inputs and R₃ of the outputs;
    what is left, as a matrix (R₁ · height, width · R₃), is split by an SVD of rank R₁₃. Four convolutions: 1×1 S → R₁,
    height×1 R₁ → R₁₃, 1×width R₁₃ → R₃, 1×1 R₃ → T: S·R₁ + R₁·D·R₁₃ + R₁₃·D·R₃ + R₃·T parameters.
    kernel: (height, width, in, out); rank: (R₁, R₃, R₁₃). Raises ModelError as `svd`.
    """
    kernel = checked(kernel, (4,), "ht2")
    height, width = kernel.shape[:2]
    first, third, middle = ranks_of(rank, most(kernel.shape), "ht2")
    by_ins, by_outs, _ = unfoldings(kernel)
    of_ins, of_outs = _directions(by_ins, first), _directions(by_outs, third)
    left_over = np.einsum("hwst,sa,tb->ahwb", kernel, of_ins, of_outs)
    middle = min(middle, first * height, width * third)
    left, values, right = np.linalg.svd(left_over.reshape(first * height, width * third), full_matrices=False)
    root = np.sqrt(values[:middle])
    vertical = (left[:, :middle] * root).reshape(first, height, middle).transpose(1, 0, 2)
    horizontal = (root[:, None] * right[:middle]).reshape(middle, width, third).transpose(1, 0, 2)
    kernels = (of_ins[None, None], vertical[:, None], horizontal[None], of_outs.T[None, None])
    stages = tuple(Stage(np.ascontiguousarray(one, np.float32)) for one in kernels)
    return Chain((first, third, middle), stages, product)


def most(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The largest ranks of a kernel of this shape: of the inputs, of the outputs, and between the two spatial axes."""
    height, width, ins, outs = shape
    first, third = min(ins, height * width * outs), min(outs, height * width * ins)
    return first, third, min(first * height, width * third)


def unfoldings(kernel: np.ndarray) -> tuple[np.ndarray, ...]:
    """The matrices that the ranks are those of: (in, the rest), (out, the rest), (in · height, width · out)."""
    height, width, ins, outs = kernel.shape
    by_channel = (np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1) for axis in (2, 3))
    return (*by_channel, kernel.transpose(2, 0, 1, 3).reshape(ins * height, width * outs))


def _directions(unfolding: np.ndarray, count: int) -> np.ndarray:
    """The left singular vectors of the largest `count` singular values, one a column."""
    return np.linalg.svd(unfolding, full_matrices=False)[0][:, :count]
