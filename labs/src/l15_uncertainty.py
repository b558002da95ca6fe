# %% [markdown]
# # Lab 15 · Uncertainty and calibration
#
# **You will ship** two files whose probabilities can be trusted: `calibrated.tflite`, a network whose *90 % sure* means right nine times out of ten, and
# `ensemble.tflite`, five networks in one file, which are less sure about corrupted and out-of-distribution images. On the way you measure how good the
# probabilities are: after temperature scaling, with dropout left on, with several networks, under corruption, after quantization and pruning. And you build
# prediction sets that contain the right class with a guaranteed probability.
#
# Both are about *this* network, which has seen few labels. `calibrated` has its kernels' shapes and ranks the classes as it does (`measure.fidelity` of 0.85
# or more); `ensemble` holds two to ten networks of its shape; and neither is right on more than 1.06 times as many images. A network that was trained on all
# images has better numbers, and earns nothing.
#
# *90 minutes. A laptop is enough; at the default quick scale everything together takes a minute or two.*

# %%
# %xmode Minimal
import math
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np
from checks import l15 as check
from matplotlib import pyplot as plt
from scipy import stats

from projectkit import data, export, models, robustness, runtimes, scale, submit, train, uncertainty
from projectkit.prune import weight_masks
from projectkit.types import Recipe, Split
from projectkit.uncertainty import CALIBRATORS, CONFORMAL, OOD_SCORES, SCORES, softmax

LAB = "l15_uncertainty"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, LABELLED, TIMES, WIDTHS, RECIPE, SEEDS, MEMBERS = {
    "quick": ("digits", 100, 10, (128, 128), Recipe(epochs=15, batch_size=50, learning_rate=1e-2), (0, 1, 2), 5),
    "full": ("mnist", 1000, 4, (64, 64), Recipe(epochs=12, batch_size=100, learning_rate=1e-2), (0, 1, 2), 5),
    # For the tests of this notebook:
    "smoke": ("digits", 100, 10, (128, 128), Recipe(epochs=2, batch_size=50, learning_rate=1e-2), (0, 1), 2),
}[scale.current()]

dataset = data.load(DATASET)
calibration = dataset.val.take(1000)  # used neither for training nor for evaluation
fresh = Split(dataset.train.x[LABELLED : LABELLED + 3000], dataset.train.y[LABELLED : LABELLED + 3000])  # for evaluation only
again = np.tile(np.arange(LABELLED), TIMES)  # an epoch shows each labelled image several times
few = replace(dataset, train=Split(dataset.train.x[again], dataset.train.y[again]), val=calibration.take(100))


def trained(seed, dropout=0.0):
    """A network that has memorized the labelled images."""
    model = models.build("mlp", dataset, seed=seed, widths=WIDTHS)
    model = uncertainty.with_dropout(model, dropout) if dropout else model
    train.fit(model, few, replace(RECIPE, seed=seed), progress=False)
    return model


model = trained(0)
logits = {name: train.logits(model, part.x).astype(float) for name, part in (("cal", calibration), ("fresh", fresh))}
right = np.mean(logits["fresh"].argmax(axis=1) == fresh.y)
print(
    f"{LABELLED} labelled images; right on {train.accuracy(model, few.train):.1%} of them and on {right:.1%} of {len(fresh)} others"
)

# %% [markdown]
# ### Predict first
#
# What is this network's mean confidence on images that it has never seen? Five such networks that only differ in their seed: how much of the negative
# log-likelihood (NLL) goes away when their probabilities are averaged? Write it down; nobody grades it.

# %%
prediction = {"mean confidence in %": 85.0, "NLL that averaging five takes away, in %": 10.0}

# %% [markdown]
# ## 1 · Reliability diagram, calibration error and NLL
#
# The **confidence** of an answer is its largest probability. Sort the images into bins by it, bin $b$ of $B$ holding the confidences in $(b/B, (b+1)/B]$,
# and compare the confidence with the accuracy in each bin:
#
# $$\text{ECE} = \sum_b \frac{n_b}{n}\,\big|\,\text{accuracy}_b - \text{confidence}_b\,\big|, \qquad
#     \text{NLL} = -\frac1n\sum_i \ln p_i(\text{label}_i).$$


# %%
def diagram(probs, y, bins):
    """count, confidence, accuracy of each bin, (bins,) each, from probs (n, classes) and labels (n,)."""
    # begin solution: Exercise 1: the largest probability and whether its class is the label; the bin is ⌈B · confidence⌉ − 1; np.bincount counts and, with weights, adds up; divide by max(count, 1)
    sure, correct = probs.max(axis=1), probs.argmax(axis=1) == y
    bin_of = np.ceil(bins * sure).astype(int) - 1
    count = np.bincount(bin_of, minlength=bins)
    confidence, accuracy = (np.bincount(bin_of, values, minlength=bins) / np.maximum(count, 1) for values in (sure, correct))
    return count, confidence, accuracy
    # end solution


