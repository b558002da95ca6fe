"""The layers of a model that can be factorized, and why others cannot."""

from dataclasses import dataclass

import numpy as np
import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError
from projectkit.lowrank.factors import Place
from projectkit.models.cost import layer_macs


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A layer with a kernel. input_shape: without the batch axis; macs: of all its
    calls, for one image; bias: how many numbers that has; reason: why it must stay
    as it is, empty where it can be factorized."""

    name: str
    kernel: np.ndarray
    place: Place
    input_shape: tuple[int, ...]
    calls: int
    macs: int
    bias: int
    reason: str = ""


def found_layers(model: keras.Model) -> list[Found]:
    """Every layer of `model` that multiplies by a kernel, in the order of the graph.

    Raises ModelError for a model that is not functional or whose image size is open.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "_is_graph_network", False):
        raise ModelError(
            f"Received {getattr(model, 'name', type(model).__name__)}, which has no graph of layers; expected a functional "
            "model, or a Sequential one that knows its input shape. Build it as keras.Model(inputs, outputs) from keras.Input."
        )
    if any(None in tensor.shape[1:] for tensor in model.inputs):
        raise ModelError(
            f"{model.name}: the size of its images is open; expected one size, for example keras.Input((32, 32, 3))."
        )
    counts, nodes = layer_macs(model), _calls(model)
    return [_found(layer, nodes[layer.name], counts.get(layer.name, 0)) for layer in model.layers if _weights(layer) is not None]


def _found(layer: keras.layers.Layer, shapes: list[tuple[int, ...]], macs: int) -> Found:
    kernel = np.asarray(_weights(layer))
    bias = kernel.shape[-1] if getattr(layer, "use_bias", False) else 0
    place, reason = Place(), ""
    if type(layer) not in (layers.Conv2D, layers.Dense):
        reason = f"a {type(layer).__name__} is not factorized, only Conv2D and Dense are"
    elif len(set(shapes)) > 1:
        reason = f"it is called on images of different sizes, {shapes[0]} and {next(one for one in shapes if one != shapes[0])}"
    elif type(layer) is layers.Conv2D:
        place = Place(layer.strides, layer.dilation_rate, layer.padding, (shapes[0][0], shapes[0][1]))
        if layer.groups > 1:
            reason = f"it is a convolution in {layer.groups} groups, each of which is small already"
        elif layer.data_format != "channels_last" or layer.padding not in ("same", "valid"):
            reason = f"its data are {layer.data_format} and its padding is {layer.padding!r}"
    elif len(shapes[0]) != 1:
        reason = f"it is a dense layer on {len(shapes[0])} axes"
    return Found(layer.name, kernel, place, shapes[0], len(shapes), macs, bias, reason)


def _weights(layer: keras.layers.Layer) -> np.ndarray | None:
    weight = getattr(layer, "kernel", getattr(layer, "depthwise_kernel", None))
    return None if weight is None else weight.numpy()


def _calls(model: keras.Model) -> dict[str, list[tuple[int, ...]]]:
    """Layer name → the shapes of what it reads, without the batch axis, a call each."""
    calls: dict[str, list[tuple[int, ...]]] = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if not node.is_input:
                shape = node.input_shapes[0] if isinstance(node.input_shapes, list) else node.input_shapes
                calls.setdefault(node.layer.name, []).append(tuple(shape[1:]))
    return calls
