"""A network whose layers are replaced by thin ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras as keras
from tf_keras import layers

from projectkit.distill import distill
from projectkit.errors import ModelError
from projectkit.lowrank.factors import Factors, Thin, relative_error
from projectkit.lowrank.layers import Found, found_layers
from projectkit.lowrank.methods import FACTORIZERS, known
from projectkit.lowrank.nonlinear import nonlinear
from projectkit.lowrank.ranks import Choice, Plan
from projectkit.lowrank.thin import thin_macs
from projectkit.train import History
from projectkit.types import Dataset, Recipe

ROWS = 4000  # inputs of a layer at most, on which a nonlinear factorization is fitted


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one layer. error: ‖kernel − factors‖ / ‖kernel‖, 0 where it stayed; parameters: of kernels and slopes;
    reason: why it stayed as it was, empty where it was factorized."""

    layer: str
    method: str
    rank: tuple[int, ...]
    error: float
    parameters: tuple[int, int]  # before and after
    macs: tuple[int, int]
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"{self.layer} stays as it is: {self.reason}."
        (before, after), rank = self.parameters, " × ".join(map(str, self.rank))
        return f"{self.layer}: {self.method}, rank {rank}, {before:,} → {after:,} parameters, relative error {self.error:.3f}"


@dataclass(frozen=True, slots=True, eq=False)
class Decomposed:
    """The new network, and what became of each layer that has a kernel."""

    model: keras.Model
    layers: tuple[Outcome, ...]


def decompose(model: keras.Model, plan: Plan, *, images: np.ndarray | None = None, seed: int = 0) -> Decomposed:
    """A new model in which the layers of `plan` are replaced by their factors; `model` stays as it was.

    A layer stays as it is where the plan does not name it, where its factors would have as many parameters as it has, or where it
    cannot be factorized; the outcome says why. The last thin layer of each has the name, the bias and the activation of the
    original; the others are called after it, NAME_thin_1, …. The result is made of ordinary Keras layers and is not compiled.
    images: (n, height, width, channels), on which nonlinear factorizations are fitted; without them they are fitted on noise.
    Raises ModelError for a model that is not functional, for unknown layers and methods, and for ranks that do not fit.
    """
    found = {one.name: one for one in found_layers(model)}
    if unknown := sorted(set(plan) - set(found)):
        raise ModelError(f"{model.name} has no layer {unknown[0]!r} with a kernel; expected one of {', '.join(found)}.")
    outcomes, made = [], {}
    for name, one in found.items():
        choice = plan.get(name)
        if choice is None or one.reason:
            outcomes.append(_stays(one, one.reason or "the plan does not name it"))
        elif one.kernel.ndim not in known(choice.method).axes:
            shape = " × ".join(map(str, one.kernel.shape))
            outcomes.append(_stays(one, f"{choice.method} does not factorize kernels of {shape}"))
        else:
            inputs = None
            if choice.method == "nonlinear" and images is not None:
                inputs = _inputs_of(model, one, images, seed)
            factors = _factors(choice, one, inputs, seed)
            thin = _finished(factors.thin_layers(one.place), model.get_layer(name))
            count = sum(np.size(weight) for layer in thin for weight in layer.weights) - one.bias
            if count >= one.kernel.size:
                outcomes.append(_stays(one, f"its factors would have {count:,} parameters, it has {one.kernel.size:,}"))
                continue
            made[name] = thin
            after = one.calls * thin_macs(thin, one.input_shape)
            sizes, work = (one.kernel.size, count), (one.macs, after)
            outcomes.append(Outcome(name, choice.method, factors.rank, relative_error(factors, one.kernel), sizes, work))
    return Decomposed(_rebuilt(model, made), tuple(outcomes))


def fine_tune(smaller: keras.Model, teacher: keras.Model, dataset: Dataset, recipe: Recipe, *, progress: bool = True) -> History:
    """Trains the decomposed network in place on the labels and on the answers of the network that it came from, by
    `distill.distill` with its defaults. Errors as there."""
    return distill(smaller, teacher, dataset, recipe, progress=progress)


