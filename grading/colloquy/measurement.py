"""Computed questions on measuring: medians, intervals, and how much data a claim needs."""

import math

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import MEASURES, Computed, Problem

Z = 1.96  # of 95 %


def wilson_low(draw: Draw) -> Problem:
    n = draw.integer(5, 16) * 10
    right = n * draw.integer(82, 97) // 100
    p = right / n
    centre, half = p + Z * Z / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    answer = (centre - half) / (1 + Z * Z / n)
    return Problem(
        {"n": n, "right": right},
        f"A model is right on {right} of {n} test images. What is the lower end of the 95 % Wilson interval of its accuracy (z "
        "= 1.96)? Give 4 decimals.",
        answer,
        f"(p + z²/2n − z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n) with p = {show(p)} gives {show(answer)}.",
        {
            "took the normal approximation": p - Z * math.sqrt(p * (1 - p) / n),
            "gave the upper end": (centre + half) / (1 + Z * Z / n),
            "gave the accuracy": p,
        },
    )


def median_speedup(draw: Draw) -> Problem:
    before, after = list(draw.decimals(4, 18, 26, 1)), list(draw.decimals(4, 6, 13, 1))
    before, after = draw.shuffled([*before, draw.decimal(40, 90, 1)]), draw.shuffled([*after, draw.decimal(20, 60, 1)])
    answer = sorted(before)[2] / sorted(after)[2]
    return Problem(
        {"before": tuple(before), "after": tuple(after)},
        f"Five timings in ms before compression: {listed(before)}; after: {listed(after)}. By which factor did the median "
        "latency fall?",
        answer,
        f"{sorted(before)[2]} / {sorted(after)[2]} = {show(answer)}.",
        {
            "took the means": sum(before) / sum(after),
            "took the middle of the list as it stands": before[2] / after[2],
            "took the fastest": min(before) / min(after),
        },
    )


def images_needed(draw: Draw) -> Problem:
    accuracy, half = draw.integer(80, 96), draw.choice((0.5, 1, 1.5, 2))
    p, h = accuracy / 100, half / 100
    exact = Z * Z * p * (1 - p) / h**2
    return Problem(
        {"accuracy": accuracy, "half": half},
        f"A model's accuracy is about {accuracy} %. How many test images are needed so that the 95 % interval by the normal "
        f"approximation (z = 1.96) is at most ± {half} points wide?",
        math.ceil(exact),
        f"n ≥ z²·p(1−p)/h² = {exact:.1f}, so {math.ceil(exact)}.",
        {
            "took the whole width for half of it": math.ceil(4 * exact),
            "took p = 0.5": math.ceil(Z * Z * 0.25 / h**2),
            "left out z": math.ceil(p * (1 - p) / h**2),
            "forgot the square": math.ceil(Z * math.sqrt(p * (1 - p)) / h),
        },
    )


def throughput(draw: Draw) -> Problem:
    batch, latency, single = draw.choice((4, 8, 16, 32)), draw.decimal(20, 90, 1), draw.decimal(3, 9, 1)
    answer = batch * 1000 / latency
    return Problem(
        {"batch": batch, "latency": latency, "single": single},
        f"A model takes {single} ms for one image and {latency} ms for a batch of {batch}. What is its throughput with that "
        "batch, in images a second?",
        answer,
        f"{batch} · 1000 / {latency} = {show(answer)}.",
        {"counted batches": 1000 / latency, "took the latency of one image": 1000 / single, "gave ms an image": latency / batch},
    )


QUESTIONS = (
    Computed("wilson-interval", "measurement", "l00", None, MEASURES, 2, wilson_low, "fraction", relative=0.001),
    Computed("median-speedup", "measurement", "l00", 1, MEASURES, 1, median_speedup),
    Computed("images-needed", "measurement", "l00", None, MEASURES, 2, images_needed, whole=True),
    Computed("throughput", "measurement", "l00", 1, MEASURES, 1, throughput),
)