def ece(count, confidence, accuracy):
    """The expected calibration error of bins."""
    # begin solution: Exercise 1: Σ count / n · |accuracy − confidence|
    return np.sum(count / count.sum() * np.abs(accuracy - confidence))
    # end solution


check.diagram(diagram)
check.ece(ece)

# %%
probs = softmax(logits["fresh"])
uncertainty.plot_reliability(uncertainty.reliability(probs, fresh.y), title="not calibrated").legend(fontsize=8, loc="upper left")
plt.show()


ours, theirs = ece(*diagram(probs, fresh.y, 15)), SCORES["ece"](probs, fresh.y)
assert np.isclose(ours, theirs, atol=1e-9), (ours, theirs)
print(f"ECE {ours:.3f} on {len(fresh)} images")
print(f"mean confidence {probs.max(axis=1).mean():.1%}, predicted {prediction['mean confidence in %']:.1f} %")

# %% [markdown]
# **How to read it.** A bar is the accuracy of the answers of that confidence; red shows where accuracy is below confidence, green where it is above. The black steps show how many images
# each bin holds: nearly all are in the last one. Training has pushed the NLL of the training images to zero, which takes ever larger logits; overconfidence costs nothing there.
#
# ### What is the ECE of a perfect forecaster?
#
# Zero, with infinitely many images. With few in a bin, chance alone makes a gap, and $|\cdot|$ never lets gaps cancel. See how much: take the network's own probabilities as the truth, **draw** the labels
# from them, and the forecaster is calibrated by construction. What do you expect for 100, 300 and 1000 images?
#
# `SCORES["ece_debiased"]` subtracts from the squared gap of each bin what chance adds on average (Kumar et al., 2019), and takes the root of the sum: a root mean square, so its values are larger than those of an ECE
# of the same forecaster. `uncertainty.calibration_interval` gives it an interval that holds the truth.

# %%
softer = softmax(logits["fresh"] / 2)  # some forecaster; whatever it says is true here
print(
    "a calibrated forecaster, 100 draws of labels: mean ECE, mean debiased error, how often the latter's interval holds the truth, 0"
)
for count in (100, 300, 1000):
    rng = np.random.default_rng(count)
    rows = []
    for _ in range(100):
        p = softer[rng.choice(len(softer), min(count, len(softer)), replace=False)]
        y = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(max=p.shape[1] - 1)
        one = uncertainty.calibration_interval(p, y)
        rows.append((SCORES["ece"](p, y), one.value, one.low == 0))
    mean_ece, mean_debiased, covered = np.mean(rows, axis=0)
    print(f"{len(p):5} images   {mean_ece:.3f}   {mean_debiased:.3f}   {covered:.0%}")


def print_scores(name, probs):
    """Prints accuracy, NLL and debiased calibration error on the fresh images, with their 95 % intervals."""
    found = {
        "NLL": uncertainty.score_interval(SCORES["nll"], probs, fresh.y),
        "calibration error": uncertainty.calibration_interval(probs, fresh.y),
    }
    intervals = "   ".join(f"{score} {one.value:.3f} [{one.low:.3f}–{one.high:.3f}]" for score, one in found.items())
    print(f"{name:22} {np.mean(probs.argmax(axis=1) == fresh.y):6.1%} right   {intervals}")


print_scores("not calibrated", probs)

# %% [markdown]
# **How to read it.** An ECE of 0.02 on 300 images may be that of a perfect forecaster, so two networks whose ECE is that small cannot be ranked by it. From here on *calibration error* means the debiased one.
# NLL and the Brier score have no such bias and are **proper** scoring rules: on average they are best when the stated probabilities are the true ones. The grader uses these two.
#
# ## 2 · Temperature scaling and the Brier score
#
# **Temperature scaling** (Guo et al., 2017) divides all logits by one $T$, chosen on images that training has not seen. With $\beta = 1/T$ the NLL is
# *convex*, and its derivative is the expected logit minus that of the label,
#
# $$\frac{d\,\text{NLL}}{d\beta} = \frac1n \sum_i \Big(\sum_c p_{ic}\, z_{ic} - z_{i\,y_i}\Big), \qquad p_i = \text{softmax}(\beta z_i).$$


# %%
def slope(logits, y, beta):
    """The derivative of the NLL of softmax(beta · logits) with respect to beta."""
    # begin solution: Exercise 2: p = softmax(beta · logits); the mean over the images of Σ p z − z of the label
    p = softmax(beta * logits)
    return np.mean((p * logits).sum(axis=1) - logits[np.arange(len(y)), y])
    # end solution


def fitted(logits, y):
    """The T in [0.05, 20] with the least NLL."""
    # begin solution: Exercise 2: halve an interval of β, from 1/20 to 20, fifty times: where the slope in the middle is positive, the best β lies below
    low, high = 1 / 20, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(logits, y, middle) > 0 else (middle, high)
    return 1 / middle
    # end solution


