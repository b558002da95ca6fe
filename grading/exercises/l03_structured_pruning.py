"""The reference solutions of the exercises of l03_structured_pruning, from the definitions of the inputs in projectkit.submit."""

import math

import numpy as np

from projectkit.types import Arrays


def _filter_scores(inputs: Arrays) -> Arrays:
    w = inputs["w"].astype(np.float64)
    filters = [w[..., index].ravel() for index in range(w.shape[-1])]
    l1 = np.array([np.abs(one).sum() for one in filters])
    fpgm = np.array([sum(math.dist(one, other) for other in filters) for one in filters])
    left = round(len(filters) * (1 - float(inputs["ratio"])))

    def kept(scores: np.ndarray) -> np.ndarray:
        return np.sort(np.argsort(-scores, kind="stable")[:left])

    return {"l1": l1, "fpgm": fpgm, "kept_l1": kept(l1), "kept_fpgm": kept(fpgm)}


def _surgery(inputs: Arrays) -> Arrays:
    arrays = {name: array.astype(np.float64) for name, array in inputs.items()}
    channels = inputs["keep"].tolist()
    stay = [channel for channel, kept in enumerate(channels) if kept]
    gone = [channel for channel, kept in enumerate(channels) if not kept]
    rows = [pixel * len(channels) + channel for pixel in range(4) for channel in stay]
    constant = arrays["beta"] - arrays["gamma"] * arrays["mean"] / np.sqrt(arrays["variance"] + 1e-3)
    return {
        "first": arrays["first"][:, :, :, stay],
        "second": arrays["second"][:, :, stay, :],
        "last": arrays["last"][rows],
        "leftover": np.maximum(constant[gone], 0),
    }


def _channel_groups(inputs: Arrays) -> Arrays:
    rows = inputs["tensors"].tolist()
    sets: list[set[int]] = []  # of tensors whose channels go together
    for tensor, (kind, a, b) in enumerate(rows):
        sources = {2: {a}, 3: {a, b}}.get(kind, set())
        joined = {tensor}.union(*(one for one in sets if one & sources))
        sets = [one for one in sets if not one & sources] + [joined]
    sets.sort(key=min)
    return {
        "group": np.array([next(g for g, one in enumerate(sets) if tensor in one) for tensor in range(len(rows))]),
        "convolutions": np.array([sum(rows[tensor][0] == 1 for tensor in one) for one in sets]),
        "prunable": np.array([int(0 not in one and len(rows) - 1 not in one) for one in sets]),
    }


SOLUTIONS = {
    "filter_scores": _filter_scores,
    "surgery": _surgery,
    "channel_groups": _channel_groups,
}
