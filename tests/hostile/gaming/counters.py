"""Kinds that deceive what is counted in a file: weights, zeros, bits, multiply-accumulates."""

from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from cheats import Cheat
from rewrite import add_constant, add_operator, add_tensor, read, write

ZEROS = 100_000  # units of the layer that nobody reads: ten times the weights of the baseline


def dead_zeros(network: Path, folder: Path) -> Path:
    """A layer of zeros whose answer nobody reads: the share of zeros rises, the answers stay."""
    model = read(network)
    graph = model.subgraphs[0]
    logits = graph.tensors[graph.outputs[0]]
    zeros = add_constant(model, np.zeros((ZEROS, logits.shape[-1]), np.float32), "zeros")
    nobody = add_tensor(model, (1, ZEROS), np.float32, "nobody")
    add_operator(model, "FULLY_CONNECTED", [graph.outputs[0], zeros, -1], [nobody], schema.FullyConnectedOptionsT())
    return write(model, folder / network.name)


CHEATS = {"a layer of zeros that nobody reads": Cheat(dead_zeros, {"l02_pruning": ("pruned", "two_of_four", "int8")})}
