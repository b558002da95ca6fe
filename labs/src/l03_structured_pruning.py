# %% [markdown]
# # Lab 3 · Structured pruning
#
# **You will ship** two files of one network for handwritten digits from which whole channels have been removed: `pruned.tflite` (at most **half** of the
# multiply-accumulates, as accurate as before) and `tiny.tflite` (at most **15 %** of them). Unlike the zeros of Lab 2 they need no special
# format and no special kernel: they are simply smaller networks, and an ordinary runtime is faster with them.
#
# Both must come from the network below: the same layers with as many channels or fewer, and filters that are recognizably its own after fine-tuning (the
# grader compares directions; of unrelated networks they agree by 0.2, of pruned and fine-tuned ones by 0.8 or more, and 0.5 is asked). So leave its seed as it is.
#
# *90 minutes. A laptop is enough; at the default quick scale everything together takes about three minutes.*

# %%
# %xmode Minimal
import time
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np
from checks import l03 as check
from matplotlib import pyplot as plt

from projectkit import data, export, measure, models, prune, runtimes, scale, submit, train
from projectkit.models.cost import layer_macs, macs
from projectkit.prune import pgbp, schedules
from projectkit.prune.lfe import draw
from projectkit.prune.lfe import lfe as lfe_score
from projectkit.prune.masks import evaluator
from projectkit.types import Recipe

import tf_keras as keras  # after projectkit, which chooses Keras 2

LAB = "l03_structured_pruning"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, WIDTHS, EPOCHS, MEND, SEEDS = {  # MEND: fine-tuning
    "quick": ("digits", (48, 96, 192), 10, Recipe(epochs=2), (0, 1, 2)),
    "full": ("mnist", (32, 64, 128), 3, Recipe(epochs=1), (0,)),
    "smoke": ("digits", (12, 24, 48), 1, Recipe(epochs=1), (0,)),  # for the tests of this notebook
}[scale.current()]

