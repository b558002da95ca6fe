"""The reference solutions of the exercises of l07_nas_distillation, from the definitions of their inputs in projectkit.submit."""

import itertools
import math

import numpy as np

from projectkit.types import Arrays


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

    def probabilities(logits: np.ndarray, divisor: float = 1.0) -> list[list[float]]:
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


SOLUTIONS = {
    "latency_reward": _latency_reward,
    "kendall": _kendall,
    "distilled_objective": _distilled_objective,
}
