"""Tensor train of a dense layer: its matrix as a chain of small cores."""

import math
from dataclasses import dataclass

import numpy as np
from tf_keras import layers

from projectkit.errors import ModelError
from projectkit.lowrank.checks import checked, ranks_of
from projectkit.lowrank.factors import Place, Rank, Thin

CORES = 3  # at most: with more, the layers become too thin to be worth a call


@dataclass(frozen=True, slots=True, eq=False)
class TrainMatrix:
    """cores[k]: (r_k, m_k, n_k, r_k+1) with r₀ = r_d = 1; the matrix is (Π m_k, Π n_k)."""

    cores: tuple[np.ndarray, ...]

    @property
    def rank(self) -> tuple[int, ...]:
        """The ranks between the cores."""
        return tuple(core.shape[0] for core in self.cores[1:])

    @property
    def parameters(self) -> int:
        """Those of the cores."""
        return sum(core.size for core in self.cores)

    def kernel(self) -> np.ndarray:
        """(in, out)."""
        whole = np.ones((1, 1, 1))
        for core in self.cores:
            whole = np.einsum("mna,aijb->minjb", whole, core)
            whole = whole.reshape(whole.shape[0] * whole.shape[1], whole.shape[2] * whole.shape[3], -1)
        return whole[..., 0]

    def thin_layers(self, place: Place) -> list[Thin]:
        """As Factors: for each core the input's next factor is brought to the end and multiplied.

        State before core k: (what is left of the input, the output so far, r_k · m_k); the core makes n_k · r_k+1 of the last.
        """
        left = [core.shape[1] for core in self.cores]
        made: list[Thin] = []
        so_far = 1
        for number, core in enumerate(self.cores):
            rank, rows, columns, after = core.shape
            rest = math.prod(left[number + 1 :])
            # (m_k, rest, so far, rank) → (rest, so far, rank, m_k)
            made.append(Thin(layers.Reshape, {"target_shape": (rows, rest * so_far * rank)}))
            made.append(Thin(layers.Permute, {"dims": (2, 1)}))
            made.append(Thin(layers.Reshape, {"target_shape": (rest * so_far, rank * rows)}))
            weights = core.reshape(rank * rows, columns * after)
            made.append(Thin(layers.Dense, {"units": columns * after, "use_bias": False}, (np.ascontiguousarray(weights),)))
            so_far *= columns
        return [*made, Thin(layers.Reshape, {"target_shape": (so_far,)})]


def tensor_train(kernel: np.ndarray, rank: Rank) -> TrainMatrix:
    """A dense layer's matrix in the tensor train format, by TensorLy (Novikov et al., "Tensorizing neural networks", 2015).

    kernel: (in, out), each written as a product of two or three factors that are as equal as they can be; rank: of each bond.
    Raises ModelError as `svd`, and where in or out is a prime number, which has no factors.
    """
    from tensorly.decomposition import tensor_train_matrix

    kernel = checked(kernel, (2,), "tensor_train")
    rows, columns = shapes(kernel.shape)
    ranks = ranks_of(rank, most(kernel.shape), "tensor_train")
    cores = tensor_train_matrix(kernel.reshape(*rows, *columns), [1, *ranks, 1]).factors
    return TrainMatrix(tuple(np.ascontiguousarray(core, np.float32) for core in cores))


def most(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The largest ranks between the cores of a matrix of this shape."""
    sizes = [rows * columns for rows, columns in zip(*shapes(shape), strict=True)]
    return tuple(min(math.prod(sizes[:cut]), math.prod(sizes[cut:])) for cut in range(1, len(sizes)))


def unfoldings(kernel: np.ndarray) -> tuple[np.ndarray, ...]:
    """The matrices that the ranks are those of: pairs of factors of in and out, cut behind each but the last."""
    rows, columns = shapes(kernel.shape)
    count = len(rows)
    pairs = kernel.reshape(*rows, *columns).transpose([axis for place in range(count) for axis in (place, place + count)])
    sizes = [one * other for one, other in zip(rows, columns, strict=True)]
    return tuple(pairs.reshape(math.prod(sizes[:cut]), -1) for cut in range(1, count))


def shapes(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The factors of in and of out, equally many of each. Raises ModelError where there are none."""
    for count in range(CORES, 1, -1):
        rows, columns = _near_equal(shape[0], count), _near_equal(shape[1], count)
        if min(*rows, *columns) > 1:
            return rows, columns
    raise ModelError(
        f"tensor_train: received a kernel of shape {tuple(shape)}; expected numbers of inputs and outputs that are "
        "products of two or more factors. Take svd for this layer, or another number of units."
    )


def _near_equal(number: int, count: int) -> tuple[int, ...]:
    """`count` factors of `number`, the largest as small as possible."""
    if count == 1:
        return (number,)
    best: tuple[int, ...] = (number, *(1,) * (count - 1))
    for factor in (divisor for divisor in range(1, number + 1) if number % divisor == 0):
        one = tuple(sorted((factor, *_near_equal(number // factor, count - 1)), reverse=True))
        if (max(one), -min(one)) < (max(best), -min(best)):
            best = one
    return best
