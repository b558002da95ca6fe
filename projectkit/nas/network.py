"""From an architecture to a network. TensorFlow is loaded here, when the first network is built."""

from typing import TYPE_CHECKING

from projectkit.nas.repair import Shape, repair
from projectkit.nas.types import Architecture, Block

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras as keras


def build(architecture: Architecture, shape: Shape, classes: int) -> "keras.Model":
    """A keras.Model for images of `shape` (height, width, channels), ending in logits (n, classes).

    The architecture is repaired first, so every one that can be written down can be built. Weights depend on the global seed;
    see `keras.utils.set_random_seed`.
    """
    from projectkit import tensorflow_quietly  # noqa: F401

    # isort: split
    import tf_keras as keras
    from tf_keras import layers

    architecture, _ = repair(architecture, shape)
    inputs = x = keras.Input(shape, name="image")
    for block in architecture.blocks:
        x = _block(x, block)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name=f"nas_{architecture.digest}")


def _block(x: "tf.Tensor", block: Block) -> "tf.Tensor":
    from tf_keras import layers

    before = x
    if block.depthwise:
        x = layers.DepthwiseConv2D(block.kernel, strides=block.stride, padding="same", use_bias=False)(x)
        x = _activation(block.activation)(_norm()(x))
        x = layers.Conv2D(block.filters, 1, use_bias=False)(x)
    else:
        x = layers.Conv2D(block.filters, block.kernel, strides=block.stride, padding="same", use_bias=False)(x)
    x = _norm()(x)
    if block.skip:
        x = layers.Add()([before, x])
    return _activation(block.activation)(x)


def _norm() -> "keras.layers.Layer":
    from tf_keras import layers

    from projectkit.models.convnet import BATCH_NORM_MOMENTUM

    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)


def _activation(name: str) -> "keras.layers.Layer":
    from tf_keras import layers

    # Layers of their own: converters fuse them, and pruning and quantization know them.
    return {"relu": layers.ReLU, "relu6": lambda: layers.ReLU(6.0)}.get(name, lambda: layers.Activation(name))()
