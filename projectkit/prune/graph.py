"""Follows every single channel through a functional Keras model.

A producer makes new channels, other layers pass them on, drop them or join them with others. Two channels that are added
or multiplied, or that one shared layer handles alike, end up in one class: they stand or fall together. Keeping the book
channel by channel, and not layer by layer, is what makes Concatenate, Flatten and partly shared sums exact.
Idea: Fang et al., "DepGraph: towards any structural pruning", 2023.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError

if TYPE_CHECKING:
    import tensorflow as tf

# What lies along the last axes of each weight, counted from the right: the layer's input channels ("in"), its output
# channels ("out"), input channels times depth multiplier ("wide"), or no channels ("").
PRODUCERS: dict[type, dict[str, tuple[str, ...]]] = {
    **{kind: {"kernel": ("in", "out"), "bias": ("out",)} for kind in (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Dense)},
    layers.Conv2DTranspose: {"kernel": ("out", "in"), "bias": ("out",)},
    layers.SeparableConv2D: {"depthwise_kernel": ("in", ""), "pointwise_kernel": ("wide", "out"), "bias": ("out",)},
}
FOLLOWERS: dict[type, dict[str, tuple[str, ...]]] = {
    layers.BatchNormalization: dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), ("in",)),
    layers.DepthwiseConv2D: {"depthwise_kernel": ("in", ""), "bias": ("wide",)},
    layers.PReLU: {"alpha": ("in",)},
}
WEIGHTS = PRODUCERS | FOLLOWERS
MERGES = (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
RESHAPES = (layers.Flatten, layers.Reshape, layers.Permute)
PASSING = (
    *(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Softmax),
    *(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.GaussianNoise, layers.GaussianDropout),
    *(layers.MaxPooling1D, layers.MaxPooling2D, layers.AveragePooling1D, layers.AveragePooling2D),
    *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D),
    *(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.Cropping1D, layers.Cropping2D),
    *(layers.UpSampling1D, layers.UpSampling2D, layers.Rescaling, layers.Normalization),
)
SUPPORTED = (layers.InputLayer, *WEIGHTS, *MERGES, layers.Concatenate, *RESHAPES, *PASSING)


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """inputs[layer], outputs[layer]: the class of every channel that a layer reads (layers with weights only) and makes.

    fixed[class]: why the channels of a class must stay. Classes are numbered in the order of the graph, from 0 to `count`.
    """

    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    fixed: dict[int, str]
    count: int


def trace(model: keras.Model) -> Channels:
    """Finds the class of every channel of `model`, which stays as it was.

    Raises ModelError when the model is not functional or has layers whose channels nobody can follow.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "_is_graph_network", False):
        raise ModelError(
            f"Received {_described(model)}, which has no graph of layers; expected a functional model, or a Sequential one "
            "that knows its input shape. Build it as keras.Model(inputs, outputs) from keras.Input."
        )
    for layer in model.layers:
        _check(layer)
    tracer = _Tracer()
    for _, nodes in sorted(model._nodes_by_depth.items(), reverse=True):
        for node in nodes:
            tracer.visit(node)
    for tensor in model.outputs:
        tracer.fix(tracer.tensors[id(tensor)], "it is an output of the model")
    return tracer.result()


