"""The check cells: right answers pass, and each typical mistake is told what is wrong with it."""

import itertools
import math
import re
from functools import partial

import numpy as np
import optuna
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import binom, binomtest
from scipy.stats import t as students_t

import answers_l09
import answers_l15
import answers_l16
from checks import l00, l01, l02, l03, l04, l05, l06, l07, l09, l10, l11, l16, project
from projectkit import models, robustness
from projectkit.devices.roofline import seconds
from projectkit.prune.supermasks import Found
from projectkit.schedule import Plan, jain
from projectkit.types import Artifact, Dataset, Measurement, Profile, Recipe, Split


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


def mcnemar(right_a, right_b, sides=2):
    only = np.sum(right_a & ~right_b), np.sum(~right_a & right_b)
    return *only, min(1.0, sides * binom.cdf(min(only), sum(only), 0.5))


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


def groups_of_channels(tensors, *, whole=True):
    group = []
    for number, (kind, a, b) in enumerate(tensors):
        group.append(group[a] if kind in (2, 3) else number)
        if kind == 3:
            old, new = group[b], group[a]
            group = [new if one == old else one for one in group] if whole else [*group[:b], new, *group[b + 1 :]]
    order = list(dict.fromkeys(group))
    return np.array([order.index(one) for one in group])


def cut_convolutions(first, norm, second, keep):
    return first[..., keep], [array[keep] for array in norm], second[:, :, keep]