dataset = data.load(DATASET)
validation = dataset.val.take(1000)
scoring = dataset.train.take(128)  # the images for the scores of channels; accuracy is measured on others
model = models.build("convnet", dataset, widths=WIDTHS)
train.fit(model, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
float32 = export.write(model, f"{WORK}/float32.tflite", compare=validation.x[:200])
whole = train.accuracy(model, validation)
print(float32, f"\naccuracy {whole:.1%} on the validation images, {macs(model):,} multiply-accumulates")

# %% [markdown]
# ### Predict first
#
# Half of the work goes and nothing is trained any further. How many per cent are right when channels are chosen at random, by the size of their
# weights, and by experiment? And what part of the latency is left? Write it down; nobody grades it.

# %%
prediction = {"random": 50.0, "L1": 50.0, "PGBP": 50.0, "latency": 0.5}

# %% [markdown]
# ## 1 · Channel groups: channels that must be removed together
#
# A filter makes a channel; the next layer has weights that read it; batch normalization has four numbers for it. Remove one and all of these go.
# In a chain that is all. But where two tensors are **added**, channel 7 of one is added to channel 7 of the other, and the
# layers that make them must lose it together. Such channels form a **group**, and groups follow from the graph alone.
#
# Write the network as a table, a row `(kind, a, b)` for each tensor: kind 0 is the image, 1 a convolution of tensor `a` (new channels), 2 something that
# only passes on the channels of `a` (batch normalization, ReLU), 3 the sum of `a` and `b`.


# %%
def group_of(tensors):
    """The group of each tensor's channels, (n,) integers: 0, 1, … in the order of their first tensor."""
    # begin solution: Exercise 1: image and convolutions open a group; kind 2 joins that of a; kind 3 makes one group of those of a and b; then renumber
    group = []
    for number, (kind, a, b) in enumerate(tensors):
        group.append(group[a] if kind in (2, 3) else number)
        if kind == 3:
            group = [group[a] if one == group[b] else one for one in group]
    order = list(dict.fromkeys(group))
    return np.array([order.index(one) for one in group])
    # end solution


check.group_of(group_of)

# %% [markdown]
# `prune.groups` does the same for Keras models, channel by channel, so that concatenation, flattening and depthwise layers come out right, too. Here is the
# beginning of a ResNet-8; boxes of one colour lose their channels together.

# %%
residual = models.build("resnet", dataset, depth=8, width=16)
color = {}
for index, group in enumerate(prune.groups(residual)):
    members = [place.layer for place in group.producers]
    color |= dict.fromkeys(members, f"C{index}")
    status = "can be removed" if group.prunable else f"must stay: {group.reason}"
    print(f"{group.channels:3} channels made by {' and '.join(members):24} {status}")

places = {"conv2d": (0, 0), "conv2d_1": (1.3, 1), "conv2d_2": (2.6, 1), "+": (3.8, 0)}
places |= {"conv2d_3": (5, 1), "conv2d_4": (6.3, 1), "conv2d_5": (5.65, 0), "sum": (7.5, 0)}
arrows = "conv2d conv2d_1, conv2d_1 conv2d_2, conv2d_2 +, conv2d +, + conv2d_3, "
arrows += "conv2d_3 conv2d_4, conv2d_4 sum, + conv2d_5, conv2d_5 sum"
plt.figure(figsize=(10, 2), layout="constrained")
patches = {}
for name, place in places.items():
    box = {"boxstyle": "round,pad=0.4", "fc": color.get(name, "white"), "ec": "gray"}
    style = {"color": "white" if name in color else "black", "ha": "center", "va": "center"}
    patches[name] = plt.text(*place, name if name in color else "+", bbox=box, **style).get_bbox_patch()
for start, end in (arrow.split() for arrow in arrows.split(", ")):
    style = {"arrowstyle": "-|>", "color": "gray", "patchA": patches[start], "patchB": patches[end]}
    plt.annotate("", places[end], places[start], arrowprops=style)
plt.axis((-0.7, 8, -0.4, 1.4))
plt.axis("off")
plt.show()

# %% [markdown]
# **How to read it.** Batch normalization and ReLU are left out. Inside a block, between its two convolutions, nothing is added: those channels (`conv2d_1`,
# `conv2d_3`) are free. The rest of a stage is one group, because every block adds to the same sum; a 1×1 projection (`conv2d_5`) starts the next.
# PFEC, the first of the methods below, prunes only the free ones.

# %% [markdown]
# ## 2 · Removing channels, and masks that do the same
#
# Removing channels is indexing. A convolution's kernel is stored as (height, width, **in**, **out**): the filters to be removed are at the end of one
# kernel and in the middle of the next. Behind a Flatten, a dense layer has a row for every *pixel* of every channel, and the channel index varies fastest.


# %%
def cut_convolutions(first, norm, second, keep):
    """What is left of first (h, w, in, c), of the arrays (c,) in the list norm, and of second (h, w, c, out).

    keep: (c,) bool, true for the channels that stay.
    """
    # begin solution: Exercise 2: index with keep the last axis of first, each array of norm, and the third axis of second; return the three
    return first[..., keep], [array[keep] for array in norm], second[:, :, keep]
    # end solution


def cut_dense(kernel, keep):
    """What is left of a dense kernel (pixels · c, out) behind a Flatten; keep: (c,) bool."""
    # begin solution: Exercise 2: repeat keep once a pixel (np.tile) and index the rows with it
    return kernel[np.tile(keep, len(kernel) // len(keep))]
    # end solution


check.cut(cut_convolutions, cut_dense)

# %% [markdown]
# To *try* a removal it is enough to multiply the channel by 0: a **mask**. But where? Batch normalization turns a convolution's 0 into something else,
#
# $$\text{ReLU}\left(\beta - \frac{\gamma\,\mu}{\sqrt{\sigma^2 + \varepsilon}}\right),$$
#
# a constant that the next layer still reads, whatever the image is.


# %%
def leftover(gamma, beta, mean, variance, epsilon=1e-3):
    """What each channel answers when the convolution before its batch normalization gives 0: (c,)."""
    # begin solution: Exercise 2: the formula above
    return np.maximum(beta - gamma * mean / np.sqrt(variance + epsilon), 0)
    # end solution


check.leftover(leftover)

# %%
LAYER = "conv2d_1"


def norm_of(network, layer_name):
    """The batch normalization behind a convolution."""
    return network.layers[[layer.name for layer in network.layers].index(layer_name) + 1]


channels = model.get_layer(LAYER).filters
keep = np.random.default_rng(0).random(channels) < 0.8
smaller = prune.remove(model, {LAYER: keep})  # `model` stays as it was
behind_relu = evaluator(model, LAYER, validation)(keep[None]).loss[0]
before_norm = models.copy(model)
before_norm.get_layer(LAYER).kernel.assign(model.get_layer(LAYER).kernel * keep)


def loss(network):
    return evaluator(network, LAYER, validation)(np.ones((1, network.get_layer(LAYER).filters))).loss[0]


print(f"loss, channels removed             {loss(smaller):.6f}")
print(f"loss, masked behind ReLU           {behind_relu:.6f}")
print(f"loss, masked before normalization  {loss(before_norm):.6f}")
print(f"loss, whole network                {loss(model):.6f}")

plt.figure(figsize=(9, 2.2), layout="constrained")
plt.bar(np.arange(channels), np.sort(leftover(*norm_of(model, LAYER).get_weights()))[::-1], color="tab:orange", width=0.8)
plt.xlabel(f"channels of {LAYER}, sorted")
plt.ylabel("left when masked\nbefore normalization")
plt.show()

# %% [markdown]
# **How to read it.** The first two numbers agree to the last digits: a mask behind normalization and activation is equivalent to a removal, and
# costs one multiplication instead of a new network. The third differs: every bar is a channel that still passes a constant on.

# %% [markdown]
# ## 3 · Scores of channels: L1, FPGM, LFE, PGBP
#
# A **score** gives one number a channel, larger for more important. By the weights alone: L1 takes $\sum|F_c|$, large filters matter; FPGM takes
# $\sum_k \lVert F_c - F_k\rVert_2$: a filter near all others can be replaced by them.


# %%
def l1(kernel):
    """(channels,): the sum of |w| of each filter of kernel (h, w, in, channels)."""
    # begin solution: Exercise 3: sum the absolute values over all axes but the last
    return np.abs(kernel).sum(axis=(0, 1, 2))
    # end solution


def fpgm(kernel):
    """(channels,): the sum of each filter's Euclidean distances to all filters."""
    # begin solution: Exercise 3: make (channels, weights) of the kernel, then for each filter sum the norms of the differences to all
    filters = kernel.reshape(-1, kernel.shape[-1]).T
    return np.array([np.linalg.norm(filters - one, axis=1).sum() for one in filters])
    # end solution


check.norms(l1, fpgm)

# %% [markdown]
# Weights do not show what the network does with a channel. Experiments do. **LFE** (linear filter ensembles) draws random masks $z_i$, measures the
# losses $L_i$, turns them into successes $s_i = 1 - \frac{L_i - L_{min}}{L_{max} - L_{min}}$ and fits how much each channel contributes to a mask's success:
#
# $$Z\,\theta + c \approx s \qquad\text{in the least-squares sense.}$$


# %%
def lfe(masks, losses):
    """θ (channels,) from masks (m, channels) of 0 and 1 and their losses (m,)."""
    # begin solution: Exercise 3: compute s, put a column of ones beside the masks for c, solve with np.linalg.lstsq, and leave c out
    s = 1 - (losses - losses.min()) / (losses.max() - losses.min())
    z = np.column_stack([masks, np.ones(len(masks))])
    return np.linalg.lstsq(z, s, rcond=None)[0][:-1]
    # end solution


check.lfe(lfe)

# %% [markdown]
# **PGBP** (probabilistic gradient-based pruning) learns *which masks to draw*: channel $j$ stays with probability $p_j = \sigma(\theta_j)$, and
# gradient ascent on $\theta$ raises the expected score (here: minus the loss). For these masks $\nabla_\theta \log P(z) = z - p$, so a few samples give the gradient without
# differentiating the network:
#
# $$g = \tfrac1N \sum_i (z_i - p)\,\frac{s_i - b}{d}$$
#
# The baseline $b$ (a moving average of the scores) and their spread $d$ do not change the direction on average, and reduce the noise.


# %%
def pgbp_gradient(theta, masks, scores, baseline, spread):
    """g (channels,) from masks (n, channels) of 0 and 1 that were drawn with σ(theta), and their scores (n,)."""
    # begin solution: Exercise 3: p from theta, the scores minus the baseline over the spread, and the mean over the masks of (z − p) times that
    p = 1 / (1 + np.exp(-theta))
    return (masks - p).T @ ((scores - baseline) / spread) / len(masks)
    # end solution


check.pgbp_gradient(pgbp_gradient)


# %%
def mine(model, layer_name, data, *, seed=0):
    """My own score: (channels,). Anything that can be computed from the model and the images `data.x`, `data.y`."""
    # begin solution: Exercise 3: invent a score; for example how strongly the weights of the next layer read each channel
    names = [layer.name for layer in model.layers if hasattr(layer, "kernel")]
    reader = model.get_layer(names[names.index(layer_name) + 1]).kernel.numpy()
    return np.abs(reader).sum(axis=tuple(axis for axis in range(reader.ndim) if axis != reader.ndim - 2))
    # end solution


check.score(mine, model, LAYER, scoring)

# %%
evaluate = evaluator(model, LAYER, scoring)
masks = draw(8 * channels, channels, keep=0.5, seed=0)
theta, baseline, spread = np.zeros(channels), None, None
rng = np.random.default_rng(0)
for _ in range(80):
    z = rng.random((10, channels)) < 1 / (1 + np.exp(-theta))
    s = -evaluate(z).loss
    baseline = s.mean() if baseline is None else 0.9 * baseline + 0.1 * s.mean()
    width = np.sqrt(np.mean((s - baseline) ** 2)) + 1e-8
    spread = width if spread is None else 0.9 * spread + 0.1 * width
    theta = np.clip(theta + pgbp_gradient(theta, z, s, baseline, spread), -6, 6)

kernel = model.get_layer(LAYER).kernel.numpy()
scores = {"random": rng.random(channels), "L1": l1(kernel), "FPGM": fpgm(kernel), "mine": mine(model, LAYER, scoring)}
scores |= {"LFE": lfe(masks, evaluate(masks).loss), "PGBP": theta}

judge = evaluator(model, LAYER, validation)
plt.figure(figsize=(9, 3), layout="constrained")
for name, values in scores.items():
    rank = np.argsort(np.argsort(values))
    accuracy = judge(rank[None] >= np.arange(channels)[:, None]).accuracy  # row k: without the k least important
    plt.plot(100 * np.arange(channels) / channels, 100 * accuracy, label=name)
plt.xlabel(f"channels of {LAYER} removed, %, the least important first")
plt.ylabel("accuracy in %, no training")
plt.legend(ncols=2)
plt.show()

# %% [markdown]
# **How to read it.** Each curve removes channels of one layer in the order of one score. The longer it stays up, the better the score. All were
# computed from training images, the accuracy is that of validation images. LFE's masks left half of the channels: where is its curve strong, and
# what changes with `keep=0.9`? Is your own score better than chance? One thing is not yet fair in this picture: section 4 says what.

# %% [markdown]
# ### Evaluating hundreds of masks fast
#
# LFE and PGBP evaluate hundreds of masks. The obvious loop zeroes the channels and runs the whole network, once per mask. But what comes *before* the
# layer does not depend on the mask: run it once, keep the result, and run only the rest, many masks in one call. That is what `evaluator` does.
# If only arithmetic counted, how much would it save?


# %%
def bound(work, behind):
    """How many times less work one mask is.

    work: {layer: its multiply-accumulates}, of the whole network; behind: the names of the layers that run.
    """
    # begin solution: Exercise 4: all work over the work of the layers behind (some of which have none)
    return sum(work.values()) / sum(work.get(name, 0) for name in behind)
    # end solution


check.bound(bound)


# %%
def naive(network, layer_name, images, masks):
    """The obvious loop: zero channels in the batch normalization, run everything, put the weights back."""
    norm, answers = norm_of(network, layer_name), []
    weights = norm.get_weights()
    for mask in masks:
        norm.set_weights([array * mask for array in weights[:2]] + weights[2:])
        answers.append(train.logits(network, images.x))
    norm.set_weights(weights)
    return answers


def masks_per_second(run, masks):
    start = time.perf_counter()
    run(masks)
    return len(masks) / (time.perf_counter() - start)


work, twin = layer_macs(model), models.copy(model)
print("layer      masks per second: naive   ours    ratio   bound of the arithmetic")
for name in ("conv2d", "conv2d_1", "conv2d_2"):
    ours = evaluator(model, name, scoring)
    many = draw(150, ours.channels, seed=1)
    runs = {"naive": (partial(naive, twin, name, scoring), many[:6]), "ours": (ours, many)}
    for run, some in runs.values():
        run(some)  # the first call compiles
    rounds = [[masks_per_second(run, some) for run, some in runs.values()] for _ in range(3)]  # in turn
    slow, fast = np.median(rounds, axis=0)
    print(f"{name:10} {slow:23.0f} {fast:6.0f} {fast / slow:8.1f} {bound(work, ours.behind):9.1f}")

# %% [markdown]
# **How to read it.** The later the layer, the less is left to run. Where the ratio is above the bound, the naive loop did not spend most of its time on
# arithmetic: starting a run for each mask took longer than running. Where it is below, memory is the limit: every mask needs its own copy of the activations.

# %% [markdown]
# ## 4 · Half of the work is gone: what is lost, and what only seems so
#
# Now all layers at once. Scores can only be compared at an **equal cut**: the same share of every layer, so that the same work is left whatever the
# score. First two of them, at half of the work; nothing is trained.

# %%
half, most = (schedules.ratio_for_macs(model, share) for share in (0.5, 0.85))
hidden = [name for name in work if name != "logits"]


def cut(values, ratio):
    """The network without the share `ratio` of every layer's channels, those of the lowest values[layer]."""
    return prune.remove(model, {name: prune.keep_best(values[name], ratio) for name in hidden})


def values_of(score, seed):
    return {name: score(model, name, scoring, seed=seed) for name in hidden}


halves = {name: cut(values_of(prune.SCORES[name.lower()], 0), half) for name in ("random", "L1")}
for name, network in halves.items():
    print(
        f"{name:7} {macs(network) / macs(model):.1%} of the work, accuracy {train.accuracy(network, validation):.1%}; whole network {whole:.1%}"
    )

# %% [markdown]
# So half of the channels carried nearly everything, and it hardly helps to look at the weights? Not so fast. Batch normalization subtracts a mean and divides by a standard
# deviation. In a finished network these are stored numbers, estimated while *all* channels were there. Half of what is summed up in
# front of them is now gone. Are the numbers still right?


# %%
def statistics(x):
    """Mean and variance of each channel of x (images, height, width, channels): two arrays (channels,)."""
    # begin solution: Exercise 5: mean and variance over all axes but the last
    return x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    # end solution


check.statistics(statistics)

# %%
network = halves["L1"]
norm = norm_of(network, LAYER)
read = keras.Model(network.input, norm.input)(scoring.x).numpy()  # what this batch normalization reads
stored = norm.moving_mean.numpy(), norm.moving_variance.numpy()

figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for axis, title, before, now in zip(axes, ("mean", "variance"), stored, statistics(read)):
    axis.plot(before, now, "o", alpha=0.6)
    ends = [min(before.min(), now.min()), max(before.max(), now.max())]
    axis.plot(ends, ends, color="gray", linestyle=":")
    axis.set(xlabel=f"stored {title}", ylabel=f"{title} of what is read now")
plt.show()

# %% [markdown]
# **How to read it.** A dot is a channel that is left in the second layer; on the dotted line its statistics would still be right. Fewer channels are summed
# up, so most variances are smaller than stored and the means have moved: every channel is shifted and squeezed, and the next layer reads what it has
# never seen.
#
# The repair changes no weight: pass some images through once, and store in each batch normalization what it really reads, from the first to the last.
# `prune.recalibrate` does that and needs no labels.

# %%
for name, network in halves.items():
    mended = prune.recalibrate(network, scoring.x)
    print(
        f"{name:7} predicted {prediction[name]:5.1f} %   cut {train.accuracy(network, validation):6.1%}   "
        f"recalibrated {train.accuracy(mended, validation):6.1%}"
    )
now = norm_of(prune.recalibrate(halves["L1"], scoring.x), LAYER).moving_mean.numpy()
print(f"your means and those that recalibrate has stored differ by at most {np.abs(now - statistics(read)[0]).max():.1e}")

# %% [markdown]
# **How to read it.** At the default scale nearly all of the fall was stale statistics, not lost knowledge, for chance as for L1. (A narrower network really loses
# something, too.) An accuracy right after a cut mostly says how far a score has
# moved the statistics. So does section 3's picture, in one layer; and LFE and PGBP, which try masks in a network with the old statistics, are good at *that*.
# Recalibrate before you judge.
#
# ## 5 · Comparing scores and schedules at equal work
#
# Three columns for every score, at half of the work and at 15 %: **cut**, **recalibrated**, and **fine-tuned**. And three controls, without which the
# last column says nothing: channels at **random**; the **whole** network, trained on for as many epochs; and the small network **from scratch**, which
# gets as many epochs in all but never saw the large one.

# %%
methods = {name: prune.SCORES[name.lower()] for name in ("random", "L1")}
methods |= {"LFE": partial(lfe_score, masks=400), "PGBP": partial(pgbp.pgbp, climb=pgbp.Climb(iterations=40))}
methods |= {"mine": mine}
ratios = {"50 %": half, "15 %": most}
results = {(left, stage): {} for left in ratios for stage in ("cut", "recalibrated", "fine-tuned")}
controls = {name: [] for name in ("whole", *ratios)}
fine_tuned = {}
for seed in SEEDS:
    mend, scratch = replace(MEND, seed=seed), Recipe(epochs=EPOCHS + MEND.epochs, learning_rate=2e-3, seed=seed)
    longer = models.copy(model)
    train.fit(longer, dataset, mend, progress=False)
    controls["whole"].append(train.accuracy(longer, validation))
    scores_of = {name: values_of(score, seed) for name, score in methods.items()}
    for left, ratio in ratios.items():
        for name, values in scores_of.items():
            network = cut(values, ratio)
            tuned = prune.recalibrate(network, scoring.x)
            results[left, "cut"].setdefault(name, []).append(train.accuracy(network, validation))
            results[left, "recalibrated"].setdefault(name, []).append(train.accuracy(tuned, validation))
            train.fit(tuned, dataset, mend, progress=False)
            results[left, "fine-tuned"].setdefault(name, []).append(train.accuracy(tuned, validation))
            fine_tuned[left, name] = tuned
        fresh = models.build("convnet", dataset, seed=seed, widths=[network.get_layer(name).filters for name in hidden])
        train.fit(fresh, dataset, scratch, progress=False)
        controls[left].append(train.accuracy(fresh, validation))

figure, axes = plt.subplots(2, 3, figsize=(10, 5), layout="constrained", sharey=True)
for axis, ((left, stage), by_name) in zip(axes.flat, results.items()):
    for row, shares in enumerate(by_name.values()):
        axis.plot(100 * np.array(shares), [row] * len(shares), "o", color="tab:blue", alpha=0.6)
        axis.plot(100 * np.mean(shares), row, "|", color="black", markersize=14)
    axis.axvline(100 * whole, color="gray", linestyle=":", label="whole, as it was")
    if stage == "fine-tuned":
        axis.axvline(100 * np.mean(controls["whole"]), color="black", linestyle=":", label="whole, trained on")
        axis.axvline(100 * np.mean(controls[left]), color="tab:red", linestyle="--", label="from scratch")
        axis.legend(fontsize="x-small", loc="lower left")
    axis.set(xlabel=f"{stage}: accuracy in %, {left} of the work", yticks=range(len(by_name)), yticklabels=by_name)
axes[0, 0].invert_yaxis()
plt.show()
for left in ratios:
    print(f"{left} of the work      cut   recalibrated   fine-tuned")
    for name in methods:
        means = [np.mean(results[left, stage][name]) for stage in ("cut", "recalibrated", "fine-tuned")]
        print(f"  {name:14} {means[0]:9.1%} {means[1]:14.1%} {means[2]:12.1%}")
    print(f"  from scratch                            {np.mean(controls[left]):12.1%}")
print(f"  whole, trained on                       {np.mean(controls['whole']):12.1%}")
print(
    f"PGBP at half of the work: predicted {prediction['PGBP']:.1f} %, cut {100 * np.mean(results['50 %', 'cut']['PGBP']):.1f} %"
)

# %% [markdown]
# **How to read it.** A dot is one seed of score and fine-tuning (one trained network; the full scale has one seed), the bar their mean. Read the columns from left to right.
# *Cut*: the scores lie worlds apart, but you know now what that measures. *Recalibrated*, half of the work: nothing to choose between them, chance
# included, because this network is wide enough to lose any half. *Recalibrated*, 15 %: here a choice of channels is worth something, or nothing; compare each with
# `random` before you believe it. *Fine-tuned*: the differences are of a few images again, and the small network from scratch is no worse than what was cut out of the
# large one. So a claim for a score needs a cut that is deep enough, recalibrated statistics, and `random` and `from scratch` beside it (Liu et al., below).
#
# Published for ResNets on CIFAR-10 (Sándor's thesis, table 2.1), after fine-tuning. Which of the controls are missing?
#
# | network | method | before, % | after, % | drop, points | work removed, % | parameters removed, % |
# |---|---|---|---|---|---|---|
# | ResNet-32 | FPGM | 92.63 | 92.82 | −0.19 | 53.2 | 53.2 |
# | | LFE | 92.97 | 92.42 | 0.55 | 46.4 | 49.4 |
# | | PGBP | 92.97 | 92.29 | 0.68 | 50.2 | 43.7 |
# | ResNet-56 | PFEC (L1) | 93.04 | 93.06 | −0.02 | 27.6 | 13.7 |
# | | ThiNet | 93.80 | 92.98 | 0.82 | 49.8 | 49.7 |
# | | LFE | 93.44 | 93.18 | 0.26 | 57.6 | 68.1 |
# | | PGBP | 93.44 | 93.08 | 0.36 | 64.2 | 57.8 |
# | ResNet-110 | PFEC (L1) | 93.53 | 93.30 | 0.23 | 38.6 | 32.4 |
# | | LFE | 94.05 | 93.48 | 0.57 | 63.7 | 60.1 |
# | | PGBP | 94.05 | 93.45 | 0.60 | 72.5 | 68.9 |
#
# Compare rows only at a similar cut. (FPGM's cuts also count filters of second convolutions, which a real removal must leave where the sum is kept whole.)
# LFE and PGBP do not remove the same share of every layer: each layer loses as many channels as **validation** allows, then the next is scored. The
# depth of the cut is the result.

# %%
for name in ("random", "L1", "LFE"):
    found = schedules.by_validation(model, methods[name], replace(dataset, train=scoring, val=validation), tolerance=0.02)
    left = [found.model.get_layer(layer).filters for layer in hidden]
    step = found.steps[-1]
    print(f"{name:7} leaves {left} channels, {step.macs / macs(model):6.1%} of the work, at {step.accuracy_recalibrated:.1%}")

# %% [markdown]
# **How to read it.** Each layer may cost two points, as measured with the old statistics; the accuracy is that after recalibration, on the images that chose the cuts. How much
# deeper than chance does a score go?
#
# **When** channels go may matter as much as **which**. The same score, the same number of epochs in all: at once; in rounds; or *softly*, where channels are silenced after every
# epoch but may grow again until the last. Only 15 % of the work stay.

# %%
thrice, by_size = replace(MEND, epochs=3 * MEND.epochs), prune.SCORES["l1"]
ways = {
    "one shot": schedules.one_shot(model, by_size, most, dataset, thrice),
    "three rounds": schedules.iterative(model, by_size, most, dataset, MEND, rounds=3),
    "soft": schedules.soft(model, most, dataset, thrice, score=by_size),
}
plt.figure(figsize=(9, 2.8), layout="constrained")
for name, way in ways.items():
    left = [100] + [100 * step.macs / macs(model) for step in way.steps for _ in range(3)]
    shares = [100 * whole]
    shares += [100 * value for step in way.steps for value in (step.accuracy_cut, step.accuracy_recalibrated, step.accuracy)]
    plt.plot(left, shares, "o-", label=f"{name}: {shares[-1]:.1f} %", alpha=0.7)
plt.gca().invert_xaxis()
plt.xlabel("multiply-accumulates left, %")
plt.ylabel("accuracy in %")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** A removal goes right and down, recalibration and fine-tuning straight up, one dot each. Soft pruning removes channels that answer 0
# on every image, so the removal itself changes no answer. One seed: ends that differ by a point or two are noise, and the control from scratch holds here too.
#
# Your turn: choose score, schedule and recipe for the smallest network.

# %%
# begin solution: Exercise 6: make `tiny`, a model with at most 15 % of the work, by any of these schedules and any score
longer = replace(MEND, epochs=2 * MEND.epochs)
tiny = schedules.iterative(model, prune.SCORES["taylor"], most, dataset, longer, rounds=2).model
# end solution
pruned = fine_tuned["50 %", "LFE"]
check.small_enough(macs(pruned) / macs(model), train.accuracy(pruned, validation), whole, at_most=0.5)
check.small_enough(macs(tiny) / macs(model), train.accuracy(tiny, validation), whole, at_most=0.15)

# %% [markdown]
# Now the files. Beside these two: the network with the same channels once set to **zero**, as in Lab 2, and once **removed**; recalibrated, not trained.

# %%
keeps = {name: prune.keep_best(prune.SCORES["taylor"](model, name, scoring), half) for name in hidden}
zeros = models.copy(model)
for name, keep in keeps.items():
    zeros.get_layer(name).kernel.assign(model.get_layer(name).kernel * keep)
    gamma, beta, *moving = norm_of(model, name).get_weights()
    norm_of(zeros, name).set_weights([gamma * keep, beta * keep, *moving])
networks = {name: prune.recalibrate(one, scoring.x) for name, one in (("zeros", zeros), ("removed", prune.remove(model, keeps)))}
networks |= {"pruned": pruned, "tiny": tiny}
files = {"whole": float32}
for name, network in networks.items():
    files[name] = export.write(network, f"{WORK}/{name}.tflite", compare=validation.x[:200])
measured = measure.compare([file.artifact for file in files.values()], validation, baseline=float32.artifact, budget=0.5)
profiles = dict(zip(files, measured))
print("           accuracy    work   bytes   latency, each relative to the whole network")
for name, profile in profiles.items():
    value = {metric: one.value for metric, one in profile.values.items()}
    base = {metric: one.value for metric, one in profiles["whole"].values.items()}
    ratios = [value[metric] / base[metric] for metric in ("macs", "size")] + [value["latency_ratio"]]
    print(f"{name:10} {value['accuracy']:8.1%}" + "".join(f"{ratio:8.2f}" for ratio in ratios))
ratio = profiles["pruned"].values["latency_ratio"].value
print(f"latency of pruned: predicted {prediction['latency']:.2f}, measured {ratio:.2f}")

# %% [markdown]
# **How to read it.** `zeros` and `removed` are the same function, image by image. Zeros that stay in the network save neither bytes nor time; removed
# channels save both, with the runtime that was there before. Compare latency with work: layers have fixed costs, and narrow ones do not fill the
# vector units, so the time falls less than the work.
#
# ## Ship it


# %%
def accuracy_of(exported):
    with closing(runtimes.open(exported.artifact)) as session:
        return measure.accuracy(session.run(validation.x), validation.y).value


def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


drawn = my_inputs("filter_scores")
w, ratio = drawn["w"].astype(np.float64), float(drawn["ratio"])
body = my_inputs("surgery")
stays = body["keep"].astype(bool)
first, _, second = cut_convolutions(body["first"], [], body["second"], stays)
constants = leftover(*(body[name].astype(np.float64) for name in ("gamma", "beta", "mean", "variance")))
tensors = my_inputs("channel_groups")["tensors"]
groups = group_of(tensors)
count = groups.max() + 1

answers = {
    "filter_scores": {
        "l1": l1(w),
        "fpgm": fpgm(w),
        "kept_l1": np.flatnonzero(prune.keep_best(l1(w), ratio)),
        "kept_fpgm": np.flatnonzero(prune.keep_best(fpgm(w), ratio)),
    },
    "surgery": {"first": first, "second": second, "last": cut_dense(body["last"], stays), "leftover": constants[~stays]},
    "channel_groups": {
        "group": groups,
        "convolutions": np.bincount(groups[tensors[:, 0] == 1], minlength=count),
        "prunable": (~np.isin(np.arange(count), [groups[0], groups[-1]])).astype(int),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={"pruned": files["pruned"].artifact.path, "tiny": files["tiny"].artifact.path},
    answers=answers,
    claims={"pruned/accuracy": accuracy_of(files["pruned"]), "tiny/accuracy": accuracy_of(files["tiny"])},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * Does one ratio for all layers make sense? Give each its own (`{"conv2d": 0.2, …}`) at the same multiply-accumulates, and beat `random` in section 6.
# * Score in a network that has been recalibrated under every mask. Does the order of the methods change?
# * Prune the ResNet-8, first only inside its blocks, then the sums, too (name their groups). What does the same cut cost each time?
# * Give channels a cost in PGBP: subtract a small price times $\sum_j p_j$ from the score. What happens to channels that hardly help?
# * Quantize `tiny` to 8 bits (Lab 1). Do the two savings multiply?
#
# ## Literature
#
# * H. Li et al.: *Pruning Filters for Efficient ConvNets*, ICLR 2017 (PFEC: L1).
# * Y. He et al.: *Soft Filter Pruning*, IJCAI 2018; *Filter Pruning via Geometric Median*, CVPR 2019 (FPGM).
# * P. Molchanov et al.: *Importance Estimation for Neural Network Pruning*, CVPR 2019 (Taylor).
# * Sándor et al.: *Pruning CNNs with Linear Filter Ensembles*, ECAI 2020 (LFE); on probabilistic gradient-based pruning, VISAPP 2022 (PGBP).
# * R. Williams: *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*, 1992.
# * Z. Liu et al.: *Rethinking the Value of Network Pruning*, ICLR 2019.
# * B. Li et al.: *EagleEye: Fast Sub-net Evaluation for Efficient Neural Network Pruning*, ECCV 2020 (recalibration).
# * G. Fang et al.: *DepGraph: Towards Any Structural Pruning*, CVPR 2023.
