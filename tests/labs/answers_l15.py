"""Answers to the check cells of l15: right ones, and typical mistakes with the hint that each gets."""

import math

import numpy as np
from scipy.special import softmax

from checks import l15


def binned(probs, y, bins, *, empty=0.0):
    sure, true = probs.max(axis=1), probs.argmax(axis=1) == y
    place = np.ceil(bins * sure - 1e-9) - 1
    rows = [[values[place == b].mean() if (place == b).any() else empty for b in range(bins)] for values in (sure, true)]
    return np.array([(place == b).sum() for b in range(bins)]), *map(np.array, rows)


def gap(count, confidence, accuracy, *, signed=False, weighed=True):
    gaps = accuracy - confidence if signed else np.abs(accuracy - confidence)
    return (count / count.sum() * gaps).sum() if weighed else gaps.mean()


def pull(logits, y, beta, *, sign=1, mean=np.mean, at=None):
    p = softmax((at or beta) * logits, axis=1)
    return sign * mean((p * logits).sum(axis=1) - logits[np.arange(len(y)), y])


def halved(logits, y, *, turns=50, beta=False, turned=False):
    low, high = 0.05, 20.0
    for _ in range(turns):
        middle = (low + high) / 2
        low, high = (low, middle) if (pull(logits, y, middle) > 0) != turned else (middle, high)
    return middle if beta else 1 / middle


def murphy(stated, happened, *, weighed=True, base=None):
    base = happened.mean() if base is None else base
    groups = [(np.mean(stated == v) if weighed else 1, v, happened[stated == v].mean()) for v in np.unique(stated)]
    reliability, resolution = (
        sum(w * (a - b) ** 2 for w, a, b in rows) for rows in (groups, [(w, o, base) for w, _, o in groups])
    )
    return reliability, resolution, base * (1 - base)


def halves(samples, *, unit=1.0, of_mean=True, clipped=True):
    def doubt(p):
        return -(p * np.log(np.clip(p, 1e-300, 1) if clipped else p)).sum(axis=-1) / unit

    aleatoric = doubt(samples).mean(axis=0)
    total = doubt(samples.mean(axis=0)) if of_mean else aleatoric
    return total, aleatoric, total - aleatoric


def won(inside, outside, *, tie=0.5):
    return np.mean(outside[:, None] > inside) + tie * np.mean(outside[:, None] == inside)


def place_of(scores, alpha, *, more=1, beyond=0):
    return np.sort(scores)[math.ceil((len(scores) + more) * (1 - alpha) - 1e-9) - 1 + beyond]


def sums(probs):
    return ((probs[:, None, :] >= probs[:, :, None]) * probs[:, None, :]).sum(axis=2)


def mean_of(logits, *, of=lambda z: softmax(z, axis=2), back=np.log):
    return back(of(logits).mean(axis=0))


RIGHT = [
    (l15.diagram, (binned,)),
    (l15.ece, (gap,)),
    (l15.slope, (pull,)),
    (l15.temperature, (halved, pull)),
    (l15.brier_parts, (murphy,)),
    (l15.split, (halves,)),
    (l15.detection, (won,)),
    (l15.threshold, (place_of,)),
    (l15.adaptive, (sums,)),
    (l15.mixed, (mean_of,)),
    (l15.calibrated, (0.08, 0.03, True)),
    (l15.better_together, (0.45, 0.44)),
]

WRONG = [
    (l15.diagram, (lambda *a: binned(*a)[:2],), "three arrays"),
    (l15.diagram, (lambda *a: binned(*a, empty=np.nan),), "0 where it is empty"),
    (l15.diagram, (lambda probs, y, bins: binned(probs, 1 - y, bins),), "are right, as a share"),
    (l15.diagram, (lambda probs, y, bins: binned(probs - 0.11, y, bins),), "confidences in"),
    (l15.ece, (lambda *a: gap(*a, signed=True),), "must not cancel"),
    (l15.ece, (lambda *a: gap(*a, weighed=False),), "share of the images"),
    (l15.slope, (lambda *a: pull(*a, sign=-1),), "the sign is turned"),
    (l15.slope, (lambda *a: pull(*a, mean=np.sum),), "not the sum"),
    (l15.slope, (lambda *a: pull(*a, at=1.0),), "not of z"),
    (l15.temperature, (lambda *a: halved(*a, beta=True), pull), r"Return T = 1 / β"),
    (l15.temperature, (lambda *a: halved(*a, turns=5), pull), "forty times"),
    (l15.temperature, (lambda *a: halved(*a, turned=True), pull), "β is too large"),
    (l15.brier_parts, (lambda *a: murphy(*a)[:2],), "three numbers"),
    (l15.brier_parts, (lambda *a: murphy(*a, weighed=False),), "its share of all"),
    (l15.brier_parts, (lambda *a: murphy(*a, base=0.5),), "how often anything came true"),
    (l15.split, (lambda s: halves(s, unit=math.log(2)),), "bits"),
    (l15.split, (lambda s: halves(s, of_mean=False),), "not the mean of the entropies"),
    (l15.split, (lambda s: halves(s, clipped=False),), "tiny number"),
    (l15.split, (lambda s: halves(s)[::-1],), "Average the networks"),
    (l15.detection, (lambda a, b: won(b, a),), "turned round"),
    (l15.detection, (lambda a, b: won(a, b, tie=0),), "Ties count one half"),
    (l15.detection, (lambda a, b: won(a, b, tie=1),), "½ for a tie"),
    (l15.threshold, (lambda *a: place_of(*a, more=0),), "n \\+ 1 = 50"),
    (l15.threshold, (lambda *a: place_of(*a, beyond=1),), "one too far"),
    (l15.threshold, (lambda m, alpha: np.quantile(m, 1 - alpha),), "smallest of the 49"),
    (l15.adaptive, (lambda p: np.cumsum(-np.sort(-p, axis=1), axis=1),), "back to its own class"),
    (l15.adaptive, (lambda p: sums(p) - p,), "at least p_c"),
    (l15.adaptive, (lambda p: sums(p)[:, 0],), "a number for each class"),
    (l15.mixed, (lambda z: z.mean(axis=0),), "averaged the logits"),
    (l15.mixed, (lambda z: mean_of(z, back=lambda p: p),), "ln of the mean"),
    (l15.mixed, (lambda z: np.log(softmax(z, axis=2)),), "one row per image"),
    (l15.calibrated, (0.08, 0.03, False), "Fold nothing else"),
    (l15.calibrated, (0.08, 0.07, True), "right data"),
    (l15.better_together, (0.45, 0.6), "members differ"),
]
