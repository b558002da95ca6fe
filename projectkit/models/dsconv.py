"""A network of depthwise separable convolutions."""

import tf_keras as keras
from tf_keras import layers

from projectkit.models.convnet import BATCH_NORM_MOMENTUM, conv_block


def dsconv(shape: tuple[int, int, int], classes: int, *, widths: tuple[int, ...] = (32, 64, 128)) -> keras.Model:
    """A 3×3 convolution, then depthwise separable blocks (Howard et al., "MobileNets", 2017, table 1): a depthwise 3×3
    convolution and a 1×1 convolution, each with batch normalization and ReLU. Each block after the first halves the image."""
    inputs = keras.Input(shape, name="image")
    x = conv_block(inputs, widths[0])
    for width in widths[1:]:
        x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
        x = layers.ReLU()(x)
        x = conv_block(x, width, kernel=1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="dsconv")
