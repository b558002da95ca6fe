"""Weight sharing: one network that holds every architecture of a space is trained once, and each is judged by what it inherits.

net = build(SPACE, SHAPE, CLASSES, seed=0)
train(net, dataset, Recipe(epochs=60, learning_rate=0.1, optimizer="sgd"))
accuracies(net, SPACE.architectures(), dataset)

Single path, one shot (Guo et al., "Single path one-shot neural architecture search with uniform sampling", 2020; the slices after
Yu and Huang, "Universally slimmable networks", 2019). Whether its ranking is that of training each on its own is another matter
(Yu et al., "Evaluating the search phase of neural architecture search", 2020): compare it with the table.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from projectkit.errors import ModelError
from projectkit.nas import network
from projectkit.nas.repair import Shape, repair
from projectkit.nas.space import Space
from projectkit.nas.types import Architecture, Block
from projectkit.types import Dataset, Recipe

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras as keras

EPSILON = 1e-3  # of batch normalization, as Keras has it
Statistics = list[tuple["tf.Tensor", "tf.Tensor"]]


@dataclass(frozen=True, slots=True)
class Supernet:
    """The weights of the largest network of a space, by name: block i has conv_i (k, k, in, filters), depthwise_i (k, k, in, 1)
    with pointwise_i (1, 1, in, filters), or both kinds, each with the scale and shift of its batch normalization."""

    space: Space
    shape: Shape
    classes: int
    weights: Mapping[str, "tf.Variable"]


@dataclass(slots=True)
class _Norms:
    """The statistics of batch normalization along one path: those given, in their order, else those of the batch, kept."""

    given: Statistics | None = None
    met: Statistics = field(default_factory=list)

    def of(self, x: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
        import tensorflow as tf

        self.met.append(tf.nn.moments(x, (0, 1, 2)) if self.given is None else self.given[len(self.met)])
        return self.met[-1]


def build(space: Space, shape: Shape, classes: int, *, seed: int) -> Supernet:
    """An untrained supernet for images of `shape` (height, width, channels). Two with one seed are equal."""
    from projectkit import tensorflow_quietly  # noqa: F401

    # isort: split
    import tensorflow as tf
    import tf_keras as keras

    most, kernel = max(space.filters), max(space.kernel)
    weights: dict[str, tf.Variable] = {}

    def add(name: str, shape: tuple[int, ...]) -> None:
        weights[name] = tf.Variable(keras.initializers.GlorotUniform(seed=seed * 1000 + len(weights))(shape), name=name)

    def add_with_norm(name: str, shape: tuple[int, ...], channels: int) -> None:
        add(name, shape)
        weights[f"{name}_scale"] = tf.Variable(tf.ones(channels), name=f"{name}_scale")
        weights[f"{name}_shift"] = tf.Variable(tf.zeros(channels), name=f"{name}_shift")

    for index in range(max(space.depth)):
        channels = most if index else shape[2]
        if False in space.depthwise:
            add_with_norm(f"conv_{index}", (kernel, kernel, channels, most), most)
        if True in space.depthwise:
            add_with_norm(f"depthwise_{index}", (kernel, kernel, channels, 1), channels)
            add_with_norm(f"pointwise_{index}", (1, 1, channels, most), most)
    add("logits", (most, classes))
    weights["logits_bias"] = tf.Variable(tf.zeros(classes), name="logits_bias")
    return Supernet(space, shape, classes, weights)


def train(net: Supernet, dataset: Dataset, recipe: Recipe) -> tuple[float, ...]:
    """Trains the weights in place; each batch goes through one architecture, chosen by `space.sample` uniformly gene by gene.

    Of the recipe: epochs, batch size, optimizer with rate, schedule and weight decay, seed; no augmentation, no label smoothing.
    Returns the mean loss of each epoch. Equal for equal seeds. Raises ModelError when the loss stops being finite.
    """
    import tensorflow as tf

    from projectkit.train.fit import optimizer_for

    optimizer, rng, losses = optimizer_for(recipe, dataset), np.random.default_rng(recipe.seed), []
    optimizer.build(list(net.weights.values()))
    for epoch in range(recipe.epochs):
        order, of_batches = rng.permutation(len(dataset.train)), []
        for start in range(0, len(order), recipe.batch_size):
            rows = order[start : start + recipe.batch_size]
            of_batches.append(_step(net, net.space.sample(_Luck(rng)), dataset.train.x[rows], dataset.train.y[rows], optimizer))
        losses.append(float(tf.reduce_mean(of_batches)))
        if not np.isfinite(losses[-1]):
            raise ModelError(f"The loss became {losses[-1]} in epoch {epoch + 1}. Lower the rate (it is {recipe.learning_rate}).")
    return tuple(losses)


def logits(net: Supernet, architecture: Architecture, x: np.ndarray, *, calibrate: np.ndarray) -> np.ndarray:
    """The answers (n, classes) of an architecture with inherited weights. Batch normalization takes its statistics from
    `calibrate`, images of the training set: those of the training belong to other paths."""
    norms = _Norms()
    _forward(net, architecture, calibrate, norms)
    return _forward(net, architecture, x, _Norms(norms.met)).numpy()


def accuracies(net: Supernet, architectures: Iterable[Architecture], dataset: Dataset) -> np.ndarray:
    """The validation accuracy of each architecture with inherited weights, (architectures,)."""
    calibrate, val = dataset.train.x, dataset.val
    return np.array([np.mean(logits(net, each, val.x, calibrate=calibrate).argmax(axis=1) == val.y) for each in architectures])


def subnetwork(net: Supernet, architecture: Architecture, *, calibrate: np.ndarray) -> "keras.Model":
    """A keras.Model of its own with a copy of the inherited weights: to export, or to train on."""
    architecture = _inside(net, architecture)
    norms = _Norms()
    _forward(net, architecture, calibrate, norms)
    model = network.build(architecture, net.shape, net.classes)
    values: list[Any] = []
    for (kernel, scale, shift), (mean, variance) in zip(_kernels(net, architecture), norms.met, strict=True):
        values += [kernel, scale, shift, mean, variance]
    model.set_weights([value.numpy() for value in (*values, *_head(net, architecture))])
    return model


@dataclass(frozen=True, slots=True)
class _Luck:
    """Chooses uniformly where a trial would."""

    rng: np.random.Generator

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        return choices[self.rng.integers(len(choices))]


def _step(
    net: Supernet, architecture: Architecture, x: np.ndarray, y: np.ndarray, optimizer: "keras.optimizers.Optimizer"
) -> "tf.Tensor":
    import tensorflow as tf

    with tf.GradientTape() as tape:
        answers = _forward(net, architecture, x, _Norms())
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, answers))
    variables = list(net.weights.values())
    met = [(g, v) for g, v in zip(tape.gradient(loss, variables), variables, strict=True) if g is not None]
    optimizer.apply_gradients(met)  # what is not on the path stays as it is
    return loss


def _forward(net: Supernet, architecture: Architecture, x: np.ndarray, norms: _Norms) -> "tf.Tensor":
    """The answers along one path, (n, classes): what `network.build` computes, with slices of the shared weights."""
    import tensorflow as tf

    architecture = _inside(net, architecture)
    x, kernels = tf.convert_to_tensor(x), iter(_kernels(net, architecture))
    for block in architecture.blocks:
        before = x
        if block.depthwise:
            kernel, *norm = next(kernels)
            x = tf.nn.depthwise_conv2d(x, kernel, (1, block.stride, block.stride, 1), "SAME")
            x = _activation(block.activation)(_normalize(x, norm, norms))
            kernel, *norm = next(kernels)
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
        else:
            kernel, *norm = next(kernels)
            x = tf.nn.conv2d(x, kernel, block.stride, "SAME")
        x = _normalize(x, norm, norms)
        x = _activation(block.activation)(x + before if block.skip else x)
    kernel, bias = _head(net, architecture)
    return tf.reduce_mean(x, (1, 2)) @ kernel + bias


def _kernels(net: Supernet, architecture: Architecture) -> list[tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]]:
    """The slices of each convolution on the path: kernel, and scale and shift of its normalization."""
    slices, channels = [], net.shape[2]
    for index, block in enumerate(architecture.blocks):
        for name, kernel, made in _names(block, index, channels):
            whole = net.weights[name]
            corner = (whole.shape[0] - 1) // 2 - (kernel - 1) // 2  # the middle of a wide kernel is the narrow one
            part = whole[corner : corner + kernel, corner : corner + kernel, :channels, :made]
            made = channels if name.startswith("depthwise") else made
            slices.append((part, net.weights[f"{name}_scale"][:made], net.weights[f"{name}_shift"][:made]))
        channels = block.filters
    return slices


def _names(block: Block, index: int, channels: int) -> list[tuple[str, int, int]]:
    """For each convolution of a block: its name, the width of its kernel, the size of the kernel's last axis."""
    if block.depthwise:
        return [(f"depthwise_{index}", block.kernel, 1), (f"pointwise_{index}", 1, block.filters)]
    return [(f"conv_{index}", block.kernel, block.filters)]


