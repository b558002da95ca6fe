"""Fully connected networks."""

import tf_keras as keras
from tf_keras import layers


def mlp(shape: tuple[int, ...], classes: int, *, widths: tuple[int, ...] = (64, 64)) -> keras.Model:
    """A multi-layer perceptron: flatten, then one ReLU layer per width, then logits."""
    inputs = x = keras.Input(shape, name="image")
    x = layers.Flatten()(x)
    for width in widths:
        x = layers.Dense(width, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="mlp")


def lenet300(shape: tuple[int, ...], classes: int) -> keras.Model:
    """LeNet-300-100: 784-300-100-10 on MNIST, 266 610 parameters (LeCun et al., "Gradient-based learning applied to
    document recognition", 1998), the classic of the pruning literature."""
    return mlp(shape, classes, widths=(300, 100))
