"""Folds batch normalization and activations into the layers before them, as every converter does; here it can be looked at."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError

# The weight that makes a layer's output channels, and how many of its last axes run over them.
KERNELS = {
    layers.Conv2D: ("kernel", 1),
    layers.Conv1D: ("kernel", 1),
    layers.DepthwiseConv2D: ("depthwise_kernel", 2),  # channel = input · multiplier + copy
    layers.SeparableConv2D: ("pointwise_kernel", 1),
    layers.Dense: ("kernel", 1),
}
ELEMENTWISE = ("relu", "relu6", "sigmoid", "tanh", "swish", "elu", "selu", "gelu", "softplus", "hard_sigmoid", "linear")


def fuse(model: keras.Model) -> keras.Model:
    """A new model that answers as `model` does at inference, with as few layers as folding makes possible.

    y = activation(γ · (layer(x) − μ) / √(σ² + ε) + β) becomes one layer with the kernel γ/√(σ² + ε) · w and the bias
    β + γ/√(σ² + ε) · (b − μ) (B. Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", 2018, equation 14), for Conv2D, Conv1D, DepthwiseConv2D, SeparableConv2D and Dense;
    the activation may be a ReLU layer (up to 6 or without a limit) or an Activation layer.

    What is left: normalization that another layer than these precedes, or with an activation between; layers that are called
    more than once; tensors that anything else reads, too; activations that mix channels. `model` stays as it was; the result is
    for inference only, since its normalization is gone. Raises ModelError for a model that is not functional.
    """
    if not hasattr(model, "_nodes_by_depth"):
        raise ModelError(
            f"{model.name} is {type(model).__name__}; folding needs a functional or sequential model. "
            "Build it with keras.Model(inputs, outputs)."
        )
    nodes = [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]
    folds = _plan(model, nodes)
    inside = {id(part) for fold in folds.values() for part in fold.parts}
    inputs = [keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.node.layer.name) for tensor in model.inputs]
    values = {id(tensor): new for tensor, new in zip(model.inputs, inputs, strict=True)}
    made: dict[int, keras.layers.Layer] = {}  # by the layer that it stands for

    def value_of(leaf: object) -> object:
        return values.get(id(leaf), leaf)

    for node in nodes:
        if node.is_input or id(node) in inside:
            continue
        fold = folds.get(id(node), Fold())
        if id(node.layer) not in made:
            made[id(node.layer)] = _twin(node.layer, fold)
        layer = made[id(node.layer)]
        args, kwargs = tf.nest.map_structure(value_of, (node.call_args, node.call_kwargs))
        results = tf.nest.flatten(layer(*args, **kwargs))
        _set_weights(layer, node.layer, fold)
        for part in (node, *fold.parts):
            values.update(zip(map(id, tf.nest.flatten(part.outputs)), results, strict=True))
    return keras.Model(inputs, [values[id(tensor)] for tensor in model.outputs], name=model.name)


@dataclass(frozen=True, slots=True)
class Fold:
    """What a layer takes in: the calls of a batch normalization and of an activation behind it, in this order."""

    norm: "keras.engine.node.Node | None" = None
    activation: "keras.engine.node.Node | None" = None

    @property
    def parts(self) -> tuple["keras.engine.node.Node", ...]:
        """The calls that it makes superfluous."""
        return tuple(part for part in (self.norm, self.activation) if part is not None)


def _plan(model: keras.Model, nodes: Sequence["keras.engine.node.Node"]) -> dict[int, Fold]:
    """id of a call → what its layer takes in."""
    kept = {id(tensor) for tensor in model.outputs}
    calls = Counter(id(node.layer) for node in nodes)
    readers: dict[int, list[keras.engine.node.Node]] = {}
    for node in nodes:
        for tensor in () if node.is_input else node.keras_inputs:
            readers.setdefault(id(tensor), []).append(node)

    def follower(node: "keras.engine.node.Node") -> "keras.engine.node.Node | None":
        """The only call that reads what `node` makes, if its layer is called once only."""
        behind = readers.get(id(node.outputs), [])
        alone = len(behind) == 1 and id(node.outputs) not in kept and calls[id(behind[0].layer)] == 1
        return behind[0] if alone else None

    folds = {}
    for node in nodes:
        if not _takes_in(node.layer) or calls[id(node.layer)] > 1:
            continue
        norm = follower(node)
        if norm is None or not _normalizes_channels(norm.layer):
            norm = None
        activation = follower(norm or node)
        if activation is None or _function(activation.layer) is None:
            activation = None
        folds[id(node)] = Fold(norm, activation)
    return folds


def _takes_in(layer: keras.layers.Layer) -> bool:
    channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
    return type(layer) in KERNELS and channels_last and layer.activation is keras.activations.linear


def _normalizes_channels(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, layers.BatchNormalization) and tuple(layer.axis) == (layer.input_spec.ndim - 1,)


def _function(layer: keras.layers.Layer) -> Callable[[tf.Tensor], tf.Tensor] | None:
    """The activation as a layer's own option takes it; None where it is no plain function of each number."""
    if type(layer) is layers.Activation:
        name = keras.activations.serialize(layer.activation)
        return layer.activation if name in ELEMENTWISE else None
    if type(layer) is layers.ReLU and not layer.negative_slope and not layer.threshold:
        return {None: keras.activations.relu, 6.0: tf.nn.relu6}.get(None if layer.max_value is None else float(layer.max_value))
    return None


def _twin(layer: keras.layers.Layer, fold: Fold) -> keras.layers.Layer:
    """A layer of the same kind that has room for what it takes in."""
    if isinstance(layer, keras.Model):
        return fuse(layer)
    config = layer.get_config()
    if fold.norm is not None:
        config["use_bias"] = True
    if fold.activation is not None:
        config["activation"] = _function(fold.activation.layer)
    return type(layer).from_config(config)


def _set_weights(twin: keras.layers.Layer, layer: keras.layers.Layer, fold: Fold) -> None:
    if isinstance(layer, keras.Model):
        return
    if fold.norm is None:
        twin.set_weights(layer.get_weights())
        return
    scale, shift = _scale_and_shift(fold.norm.layer)
    name, axes = KERNELS[type(layer)]
    kernel = getattr(layer, name).numpy().astype(np.float64)
    bias = layer.bias.numpy().astype(np.float64) if layer.use_bias else 0.0
    getattr(twin, name).assign(kernel * scale.reshape(kernel.shape[-axes:]))
    twin.bias.assign(scale * bias + shift)
    if isinstance(layer, layers.SeparableConv2D):
        twin.depthwise_kernel.assign(layer.depthwise_kernel)


def _scale_and_shift(norm: keras.layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    """Batch normalization at inference as y = scale · x + shift, (channels,) each, in float64."""
    mean, variance = (array.numpy().astype(np.float64) for array in (norm.moving_mean, norm.moving_variance))
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * norm.gamma.numpy()
    return scale, (norm.beta.numpy() if norm.center else 0.0) - scale * mean