def _stays(one: Found, reason: str) -> Outcome:
    return Outcome(one.name, "", (), 0.0, (one.kernel.size, one.kernel.size), (one.macs, one.macs), reason)


def _factors(choice: Choice, one: Found, inputs: np.ndarray | None, seed: int) -> Factors:
    if choice.method == "nonlinear":
        return nonlinear(one.kernel, choice.rank, inputs=inputs, seed=seed)
    return FACTORIZERS[choice.method](one.kernel, choice.rank)


def _inputs_of(model: keras.Model, one: Found, images: np.ndarray, seed: int) -> np.ndarray:
    """(n, height · width · in): what the kernel is laid on while the model answers the images, at random places."""
    import tensorflow as tf

    layer = model.get_layer(one.name)
    read = keras.Model(model.inputs, layer.get_input_at(0)).predict(images, verbose=0)
    rng = np.random.default_rng(seed)
    if one.kernel.ndim == 4:
        height, width = one.kernel.shape[:2]
        patches = tf.image.extract_patches(
            read,
            [1, height, width, 1],
            [1, *one.place.strides, 1],
            [1, *one.place.dilation, 1],
            one.place.padding.upper(),
        ).numpy()
        read = patches.reshape(-1, patches.shape[-1])
    return read[rng.permutation(len(read))[:ROWS]]


def _rebuilt(model: keras.Model, made: dict[str, list[Thin]]) -> keras.Model:
    """The architecture of `model` with the thin layers in place of the originals, and all weights."""
    config = model.get_config()
    entries, weights = [], {}
    for entry in config["layers"]:
        entry.pop("build_config", None)
        name = entry["config"]["name"]
        if name not in made:
            entries.append(entry)
            continue
        original = model.get_layer(name)
        thin = made[name]
        names = [f"{name}_thin_{number + 1}" for number in range(len(thin) - 1)] + [name]
        for number, (one, own) in enumerate(zip(thin, names, strict=True)):
            layer = one.kind(name=own, dtype=entry["config"]["dtype"], trainable=original.trainable, **one.options)
            weights[own] = one.weights
            replacing: dict[str, Any] = {
                "class_name": type(layer).__name__,
                "module": "keras.layers",
                "config": layer.get_config(),
            }
            if "name" in entry:  # of a functional model
                calls = range(len(entry["inbound_nodes"]))
                before = [[[names[number - 1], call, 0, {}]] for call in calls]
                replacing |= {"name": own, "inbound_nodes": entry["inbound_nodes"] if number == 0 else before}
            entries.append(replacing)
    config["layers"] = entries
    kind = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    smaller = kind.from_config(config)
    for layer in smaller.layers:
        given = weights.get(layer.name)
        if given is None:
            layer.set_weights(model.get_layer(layer.name).get_weights())
        else:
            layer.set_weights([np.reshape(value, variable.shape) for value, variable in zip(given, layer.weights, strict=True)])
    return smaller


def _finished(thin: list[Thin], original: keras.layers.Layer) -> list[Thin]:
    """The thin layers with the bias and the activation of the original."""
    options: dict[str, Any] = {"activation": original.activation, "use_bias": original.use_bias}
    bias = (original.bias.numpy(),) if original.use_bias else ()
    *others, last = thin
    if last.kind in (layers.Conv2D, layers.Dense):
        return [*others, Thin(last.kind, {**last.options, **options}, (*last.weights, *bias))]
    if not bias:
        return [*thin, Thin(layers.Activation, {"activation": original.activation})]
    # A tensor train ends with a change of shape. Keras has no layer that only adds a bias: a depthwise one of ones does it.
    units = len(bias[0])
    return [
        *thin,
        Thin(layers.Reshape, {"target_shape": (1, 1, units)}),
        Thin(layers.DepthwiseConv2D, {"kernel_size": 1, **options}, (np.ones((1, 1, units, 1), np.float32), *bias)),
        Thin(layers.Reshape, {"target_shape": (units,)}),
    ]
