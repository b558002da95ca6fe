"""The reference solutions of the exercises of l06_nas, from the definitions of their inputs in projectkit.submit."""

import math

import numpy as np

from projectkit.types import Arrays


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


SOLUTIONS = {
    "pareto": _pareto,
    "acceptance": _acceptance,
    "tournament": _tournament,
    "simple_regret": _simple_regret,
    "policy_gradient": _policy_gradient,
}
