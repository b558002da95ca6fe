"""The reference solutions of the exercises, and how handed-in arrays are compared with them.

Written from the definitions in projectkit.submit.exercises, in float64, apart from the code that students are shown.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Mapping

import numpy as np

from grading import deployment_exercises, operator_exercises, robustness_exercises, uncertainty_exercises
from grading.types import Answer

Arrays = Mapping[str, np.ndarray]
RELATIVE = 1e-4  # of the entry: a float32 computation stays well below, another formula does not
ABSOLUTE = 1e-6  # of the array's largest entry: for entries that are nearly zero
Z = 1.959963984540054
T_OF_SEVEN = 2.446912  # the 97.5 % quantile of Student's t with 6 degrees of freedom


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


def _magnitude(inputs: Arrays) -> Arrays:
    kernels = {name: np.abs(inputs[name].astype(np.float64)).reshape(-1) for name in ("first", "second")}
    share = float(inputs["sparsity"])

    def stay(magnitudes):
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

    def nearest():
        return np.abs(w[:, None] - values).argmin(axis=1)

    for _ in range(10):
        chosen = nearest()
        values = np.array([w[chosen == k].mean() if (chosen == k).any() else values[k] for k in range(8)])
    chosen = nearest()
    return {"values": values, "chosen": chosen, "error": np.mean((w - values[chosen]) ** 2)}


def _filter_scores(inputs: Arrays) -> Arrays:
    w = inputs["w"].astype(np.float64)
    filters = [w[..., index].ravel() for index in range(w.shape[-1])]
    l1 = np.array([np.abs(one).sum() for one in filters])
    fpgm = np.array([sum(math.dist(one, other) for other in filters) for one in filters])
    left = round(len(filters) * (1 - float(inputs["ratio"])))

    def kept(scores):
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


def _drawn_network(inputs: Arrays) -> Arrays:
    stream = np.random.Generator(np.random.PCG64(int(inputs["seed"])))
    units = inputs["units"].tolist()
    kernels = []
    for width, after in itertools.pairwise(units):
        values = [stream.standard_normal(after, dtype=np.float32) for _ in range(width)]  # row by row is the same stream
        kernels.append(np.array(values, dtype=np.float64) * math.sqrt(2 / width))
    return {"first": kernels[0][0], "last": kernels[-1][-1]}


def _ensemble(inputs: Arrays) -> Arrays:
    masks, losses = inputs["masks"].astype(np.float64), inputs["losses"]
    success = (losses.max() - losses) / (losses.max() - losses.min())
    columns = np.column_stack([masks, np.ones(len(masks))])
    shares = np.linalg.lstsq(columns, success, rcond=None)[0][:-1]
    return {"success": success, "shares": shares, "order": np.argsort(shares)}


def _climb(inputs: Arrays) -> Arrays:
    theta, masks, scores = inputs["theta"], inputs["masks"].astype(np.float64), inputs["scores"]
    probability = np.array([1 / (1 + math.exp(-value)) for value in theta])
    count = len(scores)
    others = (scores.sum() - scores) / (count - 1)
    baselined = np.einsum("mu,m->u", masks - probability, scores - others) / count
    return {
        "probability": probability,
        "plain": np.einsum("mu,m->u", masks - probability, scores) / count,
        "baselined": baselined,
        "stepped": theta + 2 * baselined,
    }


def _dense_rest(inputs: Arrays) -> Arrays:
    masks = (inputs["mask_1"], inputs["mask_2"])
    whole = [int(inputs["inputs"]), *map(len, masks), int(inputs["classes"])]
    left = [whole[0], *(int(mask.sum()) for mask in masks), whole[-1]]
    before, after = (sum(a * b for a, b in itertools.pairwise(units)) for units in (whole, left))
    return {"kept": np.array(left[1:3]), "parameters": np.array(after), "removed": np.array(1 - after / before)}


def _pareto(inputs: Arrays) -> Arrays:
    points = inputs["points"].tolist()
    dominators = [sum(x <= a and y <= b and (x, y) != (a, b) for x, y in points) for a, b in points]
    front = [number for number, count in enumerate(dominators) if count == 0]
    area, left = 0.0, 1.0
    for x, y in sorted({tuple(points[number]) for number in front}, reverse=True):  # strips from right to left
        area += (left - x) * (1 - y)
        left = x
    return {"front": np.array(front), "dominators": np.array(dominators), "hypervolume": np.array(area)}


def _acceptance(inputs: Arrays) -> Arrays:
    start, cooling = float(inputs["start"]), float(inputs["cooling"])
    probability = [
        1.0 if worse <= 0 else math.exp(-worse / (start * cooling**step))
        for worse, step in zip(inputs["worse"].tolist(), inputs["step"].tolist(), strict=True)
    ]
    return {"probability": np.array(probability), "accepted": (inputs["luck"] < np.array(probability)).astype(np.int64)}


def _tournament(inputs: Arrays) -> Arrays:
    scores = [*inputs["scores"].tolist(), *inputs["children"].tolist()]
    size = len(inputs["scores"])
    parents = []
    for number, places in enumerate(inputs["draws"].tolist()):  # the oldest member that is alive is number `number`
        parents.append(max((number + place for place in places), key=scores.__getitem__))
    survivors = np.arange(len(parents), len(parents) + size)
    return {
        "parents": np.array(parents),
        "survivors": survivors,
        "best_alive": np.array(max(scores[member] for member in survivors)),
        "best_ever": np.array(max(scores)),
    }


def _simple_regret(inputs: Arrays) -> Arrays:
    rows = inputs["accuracy"].tolist()
    regret = np.array([[float(inputs["best"]) - max(row[: count + 1]) for count in range(len(row))] for row in rows])
    mean, last = regret.mean(axis=0), regret[:, -1]
    half = 2.571 * math.sqrt(sum((value - last.mean()) ** 2 for value in last) / (len(last) - 1) / len(last))
    return {"regret": regret, "mean": mean, "interval": np.array([mean[-1] - half, mean[-1] + half])}


def _policy_gradient(inputs: Arrays) -> Arrays:
    logits, rewards = inputs["logits"], inputs["rewards"]
    probabilities = np.array([[math.exp(value) / sum(map(math.exp, row)) for value in row] for row in logits.tolist()])
    gradient = np.zeros_like(probabilities)
    for choices, reward in zip(inputs["choices"].tolist(), rewards.tolist(), strict=True):
        for gene, choice in enumerate(choices):
            for level in range(logits.shape[1]):
                of_log = (level == choice) - probabilities[gene, level]
                gradient[gene, level] += (reward - rewards.mean()) * of_log / len(rewards)
    return {
        "probabilities": probabilities,
        "gradient": gradient,
        "stepped": logits + 0.5 * gradient,
        "entropy": np.array([-sum(p * math.log(p) for p in row) for row in probabilities.tolist()]),
    }


def _latency_reward(inputs: Arrays) -> Arrays:
    pairs = list(zip(inputs["accuracy"].tolist(), inputs["latency"].tolist(), strict=True))
    target, w = float(inputs["target"]), float(inputs["w"])
    soft = [accuracy * math.exp(w * math.log(latency / target)) for accuracy, latency in pairs]
    hard = [accuracy if latency <= target else accuracy * target / latency for accuracy, latency in pairs]
    best = [np.array(max(range(len(pairs)), key=rewards.__getitem__)) for rewards in (soft, hard)]
    return {"soft": np.array(soft), "hard": np.array(hard), "best_soft": best[0], "best_hard": best[1]}


def _kendall(inputs: Arrays) -> Arrays:
    score, outcome = inputs["score"].tolist(), inputs["outcome"].tolist()
    pairs = list(itertools.combinations(range(len(score)), 2))
    concordant = sum((score[a] < score[b]) == (outcome[a] < outcome[b]) for a, b in pairs)
    best = [set(sorted(range(len(score)), key=values.__getitem__)[-4:]) for values in (score, outcome)]
    return {
        "concordant": np.array(concordant),
        "tau": np.array(2 * concordant / len(pairs) - 1),
        "top": np.array(len(best[0] & best[1])),
    }


def _distilled_objective(inputs: Arrays) -> Arrays:
    temperature, alpha = float(inputs["temperature"]), float(inputs["alpha"])

    def probabilities(logits, divisor=1.0):
        grown = [[math.exp(value / divisor) for value in row] for row in logits.tolist()]
        return [[value / sum(row) for value in row] for row in grown]

    student, teacher, labels = inputs["student_logits"], inputs["teacher_logits"], inputs["labels"].tolist()
    count = len(labels)
    hard = -sum(math.log(row[label]) for row, label in zip(probabilities(student), labels, strict=True)) / count
    rows = zip(probabilities(teacher, temperature), probabilities(student, temperature), strict=True)
    soft = sum(p * math.log(p / q) for theirs, ours in rows for p, q in zip(theirs, ours, strict=True)) / count
    # CKA by the inner products of the images, which says the same as by those of the columns.
    centre = np.eye(count) - 1 / count
    ours, theirs = (centre @ (inputs[name] @ inputs[name].T) @ centre for name in ("student_features", "teacher_features"))
    return {
        "loss": np.array((1 - alpha) * hard + alpha * temperature**2 * soft),
        "agreement": np.mean(student.argmax(axis=1) == teacher.argmax(axis=1)),
        "cka": np.sum(ours * theirs) / math.sqrt(np.sum(ours * ours) * np.sum(theirs * theirs)),
    }


def _log_softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    scaled = logits / temperature
    return scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)


def _soft_targets(inputs: Arrays) -> Arrays:
    logarithms, labels = _log_softmax(inputs["logits"], float(inputs["temperature"])), inputs["labels"].tolist()
    probabilities = np.exp(logarithms)
    others = [np.delete(row, label) for row, label in zip(probabilities, labels, strict=True)]
    best = [int(row.argmax()) for row in others]
    return {
        "probabilities": probabilities,
        "entropy": np.array([-math.fsum(row) for row in probabilities * logarithms]),
        "not_the_label": np.array([math.fsum(row) for row in others]),
        "runner_up": np.array([place + (place >= label) for place, label in zip(best, labels, strict=True)]),
    }


def _soft_loss(inputs: Arrays) -> Arrays:
    student, teacher, labels = inputs["student"], inputs["teacher"], inputs["labels"]
    temperature, alpha = float(inputs["temperature"]), float(inputs["alpha"])
    count, classes = student.shape
    hard, ours, theirs = _log_softmax(student), _log_softmax(student, temperature), _log_softmax(teacher, temperature)
    cross_entropy = -np.mean([row[label] for row, label in zip(hard, labels, strict=True)])
    divergence = np.einsum("ic,ic->", np.exp(theirs), theirs - ours) / count
    of_labels = np.exp(hard) - np.eye(classes)[labels]
    of_teacher = temperature * (np.exp(ours) - np.exp(theirs))
    return {
        "cross_entropy": cross_entropy,
        "divergence": divergence,
        "loss": (1 - alpha) * cross_entropy + alpha * temperature**2 * divergence,
        "slope": ((1 - alpha) * of_labels + alpha * of_teacher) / count,
    }


def _paired_gain(inputs: Arrays) -> Arrays:
    plain, taught = inputs["plain"].tolist(), inputs["taught"].tolist()
    gains = [after - before for before, after in zip(plain, taught, strict=True)]
    root, gain = math.sqrt(len(gains)), statistics.mean(gains)
    half = T_OF_SEVEN * statistics.stdev(gains) / root
    return {
        "gain": np.array(gain),
        "low": np.array(gain - half),
        "high": np.array(gain + half),
        "unpaired": np.array(T_OF_SEVEN * math.hypot(statistics.stdev(plain), statistics.stdev(taught)) / root),
        "seeds": np.array(sum(gain > 0 for gain in gains)),
    }


def _decoupled_parts(inputs: Arrays) -> Arrays:
    temperature, rows = float(inputs["temperature"]), []
    of_both = (np.exp(_log_softmax(inputs[name], temperature)) for name in ("teacher", "student"))
    for p, q, label in zip(*of_both, inputs["labels"].tolist(), strict=True):
        sure, rest_p, rest_q = p[label], np.delete(p, label), np.delete(q, label)
        target = sure * math.log(sure / q[label]) + rest_p.sum() * math.log(rest_p.sum() / rest_q.sum())
        rest_p, rest_q = rest_p / rest_p.sum(), rest_q / rest_q.sum()
        rows.append((sure, target, rest_p @ np.log(rest_p / rest_q), p @ np.log(p / q)))
    return dict(zip(("sure", "target", "others", "whole"), np.array(rows).T, strict=True))


def _attention_maps(inputs: Arrays) -> Arrays:
    maps = {}
    for name in ("student", "teacher"):
        energy = np.einsum("nhwc,nhwc->nhw", *[inputs[name].astype(np.float64)] * 2)
        maps[f"{name}_map"] = np.array([one / math.hypot(*one.ravel()) for one in energy])
    return maps | {"loss": np.mean((maps["student_map"] - maps["teacher_map"]) ** 2)}


def _utilization(inputs: Arrays) -> Arrays:
    utilization, latency, highest = [], [], []
    for seconds, rate, deadline in zip(*(inputs[name].tolist() for name in ("seconds", "rate", "deadline")), strict=True):
        busy = rate * seconds
        utilization.append(busy)
        latency.append(seconds + busy * seconds / (2 * (1 - busy)))
        wait = deadline - seconds
        highest.append(2 * wait / (seconds * (seconds + 2 * wait)))
    return {
        "utilization": np.array(utilization),
        "latency": np.array(latency),
        "highest": np.array(highest),
        "cores": np.array(math.floor(sum(utilization)) + 1, dtype=np.int64),
    }


def _served(requests: list[tuple[float, float, float]], by_deadline: bool) -> list[float]:
    """The latencies of requests (arrival, seconds, deadline) to one process that interrupts nothing."""
    waiting, latencies, free = set(range(len(requests))), [0.0] * len(requests), 0.0
    while waiting:
        free = max(free, min(requests[one][0] for one in waiting))
        there = [one for one in waiting if requests[one][0] <= free]
        chosen = min(there, key=lambda one: (requests[one][0] + by_deadline * requests[one][2], requests[one][0]))
        free += requests[chosen][1]
        latencies[chosen] = free - requests[chosen][0]
        waiting.remove(chosen)
    return latencies


def _two_orders(inputs: Arrays) -> Arrays:
    requests = list(zip(*(inputs[name].tolist() for name in ("arrival", "seconds", "deadline")), strict=True))
    found = {name: np.array(_served(requests, name == "edf")) for name in ("fifo", "edf")}
    missed = [int(np.sum(latencies > inputs["deadline"])) for latencies in found.values()]
    return found | {"missed": np.array(missed, dtype=np.int64)}


def _fairness(inputs: Arrays) -> Arrays:
    late = [[value > limit for value in row] for row, limit in zip(inputs["latency"].tolist(), inputs["deadline"], strict=True)]
    in_time = [1 - sum(row) / len(row) for row in late]
    tail = []
    for row in inputs["latency"].tolist():
        ordered, place = sorted(row), 0.99 * (len(row) - 1)
        left = math.floor(place)
        tail.append(ordered[left] + (place - left) * (ordered[left + 1] - ordered[left]))
    return {
        "in_time": np.array(in_time),
        "p99": np.array(tail),
        "jain": np.array(sum(in_time) ** 2 / (3 * sum(share**2 for share in in_time))),
        "missed": np.array(sum(map(sum, late)) / inputs["latency"].size),
    }


def _interference(inputs: Arrays) -> Arrays:
    slower = inputs["slower"].tolist()
    slowdown = [math.prod(row[:place] + row[place + 1 :]) for place, row in enumerate(slower)]
    pairings = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
    pairs = [sum(1 / slower[a][b] + 1 / slower[b][a] for a, b in pairing) for pairing in pairings]
    return {
        "shared": inputs["alone"] * np.array(slowdown),
        "throughput": np.array(sum(1 / one for one in slowdown)),
        "turnaround": np.array(sum(slowdown) / 4),
        "pairs": np.array(pairs),
        "best": np.array(pairs.index(max(pairs)), dtype=np.int64),
    }


def _placement(inputs: Arrays) -> Arrays:
    seconds, deadline = inputs["seconds"].tolist(), inputs["deadline"].tolist()
    misses, worst = [], []
    for plan in range(16):
        free, lateness = [0.0, 0.0], []
        for arrival, model in zip(inputs["arrival"].tolist(), inputs["model"].tolist(), strict=True):
            core = plan >> model & 1
            free[core] = max(free[core], arrival) + seconds[model]
            lateness.append((free[core] - arrival) / deadline[model])
        misses.append(sum(one > 1 for one in lateness))
        worst.append(max(lateness))
    best = misses.index(min(misses))
    return {
        "misses": np.array(misses, dtype=np.int64),
        "best": np.array(best, dtype=np.int64),
        "cores": np.array([best >> model & 1 for model in range(4)], dtype=np.int64),
        "worst": np.array(worst[best]),
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
    "l02_pruning": {
        "magnitude": _magnitude,
        "schedule": _schedule,
        "two_of_four": _two_of_four,
        "palette": _palette,
    },
    "l03_structured_pruning": {
        "filter_scores": _filter_scores,
        "surgery": _surgery,
        "channel_groups": _channel_groups,
    },
    "l04_supermasks": {
        "drawn_network": _drawn_network,
        "ensemble": _ensemble,
        "climb": _climb,
        "dense_rest": _dense_rest,
    },
    "l05_distillation": {
        "soft_targets": _soft_targets,
        "soft_loss": _soft_loss,
        "paired_gain": _paired_gain,
        "decoupled_parts": _decoupled_parts,
        "attention_maps": _attention_maps,
    },
    "l06_nas": {
        "pareto": _pareto,
        "acceptance": _acceptance,
        "tournament": _tournament,
        "simple_regret": _simple_regret,
        "policy_gradient": _policy_gradient,
    },
    "l07_nas_distillation": {
        "latency_reward": _latency_reward,
        "kendall": _kendall,
        "distilled_objective": _distilled_objective,
    },
    "l09_operators": operator_exercises.SOLUTIONS,
    "l10_deployment": deployment_exercises.SOLUTIONS,
    "l11_multi_model": {
        "utilization": _utilization,
        "two_orders": _two_orders,
        "fairness": _fairness,
        "interference": _interference,
        "placement": _placement,
    },
    "l15_uncertainty": uncertainty_exercises.SOLUTIONS,
    "l16_robustness": robustness_exercises.SOLUTIONS,
}
