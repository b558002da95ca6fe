"""Which channels must be removed together: found from the model's graph, for any wiring of the supported layers.

for group in groups(model):
    print(group.name, group.channels, [place.layer for place in group.consumers], group.reason)
"""

from collections import Counter

import numpy as np
import tf_keras as keras

from projectkit.prune.graph import PRODUCERS, WEIGHTS, Channels, trace
from projectkit.prune.types import Group, Place


def groups(model: keras.Model) -> tuple[Group, ...]:
    """The groups of `model` in the order of its graph; every channel of every producer is in exactly one of them.

    A group is an index set: removing its channel c means removing it from all producers, followers and consumers. Channels
    of one layer are in different groups where their fates differ, for example in a sum with a concatenation.
    Raises ModelError when the model is not functional or has layers that are not supported; the message lists those that are.
    """
    return tuple(group for group, _ in with_classes(model, trace(model)))


def with_classes(model: keras.Model, channels: Channels) -> list[tuple[Group, np.ndarray]]:
    """Each group with the classes of `channels` that are its channels, in order."""
    places: list[dict[tuple[str, str], list[int]]] = [{} for _ in range(channels.count)]
    for layer in model.layers:
        for role, numbers in _roles(layer, channels):
            for position, number in enumerate(numbers):
                places[number].setdefault((role, layer.name), []).append(position)
    # Classes that lie in the same layers equally often: how often in which (role, layer), and why they cannot go.
    alike: dict[tuple[tuple[tuple[tuple[str, str], int], ...], str], list[int]] = {}
    for number, places_of_class in enumerate(places):
        if any(role == "producers" for role, _ in places_of_class):
            counts = tuple((place, len(positions)) for place, positions in places_of_class.items())
            alike.setdefault((counts, channels.fixed.get(number, "")), []).append(number)
    names = Counter[str]()
    found = []
    for (counts, reason), those in alike.items():
        members: dict[str, list[Place]] = {"producers": [], "followers": [], "consumers": []}
        for role, name in (place for place, _ in counts):
            rows = np.array([places[number][role, name] for number in those], np.int64)
            members[role].append(Place(name, rows, _axes(model.get_layer(name), role)))
        first = members["producers"][0]
        names[first.layer] += 1
        # A number, and not the place of the channels: that changes when other groups lose some.
        name = first.layer if names[first.layer] == 1 else f"{first.layer}:{names[first.layer]}"
        found.append((Group(name, len(those), **{role: tuple(kept) for role, kept in members.items()}, reason=reason), those))
    return [(group, np.array(numbers)) for group, numbers in found]


def _roles(layer: keras.layers.Layer, channels: Channels) -> list[tuple[str, np.ndarray]]:
    if type(layer) not in WEIGHTS:
        return []
    if type(layer) not in PRODUCERS:
        return [("followers", channels.inputs[layer.name])]
    return [("producers", channels.outputs[layer.name]), ("consumers", channels.inputs[layer.name])]


def _axes(layer: keras.layers.Layer, role: str) -> tuple[tuple[str, int], ...]:
    wanted = "out" if role == "producers" else "in"
    return tuple(
        (weight, kinds.index(wanted) - len(kinds))
        for weight, kinds in WEIGHTS[type(layer)].items()
        if wanted in kinds and getattr(layer, weight, None) is not None
    )
