"""Low rank: layers in factors, with fewer parameters and multiply-accumulates than the layer they stand for.

plan = ranks_within(model, "tucker2", parameters=0.25)
smaller = decompose(model, plan).model
fine_tune(smaller, model, dataset, Recipe(epochs=5, learning_rate=1e-3))

FACTORIZERS: (kernel, rank) -> factors, by name.
"""

from projectkit import tensorflow_quietly  # noqa: F401 — before anything below imports tf_keras

# isort: split
from projectkit.lowrank.cp import cp
from projectkit.lowrank.decompose import Decomposed, Outcome, decompose, fine_tune
from projectkit.lowrank.evbmf import evbmf_rank
from projectkit.lowrank.factors import Factors, Place, Rank, Thin, relative_error
from projectkit.lowrank.hierarchical import ht2
from projectkit.lowrank.layers import Found, found_layers
from projectkit.lowrank.methods import FACTORIZERS, Factorizer, Method
from projectkit.lowrank.nonlinear import nonlinear, output_error
from projectkit.lowrank.ranks import (
    Choice,
    Plan,
    energy_rank,
    ranks_by_energy,
    ranks_by_evbmf,
    ranks_by_validation,
    ranks_within,
)
from projectkit.lowrank.ring import tensor_ring
from projectkit.lowrank.svd import svd
from projectkit.lowrank.train_matrix import tensor_train
from projectkit.lowrank.tucker import tucker2

__all__ = [
    "FACTORIZERS",
    "Choice",
    "Decomposed",
    "Factorizer",
    "Factors",
    "Found",
    "Method",
    "Outcome",
    "Place",
    "Plan",
    "Rank",
    "Thin",
    "cp",
    "decompose",
    "energy_rank",
    "evbmf_rank",
    "fine_tune",
    "found_layers",
    "ht2",
    "nonlinear",
    "output_error",
    "ranks_by_energy",
    "ranks_by_evbmf",
    "ranks_by_validation",
    "ranks_within",
    "relative_error",
    "svd",
    "tensor_ring",
    "tensor_train",
    "tucker2",
]
