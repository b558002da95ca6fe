"""A network cut in two where the mask of one layer acts: whatever reads the channels reads zeros in place of the masked ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

from projectkit.errors import DataError, ModelError
from projectkit.prune.graph import PRODUCERS, trace
from projectkit.types import Split

KERNELS = ("kernel", "depthwise_kernel")
# What only passes a channel on: the mask acts behind it. A zero before batch normalization would not stay a zero.
FOLLOWERS = (
    layers.BatchNormalization,
    layers.ReLU,
    layers.LeakyReLU,
    layers.PReLU,
    layers.ELU,
    layers.Activation,
    layers.Dropout,
    layers.DepthwiseConv2D,
)
MIXING_ACTIVATIONS = ("softmax", "log_softmax")
HEAD_BATCH = 256  # images

Reading = tuple[int, int]  # the id of a node of the Keras graph, and of a tensor that it reads
Positions = Mapping[Reading, np.ndarray]  # which entry of a mask each channel of that tensor wears


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A network on some images, cut where a layer's mask acts.

    kept: the tensors that cross the cut, (images, …) each. worn: for each of them, which entry of the mask each of its channels
    wears, where all its readers wear the same; None where the tail masks it itself or nothing does. labels: (images,) int32.
    channels: of the layer. tail: turns tensors (rows, …) like `kept`, masked already where `worn` says so, and the masks
    (rows, channels) into logits. behind: the names of the layers that it runs. row_bytes: of its largest tensor, for one image.
    `kept` and the tail are in bfloat16 where that was asked for.
    """

    kept: tuple[tf.Tensor, ...]
    worn: tuple[np.ndarray | None, ...]
    labels: tf.Tensor
    channels: int
    tail: Callable[[list[tf.Tensor], tf.Tensor], tf.Tensor]
    behind: tuple[str, ...]
    row_bytes: int


def cut(
    model: keras.Model,
    layer_name: str,
    data: Split,
    *,
    fixed: Mapping[str, np.ndarray] | None = None,
    bfloat16: bool = False,
) -> Cut:
    """Cuts `model` where the mask of `layer_name` acts and runs the part before it on `data`. Errors as `evaluator`."""
    if not len(data):
        raise DataError("Masks are judged on images, there are none in this split. Give a split with at least one.")
    point = mask_point(model, layer_name)
    if None in model.input_shape[1:]:
        raise ModelError(
            f"{model.name} takes images of {tuple(model.input_shape[1:])}; masks need a fixed size, to know how many fit into "
            f"memory. Build it for {tuple(data.x.shape[1:])}."
        )
    _refuse_bad_data(model, data)
    fixed_gates: dict[Reading, list[tf.Tensor]] = {}
    for name, mask in (fixed or {}).items():
        worn_mask = checked_masks(np.asarray(mask)[None], mask_point(model, name).outputs.shape[-1])
        for reading, where in _positions(model, name).items():
            fixed_gates.setdefault(reading, []).append(_gate(tf.constant(worn_mask), where))
    nodes = nodes_of(model)
    positions = _positions(model, layer_name)
    masked = {node for node, _ in positions}
    behind, tail_nodes = set[int](), []
    for node in nodes:
        if id(node) in masked or any(id(tensor) in behind for tensor in node.keras_inputs):
            tail_nodes.append(node)
            behind |= {id(tensor) for tensor in tf.nest.flatten(node.outputs)}
    crossing = {id(t): t for node in tail_nodes for t in node.keras_inputs if id(t) not in behind}
    worn = {tensor: _worn_by_all(tensor, tail_nodes, positions) for tensor in crossing}
    inner = {reading: where for reading, where in positions.items() if worn.get(reading[1]) is None}
    output = id(model.outputs[0])

    copies = {id(node.layer): _in_bfloat16(node.layer) for node in tail_nodes} if bfloat16 else {}

    def tail(tensors: list[tf.Tensor], masks: tf.Tensor) -> tf.Tensor:
        gates = {reading: list(those) for reading, those in fixed_gates.items()}
        for reading, where in inner.items():
            gates.setdefault(reading, []).append(_gate(masks, where))
        return run(tail_nodes, dict(zip(crossing, tensors, strict=True)), gates, copies)[output]

    tail_ids = {id(node) for node in tail_nodes}
    head_nodes = [node for node in nodes if id(node) not in tail_ids]

    @tf.function(reduce_retracing=True)
    def head(x: tf.Tensor) -> tf.Tensor:
        values = run(head_nodes, {id(model.inputs[0]): x}, fixed_gates)
        return [values[key] for key in crossing]

    x = np.asarray(data.x, np.float32)
    parts = [head(x[start : start + HEAD_BATCH]) for start in range(0, len(x), HEAD_BATCH)]
    kept = [tf.concat(pieces, axis=0) for pieces in zip(*parts, strict=True)]
    shapes = [t.shape[1:] for t in crossing.values()]
    shapes += [t.shape[1:] for node in tail_nodes for t in tf.nest.flatten(node.outputs)]
    return Cut(
        tuple(tf.cast(tensor, tf.bfloat16) if bfloat16 else tensor for tensor in kept),
        tuple(worn.values()),
        tf.constant(data.y, tf.int32),
        int(point.outputs.shape[-1]),
        tail,
        tuple(node.layer.name for node in tail_nodes),
        4 * max(int(np.prod(shape)) for shape in shapes),
    )


