"""Computed questions on distillation: softened probabilities and the loss (Hinton, Vinyals and Dean, 2015)."""

import math
from collections.abc import Sequence

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import KNOWS, MADE, Computed, Problem


def softmax(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Probabilities of the logits divided by the temperature."""
    powers = [math.exp(logit / temperature) for logit in logits]
    return [power / sum(powers) for power in powers]


def _divergence(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def soft_probability(draw: Draw) -> Problem:
    logits, temperature = draw.decimals(3, -2.0, 5.0, 1), draw.choice((2, 3, 4, 5))
    p = softmax(logits, temperature)
    return Problem(
        {"logits": logits, "temperature": temperature},
        f"A teacher gives the logits {listed(logits)}. Which probability does the first class get in the softmax with "
        f"temperature {temperature}?",
        p[0],
        f"exp({logits[0]}/{temperature}) / Σ exp(z_[i]/{temperature}) = {show(p[0])}.",
        {
            "left out the temperature": softmax(logits)[0],
            "multiplied by it": softmax(logits, 1 / temperature)[0],
            "divided the probability": softmax(logits)[0] / temperature,
        },
    )


def distillation_loss(draw: Draw) -> Problem:
    temperature = draw.choice((2, 3, 4))
    teacher, student = draw.decimals(3, -2.0, 4.0, 1), draw.decimals(3, -2.0, 4.0, 1)
    p, q = softmax(teacher, temperature), softmax(student, temperature)
    answer = temperature**2 * _divergence(p, q)
    return Problem(
        {"teacher": teacher, "student": student, "temperature": temperature},
        f"The teacher's logits are {listed(teacher)}, the student's {listed(student)}. What is the distillation loss T^[2] · "
        f"KL(teacher ‖ student) at temperature T = {temperature}, in nats?",
        answer,
        f"p = {listed([show(v) for v in p])}, q = {listed([show(v) for v in q])}, {temperature}² · Σ p ln(p/q) = {show(answer)}.",
        {
            "left out T²": answer / temperature**2,
            "turned the divergence": temperature**2 * _divergence(q, p),
            "took temperature 1": _divergence(softmax(teacher), softmax(student)),
            "gave bits": answer / math.log(2),
        },
    )


def hard_loss(draw: Draw) -> Problem:
    logits, label = draw.decimals(4, -2.0, 4.0, 1), draw.integer(1, 4)
    p = softmax(logits)[label - 1]
    return Problem(
        {"logits": logits, "label": label},
        f"A student network gives the logits {listed(logits)}; class {label} (counted from 1) is right. What is the "
        "cross-entropy loss, in nats?",
        -math.log(p),
        f"−ln softmax(z)_[{label}] = −ln {show(p)} = {show(-math.log(p))}.",
        {"gave the probability": p, "took the decimal logarithm": -math.log10(p), "gave bits": -math.log2(p)},
    )


def combined_loss(draw: Draw) -> Problem:
    alpha, temperature = draw.choice((0.1, 0.2, 0.3, 0.7, 0.8, 0.9)), draw.choice((2, 3, 4, 5))
    hard, soft = draw.decimal(0.2, 2.5, 2), draw.decimal(0.02, 0.6, 3)
    answer = alpha * hard + (1 - alpha) * temperature**2 * soft
    return Problem(
        {"alpha": alpha, "temperature": temperature, "hard": hard, "soft": soft},
        f"A student's cross-entropy with the labels is {hard}; its Kullback–Leibler divergence from the teacher, both at "
        f"temperature T = {temperature}, is {soft}. What is the loss α·CE + (1 − α)·T^[2]·KL for α = {alpha}?",
        answer,
        f"{alpha}·{hard} + {show(1 - alpha)}·{temperature}²·{soft} = {show(answer)}.",
        {
            "left out T²": alpha * hard + (1 - alpha) * soft,
            "swapped the weights": (1 - alpha) * hard + alpha * temperature**2 * soft,
            "took T for T²": alpha * hard + (1 - alpha) * temperature * soft,
        },
    )


def gap_closed(draw: Draw) -> Problem:
    alone, gain, rest = draw.decimal(80, 88, 1), draw.decimal(0.5, 3.0, 1), draw.decimal(0.6, 4.0, 1)
    distilled, teacher = round(alone + gain, 1), round(alone + gain + rest, 1)
    answer = 100 * (distilled - alone) / (teacher - alone)
    return Problem(
        {"alone": alone, "distilled": distilled, "teacher": teacher},
        f"A teacher reaches {teacher} % accuracy; a student {alone} % on labels alone and {distilled} % when distilled. Which "
        "percentage of the gap between student and teacher did distillation close?",
        answer,
        f"({distilled} − {alone}) / ({teacher} − {alone}) = {show(answer)} %.",
        {
            "gave points": distilled - alone,
            "compared with the teacher": 100 * distilled / teacher,
            "gave what is left": 100 - answer,
        },
    )


QUESTIONS = (
    Computed("soft-probability", "distillation", "l05", 8, KNOWS, 1, soft_probability, "fraction"),
    Computed("distillation-loss", "distillation", "l05", 8, MADE, 3, distillation_loss, relative=0.02),
    Computed("hard-loss", "distillation", "l05", 8, KNOWS, 1, hard_loss),
    Computed("combined-loss", "distillation", "l05", 8, MADE, 1, combined_loss),
    Computed("gap-closed", "distillation", "l05", 8, KNOWS, 1, gap_closed, "%"),
)
