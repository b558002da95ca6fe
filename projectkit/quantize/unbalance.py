"""Makes a network that computes the same function and that post-training quantization destroys."""

import numpy as np
import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError
from projectkit.models import copy

POOLING = (layers.MaxPooling2D, layers.AveragePooling2D, layers.GlobalAveragePooling2D, layers.Dropout)


def unbalance(model: keras.Model, *, octaves: float = 5.0, seed: int = 0) -> keras.Model:
    """A twin of `model` whose channels are scaled by 2^u, u uniform in [−octaves, octaves], and scaled back one layer later.

    ReLU(s·x) = s·ReLU(x) for s > 0, so the float function is the same. But one activation tensor has one scale for all its
    channels: where their ranges differ by thousands, the small ones round to zero. Trained MobileNets have this trouble
    by themselves; Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019, equations
    6–10, undo it by the same identity.

    `model` stays as it was. Works on chains of convolution, batch normalization, ReLU, pooling and dense layers
    (`models.convnet`); raises ModelError for others, and for chains in which a scale would not come out again.
    """
    twin = copy(model)
    rng = np.random.default_rng(seed)
    factors = None  # of the channels that arrive at the layer in hand
    norm_behind = None  # the batch normalization that can still be scaled: only pooling lies between it and the layer in hand
    for layer in twin.layers[1:]:
        if type(layer) in (layers.Conv2D, layers.Dense) and getattr(layer, "groups", 1) == 1:
            if factors is not None:
                kernel, *rest = layer.get_weights()
                layer.set_weights([kernel / factors[:, None], *rest])
            factors = norm_behind = None
        elif isinstance(layer, layers.BatchNormalization) and factors is None and layer.scale and layer.center:
            norm_behind = layer
        elif isinstance(layer, layers.ReLU) and layer.max_value is None and not layer.threshold:
            if norm_behind is not None:
                factors = _scale(norm_behind, octaves, rng)
                norm_behind = None
        elif not isinstance(layer, POOLING):
            raise ModelError(
                f"{model.name}: unbalance cannot carry a scale through {layer.name} ({type(layer).__name__}); "
                "use a chain such as models.convnet."
            )
    if factors is not None:
        raise ModelError(f"{model.name}: no convolution or dense layer takes the last scale out again; end in a dense layer.")
    return twin


def _scale(norm: layers.BatchNormalization, octaves: float, rng: np.random.Generator) -> np.ndarray:
    """Multiplies the channels that leave `norm` by random factors; returns them, (channels,)."""
    gamma, beta, mean, variance = norm.get_weights()
    factors = np.exp2(rng.uniform(-octaves, octaves, len(gamma))).astype(np.float32)
    norm.set_weights([gamma * factors, beta * factors, mean, variance])
    return factors
