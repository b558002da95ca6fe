"""The answers of all computed questions once more, by other means: brute force, whole arrays, and libraries."""

import itertools
import math

import numpy as np
from scipy import linalg, optimize, special, stats


def _pick(n, *names):
    return [n[name] for name in names]


def convolution_weights(k, inputs, filters):
    return np.zeros((k, k, inputs, filters)).size


def count_outputs(n, k, s, p):
    return sum(1 for left in range(-p, n + p - k + 1, s))


def accumulator(n):
    worst = n["summands"] * (-(2 ** (n["a"] - 1))) * (-(2 ** (n["b"] - 1)))
    return next(bits for bits in range(1, 64) if worst <= 2 ** (bits - 1) - 1)


def receptive(n):
    """Which input pixels one output depends on, walked back through the layers."""
    pixels = {0}
    for kernel, stride in reversed(list(zip(n["kernels"], (*n["strides"], 1), strict=True))):
        pixels = {pixel * stride + i for pixel in pixels for i in range(kernel)}
    return max(pixels) - min(pixels) + 1


def folded_bias(n):
    """The folded convolution and the pair agree on any input, here x = 0."""
    return n["gamma"] * (n["bias"] - n["mean"]) * n["variance"] ** -0.5 + n["beta"]


def chain(n):
    masks = [np.arange(w) >= round(w * r) for w, r in zip(n["widths"], (*n["removed"], 0), strict=True)]
    total, before = 0, np.ones(3, bool)
    for mask in masks:
        total += 9 * np.outer(before, mask).sum()
        before = mask
    return total


def csr(n):
    from scipy import sparse

    dense = np.zeros(n["rows"] * n["columns"], np.float32)
    dense[: n["nonzero"]] = 1
    matrix = sparse.csr_matrix(dense.reshape(n["rows"], n["columns"]))
    return matrix.data.nbytes + matrix.indices.astype(np.uint16).nbytes + matrix.indptr.astype(np.int32).nbytes


def break_even(n):
    cells = n["rows"] * n["columns"]

    def extra(sparsity):
        return (1 - sparsity) * cells * (n["value"] + n["index"]) + 4 * (n["rows"] + 1) - cells * n["value"]

    return 100 * optimize.brentq(extra, 0, 1)


def two_four(n):
    return sum(max(abs(a) + abs(b) for a, b in itertools.combinations(n["weights"][i : i + 4], 2)) for i in range(0, 8, 4))


def svd_rank(n):
    fits = (r for r in range(1, 2000) if r * (n["rows"] + n["columns"]) * n["factor"] <= n["rows"] * n["columns"])
    return max(fits)


def svd_error(n):
    rng = np.random.default_rng(0)
    left, right = (linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(2))
    w = left @ np.diag(n["values"]) @ right
    u, s, v = linalg.svd(w)
    r = n["rank"]
    return linalg.norm(w - (u[:, :r] * s[:r]) @ v[:r]) / linalg.norm(w)


def tucker(n):
    s, k, a, b, c, d = _pick(n, "side", "k", "inputs", "first", "second", "filters")
    return s * s * (convolution_weights(1, a, b) + convolution_weights(k, b, c) + convolution_weights(1, c, d))


def distillation(n):
    t = n["temperature"]
    p, q = special.softmax(np.array(n["teacher"]) / t), special.softmax(np.array(n["student"]) / t)
    return t * t * stats.entropy(p, q)


def calibration(n):
    counts, accuracy, confidence = np.array(n["bins"]).T
    return np.average(np.abs(accuracy - confidence), weights=counts)


def brier(n):
    return float(np.sum((np.array(n["p"]) - np.eye(4)[n["label"] - 1]) ** 2))


def temperature(n):
    return optimize.brentq(lambda t: special.expit(n["margin"] / t) - n["target"], 0.1, 100)


def information(n):
    members = np.array(n["members"])
    return np.mean([stats.entropy(member, members.mean(0)) for member in members])  # mean divergence from the mean