def wear(tensor: tf.Tensor, masks: tf.Tensor, positions: np.ndarray) -> tf.Tensor:
    """`tensor` (rows, …, c) times the entries `positions` (c,) of the masks (rows, channels), or of one mask for all rows."""
    return _wear(tensor, _gate(masks, positions))


def _gate(masks: tf.Tensor, positions: np.ndarray) -> tf.Tensor:
    """(rows, c): the entries `positions` of each row; 1 where a position is none of the mask's."""
    channels = masks.shape[-1]
    if np.array_equal(positions, np.arange(channels)):
        return masks
    return tf.gather(tf.pad(masks, [[0, 0], [0, 1]], constant_values=1), positions, axis=1)


def _wear(tensor: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
    ones = tf.ones(len(tensor.shape) - 2, tf.int32)
    shape = tf.concat([tf.shape(gate)[:1], ones, tf.shape(gate)[1:]], 0)
    return tf.reshape(tf.cast(gate, tensor.dtype), shape) * tensor


def _worn_by_all(tensor: int, nodes: "list[keras.engine.node.Node]", positions: Positions) -> np.ndarray | None:
    """What all of `nodes` that read the tensor wear alike; None where they don't."""
    readings = [(id(node), id(t)) for node in nodes for t in node.keras_inputs if id(t) == tensor]
    first = positions.get(readings[0])
    alike = first is not None and all(np.array_equal(first, positions.get(reading, ())) for reading in readings)
    return first if alike else None


def _positions(model: keras.Model, layer_name: str) -> Positions:
    """Who reads the channels of `layer_name`, and which entry of its mask each channel that is read wears: from 0, or the number
    of channels where the mask says nothing of it.

    They are the layers from whose kernels `surgery.remove` would take the channels: behind batch normalization, activation,
    pooling, and also behind sums, where the channels that are added to these wear the same mask. In a network that surgery
    cannot follow, or whose answers the channels reach without such a reader, whatever reads `mask_point`.
    """
    point, nodes = mask_point(model, layer_name), nodes_of(model)
    count = point.outputs.shape[-1]
    at_point = {(id(node), id(point.outputs)): np.arange(count) for node in nodes if _reads(node, point.outputs)}
    try:
        channels = trace(model)
    except ModelError:
        return at_point
    own = channels.outputs[layer_name]
    place = np.full(channels.count, count)
    place[own] = np.arange(count)
    readings: dict[Reading, np.ndarray] = {}
    for node in nodes:
        if type(node.layer) in PRODUCERS and (place[channels.inputs[node.layer.name]] < count).any():
            (tensor,) = node.keras_inputs
            readings[id(node), id(tensor)] = place[channels.inputs[node.layer.name]]
    read = {number for positions in readings.values() for number in positions}
    answers = channels.outputs[model.outputs[0]._keras_history.layer.name]
    whole = read >= set(range(count)) and not np.isin(own, answers).any()
    return readings if whole else at_point


def _reads(node: "keras.engine.node.Node", tensor: tf.Tensor) -> bool:
    return any(one is tensor for one in node.keras_inputs)


def _in_bfloat16(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A copy of the layer that calculates in bfloat16. Batch normalization keeps its statistics in float32."""
    twin = type(layer).from_config(layer.get_config() | {"dtype": "bfloat16"})
    if layer.weights:
        twin.build(layer.get_input_shape_at(0))
        twin.set_weights(layer.get_weights())
    return twin


def _refuse_bad_data(model: keras.Model, data: Split) -> None:
    """ReLU swallows NaN and global pooling takes images of any size: neither would be noticed later."""
    expected, classes = tuple(model.input_shape[1:]), model.output_shape[-1]
    if tuple(data.x.shape[1:]) != expected:
        raise DataError(f"Received images of {tuple(data.x.shape[1:])}; {model.name} takes {expected}. Give data of that size.")
    if not np.isfinite(data.x).all():
        raise DataError(f"{int(np.sum(~np.isfinite(data.x)))} pixels are NaN or infinite; all must be finite. Mend the images.")
    if data.y.min() < 0 or data.y.max() >= classes:
        raise DataError(
            f"Received labels from {data.y.min()} to {data.y.max()}; {model.name} knows 0 to {classes - 1}. "
            "Give data with its classes."
        )


def mask_point(model: keras.Model, layer_name: str) -> "keras.engine.node.Node":
    """The node of the Keras graph where the channels of `layer_name` are finished: the last one of its batch normalization,
    activation and depthwise convolution that nothing else reads.

    Raises ModelError when the layer is unknown, used twice, has no kernel, or makes the model's outputs.
    """
    nodes = nodes_of(model)
    outputs = {id(tensor) for tensor in model.outputs}
    known = [node.layer.name for node in nodes if any(hasattr(node.layer, name) for name in KERNELS)]
    if known.count(layer_name) != 1:
        what = "is used more than once, so its channels" if layer_name in known else "is no layer with a kernel, so its channels"
        raise ModelError(
            f"{model.name}: {layer_name!r} {what} cannot be masked. Choose one of {', '.join(dict.fromkeys(known)) or 'none'}."
        )
    (node,) = (node for node in nodes if node.layer.name == layer_name)
    while id(node.outputs) not in outputs:
        readers = [reader for reader in nodes if _reads(reader, node.outputs)]
        if len(readers) != 1 or not _passes_on(readers[0].layer):
            return node
        node = readers[0]
    raise ModelError(
        f"{model.name}: {layer_name!r} makes the model's outputs, which must all stay. Choose a layer before it: "
        f"{', '.join(name for name in known if name != layer_name) or 'there is none'}."
    )


def _passes_on(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, layers.Activation):
        return getattr(layer.activation, "__name__", "") not in MIXING_ACTIVATIONS
    if isinstance(layer, layers.DepthwiseConv2D):
        return layer.depth_multiplier == 1
    if isinstance(layer, layers.BatchNormalization):
        return tuple(layer.axis) == (layer.input_spec.ndim - 1,)
    return isinstance(layer, FOLLOWERS)


def nodes_of(model: keras.Model) -> list["keras.engine.node.Node"]:
    """The calls of layers that make up `model`, each after those it reads. Raises ModelError where there is no graph of them."""
    if not hasattr(model, "_nodes_by_depth") or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"{model.name} is {type(model).__name__}; expected a functional or sequential model with one input and one output. "
            "Build it with keras.Model(inputs, outputs)."
        )
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in model._nodes_by_depth[depth] if not node.is_input]


def run(
    nodes: "list[keras.engine.node.Node]",
    values: dict[int, tf.Tensor],
    gates: Mapping[Reading, Sequence[tf.Tensor]],
    copies: Mapping[int, keras.layers.Layer] | None = None,
) -> dict[int, tf.Tensor]:
    """Calls the layers of `nodes` in inference mode; values by id of the symbolic tensor. Calling them leaves the model alone.

    copies: by id of a layer, what is called in its stead.
    """
    for node in nodes:

        def value(leaf: object, node: "keras.engine.node.Node" = node) -> object:
            read = values.get(id(leaf), leaf)
            for gate in gates.get((id(node), id(leaf)), ()):
                read = _wear(read, gate)
            return read

        args, kwargs = tf.nest.map_structure(value, (node.call_args, node.call_kwargs))
        results = (copies or {}).get(id(node.layer), node.layer)(*args, **kwargs)
        values.update(zip(map(id, tf.nest.flatten(node.outputs)), tf.nest.flatten(results), strict=True))
    return values


def checked_masks(masks: np.ndarray, channels: int) -> np.ndarray:
    """`masks` as (masks, channels) float32. Raises ModelError when they have another shape or other values than 0 and 1."""
    masks = np.asarray(masks, np.float32)
    if masks.ndim != 2 or masks.shape[1] != channels or not np.isin(masks, (0, 1)).all():
        raise ModelError(
            f"Masks of shape {masks.shape} were given, expected (masks, {channels}) of 0 and 1. One row is one mask, one column "
            "one channel of the layer."
        )
    return masks
