"""A network that trains with parallel branches and runs without them."""

from typing import TYPE_CHECKING

import tf_keras as keras
from tf_keras import layers

from projectkit.models.convnet import BATCH_NORM_MOMENTUM

if TYPE_CHECKING:
    import tensorflow as tf


def branched(
    shape: tuple[int, int, int], classes: int, *, widths: tuple[int, ...] = (16, 32, 64), merged: bool = False
) -> keras.Model:
    """Two blocks per width, the image halved between widths; then the mean over the image, then logits.

    A block is the ReLU of a sum: a 3×3 convolution and a 1×1 convolution, each with batch normalization, and, where the number of
    channels stays, the input itself (after Ding et al., "RepVGG: making VGG-style ConvNets great again", 2021, section 3, where
    that branch is normalized, too). At inference the sum is one 3×3 convolution with a bias (section 3.3): with `merged` a block
    is only that, and waits for its weights. Layers are named block_0, … for a merged block, block_0_3x3, block_0_3x3_norm,
    block_0_1x1, block_0_1x1_norm, … for branches.
    """
    inputs = x = keras.Input(shape, name="image")
    for stage, width in enumerate(widths):
        if stage:
            x = layers.MaxPooling2D()(x)
        for index in (2 * stage, 2 * stage + 1):
            x = (_merged_block if merged else _block)(x, width, f"block_{index}")
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="merged" if merged else "branched")


def _block(x: "tf.Tensor", width: int, name: str) -> "tf.Tensor":
    branches = [x] if x.shape[-1] == width else []
    for size in (3, 1):
        branch = f"{name}_{size}x{size}"
        y = layers.Conv2D(width, size, padding="same", use_bias=False, name=branch)(x)
        branches.append(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{branch}_norm")(y))
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")(branches))


def _merged_block(x: "tf.Tensor", width: int, name: str) -> "tf.Tensor":
    return layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(x)
