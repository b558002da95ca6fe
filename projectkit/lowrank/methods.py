"""The factorizations by name, and what choosing their ranks needs to know of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from projectkit.errors import ModelError
from projectkit.lowrank.cp import cp
from projectkit.lowrank.cp import most as most_of_cp
from projectkit.lowrank.factors import Factors, Rank
from projectkit.lowrank.hierarchical import ht2
from projectkit.lowrank.hierarchical import most as most_of_ht2
from projectkit.lowrank.hierarchical import unfoldings as unfoldings_of_ht2
from projectkit.lowrank.nonlinear import nonlinear
from projectkit.lowrank.ring import most as most_of_ring
from projectkit.lowrank.ring import tensor_ring
from projectkit.lowrank.ring import unfoldings as unfoldings_of_ring
from projectkit.lowrank.svd import most as most_of_svd
from projectkit.lowrank.svd import svd
from projectkit.lowrank.svd import unfoldings as unfoldings_of_svd
from projectkit.lowrank.train_matrix import most as most_of_train
from projectkit.lowrank.train_matrix import tensor_train
from projectkit.lowrank.train_matrix import unfoldings as unfoldings_of_train
from projectkit.lowrank.tucker import most as most_of_tucker2
from projectkit.lowrank.tucker import tucker2
from projectkit.lowrank.tucker import unfoldings as unfoldings_of_tucker2


class Factorizer(Protocol):
    """Kernel (height, width, in, out) or (in, out), and rank → factors. Raises ModelError for what it cannot factorize."""

    def __call__(self, kernel: np.ndarray, rank: Rank, /) -> Factors: ...


@dataclass(frozen=True, slots=True)
class Method:
    """axes: how many a kernel may have; most: shape → the largest ranks; unfoldings: kernel → the matrices whose ranks they are,
    none where the rank is that of no matrix."""

    factorize: Factorizer
    axes: tuple[int, ...]
    most: Callable[[tuple[int, ...]], tuple[int, ...]]
    unfoldings: Callable[[np.ndarray], tuple[np.ndarray, ...]] | None = None


METHODS: Mapping[str, Method] = {
    "svd": Method(svd, (2, 4), most_of_svd, unfoldings_of_svd),
    "cp": Method(cp, (4,), most_of_cp),
    "tucker2": Method(tucker2, (4,), most_of_tucker2, unfoldings_of_tucker2),
    "ht2": Method(ht2, (4,), most_of_ht2, unfoldings_of_ht2),
    "tensor_ring": Method(tensor_ring, (4,), most_of_ring, unfoldings_of_ring),
    "tensor_train": Method(tensor_train, (2,), most_of_train, unfoldings_of_train),
    "nonlinear": Method(nonlinear, (2, 4), most_of_svd, unfoldings_of_svd),
}
FACTORIZERS: Mapping[str, Factorizer] = {name: method.factorize for name, method in METHODS.items()}
BESIDE = "svd"  # for dense layers and 1×1 convolutions where a method takes only larger kernels, as Gabor and Zdunek do


def known(name: str) -> Method:
    """The method of that name. Raises ModelError for an unknown one."""
    if name not in METHODS:
        raise ModelError(f"There is no factorization {name!r}; known are {', '.join(METHODS)}.")
    return METHODS[name]


def method_for(shape: tuple[int, ...], name: str) -> str | None:
    """The method for a kernel of this shape where `name` is wanted: that, svd for matrices that it does not take, or none."""
    is_matrix = len(shape) == 2 or shape[:2] == (1, 1)
    if len(shape) in known(name).axes and not (is_matrix and 2 not in METHODS[name].axes):
        return name
    return BESIDE if is_matrix else None
