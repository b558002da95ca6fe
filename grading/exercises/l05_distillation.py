"""The reference solutions of the exercises of l05_distillation, from the definitions of their inputs in projectkit.submit."""

import math
import statistics

import numpy as np

from projectkit.types import Arrays

T_OF_SEVEN = 2.446912  # the 97.5 % quantile of Student's t with 6 degrees of freedom


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


SOLUTIONS = {
    "soft_targets": _soft_targets,
    "soft_loss": _soft_loss,
    "paired_gain": _paired_gain,
    "decoupled_parts": _decoupled_parts,
    "attention_maps": _attention_maps,
}
