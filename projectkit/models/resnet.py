"""Residual networks for small images."""

from typing import TYPE_CHECKING

import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError
from projectkit.models.convnet import BATCH_NORM_MOMENTUM

if TYPE_CHECKING:
    import tensorflow as tf


def resnet(shape: tuple[int, int, int], classes: int, *, depth: int = 20, width: int = 16) -> keras.Model:
    """A ResNet of depth 6n + 2: three stages of n blocks with `width`, 2·`width` and 4·`width` channels
    (He et al., "Deep residual learning", 2015, section 4.2), with 1×1 projections where the shape changes.

    Raises ModelError when depth is not 8, 14, 20, 26, …
    """
    if depth < 8 or (depth - 2) % 6:
        raise ModelError(f"resnet: depth must be 6n + 2 (8, 14, 20, 26, …), got {depth}.")
    return _resnet(shape, classes, blocks=(depth - 2) // 6, width=width, bias=False, name=f"resnet{depth}")


def resnet8(shape: tuple[int, int, int], classes: int) -> keras.Model:
    """The ResNet-8 of MLPerf Tiny's image classification task (Banbury et al., "MLPerf Tiny Benchmark", 2021):
    78 666 parameters on 32×32×3 images and 10 classes, biases in the convolutions included."""
    return _resnet(shape, classes, blocks=1, width=16, bias=True, name="resnet8")


def _resnet(shape: tuple[int, int, int], classes: int, *, blocks: int, width: int, bias: bool, name: str) -> keras.Model:
    inputs = keras.Input(shape, name="image")
    x = layers.ReLU()(_conv_norm(inputs, width, 1, bias))
    for stage in range(3):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            x = _residual_block(x, width * 2**stage, stride, bias)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name=name)


def _residual_block(x: "tf.Tensor", width: int, stride: int, bias: bool) -> "tf.Tensor":
    y = layers.ReLU()(_conv_norm(x, width, stride, bias))
    y = _conv_norm(y, width, 1, bias)
    if stride != 1 or x.shape[-1] != width:
        x = layers.Conv2D(width, 1, strides=stride, padding="same", use_bias=bias)(x)
    return layers.ReLU()(layers.Add()([x, y]))


def _conv_norm(x: "tf.Tensor", width: int, stride: int, bias: bool) -> "tf.Tensor":
    x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=bias)(x)
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
