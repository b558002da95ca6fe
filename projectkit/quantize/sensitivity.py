"""Which layers suffer from quantization."""

from dataclasses import dataclass

import numpy as np
import tf_keras as keras

from projectkit.models import copy
from projectkit.quantize.affine import fake_quantize
from projectkit.types import Split

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "embeddings")


@dataclass(frozen=True, slots=True)
class LayerSensitivity:
    """What happens when only this layer's weights are rounded: accuracy in [0, 1], and the mean squared change of the
    logits relative to their own mean square."""

    layer: str
    parameters: int
    accuracy: float
    change: float


def layer_sensitivity(
    model: keras.Model, split: Split, *, bits: int = 4, per_channel: bool = True
) -> tuple[LayerSensitivity, ...]:
    """Rounds the weights of one layer at a time to `bits` bits and watches the answers on `split`, most sensitive first.

    `model` stays as it was. Activations stay in float: the question is where few bits for the weights do harm.
    """
    twin = copy(model)
    before = twin.predict(split.x, batch_size=256, verbose=0)
    rows = []
    for layer in twin.layers:
        kept = layer.get_weights()
        if not kept or not any(hasattr(layer, name) for name in KERNELS):
            continue
        layer.set_weights([_rounded(layer, array, bits, per_channel) for array in kept])
        after = twin.predict(split.x, batch_size=256, verbose=0)
        layer.set_weights(kept)
        rows.append(
            LayerSensitivity(
                layer.name,
                int(sum(array.size for array in kept)),
                float(np.mean(after.argmax(axis=1) == split.y)),
                float(np.mean((after - before) ** 2) / np.mean(before**2)),
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.change))


def _rounded(layer: keras.layers.Layer, array: np.ndarray, bits: int, per_channel: bool) -> np.ndarray:
    if array.ndim < 2:  # biases stay in 32 bits in every format
        return array
    if isinstance(layer, keras.layers.DepthwiseConv2D):  # its output channels are the last two axes: input channel, multiplier
        flat = array.reshape(*array.shape[:-2], -1)
        return fake_quantize(flat, bits=bits, per_channel=per_channel).reshape(array.shape)
    return fake_quantize(array, bits=bits, per_channel=per_channel)
