"""CP: a sum of outer products, as two 1×1 convolutions around two depthwise ones."""

import math
import warnings
from functools import reduce

import numpy as np

from projectkit.lowrank.chain import Chain, Stage, product
from projectkit.lowrank.checks import checked, ranks_of
from projectkit.lowrank.factors import Rank

ITERATIONS, CORRECTIONS = 100, 30
DEGENERATE = 10.0  # Σ‖component‖² over ‖kernel‖² from which components cancel each other; 1 where they are orthogonal


def cp(kernel: np.ndarray, rank: Rank, *, iterations: int = ITERATIONS) -> Chain:
    """Alternating least squares by TensorLy from the singular vectors (Lebedev et al., "Speeding-up convolutional neural networks
    using fine-tuned CP-decomposition", 2015): R·(S + 2·D + T) parameters.

    Components often grow against each other without bound, and fine-tuning such layers diverges. Then their norms are made as
    small as the same error allows, by the error-preserving correction of Phan et al. ("Stable low-rank tensor decomposition for
    compression of convolutional neural network", ECCV 2020). A kernel of full rank, height · width · min(in, out), is written
    down without iterating. kernel: (height, width, in, out);
    iterations: of the alternating least squares, at most. Raises ModelError as `svd`.
    """
    kernel = checked(kernel, (4,), "cp")
    (limit,) = most(kernel.shape)
    (rank,) = ranks_of(rank, (limit,), "cp")
    factors = _exact(kernel) if rank == limit else _fitted(kernel, rank, iterations)
    rows, columns, ins, outs = factors
    stages = (
        Stage(ins[None, None].astype(np.float32)),
        Stage(rows[:, None, :, None].astype(np.float32), depthwise=True),
        Stage(columns[None, :, :, None].astype(np.float32), depthwise=True),
        Stage(outs.T[None, None].astype(np.float32)),
    )
    return Chain((rank,), stages, product)


def most(shape: tuple[int, ...]) -> tuple[int]:
    """A rank that is always enough."""
    height, width, ins, outs = shape
    return (height * width * min(ins, outs),)


def _exact(kernel: np.ndarray) -> list[np.ndarray]:
    """One component for each pixel of the kernel and each channel of the smaller side."""
    height, width, ins, outs = kernel.shape
    few = min(ins, outs)
    rows = np.repeat(np.eye(height), width * few, axis=1)
    columns = np.tile(np.repeat(np.eye(width), few, axis=1), height)
    units = np.tile(np.eye(few), height * width)
    values = kernel.transpose(3, 0, 1, 2) if ins <= outs else kernel.transpose(2, 0, 1, 3)
    values = values.reshape(values.shape[0], -1)
    return [rows, columns, units, values] if ins <= outs else [rows, columns, values, units]


def _fitted(kernel: np.ndarray, rank: int, iterations: int) -> list[np.ndarray]:
    from tensorly.decomposition import parafac

    norm = float(np.linalg.norm(kernel))
    if norm == 0:
        return [np.zeros((size, rank)) for size in kernel.shape]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it draws the columns for which there are no singular vectors
        weights, factors = parafac(kernel / norm, rank, n_iter_max=iterations, init="svd", tol=1e-7, random_state=0)
    factors = [np.asarray(factor) for factor in factors]
    factors[-1] = factors[-1] * weights
    if _size(factors) > DEGENERATE:
        factors = _corrected(kernel / norm, factors)
    return _balanced(factors, norm)


def _size(factors: list[np.ndarray]) -> float:
    """Σ over the components of their squared norms."""
    return float(np.sum(math.prod(np.sum(factor**2, axis=0) for factor in factors)))


def _corrected(kernel: np.ndarray, factors: list[np.ndarray]) -> list[np.ndarray]:
    """The least components with an error that is not larger, one factor after the other (Phan et al. 2020, equation 3)."""
    allowed = float(np.linalg.norm(kernel - _tensor(factors)))
    for _ in range(CORRECTIONS):
        for mode in range(kernel.ndim):
            others = [factor / np.maximum(np.linalg.norm(factor, axis=0), 1e-12) for factor in factors]
            del others[mode]
            beside = reduce(lambda a, b: np.einsum("ir,jr->ijr", a, b).reshape(-1, a.shape[1]), others)
            unfolding = np.moveaxis(kernel, mode, 0).reshape(kernel.shape[mode], -1)
            smallest = _least_norm(unfolding, beside, allowed)
            if smallest is None:
                continue
            for place, factor in zip([m for m in range(kernel.ndim) if m != mode], others, strict=True):
                factors[place] = factor
            factors[mode] = smallest
    return factors


def _least_norm(unfolding: np.ndarray, beside: np.ndarray, allowed: float) -> np.ndarray | None:
    """The A of the least norm with ‖unfolding − A besideᵀ‖ ≤ allowed, by the multiplier μ of A = X B (BᵀB + μ)⁻¹; None where
    rounding leaves none."""
    gram, target = beside.T @ beside, unfolding @ beside
    values, vectors = np.linalg.eigh(gram)
    turned, rest = target @ vectors, float(np.sum(unfolding**2))

    def error(multiplier: float) -> float:
        factor = turned / (values + multiplier)
        return math.sqrt(max(rest - 2 * float(np.sum(factor * turned)) + float(np.sum(factor**2 * values)), 0.0))

    low, high = 1e-12, 1.0
    if error(low) > allowed:
        return None
    while error(high) <= allowed and high < 1e12:
        high *= 10
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if error(middle) <= allowed else (low, middle)
    return (turned / (values + low)) @ vectors.T


def _tensor(factors: list[np.ndarray]) -> np.ndarray:
    return np.einsum("ar,br,cr,dr->abcd", *factors, optimize=True)


def _balanced(factors: list[np.ndarray], norm: float) -> list[np.ndarray]:
    """The same components, each spread evenly over its factors, times `norm`."""
    lengths = [np.maximum(np.linalg.norm(factor, axis=0), 1e-30) for factor in factors]
    even = (math.prod(lengths) * norm) ** (1 / len(factors))
    return [factor / length * even for factor, length in zip(factors, lengths, strict=True)]
