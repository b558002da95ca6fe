"""The inputs of the exercises of l15_uncertainty, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def reliability(rng: np.random.Generator) -> Arrays:
    """`probs` (60, 4) float64, rows that sum to one, and `labels` (60,) int64. The confidence of an image is its largest
    probability; bin b of ten holds the confidences in (b/10, (b + 1)/10], and none lies on an edge. Answers:

        count (10,) integer   how many images each bin holds
        confidence (10,)      the mean confidence of each bin, 0 where it is empty
        accuracy (10,)        the share of its images whose most probable class is the label, 0 where it is empty
        ece ()                Σ count / 60 · |accuracy − confidence|
        nll ()                the mean of −ln of the label's probability
    """
    # Whole numbers of 0.0001 that no five divides: none lies on an edge.
    sure = 5 * rng.integers(600, 1950, 60) + 2
    share = rng.dirichlet([8.0, 8.0, 8.0], 60)[:, :2]
    others = 5 * (share * (10_000 - sure[:, None]) // 5).astype(int) + 1
    rows = np.column_stack([sure, others, 10_000 - sure - others.sum(axis=1)])
    probs = np.round(rng.permuted(rows, axis=1) / 10_000, 4)
    top = probs.argmax(axis=1)
    other = (top + rng.integers(1, 4, 60)) % 4
    return {"probs": probs, "labels": np.where(rng.random(60) < 0.65, top, other).astype(np.int64)}


def temperature(rng: np.random.Generator) -> Arrays:
    """`logits` (80, 5) float64 of an overconfident network and the `labels` (80,) int64. Answers:

    temperature ()   the T in [0.5, 20] with the least mean of −ln softmax(logits / T)[label], to five digits
    before ()        this mean at T = 1
    after ()         this mean at the T that was found
    slope ()         the derivative of this mean with respect to β at β = 1, where β = 1/T:
                     the mean of Σ_c p_c z_c − z_label with p = softmax(logits)
    """
    logits = rng.normal(0.0, 1.5, (80, 5))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (probs.cumsum(axis=1) < rng.random((80, 1))).sum(axis=1).clip(max=4)
    return {"logits": np.round(rng.uniform(2.0, 4.0) * logits, 3), "labels": labels.astype(np.int64)}


def brier_parts(rng: np.random.Generator) -> Arrays:
    """Forecasts of rain: what was `stated` (120,) float64, one of 0.1, 0.3, 0.5, 0.7 and 0.9, and what `happened` (120,) int64, 0
    or 1. All forecasts of one value form a group k of n_k, in which it rained in a share o_k; over all it rained in a share o.
    Answers, each ():

        brier         the mean of (stated − happened)²
        reliability   Σ n_k / 120 · (value_k − o_k)²
        resolution    Σ n_k / 120 · (o_k − o)²
        uncertainty   o · (1 − o)
    """
    stated = rng.choice([0.1, 0.3, 0.5, 0.7, 0.9], 120)
    bend = rng.uniform(0.3, 0.7)  # how far the truth is drawn towards one half
    happened = rng.random(120) < 0.5 + bend * (stated - 0.5)
    return {"stated": stated, "happened": happened.astype(np.int64)}


def entropy_split(rng: np.random.Generator) -> Arrays:
    """`samples` (5, 8, 4) float64: the probabilities that 5 networks give 4 classes for 8 images. Entropies are in nats. Answers:

    total (8,)         the entropy of the mean over the networks
    aleatoric (8,)     the mean over the networks of the entropy
    epistemic (8,)     total − aleatoric
    most_epistemic ()  the number of the image with the most epistemic uncertainty, an integer
    """
    logits = rng.normal(0.0, 1.0, (1, 8, 4)) * rng.uniform(0.5, 3.0, (1, 8, 1))
    logits = logits + rng.normal(0.0, 1.0, (5, 8, 4)) * rng.uniform(0.2, 3.0, (1, 8, 1))
    probs = np.round(np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True), 4).clip(0.0001)
    probs[..., 0] = np.round(1 - probs[..., 1:].sum(axis=2), 4)
    return {"samples": probs.clip(0.0001)}


def detection(rng: np.random.Generator) -> Arrays:
    """Out-of-distribution scores of 40 images `inside` the distribution (40,) and 30 `outside` (30,), float64 with many ties.
    Answers, each ():

        auroc    the share of the 1200 pairs in which the outside image has the larger score, a tie counting one half
        fpr95    the share of outside images with a score of at most t, the smallest of the inside scores that at least 95 % of
                 the inside images do not exceed
        recall   the share of outside images with a larger score than every image inside
    """
    return {
        "inside": np.round(np.abs(rng.normal(0.0, 1.0, 40)), 1),
        "outside": np.round(np.abs(rng.normal(1.5, 1.0, 30)), 1),
    }


def conformal(rng: np.random.Generator) -> Arrays:
    """Probabilities `probs` (59, 5) float64 of a calibration set, its `labels` (59,) int64, the share `alpha` () of misses to
    allow, and the probabilities `new` (8, 5) of images without labels. The nonconformity score of class c is

        simple     1 − p_c
        adaptive   the sum of the probabilities of c and of all classes that are more probable (no two are equal)

    The threshold is the ⌈60 · (1 − alpha)⌉-th smallest score of the calibration set's labels; a set holds all classes with at
    most that score. Answers:

        simple_threshold (), adaptive_threshold ()
        simple_sets (8, 5), adaptive_sets (8, 5) integer   1 where class c is in the set of image i, else 0
    """
    logits = rng.normal(0.0, 1.5, (67, 5))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (probs.cumsum(axis=1) < rng.random((67, 1))).sum(axis=1).clip(max=4)
    # Of these, 60 · (1 − alpha) is no whole number: rounding cannot decide the place.
    alpha = rng.choice([0.1125, 0.1625, 0.2125, 0.2625])
    return {
        "probs": np.round(probs[:59], 6),
        "labels": labels[:59].astype(np.int64),
        "alpha": np.array(alpha),
        "new": np.round(probs[59:], 6),
    }


INPUTS = {
    "reliability": reliability,
    "temperature": temperature,
    "brier_parts": brier_parts,
    "entropy_split": entropy_split,
    "detection": detection,
    "conformal": conformal,
}
