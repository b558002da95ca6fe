"""A plain convolutional network."""

from typing import TYPE_CHECKING

import tf_keras as keras
from tf_keras import layers

if TYPE_CHECKING:
    import tensorflow as tf

# Keras' default of 0.99 needs hundreds of steps before evaluation sees the true statistics; a digits epoch has 17.
BATCH_NORM_MOMENTUM = 0.9


def convnet(shape: tuple[int, int, int], classes: int, *, widths: tuple[int, ...] = (32, 64, 128)) -> keras.Model:
    """3×3 convolution, batch normalization and ReLU per width, halving the image between them; then the mean over the
    image, then logits."""
    inputs = x = keras.Input(shape, name="image")
    for index, width in enumerate(widths):
        if index:
            x = layers.MaxPooling2D()(x)
        x = conv_block(x, width)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="convnet")


def conv_block(x: "tf.Tensor", width: int, *, kernel: int = 3, stride: int = 1) -> "tf.Tensor":
    """Convolution, batch normalization, ReLU: (n, height, width, channels) → (n, height/stride, width/stride, `width`)."""
    x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    return layers.ReLU()(x)
