"""What thin layers cost, known without building them."""

import math
from collections.abc import Sequence

import numpy as np
from tf_keras import layers

from projectkit.lowrank.factors import Thin


def thin_macs(thin: Sequence[Thin], input_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of the layers one after the other, for one input of `input_shape`."""
    count = 0
    for one in thin:
        _, *shape = one.kind(**one.options).compute_output_shape((None, *input_shape))
        input_shape = tuple(shape)
        if one.kind in (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense):
            count += np.size(one.weights[0]) * math.prod(input_shape[:-1])
    return count
