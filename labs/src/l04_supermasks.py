# %% [markdown]
# # Lab 4 · Supermasks
#
# **You will ship** two sub-networks of a network that *was never trained*: `accurate.supermask`, which recognizes handwritten digits with at
# most half of the weights, and `tiny.supermask`, with at most a **tenth** of them. Neither file holds a weight: a seed and one bit for each hidden unit,
# 71 bytes. The weights follow from the seed; your work is to choose the bits.
#
# *60 minutes. A laptop is enough; at the default quick scale all searches together take less than a minute.*

# %%
# %xmode Minimal
import hashlib
from itertools import pairwise

import numpy as np
from checks import l04 as check
from matplotlib import pyplot as plt

from projectkit import data, scale, submit
from projectkit.prune import supermasks
from projectkit.prune.supermasks import Effort
from projectkit.runtimes.supermask import write_supermask
from projectkit.types import Split

LAB = "l04_supermasks"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
SEED = 0  # of the network: 0 to 9
DATASET = {"quick": "digits", "full": "mnist", "smoke": "digits"}[scale.current()]

dataset = data.load(DATASET)
scene = supermasks.prepare(dataset, (300, 100), seed=SEED)  # the untrained network and the images
units = (int(np.prod(dataset.shape)), 300, 100, 10)
my_seed = int.from_bytes(hashlib.sha256(ME.encode()).digest()[:4], "big")  # of the searches, so that your masks are your own
print(f"{DATASET}: {len(dataset.train):,} training images, layers of {units} units")

# %% [markdown]
# **Three kinds of images.** Scores see the training images. *Everything that is chosen*, the network's seed, the round, how much to cut, is chosen by the accuracy on the
# **validation** images, so every number before *Ship it* is theirs. The **test** images are used once, at the end, for what you hand in. Whoever goes back
# and chooses again after that has chosen on the test images, and the number is worth nothing any more: the grader has other images.

# %% [markdown]
# ### Predict first
#
# Ten classes, so that guessing is right on 10 %. How often is the whole untrained network right? The luckiest of 500 random sub-networks? The best
# one that can be searched for? Write it down; nobody grades it.

# %%
prediction = {"whole": 10.0, "luckiest of 500": 15.0, "searched": 30.0}  # per cent

# %% [markdown]
# ## 1 · A network from a seed
#
# LeNet-300-100: three dense layers, no biases, ReLU between them. Its weights are normal with variance $2/n$, $n$ the inputs of the layer (He's
# rule: the size of the activations stays the same from layer to layer). A generator with a fixed seed gives everybody the same ones.


# %%
def draw(units, seed):
    """The kernels of layers that are `units` wide: a list of (inputs, outputs) float32, first layer first."""
    # begin solution: Exercise 1: one np.random.default_rng(seed) for all layers; rng.standard_normal((inputs, outputs), dtype=np.float32) times np.float32(np.sqrt(2 / inputs))
    rng = np.random.default_rng(seed)
    return [
        rng.standard_normal((inputs, outputs), dtype=np.float32) * np.float32(np.sqrt(2 / inputs))
        for inputs, outputs in pairwise(units)
    ]
    # end solution


check.drawn(draw)

# %% [markdown]
# A mask keeps a hidden unit (1) or sets it to zero (0), *after* its ReLU. That is equivalent to removing the unit: what is left is a smaller, dense network.


# %%
def masked_logits(kernels, masks, x):
    """x: (n, inputs) → logits (n, classes); masks: (units,) bool of each hidden layer."""
    # begin solution: Exercise 2: for each hidden layer multiply by its kernel, apply np.maximum(…, 0), multiply by its mask; then multiply by the last kernel
    for kernel, mask in zip(kernels, masks):
        x = np.maximum(x @ kernel, 0) * mask
    return x @ kernels[-1]
    # end solution


check.masked(masked_logits)

# %%
kernels = draw(units, SEED)