check.slope(slope)
check.temperature(fitted, slope)

# %%
T = fitted(logits["cal"], calibration.y)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
temperatures = np.geomspace(0.5, 8, 40)
for name, part, color in (
    ("labelled", few.train.take(LABELLED), "tab:gray"),
    ("calibration", calibration, "tab:blue"),
    ("fresh", fresh, "tab:orange"),
):
    z = train.logits(model, part.x)
    axes[0].plot(temperatures, [SCORES["nll"](softmax(z / t), part.y) for t in temperatures], color=color, label=name)
axes[0].axvline(T, color="tab:blue", linestyle=":")
axes[0].set(xscale="log", xlabel="temperature", ylabel="NLL", xticks=[0.5, 1, 2, 4, 8], xticklabels=[0.5, 1, 2, 4, 8])
axes[0].minorticks_off()
axes[0].legend(fontsize=8)
for axis, t in zip(axes[1:], (1.0, T)):
    uncertainty.plot_reliability(uncertainty.reliability(softmax(logits["fresh"] / t), fresh.y), axis, title=f"T = {t:.2f}")
plt.show()

print_scores("T = 1", probs)
print_scores(f"T = {T:.2f}", softmax(logits["fresh"] / T))

# %% [markdown]
# **How to read it.** On the labelled images, a lower temperature is always better: they cannot be used to choose it. The other two curves have their minimum at
# nearly the same place. Dividing changes no order, so every answer stays as it was, and the division costs nothing: it can be **folded** into the last layer.
#
# What did the temperature improve? For "my answer is right", stated with probability $v$, Murphy (1973) splits the Brier score
# $\frac1n\sum(\text{stated} - \text{happened})^2$ in three. With $n_v$ statements of $v$, of which a share $o_v$ came true, and $o$ of all:
#
# $$\underbrace{\sum_v \tfrac{n_v}{n}(v - o_v)^2}_{\text{reliability}} - \underbrace{\sum_v \tfrac{n_v}{n}(o_v - o)^2}_{\text{resolution}}
#     + \underbrace{o\,(1 - o)}_{\text{uncertainty}}$$


# %%
def brier_parts(stated, happened):
    """reliability, resolution, uncertainty of forecasts stated (n,), of few different values, and what happened (n,), 0 or 1."""
    # begin solution: Exercise 3: for each of np.unique(stated): its share and how often it came true; add up both sums; o (1 − o)
    base, reliability, resolution = happened.mean(), 0.0, 0.0
    for value in np.unique(stated):
        came = happened[stated == value]
        reliability += len(came) / len(stated) * (value - came.mean()) ** 2
        resolution += len(came) / len(stated) * (came.mean() - base) ** 2
    return reliability, resolution, base * (1 - base)
    # end solution


check.brier_parts(brier_parts)

# %%
print("'my answer is right', stated in tenths   reliability   resolution   uncertainty   Brier")
for name, t in (("T = 1", 1.0), (f"T = {T:.2f}", T)):
    p = softmax(logits["fresh"] / t)
    parts = brier_parts(p.max(axis=1).round(1), (p.argmax(axis=1) == fresh.y).astype(float))
    print(f"{name:38} {parts[0]:13.4f} {parts[1]:12.4f} {parts[2]:13.4f} {parts[0] - parts[1] + parts[2]:7.4f}")

# %% [markdown]
# Reliability, the calibration error in this score, falls. Resolution, how well confidence separates right from wrong answers, hardly changes with a temperature. Other
# calibrators have more than one parameter. More parameters fit the calibration set better; do they also fit other images better?

# %%
print(f"fitted to {len(calibration)} images  parameters   NLL there   NLL fresh   cal. error   answers changed")
classes = len(dataset.classes)
numbers = dict(zip(CALIBRATORS, (1, 2 * classes, classes**2 + classes, 2 * classes, "steps", 15 * classes)))
for name, fit in CALIBRATORS.items():
    calibrator = fit(logits["cal"], calibration.y)
    there, here = calibrator(logits["cal"]), calibrator(logits["fresh"])
    changed = np.mean(here.argmax(axis=1) != logits["fresh"].argmax(axis=1))
    scores = SCORES["nll"](there, calibration.y), SCORES["nll"](here, fresh.y), SCORES["ece_debiased"](here, fresh.y)
    print(f"{name:22} {numbers[name]!s:>11} {scores[0]:11.3f} {scores[1]:11.3f} {scores[2]:12.3f} {changed:17.1%}")

# %% [markdown]
# **How to read it.** Compare the two columns of NLL. Isotonic regression may give probability 0 to a class that does occur: one such image costs 708 nats here,
# and infinitely many without a lower limit of the probabilities.
#
# ## 3 · MC-dropout and deep ensembles
#
# A temperature makes all answers less sure in the same way. Several predictions for an image also show *which* images are uncertain: those where the predictions differ.
# **MC-dropout** drops units at random at prediction, too, 20 times; a **deep ensemble** uses five networks trained with different seeds. In both, the probabilities are averaged,
# never the logits. Three ensembles of different seeds, and the first member of each alone:

