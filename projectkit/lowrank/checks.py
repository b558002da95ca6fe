"""Refuses kernels and ranks that no factorization can work with."""

import numpy as np

from projectkit.errors import ModelError
from projectkit.lowrank.factors import Rank


def checked(kernel: np.ndarray, axes: tuple[int, ...], method: str) -> np.ndarray:
    """`kernel` as float64. Raises ModelError when it has another number of axes than one of `axes`, or no finite numbers."""
    kernel = np.asarray(kernel)
    if kernel.ndim not in axes or not kernel.size:
        wanted = {4: "(height, width, in, out) of a convolution", 2: "(in, out) of a dense layer"}
        raise ModelError(
            f"{method}: received a kernel of shape {kernel.shape}; expected {' or '.join(wanted[count] for count in axes)}. "
            "Choose another factorization for this layer, or leave it as it is."
        )
    if not np.isfinite(kernel).all():
        count = int((~np.isfinite(kernel)).sum())
        raise ModelError(f"{method}: {count} of {kernel.size} weights are NaN or infinite; expected finite ones. Train it again.")
    return kernel.astype(np.float64)


def ranks_of(rank: Rank, most: tuple[int, ...], method: str) -> tuple[int, ...]:
    """One rank for each of `most`: a single number counts for all, where it is too large as the most that is possible.

    Raises ModelError for a rank that is no whole number from 1 on, for another number of ranks, and, where each has a rank of its
    own, for one above what is possible.
    """
    given = (rank,) if np.ndim(rank) == 0 else tuple(np.ravel(np.asarray(rank)).tolist())
    if not all(isinstance(one, int | np.integer) and not isinstance(one, bool) and one >= 1 for one in given):
        raise ModelError(f"{method}: received the rank {rank}; expected whole numbers from 1 on, at most {_said(most)}.")
    if np.ndim(rank) == 0:
        one = int(given[0])
        if one > max(most):
            raise ModelError(f"{method}: received the rank {one}; expected at most {_said(most)} for this kernel. Give less.")
        return tuple(min(one, limit) for limit in most)
    if len(given) != len(most) or any(one > limit for one, limit in zip(given, most, strict=True)):
        raise ModelError(f"{method}: received the ranks {given}; expected {len(most)} of them, at most {_said(most)}.")
    return tuple(int(one) for one in given)


def _said(most: tuple[int, ...]) -> str:
    return str(most[0]) if len(most) == 1 else str(most)
