"""The reference solutions of the exercises of l00_measurement, from the definitions of their inputs in projectkit.submit."""

import itertools
import math

import numpy as np

from projectkit.types import Arrays

Z = 1.959963984540054


def _count_layers(inputs: Arrays) -> Arrays:
    parameters, macs = [], []
    for kind, height, width, channels_in, channels_out, kernel, stride in inputs["layers"].tolist():
        positions = math.ceil(height / stride) * math.ceil(width / stride)
        weights = {
            0: kernel * kernel * channels_in * channels_out,
            1: kernel * kernel * channels_in,
            2: channels_in * channels_out,
        }[kind]
        parameters.append(weights + channels_out)
        macs.append(weights * (1 if kind == 2 else positions))
    return {"parameters": np.array(parameters, dtype=np.int64), "macs": np.array(macs, dtype=np.int64)}


def _latency_interval(inputs: Arrays) -> Arrays:
    ordered = sorted(inputs["latencies"].tolist())
    count = len(ordered)
    # P(B ≤ k) for B ~ Binomial(count, 1/2), in exact integers.
    below = [sum(math.comb(count, j) for j in range(k + 1)) / 2**count for k in range(count + 1)]
    lower = next(k for k, probability in enumerate(below) if probability >= 0.025)
    upper = next(k for k, probability in enumerate(below) if probability >= 0.975) + 1
    position = 0.9 * (count - 1)
    left = math.floor(position)
    return {
        "median": np.array((ordered[count // 2 - 1] + ordered[count // 2]) / 2),
        "p90": np.array(ordered[left] + (position - left) * (ordered[left + 1] - ordered[left])),
        "low": np.array(ordered[lower - 1]),
        "high": np.array(ordered[upper - 1]),
    }


def _interleaved_ratio(inputs: Arrays) -> Arrays:
    turns = inputs["interleaved"]
    return {
        "ratio": np.median(turns[:, 1]) / np.median(turns[:, 0]),
        "sequential_ratio": np.median(inputs["sequential_b"]) / np.median(inputs["sequential_a"]),
    }


def _energy_counter(inputs: Arrays) -> Arrays:
    readings, span = inputs["microjoules"].tolist(), int(inputs["max_energy_range_uj"])
    # Python's remainder is never negative: one wrap-around is undone by it.
    used = sum((after - before) % span for before, after in itertools.pairwise(readings))
    joules = used / 1e6
    return {"joules": np.array(joules), "watts": np.array(joules / (inputs["seconds"][-1] - inputs["seconds"][0]))}


def _accuracy_interval(inputs: Arrays) -> Arrays:
    correct, total = inputs["correct"].astype(np.float64), inputs["total"].astype(np.float64)
    # The interval's ends are the roots of (p − q)² = z² q (1 − q) / n in q.
    share = correct / total
    a, b, c = 1 + Z**2 / total, -(2 * share + Z**2 / total), share**2
    root = np.sqrt(np.maximum(b**2 - 4 * a * c, 0))
    return {"low": (-b - root) / (2 * a), "high": (-b + root) / (2 * a)}


SOLUTIONS = {
    "count_layers": _count_layers,
    "latency_interval": _latency_interval,
    "interleaved_ratio": _interleaved_ratio,
    "energy_counter": _energy_counter,
    "accuracy_interval": _accuracy_interval,
}