# %%
ensembles = {
    seed: [model if seed == 0 else trained(100 * seed), *(trained(100 * seed + k) for k in range(1, MEMBERS))] for seed in SEEDS
}
dropouts = {seed: trained(100 * seed, dropout=0.2) for seed in SEEDS}


def samples_of(name, seed, x):
    """The probabilities of each sample, (samples, n, classes)."""
    if name.startswith("MC"):
        return uncertainty.mc_dropout(dropouts[seed], x, samples=20, seed=seed)
    if name.startswith("dropout"):
        return uncertainty.plain(dropouts[seed], x)
    return uncertainty.ensemble(ensembles[seed][: MEMBERS if "ensemble" in name else 1], x)


METHODS = ("plain", "dropout, off", "MC-dropout", "ensemble")


def answers(name, seed, x):
    """The mean probabilities; with "+ T" after a temperature that the calibration images give."""
    base = name.removesuffix(" + T")
    mean = uncertainty.predictive(samples_of(base, seed, x))
    if base == name:
        return mean
    if (base, seed) not in scalers:
        scalers[base, seed] = uncertainty.temperature(np.log(answers(base, seed, calibration.x)), calibration.y)
    return scalers[base, seed](np.log(mean))


scalers, table = {}, {}
for name in [*METHODS, *(f"{name} + T" for name in METHODS)]:
    for seed in SEEDS:
        p = answers(name, seed, fresh.x)
        row = [np.mean(p.argmax(axis=1) == fresh.y), SCORES["nll"](p, fresh.y), SCORES["ece_debiased"](p, fresh.y)]
        table.setdefault(name, []).append(row)
table = {name: np.array(rows) for name, rows in table.items()}

print("three seeds: mean [least–most]   right                NLL                  calibration error")
for name, rows in table.items():
    cells = (f"{column.mean():.3f} [{column.min():.3f}–{column.max():.3f}]" for column in rows.T)
    print(f"{name:30} " + "  ".join(cells))

# %% [markdown]
# Claims of the literature, tested with these three seeds. A **paired** difference, seed by seed, with the interval of Student's t (Lab 5); below 0 the first is better:


# %%
def versus(first, second, column, share=False):
    """The mean of the first's score relative to (or minus) the second's, seed by seed, with its 95 % interval."""
    a, b = table[first][:, column], table[second][:, column]
    d = a / b if share else a - b
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))
    return d.mean(), half


for claim, (mean, half), goal in (
    ("error with a temperature / without, of plain", versus("plain + T", "plain", 2, share=True), 0.5),
    ("NLL of MC-dropout − plain", versus("MC-dropout", "plain", 1), 0.0),
    ("NLL of the ensemble − plain", versus("ensemble", "plain", 1), 0.0),
    ("NLL of the ensemble − MC-dropout", versus("ensemble", "MC-dropout", 1), 0.0),
    ("NLL of the ensemble + T − plain + T", versus("ensemble + T", "plain + T", 1), 0.0),
    ("NLL of the ensemble + T − MC-dropout + T", versus("ensemble + T", "MC-dropout + T", 1), 0.0),
):
    verdict = "yes" if mean + half < goal else "no" if mean - half > goal else "these seeds do not show it"
    print(f"{claim:44} {mean:+.3f} ± {half:.3f}   below {goal}? {verdict}")
gone = 100 * (1 - table["ensemble"][:, 1] / table["plain"][:, 1]).mean()
print(
    f"averaging five takes away {gone:.0f} % of the NLL, predicted {prediction['NLL that averaging five takes away, in %']:.0f} %"
)

# %% [markdown]
# **How to read it.** Papers that train on tens of thousands of images report *ensemble before MC-dropout before plain*. Look whether your lines agree; three seeds show only large
# differences. Note that dropout changes the *training*, too: the row "dropout, off" is that network with one pass. And calibrate before you compare: a large part of the difference between
# two methods is often a temperature. After temperature scaling, are the twenty passes still worth their time?
#
# ### Aleatoric and epistemic uncertainty, out-of-distribution detection
#
# Five networks say *half 3, half 5*: all of them, or half of them *surely 3* and half *surely 5*? The mean is the same, the kind of uncertainty is not. With $H(p) = -\sum_c p_c \ln p_c$,
#
# $$\underbrace{H\big(\overline{p}\big)}_{\text{total}} = \underbrace{\overline{H(p)}}_{\text{aleatoric: of the image}}
#     + \underbrace{H\big(\overline{p}\big) - \overline{H(p)}}_{\text{epistemic: of the networks}}.$$
#
# More training images would reduce only the second. So it should be large for **out-of-distribution** images. How well a number separates them from in-distribution images is
# the **AUROC**: the share of pairs in which the out-of-distribution image has the larger one.