def accuracy(masks, split):
    """The share of a split's images that a sub-network gets right, in per cent."""
    x = split.x.reshape(len(split), -1)
    return 100 * np.mean(masked_logits(kernels, masks, x).argmax(axis=1) == split.y)


rng, count = np.random.default_rng(my_seed), min(1000, len(dataset.val) // 2)
few, others = (Split(dataset.val.x[part], dataset.val.y[part]) for part in (slice(0, count), slice(count, 2 * count)))
everything = (np.ones(300, bool), np.ones(100, bool))
whole = accuracy(everything, dataset.val)
halves = [(rng.random(300) < 0.5, rng.random(100) < 0.5) for _ in range(500)]
lucky = [accuracy(masks, few) for masks in halves]
luckiest = accuracy(halves[np.argmax(lucky)], others)
print(
    f"the whole network {whole:.1f} %; 500 random halves {min(lucky):.1f} % to {max(lucky):.1f} % on {count} validation images,"
)
print(f"the luckiest of them {luckiest:.1f} % on {count} others")

plt.figure(figsize=(9, 2.4), layout="constrained")
plt.hist(lucky, bins=30, color="lightsteelblue")
plt.axvline(whole, color="tab:blue", label="the whole network")
plt.axvline(10, color="gray", linestyle=":", label="guessing")
plt.xlabel("accuracy of random sub-networks in %, validation")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** The accuracies of random sub-networks scatter around guessing. The luckiest of 500 is somewhat better, and less so on images it was
# not chosen on; there are $2^{400}$ to try. So a search needs to know which units are worth keeping.
#
# ## 2 · Scores of units: linear filter ensembles (LFE)
#
# Draw many masks $z^{(i)}$, note the loss $L_i$ under each, call $s_i = 1 - (L_i - L_{min}) / (L_{max} - L_{min})$ its success, and fit the share $\theta_j$ that
# every unit has in it: least squares, $Z\theta + c \approx s$. The constant $c$ is the part that depends on no unit.


# %%
def shares(masks, losses):
    """θ: (units,). masks: Z, (masks, units) of 0 and 1; losses: (masks,)."""
    # begin solution: Exercise 3: compute the success, put a column of ones behind Z, solve with np.linalg.lstsq(…, rcond=None), return θ without the constant
    success = 1 - (losses - losses.min()) / (losses.max() - losses.min())
    columns = np.column_stack([masks, np.ones(len(masks))])
    return np.linalg.lstsq(columns, success, rcond=None)[0][:-1]
    # end solution


check.shares(shares)

# %%
chosen = rng.choice(len(dataset.train), 200, replace=False)
judges = supermasks.Judges(scene.train.first[chosen], scene.train.y[chosen])


def loss_of(mask):
    """The loss on 200 training images under one mask (400,) of both hidden layers."""
    return supermasks.judge(scene, judges, (mask[:300], mask[300:])).loss


drawn = rng.random((4000, 400)) < 0.5
losses = np.array([loss_of(mask) for mask in drawn])
theta = shares(drawn, losses)
twice = [shares(drawn[part], losses[part]) for part in (slice(0, 2000), slice(2000, 4000))]
agreement = np.corrcoef(*twice)[0, 1]

figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
axes[0].plot(np.sort(theta[:300])[::-1], color="tab:blue", label="first hidden layer")
axes[0].plot(np.linspace(0, 299, 100), np.sort(theta[300:])[::-1], color="tab:orange", label="second (stretched)")
axes[0].axhline(0, color="gray", linewidth=0.8)
axes[0].set(xlabel="units, from the best to the worst", ylabel="share θ in the success")
axes[0].legend()
axes[1].plot(*twice, ".", color="tab:blue", alpha=0.5)
axes[1].set(xlabel="θ from masks 1 to 2000", ylabel="θ from masks 2001 to 4000", title=f"correlation {agreement:.2f}")
plt.show()

# %% [markdown]
# **How to read it.** Left: a few units do much good, about as many do harm, and the second layer's matter more, because there are fewer of them.
# Right: each dot is a unit, scored twice with different masks. The closer the dots are to a line, the less θ depends on the random masks.
#
# ## 3 · Gradient ascent on the mask's probabilities (PGBP)
#
# Least squares always scores units while half of the others are masked. The probabilistic method adapts the masks: unit $j$ is kept with probability
# $p_j = \sigma(\theta_j)$, and gradient ascent on $\theta$ raises the expected score. For such masks the gradient of the log-probability is simply $z - p$, so that
#
# $$g = \frac{1}{N} \sum_i (z^{(i)} - p)\,(s_i - b_i)$$
#
# is right for any *baseline* $b_i$ that does not depend on $z^{(i)}$: a common part of all scores says nothing about units and only adds noise. A good
# one costs nothing: the mean score of the other masks.


# %%
def gradient(theta, masks, scores):
    """(units,). masks: (n, units) drawn from σ(θ); scores: (n,)."""
    # begin solution: Exercise 4: p = 1 / (1 + exp(−θ)); the baseline of a mask is the mean of the other n − 1 scores; return the mean of (z − p) · (s − baseline) over the masks
    p = 1 / (1 + np.exp(-theta))
    others = (scores.sum() - scores) / (len(scores) - 1)
    return (masks - p).T @ (scores - others) / len(masks)
    # end solution


check.gradient(gradient)

# %%
start = np.zeros(400)
target = gradient(start, drawn, -losses)  # 4000 masks: nearly the true one
fresh = rng.random((100, 20, 400)) < 0.5
scores = np.array([[-loss_of(mask) for mask in some] for some in fresh])


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


plain = [cosine((some - 0.5).T @ s / 20, target) for some, s in zip(fresh, scores)]
based = [cosine(gradient(start, some, s), target) for some, s in zip(fresh, scores)]
print(f"cosine to the gradient of 4000 masks: {np.mean(plain):.3f} without a baseline, {np.mean(based):.3f} with one")
plt.figure(figsize=(9, 2.4), layout="constrained")
bins = np.linspace(min(plain + based), max(plain + based), 40)
plt.hist(plain, bins, color="tab:orange", alpha=0.7, label="without a baseline")
plt.hist(based, bins, color="tab:blue", alpha=0.7, label="with the mean of the others")
plt.axvline(0, color="gray", linestyle=":")
plt.xlabel("cosine between the gradient of 20 masks and that of 4000")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** 0 is a step in any direction, 1 the right one. Twenty masks for 400 units hardly show the direction; with a baseline the same twenty nearly always
# point towards higher scores. `supermasks.SCORES["pgbp_loss"]` goes further: fresh images in every step, and a few masks of its own for *each* image, so that a step
# sees hundreds of masks at the cost of a few.
#
# ## 4 · One-shot and iterative search
#
# *One-shot*: score all units once, then cut each layer where the accuracy on the validation images is best. *Iterative*: score, remove at most a fifth of a layer, score
# what is left, until almost nothing is; least squares then keeps 90 % of the units in every mask, to stay near what is left. Random and L1 (Σ|w|, the usual measure of a filter) are the controls.
#
# Least squares has a one-shot variant of its own, *front to back*: only the first hidden layer wears random masks, is scored and cut; then the second, on what the first
# has become. A unit's share no longer drowns in what the units of the other layer do. With what probability a mask keeps a unit, and whether its success is the loss or the
# accuracy, is chosen on the validation images, too.

# %%
quick = {
    "random": (Effort(), Effort()),
    "l1": (Effort(), Effort()),
    "lfe": (Effort(images=200), Effort(masks=6, images=200, keep=0.9, gain=5.0)),
    "pgbp_exponential": (Effort(steps=300, groups=8), Effort(steps=40, groups=8)),
    "pgbp_loss": (Effort(steps=1000), Effort(steps=120)),
}
full = quick | {
    "lfe": (Effort(masks=32), Effort(masks=12, images=500, keep=0.9, gain=5.0)),
    "pgbp_exponential": (Effort(steps=2000, groups=32), Effort(steps=200, groups=32)),
    "pgbp_loss": (Effort(steps=3000, groups=512), Effort(steps=300, groups=512)),
}
smoke = quick | {  # for the tests of this notebook
    "lfe": (Effort(masks=2, images=50), Effort(masks=2, images=50)),
    "pgbp_exponential": (Effort(steps=10, groups=8), Effort(steps=2, groups=8)),
    "pgbp_loss": (Effort(steps=10), Effort(steps=2)),
}
efforts = {"quick": quick, "full": full, "smoke": smoke}[scale.current()]
once, rounds = {}, {}
for name, (first, later) in efforts.items():
    score = supermasks.SCORES[name]
    once[name] = supermasks.one_shot(scene, score, effort=first, seed=my_seed)
    if name == "lfe":
        once["front to back"] = supermasks.front_to_back(scene, effort=first, seed=my_seed)
    rounds[name] = supermasks.iterative(scene, score, first=first, effort=later, seed=my_seed)


# %%
plt.figure(figsize=(9, 3.6), layout="constrained")
for name, color in zip(efforts, ("gray", "tab:brown", "tab:green", "tab:orange", "tab:blue")):
    removed = [0.0, *(100 * one.removed for one in rounds[name])]
    plt.plot(removed, [whole, *(100 * one.accuracy for one in rounds[name])], ".-", color=color, label=name)
    plt.plot(100 * once[name].removed, 100 * once[name].accuracy, "*", markersize=13, color=color, markeredgecolor="black")
layered = once["front to back"]
plt.plot(100 * layered.removed, 100 * layered.accuracy, "D", markersize=8, color="tab:green", markeredgecolor="black")
plt.axhline(10, color="gray", linestyle=":")
plt.xlabel("weights removed in %   (lines: round after round; stars: one-shot; diamond: front to back)")
plt.ylabel("accuracy in %, validation")
plt.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

print(f"{'':18}{'one-shot':>22}{'iterative':>22}{'a tenth left':>22}")
for name in efforts:
    cells = (once[name], supermasks.best(rounds[name]), supermasks.best(rounds[name], removed=0.9))
    print(f"{name:18}" + "".join(f"{one.accuracy:12.1%} ({one.removed:4.0%} off)" for one in cells))
print(f"{'lfe, front to back':18}{layered.accuracy:12.1%} ({layered.removed:4.0%} off)")
searched = 100 * supermasks.best(rounds["pgbp_loss"]).accuracy
for name, truth in (("whole", whole), ("luckiest of 500", luckiest), ("searched", searched)):
    print(f"{name:16} predicted {prediction[name]:5.1f} %   measured {truth:5.1f} %")

# %% [markdown]
# **How to read it.** Each curve starts at the whole network on the left. Removing *without looking at what a unit does* (random, L1: no weight was ever
# trained, so that its size means nothing) stays near guessing. Removing harmful units makes the network better and smaller at once, up to a point; then
# useful units are lost. Scoring again after each cut helps most where the first scores were worst: with least squares. All these are accuracies on the images that the
# cuts were chosen on, the best of many, so they are a little too high.
#
# Published, on MNIST with 10,000 test images (Sándor): LeNet-300-100 one-shot LFE 34.2 %, PGBP 36.9 % (loss) and 41.1 % (exponential of the accuracy);
# iterative LFE 39.8 %, PGBP 50.5 % and 46.8 %; ten times as wide (3010 and 1010 units), above 80 % with 70 % removed. The course's own figures are in
# `benchmarks/results/supermasks.json`, with the masks: anyone can measure them again.
#
# ## Ship it
#
# How many weights are left? A kernel between $a$ and $b$ units that are left has $a \cdot b$ weights.


# %%
def weights_left(units, masks):
    """The weights of the dense network that masks leave; units: the widths of all layers, inputs and classes included."""
    # begin solution: Exercise 5: the widths that are left are units[0], the sums of the masks, units[-1]; add up the products of neighbours
    left = [units[0], *(int(np.sum(mask)) for mask in masks), units[-1]]
    return sum(a * b for a, b in pairwise(left))
    # end solution


check.parameters(weights_left)

# %%
# begin solution: Exercise 6: choose `accurate` and `tiny` from your rounds with supermasks.best(…, removed=0.5) and (…, removed=0.9), which go by the validation images; search for more steps, or from another SEED, if they are not accurate enough there
accurate = supermasks.best(rounds["pgbp_loss"], removed=0.5)
tiny = supermasks.best(rounds["pgbp_loss"], removed=0.9)
# end solution
check.handed_in(accurate, tiny)

files = {}
for name, found in {"accurate": accurate, "tiny": tiny}.items():
    files[name] = write_supermask(found.supermask(scene), f"{WORK}/{name}.supermask")
    print(
        f"{name}: {files[name].size} bytes stand for {weights_left(units, found.masks):,} weights, {found.accuracy:.1%} of the validation images"
    )

# %% [markdown]
# Are you content with these two? Then, once, the test images. What you claim is their accuracy, which is a little lower.

# %%
claims = {
    f"{name}/accuracy": accuracy(found.masks, dataset.test) / 100 for name, found in (("accurate", accurate), ("tiny", tiny))
}
print(", ".join(f"{name} {value:.1%}" for name, value in claims.items()))


# %%
# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


mine = my_inputs("drawn_network")
own = draw(mine["units"].tolist(), int(mine["seed"]))
ensemble = my_inputs("ensemble")
losses = ensemble["losses"]
theta = shares(ensemble["masks"], losses)
step = my_inputs("climb")
probability = 1 / (1 + np.exp(-step["theta"]))
up = gradient(step["theta"], step["masks"], step["scores"])
rest = my_inputs("dense_rest")
pair = (rest["mask_1"], rest["mask_2"])
widths = (int(rest["inputs"]), len(pair[0]), len(pair[1]), int(rest["classes"]))
left = weights_left(widths, pair)

answers = {
    "drawn_network": {"first": own[0][0], "last": own[-1][-1]},
    "ensemble": {
        "success": 1 - (losses - losses.min()) / (losses.max() - losses.min()),
        "shares": theta,
        "order": np.argsort(theta),
    },
    "climb": {
        "probability": probability,
        "plain": (step["masks"] - probability).T @ step["scores"] / len(step["scores"]),
        "baselined": up,
        "stepped": step["theta"] + 2 * up,
    },
    "dense_rest": {
        "kept": [int(mask.sum()) for mask in pair],
        "parameters": left,
        "removed": 1 - left / weights_left(widths, [np.ones_like(mask) for mask in pair]),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={name: file.path for name, file in files.items()},
    answers=answers,
    claims=claims,
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * Which of the ten seeds is the best network on the validation images, and is it still the best when you search again with other random numbers?
# * Make the untrained network wider, `prepare(dataset, (1000, 400), seed=SEED)`, and cut it down to the same number of weights. Why does that help?
# * The file holds a seed and bits, 71 bytes. How many bytes would the weights of `tiny` take, and what does that say about "size"?
# * Give `pgbp` a score of your own: the accuracy on the class that is worst, or the loss plus a price for every unit that is kept.
#
# ## Literature
#
# * Sándor et al.: *Pruning CNNs with Linear Filter Ensembles*, ECAI 2020 (LFE); on dense supermasks, ICAI 2020; on probabilistic gradient-based pruning, VISAPP 2022.
# * H. Zhou, J. Lan, R. Liu, J. Yosinski: *Deconstructing Lottery Tickets: Zeros, Signs, and the Supermask*, NeurIPS 2019.
# * V. Ramanujan et al.: *What's Hidden in a Randomly Weighted Neural Network?*, CVPR 2020 (single weights instead of units: far more accurate).
# * R. J. Williams: *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*, Machine Learning 8, 1992.
# * W. Kool, H. van Hoof, M. Welling: *Buy 4 REINFORCE Samples, Get a Baseline for Free!*, ICLR workshop 2019.
