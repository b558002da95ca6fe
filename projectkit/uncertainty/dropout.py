"""Monte-Carlo dropout: the units that training drops at random are dropped at prediction, too."""

from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.uncertainty.forward import keras_model
from projectkit.uncertainty.random_passes import random_passes

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras as keras


def mc_dropout(model: "keras.Model", x: np.ndarray, *, samples: int = 20, seed: int = 0) -> np.ndarray:
    """`samples` passes with dropout on: (samples, n, classes), an approximate posterior (Gal and Ghahramani, "Dropout as a
    Bayesian approximation", 2016).

    model: a Keras model that was trained with dropout; `with_dropout` puts it in. Only the dropout is in training mode: batch
    normalization keeps its moving statistics, and the model stays as it was. Raises UncertaintyError for a model without
    dropout, and for NaN logits.
    """
    return random_passes(_awake(keras_model(model, "mc_dropout")), x, samples, seed)


def with_dropout(model: "keras.Model", rate: float) -> "keras.Model":
    """A copy of a Keras model, with its weights, that has dropout in front of every dense layer but one that sees the image.

    Train the copy: a network that was trained without dropout does not bear it. No dropout is put among convolutions, whose batch
    normalization would learn statistics that hold with it only (Li et al., "Understanding the disharmony between dropout and
    batch normalization by variance shift", 2019). Raises UncertaintyError for a rate outside [0, 1), and for a model without such
    a layer or which is not functional.
    """
    import tf_keras as keras

    if not 0 <= rate < 1:
        raise UncertaintyError(f"Received the dropout rate {rate}; expected a share in [0, 1). Give 0.1 to 0.5.")
    weighted = [layer for layer in keras_model(model, "with_dropout").layers if layer.weights]
    preceded = {layer.name for layer in weighted[1:] if isinstance(layer, keras.layers.Dense)}
    if not preceded or isinstance(model, keras.Sequential):
        raise UncertaintyError(
            f"{model.name}: received no dense layer behind another layer with weights; expected a functional model that has one. "
            "Build it with keras.layers.Dropout where you want it."
        )
    config = model.get_config()
    for entry in [entry for entry in config["layers"] if entry["name"] in preceded]:
        dropout = keras.layers.Dropout(rate, name=f"{entry['name']}_dropout")
        calls = range(len(entry["inbound_nodes"]))
        config["layers"].append(
            {
                "class_name": "Dropout",
                "config": dropout.get_config(),
                "name": dropout.name,
                "inbound_nodes": entry["inbound_nodes"],
            }
        )
        entry["inbound_nodes"] = [[[dropout.name, call, 0, {}]] for call in calls]
    twin = keras.Model.from_config(config)
    for layer in weighted:  # by name: the order of the layers may be another
        twin.get_layer(layer.name).set_weights(layer.get_weights())
    return twin


def without_dropout(model: "keras.Model") -> "keras.Model":
    """A copy of a Keras model with its weights, whose dropout never drops anything."""
    import tf_keras as keras

    def quiet(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        config = layer.get_config()
        return layer.__class__.from_config(config | {"rate": 0.0} if isinstance(layer, _kinds()) else config)

    twin = keras.models.clone_model(model, clone_function=quiet)
    twin.set_weights(model.get_weights())
    return twin


def _awake(model: "keras.Model") -> "keras.Model":
    """A copy of `model` whose dropout drops in inference mode, too."""
    import tf_keras as keras

    class Awake(keras.layers.Layer):
        def __init__(self, layer: keras.layers.Layer):
            super().__init__(name=layer.name)
            self.layer = layer

        def call(self, inputs: "tf.Tensor") -> "tf.Tensor":
            return self.layer(inputs, training=True)

    def awake(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        twin = layer.__class__.from_config(layer.get_config())
        return Awake(twin) if isinstance(layer, _kinds()) else twin

    if not any(isinstance(layer, _kinds()) for layer in model.layers):
        raise UncertaintyError(
            f"{model.name}: received a model without dropout; expected a layer that drops units. Train with_dropout(model, 0.2) "
            "first."
        )
    twin = keras.models.clone_model(model, clone_function=awake)
    twin.set_weights(model.get_weights())
    return twin


def _kinds() -> tuple[type, ...]:
    from tf_keras import layers

    return layers.Dropout, layers.GaussianDropout, layers.AlphaDropout
