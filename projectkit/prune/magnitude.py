"""Scores from the size of a filter's weights. The data is not looked at."""

import numpy as np
import tf_keras as keras
from tf_keras import layers

from projectkit.prune.cut import mask_point
from projectkit.types import Split


def l1(model: keras.Model, layer_name: str, data: Split, *, seed: int = 0) -> np.ndarray:
    """Σ|w| of each filter: (channels,) (Li et al., "Pruning filters for efficient ConvNets", PFEC, 2017, section 3.1)."""
    return np.abs(filters(model, layer_name)).sum(axis=1)


def l2(model: keras.Model, layer_name: str, data: Split, *, seed: int = 0) -> np.ndarray:
    """√Σw² of each filter: (channels,) (He et al., "Soft filter pruning", 2018, equation 2 with p = 2)."""
    return np.sqrt(np.square(filters(model, layer_name)).sum(axis=1))


def filters(model: keras.Model, layer_name: str) -> np.ndarray:
    """The filters of a layer without biases: (channels, weights) float64. Raises ModelError for a layer that cannot be masked."""
    mask_point(model, layer_name)
    layer = model.get_layer(layer_name)
    if isinstance(layer, layers.DepthwiseConv2D):  # (height, width, channels, multiplier): the last two are its outputs
        kernel = layer.depthwise_kernel.numpy()
        kernel = kernel.reshape(*kernel.shape[:2], -1)
    elif isinstance(layer, layers.Conv2DTranspose):  # (height, width, outputs, inputs)
        kernel = np.moveaxis(layer.kernel.numpy(), -2, -1)
    elif isinstance(layer, layers.SeparableConv2D):  # its pointwise part makes its outputs
        kernel = layer.pointwise_kernel.numpy()
    else:
        kernel = layer.kernel.numpy()
    return kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64)
