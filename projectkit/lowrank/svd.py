"""Truncated singular value decomposition: a matrix as the product of two thin ones."""

import math

import numpy as np

from projectkit.lowrank.chain import Chain, Stage, product
from projectkit.lowrank.checks import checked, ranks_of
from projectkit.lowrank.factors import Rank


def svd(kernel: np.ndarray, rank: Rank) -> Chain:
    """U √S and √S Vᵀ of the largest `rank` singular values: no matrix of that rank is nearer (Eckart and Young, 1936).

    kernel: (in, out), or (height, width, in, out), of which the matrix (height · width · in, out) is taken: a convolution with
    `rank` filters and a 1×1 convolution behind it (Denton et al., "Exploiting linear structure within convolutional networks",
    2014). Raises ModelError for ranks below 1 or above what the matrix can have, and for weights that are not finite.
    """
    kernel = checked(kernel, (2, 4), "svd")
    (rank,) = ranks_of(rank, most(kernel.shape), "svd")
    left, values, right = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), full_matrices=False)
    root = np.sqrt(values[:rank])
    first = (left[:, :rank] * root).reshape(*kernel.shape[:-1], rank)
    second = (root[:, None] * right[:rank]).reshape(*(1,) * (kernel.ndim - 2), rank, kernel.shape[-1])
    return Chain((rank,), (Stage(first.astype(np.float32)), Stage(second.astype(np.float32))), product)


def most(shape: tuple[int, ...]) -> tuple[int]:
    """The largest rank of a kernel of this shape."""
    return (min(math.prod(shape[:-1]), shape[-1]),)


def unfoldings(kernel: np.ndarray) -> tuple[np.ndarray, ...]:
    """The matrices that the ranks are those of."""
    return (kernel.reshape(-1, kernel.shape[-1]),)