def agreement(accuracy, rate, classes):
    """The chance that prediction and noisy label are equal, summed over all pairs of the two."""
    predicted = np.full(classes, (1 - accuracy) / (classes - 1))
    label = np.full(classes, rate / (classes - 1))
    predicted[0], label[0] = accuracy, 1 - rate
    return float(predicted @ label)


def diagonal(n):
    matrix = (1 - n["rate"]) * np.eye(n["classes"]) + n["rate"] * np.ones((n["classes"],) * 2) / n["classes"]
    return matrix[0, 0]


def posterior(n):
    cat, ctd, dtc = (value / 100 for value in _pick(n, "cats", "cat_to_dog", "dog_to_cat"))
    joint = np.diag([cat, 1 - cat]) @ np.array([[1 - ctd, ctd], [dtc, 1 - dtc]])
    return joint[0, 0] / joint[:, 0].sum()


def attacked(n):
    """The smallest value of f over all corners of the ball."""
    corners = itertools.product((-1, 1), repeat=3)
    x, w = np.array(n["x"]), np.array(n["w"])
    return min(float(w @ (x + n["epsilon"] * np.array(c)) + n["b"]) for c in corners)


def smallest_epsilon(n):
    return optimize.brentq(lambda e: attacked({**n, "epsilon": e}), 0, 100)


def projected(n):
    x = n["x"]
    for sign in [1] * n["steps"] + [-1] * n["back"]:
        x = float(np.clip(x + sign * n["alpha"], n["x"] - n["epsilon"], n["x"] + n["epsilon"]))
    return x


def front(n):
    best, total = -1.0, 0
    for _, accuracy, number in sorted((t, a, i) for i, (a, t) in enumerate(n["models"], 1)):
        if accuracy > best:
            best, total = accuracy, total + number
    return total


def volume(n):
    time, error = n["reference"]
    return sum(any(t <= x and e <= y for t, e in n["points"]) for x in range(time) for y in range(error))


def cooling(n):
    temperature, steps = n["start"], 0
    while temperature >= n["end"]:
        temperature, steps = temperature * n["factor"], steps + 1
    return steps


def swarm(n):
    pull = np.array([n["own"] - n["x"], n["best"] - n["x"]]) * n["c"]
    return n["x"] + n["inertia"] * n["v"] + float(pull @ np.array(n["r"]))


def ant(n):
    return special.softmax(np.log(n["trail"]) + n["beta"] * np.log(n["insight"]))[0]


def halving(n):
    candidates, epochs, total = n["candidates"], n["epochs"], 0
    for _ in range(n["rounds"] + 1):
        total += candidates * epochs
        candidates, epochs = candidates // n["rate"], epochs * n["rate"]
    return total


def wrapped_power(n):
    return (n["second"] - n["first"]) % n["maximum"] / n["seconds"]


def battery(n):
    joules = n["capacity"] / 1000 * 3600 * n["volts"]
    return joules / np.average([n["active"], n["sleep"]], weights=[n["share"], 100 - n["share"]]) / 3600


def frames_left(n):
    used = sum(f * t for f, t in zip(n["fps"], n["latencies"], strict=True))
    return optimize.brentq(lambda fps: used + fps * n["last"] - 1000, 0, 1000)


def images_needed(n):
    p, h = n["accuracy"] / 100, n["half"] / 100
    return next(i for i in range(1, 10**6) if 1.96 * math.sqrt(p * (1 - p) / i) <= h)


def wilson(n):
    """Where the score test's statistic equals z, found by search."""
    p = n["right"] / n["n"]
    return optimize.brentq(lambda q: (p - q) / math.sqrt(q * (1 - q) / n["n"]) - 1.96, 1e-9, p)


