"""Computed questions on uncertainty: calibration, proper scores, ensembles and test-time dropout."""

import math
from collections.abc import Sequence

from grading.colloquy.distillation import softmax
from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import KNOWS, MADE, MEASURES, Computed, Problem


def _bins(draw: Draw) -> tuple[tuple[int, float, float], ...]:
    rows = []
    for i in range(5):
        confidence = round(0.2 * i + draw.decimal(0.04, 0.16, 2), 2)
        accuracy = round(min(0.99, max(0.01, confidence + draw.decimal(0.02, 0.2, 2) * draw.choice((-1, 1)))), 2)
        rows.append((draw.integer(2, 40) * 5, accuracy, confidence))
    return tuple(rows)


def calibration_error(draw: Draw) -> Problem:
    bins = _bins(draw)
    total = sum(count for count, _, _ in bins)
    answer = sum(count * abs(accuracy - confidence) for count, accuracy, confidence in bins) / total
    terms = " + ".join(f"{count}·{show(abs(round(accuracy - confidence, 2)))}" for count, accuracy, confidence in bins)
    header = ("predictions", "accuracy", "mean confidence")
    return Problem(
        {"bins": bins},
        "Predictions of a classifier fall into five bins by confidence. What is the expected calibration error (ECE)?",
        answer,
        f"({terms}) / {total} = {show(answer)}.",
        {
            "weighted all bins alike": sum(abs(accuracy - confidence) for _, accuracy, confidence in bins) / 5,
            "let signs cancel": abs(sum(count * (accuracy - confidence) for count, accuracy, confidence in bins)) / total,
            "gave the largest error": max(abs(accuracy - confidence) for _, accuracy, confidence in bins),
        },
        (header, *(tuple(map(str, row)) for row in bins)),
    )


def brier_score(draw: Draw) -> Problem:
    p, label = draw.distribution(4), draw.integer(1, 4)
    answer = sum((value - (i == label - 1)) ** 2 for i, value in enumerate(p))
    return Problem(
        {"p": p, "label": label},
        f"A classifier predicts the probabilities {listed(p)}; class {label} (counted from 1) is right. What is the Brier "
        "score, the sum of squared errors over the classes?",
        answer,
        f"Σ (p_[i] − y_[i])² = {show(answer)}, where y is 1 for class {label} and 0 elsewhere.",
        {
            "took the right class only": (1 - p[label - 1]) ** 2,
            "took the mean over the classes": answer / 4,
            "took absolute errors": 2 * (1 - p[label - 1]),
        },
    )


def likelihood(draw: Draw) -> Problem:
    p = draw.decimals(4, 0.05, 0.95, 2)
    answer = -sum(map(math.log, p)) / 4
    return Problem(
        {"p": p},
        f"A classifier gives the right classes of four images the probabilities {listed(p)}. What is its mean negative "
        "log-likelihood, in nats?",
        answer,
        f"−(ln {p[0]} + ln {p[1]} + ln {p[2]} + ln {p[3]}) / 4 = {show(answer)}.",
        {
            "took the logarithm of the mean": -math.log(sum(p) / 4),
            "gave the sum": 4 * answer,
            "took the decimal logarithm": answer / math.log(10),
        },
    )


def fitted_temperature(draw: Draw) -> Problem:
    margin, target = draw.decimal(2.5, 6.0, 1), draw.decimal(0.65, 0.9, 2)
    answer = margin / math.log(target / (1 - target))
    return Problem(
        {"margin": margin, "target": target},
        f"Two classes have logits that differ by {margin}. With which temperature does the larger one get the probability "
        f"{target}?",
        answer,
        f"{margin} / T = ln({target} / {show(round(1 - target, 2))}), so T = {show(answer)}.",
        {
            "turned the ratio": 1 / answer,
            "left out the logarithm": margin * (1 - target) / target,
            "forgot 1 − p": margin / -math.log(target),
        },
    )


