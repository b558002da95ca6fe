"""Counts what a .supermask file means: the dense sub-network that its seed and its masks leave."""

from itertools import pairwise

import numpy as np

from projectkit.measure.graph import Graph, Layer, Weights
from projectkit.runtimes.supermask import kept_kernels, parse_supermask


def read_supermask(content: bytes) -> Graph:
    """Weights that take part count as parameters. The file stores none of them, so that no layer has stored weights or bits."""
    supermask = parse_supermask(content)
    layers = tuple(
        Layer(f"dense_{number}", "MatMul", inputs * outputs, inputs * outputs, weights=0, bits=0)
        for number, (inputs, outputs) in enumerate(pairwise(supermask.kept), 1)
    )
    nonzero = sum(int(np.count_nonzero(kernel)) for kernel in kept_kernels(supermask))
    operators = (("MatMul", len(layers)), ("Relu", len(layers) - 1))
    sparsity = 1 - nonzero / supermask.parameters
    return Graph(supermask.parameters, operators, layers, supermask.parameters, Weights(nonzero, sparsity, bits=None))
