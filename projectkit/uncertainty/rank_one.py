"""A dense or convolutional layer that several members share, up to a vector before its kernel and one behind."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tf_keras import layers


class RankOne(layers.Layer):
    """activation(behind_k ∘ shared(before_k ∘ x) + bias_k), where row i of a batch belongs to member k = i mod `members`.

    shared: the config of a Dense or Conv2D layer. Its kernel is common to all; its bias is not used.
    """

    def __init__(self, shared: dict[str, Any], members: int, **options: Any):
        super().__init__(**options)
        self.members, self._config = members, shared
        self.use_bias, self._activation = shared["config"]["use_bias"], keras.activations.get(shared["config"]["activation"])
        alone = shared["config"] | {"use_bias": False, "activation": "linear", "name": "shared"}
        self.shared = layers.deserialize(shared | {"config": alone})

    @classmethod
    def like(cls, layer: layers.Layer, members: int) -> "RankOne":
        """One for `members` members in the place of a Dense or Conv2D layer."""
        return cls(layers.serialize(layer), members, name=layer.name)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.shared.build(input_shape)
        outputs = self.shared.kernel.shape[-1]
        self.before = self.add_weight("before", (self.members, input_shape[-1]), initializer="ones")
        self.behind = self.add_weight("behind", (self.members, outputs), initializer="ones")
        self.bias = self.add_weight("bias", (self.members, outputs), initializer="zeros") if self.use_bias else None
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        member = tf.range(tf.shape(inputs)[0]) % self.members
        places = [1] * (inputs.shape.rank - 2)  # all places of an image have the same vectors

        def of_its_member(vectors: tf.Variable) -> tf.Tensor:
            return tf.cast(tf.reshape(tf.gather(vectors, member), [-1, *places, vectors.shape[-1]]), inputs.dtype)

        outputs = of_its_member(self.behind) * self.shared(of_its_member(self.before) * inputs)
        return self._activation(outputs + of_its_member(self.bias) if self.use_bias else outputs)

    def take(self, layer: layers.Layer, flipped: float, rng: np.random.Generator) -> None:
        """Takes the weights of `layer` for every member and makes a share `flipped` of the vectors' entries −1."""
        self.shared.kernel.assign(layer.kernel)
        for vectors in (self.before, self.behind):
            vectors.assign(np.where(rng.random(vectors.shape) < flipped, -1.0, 1.0))
        if self.bias is not None:
            self.bias.assign(np.tile(layer.bias, (self.members, 1)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"shared": self._config, "members": self.members}