def scaled_confidence(draw: Draw) -> Problem:
    logits, temperature = draw.decimals(3, -1.0, 6.0, 1), draw.decimal(1.2, 2.8, 1)
    answer = max(softmax(logits, temperature))
    return Problem(
        {"logits": logits, "temperature": temperature},
        f"Temperature scaling found T = {temperature}. What is the confidence (largest probability) for the logits "
        f"{listed(logits)}?",
        answer,
        f"exp({max(logits)}/{temperature}) / Σ exp(z_[i]/{temperature}) = {show(answer)}.",
        {"did not scale": max(softmax(logits)), "multiplied by T": max(softmax(logits, 1 / temperature))},
    )


def entropy(p: Sequence[float]) -> float:
    """Shannon entropy in nats of probabilities that are all positive."""
    return -sum(value * math.log(value) for value in p)


def _members(draw: Draw) -> tuple[tuple[float, ...], ...]:
    return tuple(draw.distribution(3) for _ in range(3))


def _mean(members: Sequence[Sequence[float]]) -> list[float]:
    return [sum(values) / len(members) for values in zip(*members, strict=True)]


def predictive_entropy(draw: Draw) -> Problem:
    members = _members(draw)
    mean = _mean(members)
    answer = entropy(mean)
    return Problem(
        {"members": members},
        "Three members of an ensemble predict "
        + ", ".join(map(listed, members))
        + ". What is the predictive entropy of the ensemble, in nats?",
        answer,
        f"The mean is {listed([show(v) for v in mean])}; −Σ p ln p = {show(answer)}.",
        {"took the mean of the entropies": sum(map(entropy, members)) / 3, "gave bits": answer / math.log(2)},
    )


def mutual_information(draw: Draw) -> Problem:
    members = _members(draw)
    expected = sum(map(entropy, members)) / 3
    total = entropy(_mean(members))
    return Problem(
        {"members": members},
        "Three passes with dropout switched on predict "
        + ", ".join(map(listed, members))
        + ". What is the mutual information (the epistemic "
        "part of the uncertainty), in nats?",
        total - expected,
        f"Entropy of the mean − mean of the entropies = {show(total)} − {show(expected)} = {show(total - expected)}.",
        {
            "gave the predictive entropy": total,
            "gave the aleatoric part": expected,
            "gave bits": (total - expected) / math.log(2),
        },
    )


def rejection(draw: Draw) -> Problem:
    total, kept = draw.integer(20, 60) * 100, draw.integer(60, 90)
    right = draw.integer(88, 98)
    rest = draw.integer(40, 75)
    answer = (kept * right + (100 - kept) * rest) / 100
    return Problem(
        {"total": total, "kept": kept, "right": right, "rest": rest},
        f"Of {total} test images a model keeps the {kept} % on which it is most confident and is right on {right} % of them; on "
        f"the others it would be right on {rest} %. What is its accuracy in % without rejection?",
        answer,
        f"0.{kept}·{right} + 0.{100 - kept:02d}·{rest} = {show(answer)} %.",
        {"took the mean of the two": (right + rest) / 2, "counted the kept ones only": kept * right / 100},
    )


QUESTIONS = (
    Computed("calibration-error", "uncertainty", "l15", None, MEASURES, 2, calibration_error, "fraction"),
    Computed("brier-score", "uncertainty", "l15", None, MEASURES, 1, brier_score),
    Computed("negative-log-likelihood", "uncertainty", "l15", None, MEASURES, 1, likelihood),
    Computed("fitted-temperature", "uncertainty", "l15", None, MADE, 2, fitted_temperature),
    Computed("scaled-confidence", "uncertainty", "l15", None, MADE, 1, scaled_confidence, "fraction", relative=0.005),
    Computed("predictive-entropy", "uncertainty", "l15", None, KNOWS, 2, predictive_entropy),
    Computed("mutual-information", "uncertainty", "l15", None, KNOWS, 3, mutual_information, relative=0.03),
    Computed("rejected-accuracy", "uncertainty", "l15", None, MEASURES, 1, rejection, "%", relative=0.002),
)
