"""The reference solutions of the exercises, and how handed-in arrays are compared with them.

Written from the definitions in projectkit.submit.exercises, in float64, apart from the code that students are shown.
"""

import itertools
import math
from collections.abc import Callable, Mapping

import numpy as np

from grading.types import Answer

Arrays = Mapping[str, np.ndarray]
RELATIVE = 1e-4  # of the entry: a float32 computation stays well below, another formula does not
ABSOLUTE = 1e-6  # of the array's largest entry: for entries that are nearly zero
Z = 1.959963984540054


def score(answer: Arrays | None, reference: Arrays) -> Answer:
    """The share of right entries, averaged over the arrays of `reference` so that a scalar counts as much as a tensor.

    A float entry is right within 1e-4 of itself plus 1e-6 of its array's largest; an integer entry only if equal.
    A missing array and a wrong shape earn nothing for that array.
    """
    if answer is None:
        return Answer(0.0, "no answer was handed in")
    shares, wrong = [], []
    for name, expected in reference.items():
        share, sentence = _compare(answer.get(name), np.asarray(expected))
        shares.append(share)
        if share < 1:
            wrong.append(f"{name}: {sentence}")
    right = len(reference) - len(wrong)
    return Answer(sum(shares) / len(shares), "; ".join([f"{right} of {len(reference)} arrays are right", *wrong]))


def _compare(given: np.ndarray | None, expected: np.ndarray) -> tuple[float, str]:
    if given is None:
        return 0.0, "is missing"
    given = np.asarray(given)
    if np.squeeze(given).shape != np.squeeze(expected).shape:
        return 0.0, f"has shape {given.shape}, expected {expected.shape}"
    with np.errstate(all="ignore"):  # NaN and infinities count as wrong, silently
        given = given.reshape(expected.shape).astype(np.float64)
        expected_float = expected.astype(np.float64)
        allowed = 0.0
        if not np.issubdtype(expected.dtype, np.integer):
            allowed = RELATIVE * np.abs(expected_float) + ABSOLUTE * np.abs(expected_float).max()
        share = float(np.mean(np.abs(given - expected_float) <= allowed))
    return share, "is wrong" if expected.size == 1 else f"{100 * share:.0f} % of {expected.size} entries are right"


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


def _affine(inputs: Arrays) -> Arrays:
    x = inputs["x"].astype(np.float64)
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    scale = (high - low) / 255
    zero_point = int(np.round(-128 - low / scale))
    quantized = np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int64)
    return {
        "scale": np.array(scale),
        "zero_point": np.array(zero_point),
        "quantized": quantized,
        "dequantized": scale * (quantized - zero_point),
    }


def _per_channel(inputs: Arrays) -> Arrays:
    w = inputs["w"].astype(np.float64)

    def error(scale):
        return np.array(np.mean((w - scale * np.clip(np.round(w / scale), -127, 127)) ** 2))

    scales = np.abs(w).reshape(-1, w.shape[-1]).max(axis=0) / 127
    return {"scales": scales, "error_per_tensor": error(np.abs(w).max() / 127), "error_per_channel": error(scales)}


def _observers(inputs: Arrays) -> Arrays:
    values = inputs["activations"].astype(np.float64)
    low, high = np.percentile(values, [0.1, 99.9])
    return {
        "minmax": np.array([values.min(), values.max()]),
        "percentile": np.array([low, high]),
        "clipped": np.mean((values < low) | (values > high)),
    }


SOLUTIONS: Mapping[str, Mapping[str, Callable[[Arrays], Arrays]]] = {
    "l00_measurement": {
        "count_layers": _count_layers,
        "latency_interval": _latency_interval,
        "interleaved_ratio": _interleaved_ratio,
        "energy_counter": _energy_counter,
        "accuracy_interval": _accuracy_interval,
    },
    "l01_quantization": {
        "affine": _affine,
        "per_channel": _per_channel,
        "observers": _observers,
    },
}