# %%
def split(samples):
    """total, aleatoric, epistemic, (n,) each in nats, of probabilities (samples, n, classes)."""

    # begin solution: Exercise 4: −Σ p ln p of the mean over the samples; the mean over the samples of −Σ p ln p; their difference. np.clip(p, 1e-300, 1) avoids log 0
    def entropy(p):
        return -(p * np.log(np.clip(p, 1e-300, 1))).sum(axis=-1)

    total, aleatoric = entropy(samples.mean(axis=0)), entropy(samples).mean(axis=0)
    return total, aleatoric, total - aleatoric
    # end solution


def auroc(inside, outside):
    """The share of pairs in which the outside value is the larger, a tie counting one half."""
    # begin solution: Exercise 5: outside[:, None] against inside compares all pairs: the mean of larger plus half the mean of equal
    return np.mean(outside[:, None] > inside) + 0.5 * np.mean(outside[:, None] == inside)
    # end solution


check.split(split)
check.detection(auroc)

# %%
height, width, _ = dataset.shape
drawings = data.load("shapes").test.x[:300].mean(axis=3, keepdims=True)  # 32×32 outlines, grey
rows, columns = (np.linspace(0, 32, size + 1).astype(int) for size in (height, width))
out_of_distribution = np.add.reduceat(np.add.reduceat(drawings, rows[:-1], axis=1), columns[:-1], axis=2)
out_of_distribution = (out_of_distribution / np.outer(np.diff(rows), np.diff(columns))[None, ..., None]).astype(np.float32)

inside, outside = (samples_of("ensemble", 0, x) for x in (fresh.x, out_of_distribution))
figure, axes = plt.subplots(1, 4, figsize=(11, 2.6), layout="constrained", width_ratios=(1, 1, 2, 2))
axes[0].imshow(out_of_distribution[0, ..., 0], cmap="gray", vmin=0, vmax=1)
most_epistemic = split(inside)[2].argmax()
axes[1].imshow(fresh.x[most_epistemic, ..., 0], cmap="gray", vmin=0, vmax=1)
for axis, title in zip(axes, ("out-of-distribution", f"in-distribution, a {dataset.classes[fresh.y[most_epistemic]]}")):
    axis.set_axis_off()
    axis.set_title(title, fontsize=10)
edges = np.linspace(0, math.log(classes), 25)
for axis, part, title in zip(axes[2:], (1, 2), ("aleatoric", "epistemic")):
    for samples, name, color in ((inside, "in-distribution", "tab:blue"), (outside, "out-of-distribution", "tab:red")):
        values = split(samples)[part]
        axis.hist(values, edges, weights=np.full(len(values), 100 / len(values)), alpha=0.5, color=color, label=name)
    axis.set(xlabel="nats", ylabel="% of the images", title=f"{title} uncertainty", yscale="log")
axes[3].legend(fontsize=8)
plt.show()

print("AUROC of out-of-distribution detection, three seeds: mean [least–most]")
found = {}
for seed in SEEDS:
    z = [train.logits(ensembles[seed][0], x) for x in (fresh.x, out_of_distribution)]
    for name, score in OOD_SCORES.items():
        found.setdefault(f"one network, {name}", []).append(auroc(*(score(one) for one in z)))
    for method in ("MC-dropout", "ensemble"):
        parts = [split(samples_of(method, seed, x)) for x in (fresh.x, out_of_distribution)]
        for index, name in enumerate(("total", "aleatoric", "epistemic")):
            found.setdefault(f"{method}, {name}", []).append(auroc(*(one[index] for one in parts)))
for name, values in found.items():
    print(f"{name:32} {np.mean(values):.3f} [{min(values):.3f}–{max(values):.3f}]")
one = uncertainty.detection_interval(uncertainty.auroc, *(split(samples)[0] for samples in (inside, outside)))
print(f"of the ensemble of seed 0, total: {one.value:.3f} [{one.low:.3f}–{one.high:.3f}], 95 % interval over the images")

# %% [markdown]
# **How to read it.** The in-distribution image is the one about which the five networks differ most. The vertical axes are logarithmic. `"energy"` uses the size of the logits, which softmax discards;
# its range shows whether that is reliable. Which kind of uncertainty detects out-of-distribution images best, and is it the kind that you expected?
#
# ## 4 · Calibration under distribution shift and after compression
#
# A temperature is chosen on images like those of training. Corrupt the images step by step (`robustness.CORRUPTIONS`, severity 0 to 5; Lab 16 has more of them) and see which method notices:

# %%
KINDS = ("gaussian_noise", "motion_blur", "fog", "contrast", "rotate", "shear")
SHOWN = ("plain", "plain + T", "MC-dropout + T", "ensemble + T")
subset = fresh.take(200)
corrupted = []  # the images at each severity, all kinds one after the other
for severity in range(6):
    rng = np.random.default_rng(severity)
    corrupted.append(np.concatenate([robustness.CORRUPTIONS[kind](subset.x, severity, rng) for kind in KINDS]))
