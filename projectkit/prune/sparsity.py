"""Magnitude pruning with TFMOT: the network trains while more and more of its smallest weights become zero.

growing = prepare(model, polynomial(0.8, end=steps(dataset, recipe) // 2))
fit(growing, dataset, recipe)
sparse = strip(growing)
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.models import copy
from projectkit.prune.weight_masks import kernels_of, refuse_sparsity
from projectkit.types import Dataset, Recipe

if TYPE_CHECKING:
    from tensorflow_model_optimization.sparsity.keras import PruningSchedule

FREQUENCY = 10  # TFMOT's own 100 steps are more than a small dataset has in an epoch


def steps(dataset: Dataset, recipe: Recipe) -> int:
    """How many steps the optimizer makes when `recipe` trains on `dataset`: what schedules count in."""
    return recipe.epochs * -(-len(dataset.train) // recipe.batch_size)


def constant(sparsity: float, *, begin: int = 0, frequency: int = FREQUENCY) -> "PruningSchedule":
    """A TFMOT schedule: `sparsity` from step `begin` on, with the masks chosen anew every `frequency` steps."""
    import tensorflow_model_optimization as tfmot

    refuse_sparsity(sparsity)
    _refuse_steps(begin, begin + frequency, frequency)
    return tfmot.sparsity.keras.ConstantSparsity(sparsity, begin, frequency=frequency)


def polynomial(
    sparsity: float, *, end: int, begin: int = 0, initial: float = 0.0, power: float = 3, frequency: int = FREQUENCY
) -> "PruningSchedule":
    """A TFMOT schedule from `initial` at step `begin` to `sparsity` at step `end`:
    s(t) = sparsity + (initial − sparsity) · (1 − (t − begin) / (end − begin))^power (Zhu and Gupta, "To prune, or not to prune",
    2017, equation 1). Masks change every `frequency` steps, and `end` moves back to the last such step: TFMOT prunes at no
    other and would stop short of `sparsity`. Raises ModelError when there is no such step before `end`."""
    import tensorflow_model_optimization as tfmot

    refuse_sparsity(sparsity)
    refuse_sparsity(initial)
    _refuse_steps(begin, end, frequency)
    end -= (end - begin) % frequency
    return tfmot.sparsity.keras.PolynomialDecay(initial, sparsity, begin, end, power=power, frequency=frequency)


def _refuse_steps(begin: int, end: int, frequency: int) -> None:
    """TFMOT does not complain of a schedule that is over before its first pruning step: it never prunes."""
    if begin < 0 or frequency < 1 or end - begin < frequency:
        raise ModelError(
            f"A schedule from step {begin} to {end} with a pruning step every {frequency} never prunes; expected "
            "0 ≤ begin and end − begin ≥ frequency ≥ 1. Train longer, or lower the frequency."
        )


def prepare(model: keras.Model, schedule: "PruningSchedule", *, layers: Collection[str] | None = None) -> keras.Model:
    """A new model that prunes itself by `schedule` while `fit` trains it; `model` stays as it was.

    Every layer has the same sparsity at every step ("layer-wise"). schedule: `constant`, `polynomial` or a
    `PruningSchedule` of one's own; layers: which ones, every layer with a kernel unless given. Preserves the weights until
    it is trained. Raises ModelError for layers without a kernel and for subclassed models.
    """
    return _wrapped(model, kernels_of(model, layers), pruning_schedule=schedule)


def prepare_two_of_four(model: keras.Model, *, layers: Collection[str] | None = None) -> keras.Model:
    """Like `prepare`, but at most 2 of every 4 weights that are neighbours along the input channels stay: the pattern of
    the sparse tensor cores of GPUs (Mishra et al., "Accelerating sparse deep neural networks", 2021). Masks are chosen in the
    first step of training and then kept.

    Unless `layers` are given, those whose input channels are no multiple of 4 stay dense, where TFMOT would leave a part of
    the groups dense without a word. Raises ModelError when such a layer is named and when no layer fits.
    """
    kernels = kernels_of(model, layers)
    fitting = {name: kernel for name, kernel in kernels.items() if kernel.shape[-2] % 4 == 0}
    if not fitting or (layers is not None and len(fitting) < len(kernels)):
        wrong = ", ".join(f"{name} ({kernel.shape[-2]})" for name, kernel in kernels.items() if name not in fitting)
        raise ModelError(
            f"{model.name}: 2:4 sparsity groups the input channels by four; these layers have another number: {wrong}. "
            "Name layers with a multiple of 4."
        )
    return _wrapped(model, fitting, pruning_schedule=constant(0.5), sparsity_m_by_n=(2, 4))


def _wrapped(model: keras.Model, names: Collection[str], **options: Any) -> keras.Model:
    import tensorflow_model_optimization as tfmot

    def wrap(layer: keras.layers.Layer) -> keras.layers.Layer:
        return tfmot.sparsity.keras.prune_low_magnitude(layer, **options) if layer.name in names else layer

    try:
        growing = keras.models.clone_model(copy(model), clone_function=wrap)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{model.name}: TFMOT cannot prune it ({error}). Use layers from projectkit.models.") from error
    for layer in _pruning_layers(growing):
        layer.pruning_step.assign(0)  # all that TFMOT's callback does before training; `strip` does what it does after it
    return growing


def _pruning_layers(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if hasattr(layer, "pruning_vars")]


def strip(growing: keras.Model) -> keras.Model:
    """A plain model with the weights that `growing`, which stays as it was, has learned, zeros included.

    Raises ModelError when it was not made by `prepare`, or was trained for too few steps to prune anything.
    """
    layers = _pruning_layers(growing)
    if not layers:
        raise ModelError(f"{growing.name}: nothing in it prunes. Give the model that `prepare` returned and `fit` has trained.")
    masks = {layer.layer.name: layer.pruning_vars[0][1].numpy() for layer in layers}
    if all(np.all(mask == 1) for mask in masks.values()):
        raise ModelError(
            f"{growing.name}: not one weight was pruned in {int(layers[0].pruning_step.numpy())} steps of training. "
            "Train it with `fit`, for as many steps as the schedule needs."
        )
    inner = {layer.name: layer.layer for layer in layers}

    def unwrapped(layer: keras.layers.Layer) -> keras.layers.Layer:
        own = inner.get(layer.name, layer)
        return type(own).from_config(own.get_config())

    plain = keras.models.clone_model(growing, clone_function=unwrapped)
    for layer in growing.layers:
        plain.get_layer(inner.get(layer.name, layer).name).set_weights(layer.get_weights())
    for name, kernel in kernels_of(plain, masks).items():
        kernel.assign(kernel * masks[name])  # the last step's gradient has moved zeros
    return plain
