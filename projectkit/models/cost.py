"""What a model costs, known without training or running it.

Counted as papers on pruning count: multiply-accumulates (which they call FLOPs) of convolutions and dense layers; parameters
that training changes.
"""

import math

import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError


def parameters(model: keras.Model) -> int:
    """Numbers that training finds: kernels, biases, the scale and shift of batch normalization; not its moving averages. A layer
    that is frozen for now counts."""
    found = {id(weight): weight for layer in model._flatten_layers() for weight in layer._trainable_weights}
    return sum(math.prod(weight.shape) for weight in found.values())


def macs(model: keras.Model) -> int:
    """Multiply-accumulates of convolutions and dense layers for one image.

    A layer that is called twice counts twice. Raises ModelError when the size of the images is open or the model is not built.
    """
    if not model.built or None in model.input_shape[1:]:
        raise ModelError(
            f"{model.name}: the work depends on the size of the images, which is open. Build the model for one size, "
            "for example with keras.Input((32, 32, 3))."
        )
    return sum(layer_macs(model).values())


def layer_macs(model: keras.Model) -> dict[str, int]:
    """Multiply-accumulates of each layer that has any, by name, in the order of the graph."""
    counts: dict[str, int] = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            count = _of_call(node)
            if count:
                counts[node.layer.name] = counts.get(node.layer.name, 0) + count
    return counts


def _of_call(node: "keras.engine.node.Node") -> int:
    layer = node.layer
    if isinstance(layer, keras.Model):
        return sum(layer_macs(layer).values())
    if isinstance(layer, (layers.SeparableConv2D, layers.SeparableConv1D)):
        at_each_position = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
    elif hasattr(layer, "depthwise_kernel"):
        at_each_position = math.prod(layer.depthwise_kernel.shape)
    elif hasattr(layer, "kernel"):
        at_each_position = math.prod(layer.kernel.shape)
    else:
        return 0
    # A transposed kernel is laid at every position of its input, any other at every position of its output.
    transposed = isinstance(layer, (layers.Conv2DTranspose, layers.Conv1DTranspose))
    shape = node.input_shapes if transposed else node.output_shapes
    return at_each_position * math.prod(shape[1:-1])
