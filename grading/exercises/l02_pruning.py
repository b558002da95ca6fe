"""The reference solutions of the exercises of l02_pruning, from the definitions of their inputs in projectkit.submit."""

import numpy as np

from projectkit.types import Arrays


def _magnitude(inputs: Arrays) -> Arrays:
    kernels = {name: np.abs(inputs[name].astype(np.float64)).reshape(-1) for name in ("first", "second")}
    share = float(inputs["sparsity"])

    def stay(magnitudes: np.ndarray) -> np.ndarray:
        order = np.argsort(magnitudes, kind="stable")
        return np.sort(order[round(share * len(order)) :])

    together = stay(np.concatenate(list(kernels.values())))
    border = len(kernels["first"])
    return {
        "layerwise_first": stay(kernels["first"]),
        "layerwise_second": stay(kernels["second"]),
        "global_first": together[together < border],
        "global_second": together[together >= border] - border,
    }


def _schedule(inputs: Arrays) -> Arrays:
    begin, end = int(inputs["begin"]), int(inputs["end"])
    left = [1 - (min(max(step, begin), end) - begin) / (end - begin) for step in inputs["steps"].tolist()]
    initial, final = float(inputs["initial"]), float(inputs["final"])
    return {"sparsity": np.array([final + (initial - final) * share ** float(inputs["power"]) for share in left])}


def _two_of_four(inputs: Arrays) -> Arrays:
    w = inputs["w"].astype(np.float64)
    groups = w.reshape(-1, 4, w.shape[1])
    positions = np.sort(np.argsort(-np.abs(groups), axis=1, kind="stable")[:, :2], axis=1)
    values = np.take_along_axis(groups, positions, axis=1)
    return {
        "values": values.reshape(-1, w.shape[1]),
        "positions": positions.reshape(-1, w.shape[1]),
        "kept": np.abs(values).sum() / np.abs(w).sum(),
    }


def _palette(inputs: Arrays) -> Arrays:
    w = inputs["w"].astype(np.float64)
    values = np.linspace(w.min(), w.max(), 8)

    def nearest() -> np.ndarray:
        return np.abs(w[:, None] - values).argmin(axis=1)

    for _ in range(10):
        chosen = nearest()
        values = np.array([w[chosen == k].mean() if (chosen == k).any() else values[k] for k in range(8)])
    chosen = nearest()
    return {"values": values, "chosen": chosen, "error": np.mean((w - values[chosen]) ** 2)}


SOLUTIONS = {
    "magnitude": _magnitude,
    "schedule": _schedule,
    "two_of_four": _two_of_four,
    "palette": _palette,
}
