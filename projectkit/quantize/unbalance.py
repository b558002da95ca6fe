"""Makes a network that computes the same function and that post-training quantization destroys."""

import numpy as np
import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError
from projectkit.models import copy

PASSES_CHANNELS = (layers.ReLU, layers.MaxPooling2D, layers.AveragePooling2D, layers.GlobalAveragePooling2D, layers.Dropout)


def unbalance(model: keras.Model, *, octaves: float = 6.0, seed: int = 0) -> keras.Model:
    """A twin of `model` whose channels are scaled by 2^u, u uniform in [−octaves, octaves], and scaled back one layer later.

    ReLU(s·x) = s·ReLU(x) for s > 0, so the float function is the same. But one activation tensor has one scale for all its
    channels: where their ranges differ by thousands, the small ones round to zero. Trained MobileNets have this trouble
    by themselves; Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019, equations
    6–10, undo it by the same identity.

    `model` stays as it was. Works on chains of convolution, batch normalization, ReLU, pooling and dense layers
    (`models.convnet`); raises ModelError for others.
    """
    twin = copy(model)
    rng = np.random.default_rng(seed)
    factors = None  # of the channels that arrive at the layer in hand
    norm_behind = None
    for layer in twin.layers[1:]:
        if isinstance(layer, layers.Conv2D | layers.Dense):
            if factors is not None:
                kernel, *rest = layer.get_weights()
                layer.set_weights([kernel / factors[:, None], *rest])
            factors = None
        elif isinstance(layer, layers.BatchNormalization):
            norm_behind = layer
        elif isinstance(layer, layers.ReLU) and norm_behind is not None:
            gamma, beta, mean, variance = norm_behind.get_weights()
            factors = np.exp2(rng.uniform(-octaves, octaves, len(gamma))).astype(np.float32)
            norm_behind.set_weights([gamma * factors, beta * factors, mean, variance])
            norm_behind = None
        elif not isinstance(layer, PASSES_CHANNELS):
            raise ModelError(f"{model.name}: unbalance knows no {type(layer).__name__}; use a chain such as models.convnet.")
    return twin
