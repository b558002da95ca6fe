"""Computed questions on attacks: the fast gradient sign method and projections, on models small enough for paper."""

import math
from collections.abc import Sequence

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import KNOWS, MADE, MEASURES, Computed, Problem


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _linear(draw: Draw) -> tuple[tuple[float, ...], float, tuple[float, ...], float]:
    """Weights, bias and an input that the model gets right with the margin given last."""
    while True:
        w = tuple(draw.decimal(0.4, 2.5, 1) * draw.choice((-1, 1)) for _ in range(3))
        b, x = draw.decimal(-0.5, 0.5, 1), draw.decimals(3, 0.1, 0.9, 2)
        margin = _dot(w, x) + b
        if margin > 0.3:
            return w, b, x, margin


def attacked_margin(draw: Draw) -> Problem:
    w, b, x, margin = _linear(draw)
    epsilon = draw.choice((0.05, 0.08, 0.1))
    answer = margin - epsilon * sum(map(abs, w))
    return Problem(
        {"w": w, "b": b, "x": x, "epsilon": epsilon},
        f"A linear model decides by the sign of f(x) = w·x + b with w = {listed(w)}, b = {b}. The input x = {listed(x)} belongs "
        f"to the positive class. What is f after one FGSM step with ε = {epsilon} against that label (no clipping)?",
        answer,
        f"f(x) − ε·‖w‖_[1] = {show(margin)} − {epsilon}·{show(sum(map(abs, w)))} = {show(answer)}.",
        {
            "took the Euclidean norm": margin - epsilon * math.hypot(*w),
            "moved the wrong way": margin + epsilon * sum(map(abs, w)),
            "did not attack": margin,
            "took the sum of w": margin - epsilon * sum(w),
        },
    )


def smallest_epsilon(draw: Draw) -> Problem:
    w, b, x, margin = _linear(draw)
    answer = margin / sum(map(abs, w))
    return Problem(
        {"w": w, "b": b, "x": x},
        f"A linear model decides by the sign of f(x) = w·x + b with w = {listed(w)}, b = {b}. How large must ε at least be for "
        f"an attack in the L_[∞] ball to change the decision on x = {listed(x)} (no clipping)?",
        answer,
        f"|f(x)| / ‖w‖_[1] = {show(margin)} / {show(sum(map(abs, w)))} = {show(answer)}.",
        {
            "gave the Euclidean distance": margin / math.hypot(*w),
            "divided by the largest weight": margin / max(map(abs, w)),
            "gave the margin": margin,
        },
    )


def projected_step(draw: Draw) -> Problem:
    x, epsilon, back = draw.decimal(0.3, 0.7, 2), draw.decimal(0.03, 0.1, 2), draw.integer(1, 2)
    alpha, steps = draw.decimal(0.01, 0.05, 2), draw.integer(2, 6)
    # The ball has to stop the pixel on its way up, or projecting would not be asked for, and not on its way down.
    while steps * alpha <= epsilon or back * alpha >= 2 * epsilon:
        alpha, steps = draw.decimal(0.01, 0.05, 2), draw.integer(2, 6)
    answer = x + epsilon - back * alpha
    return Problem(
        {"x": x, "epsilon": epsilon, "alpha": alpha, "steps": steps, "back": back},
        f"PGD attacks a pixel of value {x} with ε = {epsilon} and step size α = {alpha}, starting at the pixel itself. The "
        f"gradient's sign is + in the first {steps} steps, then − in {back} more. What is the pixel's value at the end? Give at "
        "least 3 decimals.",
        answer,
        f"The ball stops it at {x} + {epsilon}, then it goes back by {back}·{alpha}: {show(answer)}.",
        {
            "never projected": x + (steps - back) * alpha,
            "projected only at the end": x + min(epsilon, (steps - back) * alpha),
            "stayed at the edge": x + epsilon,
        },
    )


def attack_success(draw: Draw) -> Problem:
    total = draw.integer(10, 50) * 20
    clean, robust = total * draw.integer(85, 97) // 100, total * draw.integer(15, 60) // 100
    answer = 100 * (clean - robust) / clean
    return Problem(
        {"total": total, "clean": clean, "robust": robust},
        f"Of {total} test images a model gets {clean} right, and {robust} right both before and after an attack. What is the "
        "attack's success rate in %, counted over the images that were right before?",
        answer,
        f"({clean} − {robust}) / {clean} = {show(answer)} %.",
        {
            "counted over all images": 100 * (clean - robust) / total,
            "counted errors from before too": 100 * (total - robust) / total,
            "gave the robust accuracy": 100 * robust / total,
        },
    )


QUESTIONS = (
    Computed("attacked-margin", "robustness", "l16", None, MADE, 2, attacked_margin),
    Computed("smallest-epsilon", "robustness", "l16", None, KNOWS, 2, smallest_epsilon),
    Computed("projected-step", "robustness", "l16", None, KNOWS, 2, projected_step, relative=0.002),
    Computed("attack-success", "robustness", "l16", None, MEASURES, 1, attack_success, "%"),
)