y = np.tile(subset.y, len(KINDS))

shifted = {name: np.zeros((6, 3)) for name in SHOWN}  # means over the seeds
for name in SHOWN:
    for seed in SEEDS:
        for severity, p in enumerate(np.split(answers(name, seed, np.concatenate(corrupted)), 6)):
            row = np.array([np.mean(p.argmax(axis=1) == y), SCORES["nll"](p, y), SCORES["ece_debiased"](p, y)])
            shifted[name][severity] += row / len(SEEDS)

_, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
for axis, column, title in zip(axes, range(3), ("accuracy", "NLL", "calibration error")):
    for name, line in shifted.items():
        axis.plot(line[:, column], "o-", label=name, markersize=4)
    axis.set(xlabel="severity", ylabel=title)
axes[0].legend(fontsize=8)
plt.show()

print("six corruptions, mean of three seeds " + "".join(f"{f'severity {s}':>12}" for s in (0, 1, 3, 5)))
for column, title in ((1, "NLL"), (2, "error")):
    for name, line in shifted.items():
        print(f"{title:5} {name:30} " + "".join(f"{line[s, column]:12.3f}" for s in (0, 1, 3, 5)))
    for s in (0, 5):
        print(f"      best first at severity {s}: {', '.join(sorted(SHOWN, key=lambda name: shifted[name][s, column]))}")

# %% [markdown]
# **How to read it.** Accuracy falls for all methods; what counts is whether confidence falls with it. The temperature was right for clean images only: its calibration error rises again. Ovadia et al. (2019) found that under
# shift the methods that use *several* networks come first. Is your order at severity 5 that of severity 0?
#
# ### Calibration after quantization and pruning
#
# Quantization and pruning change the logits, and with them the confidence. Pruned here means: the smallest weights are set to zero, without training afterwards. Quantized means: the file's own arithmetic.

# %%
compressed = {}
for precision in ("float32", "dynamic", "int8", "int4"):
    file = export.write(
        model, f"{WORK}/{precision}.tflite", precision=precision, calibrate=few.train.x[:LABELLED], compare=calibration.x[:100]
    )
    with closing(runtimes.open(file.artifact)) as session:
        compressed[precision] = [session.run(part.x) for part in (calibration, fresh)]
for sparsity in (0.5, 0.7, 0.8, 0.9, 0.95):
    pruned = weight_masks.masked(model, weight_masks.layerwise_masks(model, sparsity))
    compressed[f"{sparsity:.0%} zeros"] = [train.logits(pruned, part.x) for part in (calibration, fresh)]

effects = {}
for name, (cal, z) in compressed.items():
    own = uncertainty.temperature(cal, calibration.y).value
    rows = [SCORES["ece_debiased"](softmax(z / t), fresh.y) for t in (1.0, T, own)]
    p = softmax(z)
    effects[name] = [np.mean(p.argmax(axis=1) == fresh.y), p.max(axis=1).mean(), *rows, own]
values = np.array(list(effects.values()))
_, axes = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
axes[0].plot(100 * values[:, 0], "o-", label="accuracy")
axes[0].plot(100 * values[:, 1], "s--", label="mean confidence")
axes[0].set_ylabel("%")
for column, label, style in ((2, "as it is", "o-"), (3, "T of the float network", "s--"), (4, "a temperature of its own", "^:")):
    axes[1].plot(values[:, column], style, label=label)
axes[1].set_ylabel("calibration error")
for axis in axes:
    axis.set_xticks(range(len(effects)), effects, rotation=40, ha="right")
    axis.legend(fontsize=8)
plt.show()
print("               right  conf.   error   error, T of float   error, own T   own T")
for name, row in effects.items():
    print(f"{name:12} {row[0]:7.1%} {row[1]:6.1%} {row[2]:7.3f} {row[3]:19.3f} {row[4]:14.3f} {row[5]:7.2f}")

# %% [markdown]
# **How to read it.** Eight bits hardly change anything. Pruning does: it makes logits smaller, so that confidence falls, at first faster than accuracy. Where the two lines on
# the left cross, overconfidence turns into underconfidence, or back, and the temperature of the float network does harm. Accuracy alone would not show it. Calibrate **after** the last
# step of compression, on the file that ships.
#
# ## 5 · Conformal prediction
#
# Instead of one class with an unreliable probability, give a **set** of classes that contains the right one with probability $1 - \alpha$. **Conformal prediction** guarantees this for any network, as
# long as new images come from the same distribution as those that the sets were calibrated with:
#
# 1. Give each class of an image a *nonconformity score*, larger the worse it fits (below `scores`): simple, $1 - p_c$; or adaptive, the sum of all probabilities that are at least $p_c$.
# 2. On $n$ images that neither training nor a temperature has seen, take the score of the *label*, and of these the $\lceil (n + 1)(1 - \alpha) \rceil$-th smallest, $q$.
# 3. The set of a new image: all classes that fit no worse than $q$.
#
# Why $n + 1$? The new image's score is as likely to take any of the $n + 1$ places as any other.


