"""The check cells: right answers pass, and each typical mistake is told what is wrong with it."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from checks import l00, l01, project
from projectkit.types import Artifact, Dataset, Measurement, Profile, Split


def count(kind, height, width, channels_in, channels_out, kernel, stride, *, ceil=True, bias=True, depthwise=True):
    positions = (-(-height // stride) if ceil else height // stride) * (-(-width // stride) if ceil else width // stride)
    weights = kernel**2 * channels_in * (1 if kind == 1 and depthwise else channels_out)
    return weights + channels_out * bias, positions * weights


def median_interval(samples, shift=0):
    x, n = np.sort(samples), len(samples)
    return np.median(x), x[int(binom.ppf(0.025, n, 0.5)) - 1 + shift], x[int(binom.ppf(0.975, n, 0.5)) - shift]


def interleaved(a, b, clock, rounds, *, in_turn=True):
    times = np.empty((rounds, 2))
    order = [(r, c) for r in range(rounds) for c in (0, 1)] if in_turn else [(r, c) for c in (0, 1) for r in range(rounds)]
    for r, c in order:
        start = clock()
        (a, b)[c]()
        times[r, c] = clock() - start
    return times


def wilson(correct, total):
    interval = binomtest(int(correct), int(total)).proportion_ci(method="wilson")
    return interval.low, interval.high


def joules(readings, span, wraps=True):
    steps = np.diff(readings)
    return (np.where(steps < 0, steps + span, steps) if wraps else steps).sum() / 1e6


def affine(low, high, *, widen=True, steps=255, rounded=True):
    low, high = (min(low, 0.0), max(high, 0.0)) if widen else (low, high)
    scale = (high - low) / steps
    zero = -128 - low / scale
    return scale, int(np.round(zero)) if rounded else zero


def quantize(x, scale, zero_point, *, clip=True, truncate=False):
    q = (np.trunc if truncate else np.round)(x / scale) + zero_point
    return (np.clip(q, -128, 127) if clip else q).astype(np.int64).astype(np.int8)


def dequantize(q, scale, zero_point):
    return scale * (q.astype(np.int32) - zero_point)


def per_channel(w, axis=(0, 1, 2)):
    scales = np.abs(w).max(axis=axis) / 127
    return scales, scales * np.clip(np.round(w / scales), -127, 127)


def percentile(values, share, *, both_sides=True):
    cut = (100 - share) / 2 if both_sides else 100 - share
    return tuple(np.percentile(values, [cut, 100 - cut]))


PAPERS = [(f"Paper {n}", "int8", "ResNet-50, ImageNet: 74.9 %", "the grid") for n in range(3)]
REPORT = "# Title\n\n" + "\n\n".join(f"## {section}\n\n{'word ' * 20}" for section in project.SECTIONS)


def images(train, test):
    splits = {
        name: Split(np.array(values, np.float32).reshape(-1, 1, 1, 1), np.zeros(len(values), np.int64))
        for name, values in (("train", train), ("val", [0.5]), ("test", test))
    }
    return Dataset("few", classes=("a",), digest="", **splits)


def profile(size, ratio=1.0, device="here"):
    values = (
        Measurement("accuracy", 0.95, 0.93, 0.97, 400),
        Measurement.exact("size", size),
        Measurement("latency_ratio", ratio, ratio, ratio, 9),
    )
    artifact = Artifact("x.tflite", "litert", "", size)
    return Profile(artifact, device, {value.metric: value for value in values}, {"energy": "no counter"})


PROFILES = {"baseline": profile(400), "optimized": profile(100, 0.5)}
UNTIMED = Profile(PROFILES["optimized"].artifact, "here", {})

RIGHT = [
    (l00.count, (count,)),
    (l00.median_interval, (median_interval,)),
    (l00.interleave, (interleaved,)),
    (l00.wilson, (wilson,)),
    (l00.joules, (joules,)),
    (l01.affine, (affine,)),
    (l01.round_trip, (quantize, dequantize)),
    (l01.per_channel, (per_channel,)),
    (l01.observe, (percentile,)),
    (l01.rescued, (0.12, 0.98, 0.99)),
    (l01.small_enough, (4.8, 0.98, 0.99)),
    (project.state_of_the_art, (PAPERS,)),
    (project.no_leak, (images([0.1, 0.2], [0.3]),)),
    (project.enough_images, (360, 2.0)),
    (project.comparable, (PROFILES,)),
    (project.claims, ({"optimized/accuracy": 0.95, "optimized/size_ratio": 0.25, "optimized/latency_ratio": 0.6}, PROFILES)),
    (project.claims, ({"optimized/accuracy": 0.5, "optimized/size": 1000}, PROFILES)),
    (project.report, (REPORT,)),
]

WRONG = [
    (l00.count, (lambda *layer: count(*layer, ceil=False),), "ceil"),
    (l00.count, (lambda *layer: count(*layer, bias=False),), "bias"),
    (l00.count, (lambda *layer: count(*layer, depthwise=False),), "depthwise"),
    (l00.median_interval, (lambda s: (np.mean(s) + 1, *median_interval(s)[1:]),), "np.median"),
    (l00.median_interval, (lambda s: median_interval(s, shift=1),), "Sort first"),
    (l00.interleave, (lambda a, b, clock, rounds: interleaved(a, b, clock, rounds, in_turn=False),), "Every round"),
    (l00.interleave, (lambda a, b, clock, rounds: interleaved(a, b, clock, rounds)[:, :1],), "shape"),
    (l00.wilson, (lambda c, n: (c / n - 0.05, c / n + 0.05),), "formula"),
    (l00.joules, (lambda r, span: joules(r, span, wraps=False),), "wrap-around"),
    (l00.joules, (lambda r, span: joules(r, span) * 1e6,), "1 000 000"),
    (l01.affine, (lambda low, high: affine(low, high, widen=False),), "contain 0"),
    (l01.affine, (lambda low, high: affine(low, high, steps=256),), "255 steps"),
    (l01.affine, (lambda low, high: affine(low, high, rounded=False),), "integer"),
    (l01.round_trip, (lambda *a: quantize(*a, clip=False), dequantize), "Clip|wraps around"),
    (l01.round_trip, (lambda *a: quantize(*a, truncate=True), dequantize), "Round, do not truncate"),
    (l01.round_trip, (quantize, lambda q, s, z: s * q), "half a step"),
    (l01.per_channel, (lambda w: per_channel(w, axis=None),), "last axis"),
    (l01.per_channel, (lambda w: (per_channel(w)[0], w),), "rounded"),
    (l01.observe, (lambda v, share: percentile(v, share, both_sides=False),), "each side"),
    (l01.rescued, (0.12, 0.13, 0.99), "prepare"),
    (l01.rescued, (0.12, 0.80, 0.99), "epochs more"),
    (l01.small_enough, (8.0, 0.98, 0.99), "the goal is 5"),
    (l01.small_enough, (4.5, 0.90, 0.99), "sensitive"),
    (project.state_of_the_art, (PAPERS[:2],), "at least 3"),
    (project.state_of_the_art, ([*PAPERS, PAPERS[0]],), "two lines"),
    (project.state_of_the_art, ([*PAPERS, ("New", "int8", " ", "")],), "four filled cells"),
    (project.state_of_the_art, ([*PAPERS, ("New", "int8", "much better", "all")],), "no number"),
    (project.no_leak, (images([0.1, 0.2], [0.2, 0.3]),), "1 of the 2 test images"),
    (project.no_leak, (images([0.1], [0.5]),), "train or val"),
    (project.enough_images, (360, 1.0), "Take 1,118 images"),
    (project.comparable, ({"baseline": PROFILES["baseline"]},), "no model 'optimized'"),
    (project.comparable, (PROFILES | {"variant_a": profile(1, device="there")},), "2 devices"),
    (project.comparable, (PROFILES | {"variant_a": UNTIMED},), "take turns"),
    (project.comparable, (PROFILES | {"baseline": profile(400, 2.0)},), "own artifact"),
    (project.claims, ({}, PROFILES), "claim nothing"),
    (project.claims, ({"optimized/beauty": 1}, PROFILES), "names nothing that is measured"),
    (project.claims, ({"variant_b/size": 1}, PROFILES), "needs a model for variant_b"),
    (project.claims, ({"optimized/energy": 1e-6}, PROFILES), "no counter"),
    (project.claims, ({"optimized/energy_ratio": 0.5}, PROFILES), "no counter"),
    (project.claims, ({"optimized/accuracy": 0.98}, PROFILES), "worse side: down"),
    (project.claims, ({"optimized/size_ratio": 0.24}, PROFILES), "worse side: up"),
    (project.report, (REPORT.replace("## Methods", "## Tricks"),), "lacks the sections Methods"),
    (project.report, (REPORT.replace("word " * 20, "word", 1),), "Fewer than 15 words"),
    (project.report, (REPORT + "x" * 70_000,), "Shorten"),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=lambda value: getattr(value, "__name__", None))
def test_a_right_answer_is_called_right(check, answer, capsys):
    check(*answer)
    assert capsys.readouterr().out.startswith("✓ Right")


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_answer_is_told_what_is_wrong(check, answer, hint):
    with pytest.raises(AssertionError, match=hint):
        check(*answer)
