"""Really removes channels: the result is a smaller, dense model that every exporter and runtime takes.

smaller = remove(model, {"conv2d_1": scores > threshold})
"""

import math
from collections.abc import Mapping

import numpy as np
import tf_keras as keras
from tf_keras import layers

from projectkit.errors import ModelError
from projectkit.prune.graph import PRODUCERS, WEIGHTS, Channels, trace
from projectkit.prune.groups import with_classes
from projectkit.prune.types import Group


def keep_best(scores: np.ndarray, ratio: float) -> np.ndarray:
    """Which channels stay when the share `ratio` of them goes, those of the lowest scores first: (channels,) bool.

    ⌊channels · (1 − ratio)⌋ stay (Li et al., "Pruning filters for efficient convnets", 2017), but at least one; of equal
    scores the first stays. Raises ModelError for a ratio outside [0, 1) and for scores that are not finite or not (channels,).
    """
    scores = np.asarray(scores, np.float64)
    if not 0 <= ratio < 1:
        raise ModelError(f"Received the ratio {ratio}; expected the share of channels to remove, in [0, 1). Give 0.5 for half.")
    if scores.ndim != 1 or len(scores) == 0:
        raise ModelError(f"Received scores of shape {scores.shape}; expected (channels,). Give one number a channel.")
    if not np.isfinite(scores).all():
        bad = np.flatnonzero(~np.isfinite(scores)).tolist()
        raise ModelError(f"The scores of channels {bad} are NaN or infinite; expected finite numbers. Mend the score function.")
    kept = max(1, math.floor(len(scores) * (1 - ratio) + 1e-9))  # 10 · (1 − 0.9) is 0.9999…
    keep = np.zeros(len(scores), bool)
    keep[np.argsort(-scores, kind="stable")[:kept]] = True
    return keep


def remove(model: keras.Model, keep: Mapping[str, np.ndarray]) -> keras.Model:
    """A new, smaller model that keeps the channels `keep[group name]`, (channels,) bool; groups not named stay whole.

    It computes what `model` computes when all consumers of a removed channel read zeros, that is with a mask behind batch
    normalization and activation. Keeps the wiring, the names of the layers and the remaining weights; it is not compiled.
    `model` stays as it was.
    Raises ModelError for a model whose graph `groups` cannot follow, for unknown or unprunable groups, and for masks that
    are not boolean, have another length or keep nothing.
    """
    channels = trace(model)
    alive = _alive(model, channels, keep)
    smaller = _rebuilt(model, channels, alive)
    for layer in model.layers:
        _hand_over(layer, smaller.get_layer(layer.name), channels, alive)
    return smaller


def silence(model: keras.Model, keep: Mapping[str, np.ndarray]) -> None:
    """Makes the channels that `keep` does not keep answer 0 on every image, in `model` itself, whose shape stays.

    Zeroes what makes such a channel (kernels, biases) and what lies between it and its readers (γ, β and moving mean of batch
    normalizations, depthwise filters). What has no weights there must leave a zero a zero, as ReLU, pooling and sums do and a
    sigmoid does not. `remove` with the same `keep` computes the same then. Arguments and errors as `remove`.
    """
    channels = trace(model)
    alive = _alive(model, channels, keep)
    for layer in model.layers:
        masks = _masks(layer, channels, alive) if type(layer) in WEIGHTS else {}
        if type(layer) in PRODUCERS:
            masks = {"out": masks["out"]}  # what it reads is silent already
        for weight, kinds in WEIGHTS.get(type(layer), {}).items():
            variable = getattr(layer, weight, None)
            if variable is None or weight == "moving_variance":  # a variance of 0 would make the next step explode
                continue
            array = variable.numpy()
            for axis, kind in enumerate(kinds, start=array.ndim - len(kinds)):
                if kind in masks:
                    np.moveaxis(array, axis, 0)[~masks[kind]] = 0
            variable.assign(array)


def _alive(model: keras.Model, channels: Channels, keep: Mapping[str, np.ndarray]) -> np.ndarray:
    """(classes,) bool: which classes of channels stay."""
    alive = np.ones(channels.count, bool)
    known = {group.name: (group, classes) for group, classes in with_classes(model, channels)}
    for name, mask in keep.items():
        if name not in known:
            raise ModelError(_unknown(model, name, [group for group, _ in known.values()]))
        group, classes = known[name]
        alive[classes] = _checked(group, np.asarray(mask))
    return alive


def _unknown(model: keras.Model, name: str, groups: list[Group]) -> str:
    homes = [group.name for group in groups for place in group.producers if place.layer == name]
    if homes:
        return f"{model.name}: the channels of {name} belong to the group {' and '.join(homes)}; expected that name as the key."
    usable = ", ".join(group.name for group in groups if group.prunable)
    return f"{model.name} has no group {name!r}; expected one of {usable or '(none can be pruned)'}. See groups(model)."


def _checked(group: Group, mask: np.ndarray) -> np.ndarray:
    if mask.shape != (group.channels,) or mask.dtype != bool:
        raise ModelError(
            f"Group {group.name}: received a mask of shape {mask.shape} and type {mask.dtype}; "
            f"expected ({group.channels},) bool. Give true for each channel that stays."
        )
    if not mask.any():
        raise ModelError(
            f"Group {group.name} would become empty: {group.channels} of {group.channels} channels removed; "
            "expected at least one to stay. Keep the best one."
        )
    if not group.prunable and not mask.all():
        raise ModelError(
            f"Group {group.name} cannot be pruned: {group.reason}; expected all {group.channels} channels to stay. "
            "Leave it out of `keep`."
        )
    return mask


def _rebuilt(model: keras.Model, channels: Channels, alive: np.ndarray) -> keras.Model:
    """The same architecture, with fresh weights of the sizes that are left."""
    config = model.get_config()
    for entry in config["layers"]:
        entry.pop("build_config", None)  # it would build the layer for the old sizes
        name, options = entry["config"]["name"], entry["config"]
        left = int(alive[channels.outputs[name]].sum())
        for size in ("filters", "units"):
            if size in options:
                options[size] = left
        if "target_shape" in options and options["target_shape"][-1] != -1:
            options["target_shape"] = (*options["target_shape"][:-1], left)
    kind = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    return kind.from_config(config)


def _masks(layer: layers.Layer, channels: Channels, alive: np.ndarray) -> dict[str, np.ndarray]:
    """What stays along the axes of a layer's weights, by the words of `graph.WEIGHTS`."""
    read = alive[channels.inputs[layer.name]]
    return {
        "in": read,
        "out": alive[channels.outputs[layer.name]],
        "wide": np.repeat(read, getattr(layer, "depth_multiplier", 1)),
    }


def _hand_over(old: layers.Layer, new: layers.Layer, channels: Channels, alive: np.ndarray) -> None:
    """Copies what is left of a layer's weights."""
    if type(old) not in WEIGHTS:
        new.set_weights(old.get_weights())
        return
    masks = _masks(old, channels, alive)
    for weight, kinds in WEIGHTS[type(old)].items():
        variable = getattr(old, weight, None)
        if variable is None:
            continue
        array = variable.numpy()
        for axis, kind in enumerate(kinds, start=array.ndim - len(kinds)):
            if kind:
                array = np.compress(masks[kind], array, axis=axis)
        getattr(new, weight).assign(array)
