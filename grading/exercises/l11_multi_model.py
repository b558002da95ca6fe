"""The reference solutions of the exercises of l11_multi_model, from the definitions of their inputs in projectkit.submit."""

import itertools
import math

import numpy as np

from projectkit.types import Arrays


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
    high = []
    for row in inputs["latency"].tolist():
        ordered, place = sorted(row), 0.9 * (len(row) - 1)
        left = math.floor(place)
        high.append(ordered[left] + (place - left) * (ordered[left + 1] - ordered[left]))
    return {
        "in_time": np.array(in_time),
        "p90": np.array(high),
        "fewest": np.array(next(n for n in itertools.count(1) if float(inputs["quantile"]) ** n <= 0.025)),
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


SOLUTIONS = {
    "utilization": _utilization,
    "two_orders": _two_orders,
    "fairness": _fairness,
    "interference": _interference,
    "placement": _placement,
}