# %%
def threshold(scores, alpha):
    """The ⌈(n + 1)(1 − alpha)⌉-th smallest of the labels' scores (n,)."""
    # begin solution: Exercise 6: math.ceil gives the place; np.sort, and count from 0. Subtract 1e-9 before rounding up: 10 · 0.9 is 9
    place = math.ceil((len(scores) + 1) * (1 - alpha) - 1e-9)
    return np.sort(scores)[place - 1]
    # end solution


def adaptive(probs):
    """The nonconformity score of each class: the sum of all probabilities of the image that are at least that of the class. (n, classes)"""
    # begin solution: Exercise 6: compare p[:, None, :] >= p[:, :, None], multiply by p[:, None, :] and add up over the last axis
    return ((probs[:, None, :] >= probs[:, :, None]) * probs[:, None, :]).sum(axis=2)
    # end solution


check.threshold(threshold)
check.adaptive(adaptive)

# %%
# The temperature has been fitted to the calibration images, so these are no longer like new ones: fresh images alone must do here.
tempered, labels = softmax(logits["fresh"] / T), fresh.y
alpha, half = 0.1, len(labels) // 2
place = math.ceil((half + 1) * (1 - alpha))
hits = stats.betabinom(len(labels) - half, place, half + 1 - place)  # of the hits among the other half, if the guarantee holds
low, high = (hits.ppf(q) / (len(labels) - half) for q in (0.025, 0.975))

print(f"guaranteed {1 - alpha:.0%}; 20 random halves of {len(labels)} images: calibrate on one, count in the other")
results = {}
for name, fit in (CONFORMAL | {"raps": partial(CONFORMAL["raps"], penalty=0.1, free=1)}).items():
    for turn in range(20):
        order = np.random.default_rng(turn).permutation(len(labels))
        ours, theirs = order[:half], order[half:]
        sets = fit(tempered[ours], labels[ours], alpha)(tempered[theirs], seed=turn)
        results.setdefault(name, []).append(
            (uncertainty.coverage(sets, labels[theirs]), sets.sum(axis=1).mean(), np.mean(sets.sum(axis=1) == 0))
        )
results = {name: np.array(rows) for name, rows in results.items()}
for name, rows in results.items():
    within = np.sum((rows[:, 0] >= low) & (rows[:, 0] <= high))
    print(
        f"{name:5} contains the label in {rows[:, 0].mean():.1%} [{rows[:, 0].min():.1%}–{rows[:, 0].max():.1%}], {within} of 20 within "
        f"{low:.1%}–{high:.1%}; {rows[:, 1].mean():.2f} classes a set, {rows[:, 2].mean():.1%} empty"
    )
others = np.arange(len(subset), len(labels))  # than those that were corrupted in section 4
q = threshold(1 - tempered[others, labels[others]], alpha)
assert q == uncertainty.lac(tempered[others], labels[others], alpha).threshold

print("\nsimple sets, calibrated on clean images, on corrupted ones:")
for severity, x in enumerate(corrupted):
    sets = 1 - softmax(train.logits(model, x) / T) <= q
    hit = uncertainty.coverage(sets, np.tile(subset.y, len(KINDS)))
    print(f"severity {severity}: contains the label in {hit:.1%}, {sets.sum(axis=1).mean():.2f} classes a set")

# %% [markdown]
# **How to read it.** The interval is that of the beta-binomial distribution, which the number of hits follows if the guarantee holds: both halves are drawn at random. (The twenty halves overlap, so they are not
# twenty independent trials.) `raps` adds a penalty for every class after the first, which makes sets more alike in size. The last lines show the limit: on corrupted images the guarantee does not hold, and nothing in
# the sets shows it.
#
# ## Ship it
#
# The grader opens your files on images that you have not seen, takes the softmax and measures. So the calibration must be *in the file*: `uncertainty.fold` puts the temperature into the last layer. And an ensemble must
# answer with one row of logits: which ones?


# %%
def mixed(logits):
    """Logits (n, classes) whose softmax is the mean of the members' probabilities, from the members' logits (members, n, classes)."""
    # begin solution: Exercise 7: the logarithm of the mean over the members of softmax
    return np.log(softmax(logits).mean(axis=0))
    # end solution


check.mixed(mixed)

# %%
files = {}


def shipped(slot, keras_model):
    """The file's probabilities of the fresh images."""
    files[slot] = export.write(keras_model, f"{WORK}/{slot}.tflite", compare=calibration.x[:100]).artifact
    with closing(runtimes.open(files[slot])) as session:
        return softmax(session.run(fresh.x))


calibrated = shipped("calibrated", uncertainty.fold(model, uncertainty.Temperature(T)))
members = ensembles[0]
together = mixed(np.stack([train.logits(member, calibration.x) for member in members]))
ensemble = shipped("ensemble", uncertainty.joined(members, uncertainty.Temperature(fitted(together, calibration.y))))
for slot, p in (("calibrated", calibrated), ("ensemble", ensemble)):
    print_scores(slot, p)
    print(f"{'':22} {files[slot].size:,} B")