def _head(net: Supernet, architecture: Architecture) -> tuple["tf.Tensor", "tf.Tensor"]:
    return net.weights["logits"][: architecture.blocks[-1].filters], net.weights["logits_bias"]


def _normalize(x: "tf.Tensor", norm: list["tf.Tensor"], norms: _Norms) -> "tf.Tensor":
    import tensorflow as tf

    scale, shift = norm
    return tf.nn.batch_normalization(x, *norms.of(x), offset=shift, scale=scale, variance_epsilon=EPSILON)


def _activation(name: str) -> Callable[["tf.Tensor"], "tf.Tensor"]:
    import tensorflow as tf

    return {"relu": tf.nn.relu, "relu6": tf.nn.relu6, "swish": tf.nn.silu}[name]


def _inside(net: Supernet, architecture: Architecture) -> Architecture:
    """The repaired architecture. Raises ModelError when the supernet has no weights for it."""
    repaired, _ = repair(architecture, net.shape)
    for index, block in enumerate(repaired.blocks):
        names = [name for name, _, _ in _names(block, index, 1)]
        if (
            any(name not in net.weights for name in names)
            or block.kernel > max(net.space.kernel)
            or block.filters > max(net.space.filters)
        ):
            raise ModelError(f"The supernet of {net.space} has no weights for {architecture}. Take one of its space.")
    return repaired