ORACLES = {
    "wilson-interval": wilson,
    "median-speedup": lambda n: np.median(n["before"]) / np.median(n["after"]),
    "images-needed": images_needed,
    "throughput": lambda n: n["batch"] / (n["latency"] / 1000),
    "quantize-value": lambda n: int(np.clip(np.rint(n["x"] / n["scale"]) + n["zero"], -128, 127)),
    "affine-scale": lambda n: np.diff(np.linspace(n["low"], n["high"], 256))[0],
    "zero-point": lambda n: int(np.argmin(np.abs(np.linspace(n["low"], n["high"], 256)))) - 128,
    "symmetric-scale": lambda n: np.diff(np.linspace(-np.abs(n["weights"]).max(), np.abs(n["weights"]).max(), 255))[0],
    "dequantize": lambda n: n["q"] * n["scale"] - n["zero"] * n["scale"],
    "rounding-noise": lambda n: stats.uniform(0, (n["high"] - n["low"]) / (2 ** n["bits"] - 1)).std(),
    "accumulator-bits": accumulator,
    "integer-dot-product": lambda n: float(
        (np.array(n["activations"]) * n["sx"] - n["zero"] * n["sx"]) @ (np.array(n["weights"]) * n["sw"])
    ),
    "group-scales": lambda n: (
        (n["parameters"] * 10**6 * n["bits"] + n["parameters"] * 10**6 // n["group"] * n["scale_bits"]) / 8e6
    ),
    "clustered-size": lambda n: n["weights"] * len(f"{n['clusters'] - 1:b}") / 8 + 4 * n["clusters"],
    "convolution-parameters": lambda n: convolution_weights(*_pick(n, "k", "inputs", "filters")) + n["filters"],
    "convolution-macs": lambda n: len(range(0, n["side"], 2)) ** 2 * convolution_weights(3, n["inputs"], n["filters"]),
    "separable-parameters": lambda n: (
        np.zeros((n["k"], n["k"], n["inputs"])).size + convolution_weights(1, n["inputs"], n["filters"])
    ),
    "separable-ratio": lambda n: (
        convolution_weights(*_pick(n, "k", "inputs", "filters")) / (n["inputs"] * (n["k"] ** 2 + n["filters"]))
    ),
    "dense-parameters": lambda n: (
        np.zeros((n["side"] ** 2 * n["channels"] + 1, n["hidden"])).size + np.zeros((n["hidden"] + 1, n["classes"])).size
    ),
    "output-size": lambda n: count_outputs(*_pick(n, "n", "k", "s", "p")),
    "receptive-field": receptive,
    "activation-memory": lambda n: (
        sum(np.zeros((n["side"], n["side"], c), np.int8).nbytes for c in (n["inputs"], n["filters"])) / 1024
    ),
    "folded-weight": lambda n: n["gamma"] * n["weight"] * n["variance"] ** -0.5,
    "folded-bias": folded_bias,
    "attention-macs": lambda n: n["heads"] * 2 * n["tokens"] ** 2 * (n["width"] // n["heads"]),
    "chain-parameters": chain,
    "filter-distances": lambda n: sum(linalg.norm(np.subtract(n["filters"][0], f)) for f in n["filters"]),
    "network-sparsity": lambda n: np.average(n["sparsities"], weights=n["sizes"]),
    "csr-bytes": csr,
    "csr-break-even": break_even,
    "two-four-kept": two_four,
    "two-four-size": lambda n: (n["side"] ** 2 / 4 * 2 * n["bits"] + n["side"] ** 2 / 4 * 2 * 2) / 8192,
    "sparsity-schedule": lambda n: n["final"] + (0 - n["final"]) * ((n["end"] - n["step"]) / n["end"]) ** 3,
    "pruned-speed": lambda n: (1e4 * 1e4) / ((1e4 * n["kept_in"]) * (1e4 * n["kept_out"])),
    "svd-compression": lambda n: (
        np.zeros((n["rows"], n["columns"])).size
        / (np.zeros((n["rows"], n["rank"])).size + np.zeros((n["rank"], n["columns"])).size)
    ),
    "svd-rank": svd_rank,
    "svd-error": svd_error,
    "tucker-macs": tucker,
    "cp-parameters": lambda n: sum(
        np.zeros(shape).size
        for shape in ((n["inputs"], n["rank"]), (n["k"], n["rank"]), (n["k"], n["rank"]), (n["rank"], n["filters"]))
    ),
    "spatial-rank": lambda n: (
        convolution_weights(*_pick(n, "k", "inputs", "filters"))
        / (np.zeros((n["k"], 1, n["inputs"], n["rank"])).size + np.zeros((1, n["k"], n["rank"], n["filters"])).size)
    ),
    "soft-probability": lambda n: special.softmax(np.array(n["logits"]) / n["temperature"])[0],
    "distillation-loss": distillation,
    "hard-loss": lambda n: special.logsumexp(n["logits"]) - n["logits"][n["label"] - 1],
    "combined-loss": lambda n: np.average([n["hard"], n["soft"] * n["temperature"] ** 2], weights=[n["alpha"], 1 - n["alpha"]]),
    "gap-closed": lambda n: np.interp(n["distilled"], [n["alone"], n["teacher"]], [0, 100]),
    "search-space-size": lambda n: math.prod([n["widths"]] * n["layers"] + [n["kernels"]] * n["layers"] + [n["skips"]]),
    "pareto-front": front,
    "hypervolume": volume,
    "annealing-acceptance": lambda n: math.e ** ((n["now"] - n["new"]) / n["temperature"]),
    "cooling-steps": cooling,
    "swarm-step": swarm,
    "pheromone": lambda n: n["level"] - n["rate"] * n["level"] + np.sum(1 / np.array(n["errors"])),
    "ant-choice": ant,
    "halving-budget": halving,
    "tournament": lambda n: stats.binom(n["size"], 1 / n["population"]).sf(0),
    "inference-energy": lambda n: n["busy"] * n["latency"] - n["idle"] * n["latency"],
    "battery-life": battery,
    "counter-wrap": wrapped_power,
    "training-energy": lambda n: n["cards"] * n["watts"] * n["hours"] * 3600 * n["overhead"] / 3.6e6,
    "energy-break-even": lambda n: n["spent"] * 1000 * 3600 / (n["before"] * 1e-3 - n["after"] * 1e-3) / 1e6,
    "amdahl": lambda n: 100 / (100 - n["share"] + n["share"] / n["factor"]),
    "roofline-time": lambda n: 1000 * max(n["flops"] * 1e6 / (n["peak"] * 1e9), n["traffic"] * 1e6 / (n["bandwidth"] * 1e9)),
    "roofline-share": lambda n: 100 * min(1.0, n["intensity"] / (n["peak"] / n["bandwidth"])),
    "frame-rate-left": frames_left,
    "pipeline-rate": lambda n: min(1000 / stage for stage in n["stages"]),
    "early-exit": lambda n: np.average([n["first"], n["first"] + n["rest"]], weights=[n["share"], 100 - n["share"]]),
    "hierarchy-macs": lambda n: np.zeros((n["features"], n["coarse"])).size + np.zeros((n["features"], n["fine"])).size,
    "noisy-accuracy": lambda n: agreement(n["accuracy"], n["rate"], n["classes"]),
    "clean-accuracy": lambda n: optimize.brentq(lambda a: agreement(a, n["rate"], n["classes"]) - n["shown"], 0, 1),
    "uniform-diagonal": diagonal,
    "label-posterior": posterior,
    "forward-correction": lambda n: (np.array(n["rows"]).T @ np.array(n["p"]))[n["j"] - 1],
    "calibration-error": calibration,
    "brier-score": brier,
    "negative-log-likelihood": lambda n: -math.log(stats.gmean(n["p"])),
    "fitted-temperature": temperature,
    "scaled-confidence": lambda n: special.softmax(np.array(n["logits"]) / n["temperature"]).max(),
    "predictive-entropy": lambda n: stats.entropy(np.mean(n["members"], axis=0)),
    "mutual-information": information,
    "rejected-accuracy": lambda n: np.average([n["right"], n["rest"]], weights=[n["kept"], 100 - n["kept"]]),
    "attacked-margin": attacked,
    "smallest-epsilon": smallest_epsilon,
    "projected-step": projected,
    "attack-success": lambda n: 100 - 100 * n["robust"] / n["clean"],
}