class _Tracer:
    """The book: channel numbers of every tensor, and which numbers are tied or fixed."""

    def __init__(self) -> None:
        self.tensors: dict[int, np.ndarray] = {}
        self.inputs: dict[str, np.ndarray] = {}
        self.outputs: dict[str, np.ndarray] = {}
        self.ties: list[tuple[np.ndarray, np.ndarray]] = []
        self.fixes: list[tuple[np.ndarray, str]] = []
        self.count = 0

    def visit(self, node: "keras.engine.node.Node") -> None:
        layer, output = node.layer, node.outputs
        channels = output.shape[-1]
        if channels is None:
            raise ModelError(
                f"Layer {layer.name} has an output of shape {output.shape}; expected a last axis of known size. "
                "Give the full shape to keras.Input."
            )
        self.tensors[id(output)] = made = self._made(layer, [self.tensors[id(x)] for x in node.keras_inputs], output)
        self.outputs[layer.name] = made
        if _is_softmax(layer):
            self.fix(made, f"the softmax of {layer.name} weighs its channels against each other")

    def _made(self, layer: keras.layers.Layer, given: list[np.ndarray], output: "tf.Tensor") -> np.ndarray:
        """The numbers of the output's channels."""
        kind, channels = type(layer), output.shape[-1]
        if kind is layers.InputLayer:
            return self.fix(self._new(channels), "it is tied to an input of the model")
        if kind in MERGES:
            return self._merged(layer, given)
        if kind is layers.Concatenate:
            if layer.axis in (-1, len(output.shape) - 1):
                return np.concatenate(given)
            return self._merged(layer, given)
        (ids,) = given
        if kind is layers.Permute and layer.dims[-1] != len(layer.dims):
            return self._broken(ids, channels, f"{layer.name} moves its channels to another axis")
        if kind in RESHAPES:
            if channels % len(ids) == 0:  # the channel axis stays innermost, so it repeats
                return np.tile(ids, channels // len(ids))
            return self._broken(ids, channels, f"{layer.name} spreads its channels over other axes")
        if kind in WEIGHTS:
            self.tie(self.inputs.setdefault(layer.name, ids), ids)  # a layer that is called twice ties what it reads
            if getattr(layer, "groups", 1) > 1:
                return self._broken(ids, channels, f"{layer.name} is a grouped convolution")
        if kind in PRODUCERS:
            return self.outputs[layer.name] if layer.name in self.outputs else self._new(channels)
        if kind is layers.DepthwiseConv2D:
            return np.repeat(ids, layer.depth_multiplier)
        if _has_values_for_each_channel(layer):
            self.fix(ids, f"{layer.name} has constants for each of its channels")
        return ids

    def _merged(self, layer: keras.layers.Layer, given: list[np.ndarray]) -> np.ndarray:
        widest = max(given, key=len)
        for ids in given:
            if len(ids) == len(widest):
                self.tie(widest, ids)
            else:
                self.fix(ids, f"{layer.name} repeats it over all channels of another tensor")
        return widest

    def _new(self, channels: int) -> np.ndarray:
        self.count += channels
        return np.arange(self.count - channels, self.count)

    def _broken(self, ids: np.ndarray, channels: int, reason: str) -> np.ndarray:
        self.fix(ids, reason)
        return self.fix(self._new(channels), reason)

    def tie(self, first: np.ndarray, second: np.ndarray) -> None:
        self.ties.append((first, second))

    def fix(self, ids: np.ndarray, reason: str) -> np.ndarray:
        self.fixes.append((ids, reason))
        return ids

    def result(self) -> Channels:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        nothing = np.zeros(0, np.int64)
        first, second = (np.concatenate([nothing, *(tie[side] for tie in self.ties)]) for side in (0, 1))
        edges = coo_array((np.ones(len(first)), (first, second)), shape=(self.count, self.count))
        _, labels = connected_components(edges, directed=False)
        _, starts = np.unique(labels, return_index=True)
        classes = np.argsort(np.argsort(starts))[labels]  # numbered by their first channel
        fixed: dict[int, str] = {}
        for ids, reason in self.fixes:
            for number in classes[ids]:
                fixed.setdefault(int(number), reason)
        inputs = {name: classes[ids] for name, ids in self.inputs.items()}
        outputs = {name: classes[ids] for name, ids in self.outputs.items()}
        return Channels(inputs, outputs, fixed, len(starts))


def _check(layer: keras.layers.Layer) -> None:
    """Raises ModelError for a layer whose channels cannot be followed."""
    if type(layer) not in SUPPORTED:
        known = ", ".join(sorted(kind.__name__ for kind in SUPPORTED))
        raise ModelError(
            f"Layer {layer.name} is a {type(layer).__name__}, whose channels cannot be followed; supported are {known}. "
            "Replace it by supported layers, and call the layers of a nested model one by one."
        )
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ModelError(f"Layer {layer.name} is channels_first; expected channels_last. Build the model with that data_format.")
    if isinstance(layer, layers.BatchNormalization):
        axes = np.ravel(layer.axis).tolist()
        if axes != [layer.input_spec.ndim - 1]:
            raise ModelError(f"Layer {layer.name} normalizes axis {axes}; expected the last one. Build it with axis=-1.")
    activation = getattr(layer, "activation", None)
    if activation is not None and not hasattr(keras.activations, getattr(activation, "__name__", "")):
        raise ModelError(
            f"Layer {layer.name} has the activation {activation!r}; expected one of keras.activations, which act on each channel "
            "by itself. Use one of those."
        )


def _is_softmax(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, layers.Softmax) or getattr(layer, "activation", None) is keras.activations.softmax


def _has_values_for_each_channel(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, layers.Rescaling):
        return np.ndim(layer.scale) > 0 or np.ndim(layer.offset) > 0
    return isinstance(layer, layers.Normalization)


def _described(model: object) -> str:
    kind = type(model).__name__
    return f"the model {model.name} ({kind})" if isinstance(model, keras.Model) else f"a {kind}"
