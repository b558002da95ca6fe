"""The reference solutions of the exercises of l15_uncertainty, from the definitions of their inputs in projectkit.submit."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from projectkit.types import Arrays


def _reliability(inputs: Arrays) -> Arrays:
    groups: list[list[tuple[float, bool]]] = [[] for _ in range(10)]
    for row, label in zip(inputs["probs"].tolist(), inputs["labels"].tolist(), strict=True):
        sure = max(row)
        groups[math.ceil(10 * sure) - 1].append((sure, row.index(sure) == label))
    confidence = [sum(sure for sure, _ in group) / max(len(group), 1) for group in groups]
    accuracy = [sum(right for _, right in group) / max(len(group), 1) for group in groups]
    gaps = zip(groups, accuracy, confidence, strict=True)
    costs = [-math.log(row[label]) for row, label in zip(inputs["probs"].tolist(), inputs["labels"].tolist(), strict=True)]
    return {
        "count": np.array([len(group) for group in groups]),
        "confidence": np.array(confidence),
        "accuracy": np.array(accuracy),
        "ece": np.array(sum(len(group) / 60 * abs(right - sure) for group, right, sure in gaps)),
        "nll": np.array(sum(costs) / 60),
    }


def _temperature(inputs: Arrays) -> Arrays:
    rows = list(zip(inputs["logits"].tolist(), inputs["labels"].tolist(), strict=True))

    def mean(beta: float) -> float:
        return sum(math.log(sum(math.exp(beta * (z - row[label])) for z in row)) for row, label in rows) / 80

    def slope(beta: float) -> float:
        total = 0.0
        for row, label in rows:
            powers = [math.exp(beta * (z - max(row))) for z in row]
            total += sum(power * z for power, z in zip(powers, row, strict=True)) / sum(powers) - row[label]
        return total / 80

    low, high = 1 / 20, 1 / 0.5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return {
        "temperature": np.array(1 / low),
        "before": np.array(mean(1.0)),
        "after": np.array(mean(low)),
        "slope": np.array(slope(1.0)),
    }


def _brier_parts(inputs: Arrays) -> Arrays:
    stated, happened = inputs["stated"], inputs["happened"]
    base, reliability, resolution = happened.mean(), 0.0, 0.0
    for value in np.unique(stated):
        rained = happened[stated == value]
        reliability += len(rained) / 120 * (value - rained.mean()) ** 2
        resolution += len(rained) / 120 * (rained.mean() - base) ** 2
    return {
        "brier": np.mean((stated - happened) ** 2),
        "reliability": np.array(reliability),
        "resolution": np.array(resolution),
        "uncertainty": np.array(base * (1 - base)),
    }


def _entropy_split(inputs: Arrays) -> Arrays:
    def entropy(row: Sequence[float]) -> float:
        return -sum(p * math.log(p) for p in row)

    by_image = inputs["samples"].transpose(1, 0, 2).tolist()
    total = np.array([entropy([sum(column) / 5 for column in zip(*rows, strict=True)]) for rows in by_image])
    aleatoric = np.array([sum(map(entropy, rows)) / 5 for rows in by_image])
    epistemic = total - aleatoric
    return {"total": total, "aleatoric": aleatoric, "epistemic": epistemic, "most_epistemic": np.argmax(epistemic)}


def _detection(inputs: Arrays) -> Arrays:
    inside, outside = inputs["inside"].tolist(), inputs["outside"].tolist()
    wins = sum((after > before) + 0.5 * (after == before) for before in inside for after in outside)
    threshold = min(t for t in inside if sum(value <= t for value in inside) >= 38)  # 95 % of 40
    return {
        "auroc": np.array(wins / 1200),
        "fpr95": np.array(sum(value <= threshold for value in outside) / 30),
        "recall": np.array(sum(value > max(inside) for value in outside) / 30),
    }


def _conformal(inputs: Arrays) -> Arrays:
    place = math.ceil(60 * (1 - float(inputs["alpha"])))
    found: dict[str, np.ndarray] = {}
    scores: dict[str, Callable[[list[float], float], float]] = {
        "simple": lambda row, p: 1 - p,
        "adaptive": lambda row, p: math.fsum(q for q in row if q >= p),
    }
    for name, nonconformity in scores.items():
        rows = zip(inputs["probs"].tolist(), inputs["labels"].tolist(), strict=True)
        threshold = sorted(nonconformity(row, row[label]) for row, label in rows)[place - 1]
        sets = [[int(nonconformity(row, p) <= threshold) for p in row] for row in inputs["new"].tolist()]
        found |= {f"{name}_threshold": np.array(threshold), f"{name}_sets": np.array(sets)}
    return found


SOLUTIONS = {
    "reliability": _reliability,
    "temperature": _temperature,
    "brier_parts": _brier_parts,
    "entropy_split": _entropy_split,
    "detection": _detection,
    "conformal": _conformal,
}