same = np.array_equal(calibrated.argmax(axis=1), probs.argmax(axis=1))
check.calibrated(SCORES["ece_debiased"](probs, fresh.y), SCORES["ece_debiased"](calibrated, fresh.y), same)
check.better_together(SCORES["nll"](calibrated, fresh.y), SCORES["nll"](ensemble, fresh.y))


# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


drawn = my_inputs("reliability")
bars = diagram(drawn["probs"], drawn["labels"], 10)
to_scale = my_inputs("temperature")
z, y = to_scale["logits"], to_scale["labels"]
forecasts = my_inputs("brier_parts")
of_forecasts = brier_parts(forecasts["stated"], forecasts["happened"])
total, aleatoric, epistemic = split(my_inputs("entropy_split")["samples"])
inside, outside = (my_inputs("detection")[name] for name in ("inside", "outside"))
limit_95 = np.sort(inside)[math.ceil(0.95 * len(inside)) - 1]
to_cover = my_inputs("conformal")
each = np.arange(len(to_cover["labels"])), to_cover["labels"]
limits = [
    threshold(nonconformity(to_cover["probs"])[each], float(to_cover["alpha"])) for nonconformity in (lambda p: 1 - p, adaptive)
]

exercises = {
    "reliability": {
        **dict(zip(("count", "confidence", "accuracy"), bars)),
        "ece": ece(*bars),
        "nll": -np.log(drawn["probs"][np.arange(60), drawn["labels"]]).mean(),
    },
    "temperature": {
        "temperature": fitted(z, y),
        "before": SCORES["nll"](softmax(z), y),
        "after": SCORES["nll"](softmax(z / fitted(z, y)), y),
        "slope": slope(z, y, 1.0),
    },
    "brier_parts": {
        "brier": np.mean((forecasts["stated"] - forecasts["happened"]) ** 2),
        **dict(zip(("reliability", "resolution", "uncertainty"), of_forecasts)),
    },
    "entropy_split": {"total": total, "aleatoric": aleatoric, "epistemic": epistemic, "most_epistemic": epistemic.argmax()},
    "detection": {
        "auroc": auroc(inside, outside),
        "fpr95": np.mean(outside <= limit_95),
        "recall": np.mean(outside > inside.max()),
    },
    "conformal": {
        "simple_threshold": limits[0],
        "adaptive_threshold": limits[1],
        "simple_sets": (1 - to_cover["new"] <= limits[0]).astype(np.int64),
        "adaptive_sets": (adaptive(to_cover["new"]) <= limits[1]).astype(np.int64),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={slot: artifact.path for slot, artifact in files.items()},
    answers=exercises,
    claims={f"{slot}/nll": SCORES["nll"](p, fresh.y) for slot, p in (("calibrated", calibrated), ("ensemble", ensemble))},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * More of `uncertainty.SAMPLERS`: snapshots, SWAG, a Laplace approximation of the last layer, variational Bayes, a batch ensemble, test-time augmentation. `benchmarks/uncertainty.py` compares them on MNIST and CIFAR-10.
# * How many members does an ensemble need? Plot its NLL from one to ten, and beside it the work that an answer takes.
# * Choose the temperature on corrupted calibration images. What does that cost on clean ones, and what does it save at severity 5?
# * Distill the ensemble into one network (Lab 5). Does the student keep the teacher's uncertainty?
# * Label smoothing calibrates while it trains (Müller et al., 2019). Compare it with a temperature afterwards, and both together.
#
# ## Literature
#
# * A. H. Murphy: *A New Vector Partition of the Probability Score*, 1973.
# * V. Vovk, A. Gammerman, G. Shafer: *Algorithmic Learning in a Random World*, 2005 (conformal prediction).
# * Y. Gal and Z. Ghahramani: *Dropout as a Bayesian Approximation*, ICML 2016.
# * C. Guo et al.: *On Calibration of Modern Neural Networks*, ICML 2017.
# * B. Lakshminarayanan, A. Pritzel, C. Blundell: *Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles*, NeurIPS 2017.
# * D. Hendrycks and K. Gimpel: *A Baseline for Detecting Misclassified and Out-of-Distribution Examples*, ICLR 2017.
# * A. Kumar, P. Liang, T. Ma: *Verified Uncertainty Calibration*, NeurIPS 2019.
# * Y. Ovadia et al.: *Can You Trust Your Model's Uncertainty? Evaluating Predictive Uncertainty Under Dataset Shift*, NeurIPS 2019.
# * Y. Romano, M. Sesia, E. Candès: *Classification with Valid and Adaptive Coverage*, NeurIPS 2020.
# * A. Angelopoulos et al.: *Uncertainty Sets for Image Classifiers using Conformal Prediction*, ICLR 2021.