def cut_dense(kernel, keep, repeat=np.tile):
    return kernel[repeat(keep, len(kernel) // len(keep))]


def leftover(gamma, beta, mean, variance, *, epsilon=1e-3, relu=True):
    constant = beta - gamma * mean / np.sqrt(variance + epsilon)
    return np.maximum(constant, 0) if relu else constant


def filter_l1(kernel, axis=(0, 1, 2)):
    return np.abs(kernel).sum(axis=axis)


def filter_distances(kernel, power=1):
    filters = kernel.reshape(-1, kernel.shape[-1]).T
    return (np.linalg.norm(filters[:, None] - filters[None], axis=-1) ** power).sum(axis=1)


def shares(masks, losses, *, success=True, ones=True, keep_constant=False):
    s = 1 - (losses - losses.min()) / np.ptp(losses) if success else losses
    z = np.column_stack([masks, np.ones(len(masks))]) if ones else masks.astype(float)
    theta = np.linalg.lstsq(z, s, rcond=None)[0]
    return theta if keep_constant else theta[: masks.shape[1]]


def gradient(theta, masks, scores, baseline, spread, *, centred=True):
    p = 1 / (1 + np.exp(-theta)) if centred else 0
    return (masks - p).T @ ((scores - baseline) / spread) / len(masks)


def moments(x, over=(0, 1, 2)):
    mean = np.mean(x, axis=over, keepdims=True)
    return np.mean(x, axis=over), np.mean((x - mean) ** 2, axis=over)


def smallest_go(w, share, *, signed=False, stays=False):
    order = np.argsort(w if signed else np.abs(w), axis=None, kind="stable")
    mask = np.ones(w.size, bool)
    mask[order[: round((1 - share if stays else share) * w.size)]] = False
    return mask.reshape(w.shape)


def above_a_threshold(w, share):
    return np.abs(w) > np.sort(np.abs(w), axis=None)[max(round(share * w.size) - 1, 0)] if share else np.ones(w.shape, bool)


def one_threshold(kernels, share, *, reverse=False):
    long = smallest_go(np.concatenate([w.reshape(-1) for w in kernels.values()]), share)
    parts = np.split(long[::-1] if reverse else long, np.cumsum([w.size for w in kernels.values()])[:-1])
    return {name: part.reshape(w.shape) for (name, w), part in zip(kernels.items(), parts, strict=True)}


def rising(step, final, begin, end, initial, power, *, clipped=True):
    progress = (step - begin) / (end - begin)
    return final + (initial - final) * (1 - (np.clip(progress, 0, 1) if clipped else progress)) ** power


def pairs(w, *, axis=-2, sign=-1):
    turned = np.moveaxis(np.abs(w), axis, -1)
    order = np.argsort(sign * turned.reshape(-1, 4), axis=1)
    mask = np.zeros(order.shape, bool)
    np.put_along_axis(mask, order[:, :2], True, axis=1)
    return np.moveaxis(mask.reshape(turned.shape), -1, axis)


def k_means(w, count, *, lonely_stay=True, rounds=10):
    values = np.linspace(w.min(), w.max(), count)
    for _ in range(rounds):
        chosen = np.abs(w[:, None] - values).argmin(axis=1)
        sums, members = np.bincount(chosen, w, count), np.bincount(chosen, minlength=count)
        with np.errstate(invalid="ignore"):
            values = np.where((members > 0) | (not lonely_stay), sums / members, values)
    return values, np.abs(w[:, None] - values).argmin(axis=1)


SEEDS_REWOUND, SEEDS_REDRAWN = (
    [[0.95, 0.94, 0.90], [0.94, 0.95, 0.91], [0.96, 0.94, 0.92]],
    [[0.91, 0.7], [0.92, 0.71], [0.9, 0.7]],
)


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


def drawn(units, seed, *, one_generator=True, variance=2.0):
    rng = np.random.default_rng(seed)
    kernels = []
    for inputs, outputs in itertools.pairwise(units):
        rng = rng if one_generator else np.random.default_rng(seed)
        kernels.append(rng.standard_normal((inputs, outputs), dtype=np.float32) * np.float32(np.sqrt(variance / inputs)))
    return kernels


def masked(kernels, masks, x, *, last=False, mask=True):
    for kernel, kept in zip(kernels, masks, strict=False):
        x = np.maximum(x @ kernel, 0) * (kept if mask else 1)
    return np.maximum(x @ kernels[-1], 0) if last else x @ kernels[-1]


def coin_gradient(theta, masks, scores, *, baseline="others"):
    count = len(scores)
    subtracted = {"others": (scores.sum() - scores) / (count - 1), "own": scores.mean(), "none": 0.0}[baseline]
    return gradient(theta, masks, scores, subtracted, 1.0)


def weights_left(units, masks, *, columns=True):
    left = [units[0], *(int(mask.sum()) for mask in masks), units[-1]]
    return sum(a * b for a, b in zip(left if columns else units, left[1:], strict=False))


def chains(depths, filters, strides, *, skips=True, added=True):
    block = filters * strides
    counted = [block * (block + skips) ** (depth - 1) for depth in depths]
    return sum(counted) if added else math.prod(counted)


def step_taken(worse, temperature, luck, *, sign=-1):
    with np.errstate(all="ignore"):
        return worse <= 0 or bool(luck < np.exp(sign * worse / np.float64(temperature)))


def aged(population, drawn, child_of, *, dies="oldest", parent=max, over=None):
    first = parent((population[index] for index in (drawn if over is None else over)), key=lambda member: member[0])
    gone = population[0] if dies == "oldest" else min(population, key=lambda member: member[0])
    return [*(member for member in population if member is not gone), child_of(first)]


def reinforced(logits, choice, advantage, *, centred=True, softmaxed=True):
    p = softmax(logits) if softmaxed else np.exp(logits)
    return advantage * (np.eye(len(p))[choice] - p * centred)


def unbeaten(points, *, strict=False, equal_beat=False):
    def beats(a, b):
        return np.all(a < b) if strict else np.all(a <= b) and (equal_beat or np.any(a < b))

    pairs = [[i != j and beats(a, b) for i, a in enumerate(points)] for j, b in enumerate(points)]
    return ~np.array(pairs).any(axis=1)


def area(points, *, last=1.0, dominated=False):
    best = np.unique(points if dominated else points[unbeaten(points)], axis=0)
    return float(np.sum(np.diff([*best[:, 0], last]) * (1 - best[:, 1])))


def rewarded(accuracy, latency, target, w=-0.07, *, power=1):
    return accuracy * (latency / target) ** (power * w)


def limited(accuracy, latency, target, *, both=False):
    return accuracy * (target / latency if both else np.minimum(1, target / latency))


def alike(a, b, *, centred=True, squared=True):
    a, b = (x - x.mean(axis=0) if centred else x for x in (a, b))
    return np.linalg.norm(a.T @ b) ** (1 + squared) / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b)


def agreed(score, outcome, *, ties=0, difference=True):
    signs = [np.sign((score[i] - score[j]) * (outcome[i] - outcome[j])) or ties for i, j in itertools.combinations(range(4), 2)]
    return np.mean(signs) if difference else np.mean(np.array(signs) > 0)


def trials(*values):
    """A study of these trials, and them."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.add_trials([optuna.create_trial(values=pair) for pair in values])
    return study.trials, study


FOUND, SEARCHED = trials((0.95, 0.5), (0.94, 0.6), (0.5, 0.1))


def found(accuracy, removed):
    return Found((), accuracy, removed)


def softened(logits, temperature):
    return softmax(logits / temperature, axis=1)


def distilled(student, teacher, labels, temperature, alpha, *, power=2, turned=False, mean=np.mean, entropy=True):
    ours, theirs = log_softmax(student / temperature, axis=1), log_softmax(teacher / temperature, axis=1)
    ours, theirs = (theirs, ours) if turned else (ours, theirs)
    each = (np.exp(theirs) * ((theirs if entropy else 0) - ours)).sum(axis=1)
    hard = -log_softmax(student, axis=1)[np.arange(len(labels)), labels].mean()
    return (1 - alpha) * hard + alpha * temperature**power * mean(each)


def pull(student, teacher, labels, temperature, alpha, *, power=1, count=None):
    hard = softmax(student, axis=1) - np.eye(student.shape[1])[labels]
    soft = softened(student, temperature) - softened(teacher, temperature)
    return ((1 - alpha) * hard + alpha * temperature**power * soft) / (count or len(student))


def of_three(differences, *, ddof=1, root=True, normal=False):
    n = len(differences)
    sure = 1.96 if normal else students_t.ppf(0.975, n - 1)
    return np.mean(differences), sure * np.std(differences, ddof=ddof) / (np.sqrt(n) if root else 1)


def two_parts(student, teacher, labels, temperature, *, rest_scaled=True, of="teacher"):
    p, q = softened(teacher, temperature), softened(student, temperature)
    mine = np.eye(p.shape[1], dtype=bool)[labels]
    a, b = p[mine], q[mine]
    target = a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))
    p, q = (rows[~mine].reshape(len(rows), -1) for rows in (p, q))
    if rest_scaled:
        p, q = (rows / rows.sum(axis=1, keepdims=True) for rows in (p, q))
    return (a if of == "teacher" else b), target, (p * np.log(p / q)).sum(axis=1)


def looks(features, *, power=2, axes=(1, 2)):
    squares = (features**2).sum(axis=3)
    return squares / (squares**power).sum(axis=axes, keepdims=True) ** (1 / power)


def together(alone, shared, *, count=False):
    return np.sum(alone / shared) / (len(alone) if count else 1), np.mean(shared / alone)


def waits(seconds, rate, *, twice=True, endless=True):
    rho = rate * seconds
    return math.inf if endless and rho >= 1 else rho * seconds / ((2 if twice else 1) * (1 - rho) or 1)


def played(arrival, seconds, deadline, order, *, jump=True, relative=False, clairvoyant=False):
    """One request after the other; the mistakes: no pause, deadlines that count from 0, a process that knows who will come."""
    now, latency, waiting = 0.0, np.zeros(len(arrival)), list(range(len(arrival)))
    key = deadline if relative else arrival + deadline
    while waiting:
        now = max(now, min(arrival[waiting])) if jump else now
        there = [one for one in waiting if clairvoyant or not jump or arrival[one] <= now]
        first = there[0] if order == "fifo" else min(there, key=lambda one: key[one])
        now = max(now, arrival[first]) + seconds[first] if jump else now + seconds[first]
        latency[first] = now - arrival[first]
        waiting.remove(first)
    return latency


def best_of_all(choices, orders, evaluate, *, used=slice(None), best=min):
    plans = [Plan(each, order) for each in itertools.product(*choices) for order in orders[used]]
    plan = best(plans, key=evaluate)
    return evaluate(plan), plan, len(plans)


BYTES = {share: Artifact("m.tflite", "litert", "", share) for share in (20, 280, 600, 1000)}


def to_the_first(samples, middle=np.median, upside_down=False):
    values = middle(samples, axis=0)
    return values[0] / values if upside_down else values / values[0]


def last_readers(reads, pick=max, output=True):
    last = [pick(i for i, read in enumerate(reads) if tensor in read) for tensor in range(len(reads))]
    return [*last, len(reads) - 1 if output is True else output] if output else last


def alive(sizes, last, shift=1, until=0):
    made = np.maximum(np.arange(len(sizes)) - shift, 0)
    return np.array([sizes[(made <= i) & (i + until <= last)].sum() for i in range(len(sizes) - 1)])


def cheapest(orders, peak_of, pick=min):
    best = pick(orders, key=peak_of)
    return best, peak_of(best)


def printed_medians(text, start=r"(?:^|\] )", unit=1000):
    names = ("Latency", "GPU Compute Time")
    found = [re.search(rf"{start}{name}: .*?median = ([\d.e+-]+) ms", text, re.MULTILINE) for name in names]
    return [float(match[1]) / unit for match in found]


def in_places(on_dla, dla, gpu, crossing, ends=True):
    sides = [0, *on_dla, 0] if ends else on_dla
    return np.where(on_dla == 1, dla, gpu).sum() + crossing * np.count_nonzero(np.diff(sides))


FITS = {"8 int8": (0.95, 0.4, 640), "14 int8": (0.98, 0.5, 1120), "24 float32": (0.99, 0.6, 7680)}

RIGHT = [
    (l00.count, (count,)),
    (l00.median_interval, (median_interval,)),
    (l00.interleave, (interleaved,)),
    (l00.wilson, (wilson,)),
    (l00.mcnemar, (mcnemar,)),
    (l00.joules, (joules,)),
    (l01.affine, (affine,)),
    (l01.round_trip, (quantize, dequantize)),
    (l01.per_channel, (per_channel,)),
    (l01.observe, (percentile,)),
    (l01.rescued, (0.12, 0.98, 0.99)),
    (l01.small_enough, (4.8, 0.98, 0.99)),
    (l02.magnitude_mask, (smallest_go,)),
    (l02.global_masks, (one_threshold,)),
    (l02.schedule, (rising,)),
    (l02.pruned, ({"a": 0.5, "b": 0.95}, {"a": 100, "b": 900}, 0.97, 0.98)),
    (l02.two_of_four, (pairs,)),
    (l02.palette, (k_means,)),
    (l02.chain, (0.9, 16, 8.0, 0.97, 0.98)),
    (l02.tickets, (SEEDS_REWOUND, SEEDS_REDRAWN, [1.0, 0.2, 0.05])),
    (l03.group_of, (groups_of_channels,)),
    (l03.cut, (cut_convolutions, cut_dense)),
    (l03.leftover, (leftover,)),
    (l03.norms, (filter_l1, filter_distances)),
    (l03.lfe, (shares,)),
    (l03.pgbp_gradient, (gradient,)),
    (l03.bound, (lambda work, behind: sum(work.values()) / sum(work.get(name, 0) for name in behind),)),
    (l03.statistics, (moments,)),
    (l03.small_enough, (0.48, 0.97, 0.98, 0.5)),
    (l04.drawn, (drawn,)),
    (l04.masked, (masked,)),
    (l04.shares, (shares,)),
    (l04.gradient, (coin_gradient,)),
    (l04.parameters, (weights_left,)),
    (l04.handed_in, (found(0.7, 0.6), found(0.55, 0.9))),
    (l05.soften, (softened,)),
    (l05.soft_loss, (distilled,)),
    (l05.gradient, (pull, distilled)),
    (l05.interval, (of_three,)),
    (l05.parts, (two_parts,)),
    (l05.attention, (looks,)),
    (l05.generations, ([[0.9, 0.91, 0.92], [0.9, 0.9, 0.9]],)),
    (l05.small_enough, (0.01, 0.95, 0.99, 0.02)),
    (l05.taught, (0.7,)),
    (l05.eight_bits, (8.2, 0.95, 0.96)),
    (l06.size, (chains,)),
    (l06.regret, (lambda a, best: best - np.maximum.accumulate(a),)),
    (l06.accept, (step_taken,)),
    (l06.one_round, (aged,)),
    (l06.policy_gradient, (reinforced,)),
    (l06.front, (unbeaten,)),
    (l06.hypervolume, (area,)),
    (l06.chosen, (FOUND[0], SEARCHED)),
    (l07.kd_loss, (distilled,)),
    (l07.rewards, (rewarded, limited)),
    (l07.cka, (alike,)),
    (l07.kendall, (agreed,)),
    (l07.chosen, (FOUND[0], SEARCHED, 0.99)),
    (l10.ratios, (to_the_first,)),
    (l10.lifetimes, (last_readers,)),
    (l10.live, (alive,)),
    (l10.cheapest_order, (cheapest,)),
    (l10.medians, (printed_medians,)),
    (l10.placed, (in_places,)),
    (l10.chosen, ("14 int8", FITS, 1380)),
    (l11.progress, (together,)),
    (l11.wait, (waits,)),
    (l11.serve, (played,)),
    (l11.fairness, (jain,)),
    (l11.best_plan, (best_of_all,)),
    (l11.budget, (BYTES[280], BYTES[20], BYTES[1000], (0.97, 0.93))),
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
    (l00.mcnemar, (lambda a, b: mcnemar(a, b)[:2],), "three numbers"),
    (l00.mcnemar, (lambda a, b: (a.sum(), b.sum(), 1.0),), "exactly one of the two"),
    (l00.mcnemar, (lambda a, b: mcnemar(a, b, sides=1),), "Twice"),
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
    (l02.magnitude_mask, (lambda w, share: smallest_go(w, share).reshape(-1),), "Reshape"),
    (l02.magnitude_mask, (lambda w, share: smallest_go(w, share) * 1.0,), "expected bool"),
    (l02.magnitude_mask, (lambda w, share: smallest_go(w, share, stays=True),), "not what stays"),
    (l02.magnitude_mask, (lambda w, share: smallest_go(w, share, signed=True),), "−3 matters"),
    (l02.magnitude_mask, (above_a_threshold,), "cannot tell equal"),
    (l02.global_masks, (lambda kernels, share: {name: smallest_go(w, share) for name, w in kernels.items()},), "layer by layer"),
    (l02.global_masks, (lambda kernels, share: one_threshold(kernels, share, reverse=True),), "cumsum"),
    (l02.global_masks, (lambda kernels, share: {},), "you have none"),
    (l02.schedule, (lambda *a: rising(*a, clipped=False),), "Before `begin`"),
    (l02.schedule, (lambda s, f, b, e, i, p: rising(s, f, b, e, i, 1),), "Halfway"),
    (l02.pruned, ({"a": 0.5, "b": 0.5}, {"a": 100, "b": 900}, 0.97, 0.98), "at least 80 %"),
    (l02.pruned, ({"a": 0.9}, {"a": 100}, 0.2, 0.98), "train it after masking"),
    (l02.two_of_four, (lambda w: pairs(w, axis=-2, sign=1),), "not the two with the largest"),
    (l02.two_of_four, (lambda w: pairs(w.reshape(3, 3, 6, 8), axis=-1).reshape(w.shape),), "last axis but one"),
    (l02.two_of_four, (lambda w: np.moveaxis(pairs(w), -1, -2),), "Undo np.moveaxis"),
    (l02.palette, (lambda w, count: k_means(w, count, rounds=0),), "mean of the weights"),
    (l02.palette, (lambda w, count: (k_means(w, count)[0], np.zeros(len(w), int)),), "nearest value"),
    (l02.palette, (lambda w, count: k_means(w, count, lonely_stay=False),), "became NaN"),
    (l02.chain, (0.9, 16, 32.0, 0.97, 0.98), "precision='int8'"),
    (l02.chain, (0.02, 16, 8.0, 0.97, 0.98), "filled the zeros"),
    (l02.chain, (0.9, 200, 8.0, 0.97, 0.98), "at most 16"),
    (l02.chain, (0.9, 16, 8.0, 0.5, 0.98), "learning rate"),
    (l02.tickets, (SEEDS_REWOUND[:2], SEEDS_REDRAWN, [1.0, 0.2, 0.05]), "a row for each seed"),
    (l02.tickets, (SEEDS_REWOUND, SEEDS_REWOUND, [1.0, 0.2, 0.05]), "not drawn again"),
    (l02.tickets, (SEEDS_REWOUND[:1] * 3, SEEDS_REDRAWN, [1.0, 0.2, 0.05]), "Pass seed=seed"),
    (l03.group_of, (lambda t: np.arange(len(t)),), "a chain"),
    (l03.group_of, (lambda t: groups_of_channels(np.column_stack([np.minimum(t[:, 0], 2), t[:, 1:]])),), "joins the block"),
    (l03.group_of, (lambda t: groups_of_channels(t, whole=False),), "whole"),
    (l03.cut, (lambda f, n, s, k: (f[:, :, k], [a[k] for a in n], s[:, :, k]), cut_dense), "last axis"),
    (l03.cut, (lambda f, n, s, k: (f[..., k], [a[k] for a in n], s[..., k]), cut_dense), "third axis"),
    (l03.cut, (lambda f, n, s, k: (f[..., k], [a[k] for a in n[:2]], s[:, :, k]), cut_dense), "four arrays"),
    (l03.cut, (cut_convolutions, lambda kernel, keep: cut_dense(kernel, keep, np.repeat)), "np.repeat does not"),
    (l03.leftover, (lambda *a: leftover(*a, relu=False),), "max"),
    (l03.leftover, (lambda *a: leftover(*a, epsilon=1e-9),), "epsilon"),
    (l03.norms, (lambda kernel: filter_l1(kernel, (0, 1, 3)), filter_distances), "first three axes"),
    (l03.norms, (filter_l1, lambda kernel: filter_distances(kernel, 2)), "Euclidean norm"),
    (l03.lfe, (lambda z, losses: shares(z, losses, success=False),), "harmful"),
    (l03.lfe, (lambda z, losses: shares(z, losses, keep_constant=True),), "Leave c"),
    (l03.lfe, (lambda z, losses: shares(z, losses, ones=False),), "ones"),
    (l03.pgbp_gradient, (lambda *a: gradient(*a, centred=False),), "z − p"),
    (l03.pgbp_gradient, (lambda t, z, s, b, d: gradient(t, z, s, b, 1.0),), "spread 2"),
    (l03.bound, (lambda work, behind: 1000 / (1000 - sum(work.get(name, 0) for name in behind)),), "behind"),
    (l03.statistics, (lambda x: moments(x)[0],), "Expected two arrays"),
    (l03.statistics, (lambda x: moments(x, over=(1, 2)),), "the mean.*over the images"),
    (l03.statistics, (lambda x: (moments(x)[0], np.sqrt(moments(x)[1])),), "Not its root"),
    (l03.small_enough, (0.6, 0.97, 0.98, 0.5), "goal is 50 %|goal is 50%"),
    (l03.small_enough, (0.14, 0.8, 0.98, 0.15), "Fine-tune"),
    (l04.drawn, (lambda *a: drawn(*a)[:-1],), "have 3 kernels"),
    (l04.drawn, (lambda *a: drawn(*a, one_generator=False),), "kernel 2 begins with"),
    (l04.drawn, (lambda *a: drawn(*a, variance=1.0),), "kernel 1"),
    (l04.masked, (lambda *a: masked(*a, last=True),), "no ReLU"),
    (l04.masked, (lambda *a: masked(*a, mask=False),), "multiply by the mask"),
    (l04.masked, (lambda *a: masked(*a).T,), "shape"),
    (l04.shares, (lambda z, losses: shares(z, losses, success=False),), "success grows"),
    (l04.shares, (lambda z, losses: shares(z, losses, keep_constant=True),), "constant out"),
    (l04.shares, (lambda z, losses: shares(z, losses, ones=False),), "column of ones"),
    (l04.gradient, (lambda *a: coin_gradient(*a, baseline="none"),), "Subtract a baseline"),
    (l04.gradient, (lambda *a: coin_gradient(*a, baseline="own"),), "other"),
    (l04.gradient, (lambda *a: coin_gradient(*a) * 8,), "mean over the masks"),
    (l04.parameters, (lambda *a: weights_left(*a, columns=False),), "rows"),
    (l04.handed_in, (found(0.7, 0.4), found(0.55, 0.9)), "half"),
    (l04.handed_in, (found(0.7, 0.6), found(0.55, 0.8)), "removed=0.9"),
    (l04.handed_in, (found(0.7, 0.6), found(0.2, 0.9)), "more steps"),
    (l05.soften, (lambda z, T: softened(z, T)[0],), "a probability for each logit"),
    (l05.soften, (lambda z, T: np.exp(z / T) / np.exp(z / T).sum(axis=1, keepdims=True),), "overflows"),
    (l05.soften, (lambda z, T: softened(z, 1.0),), "changes nothing"),
    (l05.soften, (lambda z, T: softened(z, 1 / T),), "Divide: a high"),
    (l05.soften, (lambda z, T: np.exp(z / T - z.max() / T) / np.exp(z / T - z.max() / T).sum(),), "its own sum"),
    (l05.soft_loss, (lambda s, t, y, T, a: distilled(s, t, y, T, 1 - a),), "only the labels count"),
    (l05.soft_loss, (lambda *a: distilled(*a, power=0),), "T² is missing"),
    (l05.soft_loss, (lambda *a: distilled(*a, turned=True),), "other way round"),
    (l05.soft_loss, (lambda *a: distilled(*a, mean=np.sum),), "not the sum"),
    (l05.soft_loss, (lambda *a: distilled(*a, mean=lambda x: np.mean(x) / 4),), "Sum over the classes"),
    (l05.soft_loss, (lambda *a: distilled(*a, entropy=False),), "own entropy"),
    (l05.soft_loss, (lambda s, t, y, T, a: distilled(s, t, y, T, round(a)),), "α of the teacher"),
    (l05.gradient, (lambda *a: pull(*a, count=1), distilled), "over n"),
    (l05.gradient, (lambda *a: pull(*a, power=2), distilled), "leaves one T"),
    (l05.gradient, (lambda s, t, y, T, a: pull(s, t, y, T, round(a)), distilled), "times the second"),
    (l05.interval, (lambda d: of_three(d, ddof=0),), "ddof=1"),
    (l05.interval, (lambda d: of_three(d, root=False),), "Divide by √n"),
    (l05.interval, (lambda d: of_three(d, normal=True),), "for many samples"),
    (l05.interval, (lambda d: (np.median(d), 1.0),), "Of the differences"),
    (l05.parts, (lambda *a: two_parts(*a, rest_scaled=False),), "scale what is left"),
    (l05.parts, (lambda *a: two_parts(*a, of="student"),), "teacher's softened probability"),
    (l05.parts, (lambda s, t, y, T: two_parts(s, t, y, 1.0),), "teacher's softened probability"),
    (l05.parts, (lambda *a: two_parts(*a)[:2],), "you return 2"),
    (l05.attention, (lambda f: looks(f, power=1),), "sum to 1"),
    (l05.attention, (lambda f: looks(f, axes=(0, 1, 2)),), "Scale each by its own"),
    (l05.attention, (lambda f: f,), "Sum over the channels"),
    (l05.attention, (lambda f: looks(np.sqrt(np.abs(f))),), "Square the features"),
    (l05.generations, ([[0.9, 0.91]],), "three accuracies"),
    (l05.generations, ([[0.9, 0.9, 0.9]] * 3,), "fresh student"),
    (l05.small_enough, (0.03, 0.95, 0.99, 0.02), "narrower"),
    (l05.small_enough, (0.01, 0.8, 0.99, 0.02), "Train longer"),
    (l06.size, (lambda *a: chains(*a, skips=False),), r"strides \+ 1"),
    (l06.size, (lambda *a: chains(*a, added=False),), "depths are added"),
    (l06.regret, (lambda a, best: best - a,), "so far"),
    (l06.regret, (lambda a, best: np.maximum.accumulate(best - a),), "so far"),
    (l06.accept, (lambda *a: step_taken(*a, sign=1),), "hill climbing|luck is above"),
    (l06.accept, (lambda worse, temperature, luck: worse < 0 or step_taken(worse, temperature, luck, sign=-9),), "0.368"),
    (l06.accept, (lambda worse, temperature, luck: worse < 0,), "equal one"),
    (l06.one_round, (lambda *a: aged(*a, dies="worst"),), "also when it is the best"),
    (l06.one_round, (lambda *a: aged(*a, parent=min),), "is the parent"),
    (l06.one_round, (lambda *a: aged(*a, over=range(4)),), "is the parent"),
    (l06.one_round, (lambda *a: aged(*a)[::-1],), "in their order"),
    (l06.policy_gradient, (lambda *a: reinforced(*a, centred=False),), "one-hot"),
    (l06.policy_gradient, (lambda *a: reinforced(*a, softmaxed=False),), "changes nothing"),
    (l06.front, (lambda points: unbeaten(points, strict=True),), "equal in one"),
    (l06.front, (lambda points: unbeaten(points, equal_beat=True),), "Equal points"),
    (l06.front, (lambda points: points,), "one bool per point"),
    (l06.hypervolume, (lambda points: area(points, last=points[:, 0].max()),), "the last to 1"),
    (l06.hypervolume, (lambda points: area(points, dominated=True),), "dominated points"),
    (l06.chosen, (FOUND[1], SEARCHED), "beaten by another"),
    (l06.chosen, (FOUND[2], SEARCHED), "more accurate"),
    (l07.kd_loss, (lambda s, t, y, T, a: distilled(s, t, y, T, 1 - a),), "Only the cross-entropy"),
    (l07.kd_loss, (lambda *a: distilled(*a, power=0),), "by T²"),
    (l07.kd_loss, (lambda *a: distilled(*a, turned=True),), "Σ p"),
    (l07.rewards, (lambda *a: rewarded(*a, power=-1), limited), r"target\)\^w"),
    (l07.rewards, (rewarded, lambda *a: limited(*a, both=True)), "Nothing is won"),
    (l07.cka, (lambda a, b: alike(a, b, centred=False),), "Centre"),
    (l07.cka, (lambda a, b: alike(a, b, squared=False),), "neither changes"),
    (l07.kendall, (lambda a, b: agreed(a, b, difference=False),), "concordant"),
    (l07.kendall, (lambda a, b: agreed(a, b, ties=1),), "as neither"),
    (l07.chosen, (FOUND[1], SEARCHED, 0.99), "beaten by another"),
    (l07.chosen, (FOUND[2], SEARCHED, 0.99), "more accurate"),
    (l05.eight_bits, (32.0, 0.95, 0.96), "precision='int8'"),
    (l05.eight_bits, (8.0, 0.8, 0.96), "learning rate"),
    (l10.ratios, (lambda samples: to_the_first(samples, np.mean),), "one slow round"),
    (l10.ratios, (lambda samples: to_the_first(samples, upside_down=True),), "divided by that of the first"),
    (l10.lifetimes, (lambda reads: last_readers(reads, min),), "a shortcut keeps it alive"),
    (l10.lifetimes, (lambda reads: [*last_readers(reads, output=None), 0],), "lives to the last operator"),
    (l10.lifetimes, (lambda reads: last_readers(reads, output=None),), "the input among them"),
    (l10.live, (lambda *a: alive(*a, shift=0),), "tensor t is made by operator t − 1"),
    (l10.live, (lambda *a: alive(*a, until=1),), "whose last ≥ i"),
    (l10.cheapest_order, (lambda *a: cheapest(*a, max),), "The peaks are"),
    (l10.cheapest_order, (lambda orders, peak: cheapest(orders[::-1], peak),), "take the first"),
    (l10.medians, (lambda text: printed_medians(text, unit=1),), "not milliseconds"),
    (l10.medians, (lambda text: printed_medians(text, start=""),), "another line"),
    (l10.placed, (lambda *a: in_places(*a, ends=False),), "at the end included"),
    (l10.chosen, ("24 float32", FITS, 1380), "the device has 1,380"),
    (l10.chosen, ("8 int8", FITS, 1380), "another that fits"),
    (l10.chosen, ("9 int8", FITS, 1380), "was not measured"),
    (l11.progress, (lambda *a: together(*a, count=True),), "models' worth of work"),
    (l11.progress, (lambda *a: together(*a)[::-1],), "sum of alone / shared"),
    (l11.progress, (lambda *a: together(*a)[0],), "two numbers"),
    (l11.wait, (lambda *a: waits(*a, twice=False),), r"2 · \(1 − ρ\)"),
    (l11.wait, (lambda *a: waits(*a, endless=False),), "grows without end"),
    (l11.serve, (lambda *a: played(*a, jump=False),), "waits for the next arrival"),
    (l11.serve, (lambda *a: played(*a, relative=True),), "counts from the arrival"),
    (l11.serve, (lambda *a: played(*a, clairvoyant=True),), "later arrivals are not known"),
    (l11.serve, (lambda *a: played(*a[:3], "fifo"),), "smallest arrival"),
    (l11.fairness, (lambda x: x.sum() / len(x),), "n · Σx²"),
    (l11.fairness, (lambda x: np.sum(x) ** 2 / len(x) / max(np.sum(x**2), 1e-9),), "Nobody gets anything"),
    (l11.best_plan, (lambda *a: best_of_all(*a, used=slice(1)),), "32 plans"),
    (l11.best_plan, (lambda *a: best_of_all(*a, best=max),), "Less is better"),
    (l11.best_plan, (lambda *a: (*best_of_all(*a)[:1], *best_of_all(*a, best=max)[1:]),), "does not have the score"),
    (l11.budget, (BYTES[600], BYTES[20], BYTES[1000], (0.97, 0.93)), "as int8"),
    (l11.budget, (BYTES[280], BYTES[20], BYTES[1000], (0.97, 0.8)), "Train it longer"),
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


for _others in (answers_l09, answers_l15, answers_l16):
    RIGHT += _others.RIGHT
    WRONG += _others.WRONG


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=lambda value: getattr(value, "__name__", None))
def test_a_right_answer_is_called_right(check, answer, capsys):
    check(*answer)
    assert capsys.readouterr().out.startswith("✓ Right")


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG, ids=lambda value: getattr(value, "__name__", None))
def test_a_wrong_answer_is_told_what_is_wrong(check, answer, hint):
    with pytest.raises(AssertionError, match=hint):
        check(*answer)


def test_only_at_the_scale_of_the_tests_a_goal_need_not_be_reached(monkeypatch, capsys):
    with pytest.raises(AssertionError, match="epochs more"):
        l01.rescued(0.12, 0.80, 0.99)
    monkeypatch.setenv("PROJECTKIT_SCALE", "smoke")
    l01.rescued(0.12, 0.80, 0.99)
    assert capsys.readouterr().out.startswith("✓ Right")
    with pytest.raises(AssertionError, match="Expected finite numbers"):
        l01.rescued(0.12, math.nan, 0.99)
    with pytest.raises(AssertionError, match="the goal is 5"):
        l01.small_enough(8.0, 0.98, 0.99)  # what is counted in the file, however it was trained


def test_a_score_of_ones_own_needs_a_number_for_each_channel_and_an_order(digits, capsys):
    import tf_keras as keras

    stack = [keras.layers.Conv2D(4, 1, input_shape=digits.shape, name="conv"), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential(stack)

    def always(values):
        return lambda model, layer_name, data, *, seed=0: np.array(values)

    l03.score(always([1.0, 2.0, 0.0, 3.0]), model, "conv", digits.val)
    assert capsys.readouterr().out.startswith("✓ Right: 4 numbers for 4 channels")
    for values, hint in (([1.0, 2.0], r"expected \(4,\)"), ([1.0, np.nan, 0.0, 3.0], "finite"), ([1.0] * 4, "no order")):
        with pytest.raises(AssertionError, match=hint):
            l03.score(always(values), model, "conv", digits.val)


def test_a_convolution_that_is_none_is_named():
    x, kernel = np.random.default_rng(0).random((6, 7, 2)), np.random.default_rng(1).random((3, 3, 2, 4))
    y = np.stack([np.stack([np.tensordot(x[i : i + 3, j : j + 3], kernel, 3) for j in range(5)]) for i in range(4)])
    l09.convolution(y, x, kernel, "loops")
    for wrong, hint in ((y[::-1], "another answer"), (y[:, :-1], "shape")):
        with pytest.raises(AssertionError, match=f"loops.*{hint}"):
            l09.convolution(wrong, x, kernel, "loops")


def test_the_bound_is_held_against_projectkits():
    l09.same_roof(answers_l09.bound, answers_l09.ROOF, seconds)
    with pytest.raises(AssertionError, match="this machine"):
        l09.same_roof(lambda *a: answers_l09.bound(*a, combine=min), answers_l09.ROOF, seconds)


class TestAttacksOnNetworks:
    def test_climbing(self, trained, digits, capsys):
        l16.pgd(answers_l16.climbed, trained, digits.val)
        assert capsys.readouterr().out.startswith("✓ Right")

    @pytest.mark.parametrize(
        ("mistake", "hint"),
        [
            ({"way": -1}, "an attack raises it"),
            ({"forget": True}, "outside of the ball"),
            ({"stay": True}, "at the point where you are|2.5"),
            ({"size": 0.2}, "20 steps leave"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
    )
    def test_climbing_wrongly(self, trained, digits, mistake, hint):
        with pytest.raises(AssertionError, match=hint):
            l16.pgd(partial(answers_l16.climbed, **mistake), trained, digits.val)

    def test_training_on_attacks(self, trained, digits, capsys):
        model = models.build("convnet", digits, widths=(8, 16, 32))
        robustness.fgsm_training(model, digits, Recipe(epochs=4, learning_rate=8e-3), epsilon=0.15, progress=False)
        l16.hardened([model], [trained], digits.val, 0.15)
        assert capsys.readouterr().out.startswith("✓ Right")
        for networks, hint in (
            ([], "Expected 1 networks"),
            ([trained], "trained on clean images"),
            ([models.copy(trained)], "Is epsilon that of the attack"),
        ):
            with pytest.raises(AssertionError, match=hint):
                l16.hardened(networks, [trained], digits.val, 0.15)
        with pytest.raises(AssertionError, match="are the same"):
            l16.hardened([model, models.copy(model)], [trained, trained], digits.val, 0.15)
