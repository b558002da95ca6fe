# %% [markdown]
# # Lab 2 · Pruning
#
# **You will ship** five files of one network for handwritten digits: `pruned.tflite` (nine of ten weights are zero), `sparse.tflite` (the
# same in a format without the zeros), `two_of_four.tflite` (zeros in the pattern that GPUs like), `clustered.tflite` (16 values per filter) and
# `int8.tflite` (zeros, few values *and* 8 bits: about **a twentieth of the bytes** to send). Each within five percent of the dense
# network's accuracy on images that you have not seen.
#
# All five are the network below after pruning: with the same layers and kernels of the same shapes. A smaller network is another lab's subject and earns
# nothing here.
#
# *90 minutes. A laptop is enough; at the default quick scale all training together takes about a minute.*

# %%
# %xmode Minimal
import time
from contextlib import closing

import numpy as np
from checks import l02 as check
from matplotlib import pyplot as plt

from projectkit import data, export, measure, models, runtimes, scale, submit, train
from projectkit.prune import clustering, collaborative, lottery, recalibrate, sparsity, weight_masks
from projectkit.quantize import qat
from projectkit.types import Recipe

LAB = "l02_pruning"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, WIDTHS, EPOCHS, FEW, BATCH, SEEDS, ROUNDS = {  # FEW: epochs after the first training, BATCH: images a step
    "quick": ("digits", (48, 96, 192), 10, 2, 64, (0, 1, 2), 2),
    "full": ("mnist", (32, 64, 128), 3, 1, 256, (0, 1, 2), 2),
    "smoke": ("digits", (12, 24, 48), 1, 1, 64, (0, 1), 1),  # for the tests of this notebook
}[scale.current()]
RECIPE = Recipe(epochs=2 * FEW, batch_size=BATCH, learning_rate=2e-3)  # to prune
GENTLE = Recipe(epochs=FEW, batch_size=BATCH, learning_rate=3e-4)  # for the small steps after it
SPARSITY = 0.9

started = time.perf_counter()
dataset = data.load(DATASET)
calibration, validation = dataset.train.x[:200], dataset.val.take(1000)
dense = models.build("convnet", dataset, widths=WIDTHS)
train.fit(dense, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
kernels = {name: kernel.numpy() for name, kernel in weight_masks.kernels_of(dense).items()}
for name, w in kernels.items():
    print(f"{name:10} {w.shape!s:18} {w.size:8,} weights")


def file_accuracy(exported):
    """The share of the validation images that the *file* gets right."""
    with closing(runtimes.open(exported.artifact)) as session:
        return measure.accuracy(session.run(validation.x), validation.y).value


# %% [markdown]
# ### Predict first
#
# Nine of ten weights become zero. What fraction of the bytes is left when the file is compressed for sending? What fraction of the
# latency? How many points of accuracy are lost? Write it down; nobody grades it.

# %%
prediction = {"bytes": 0.1, "latency": 0.1, "accuracy": -5.0}

# %% [markdown]
# ## 1 · Magnitude pruning, layer-wise and global
#
# Which weights can be removed? The oldest answer is still hard to beat: the **smallest**. A weight near zero adds little to any sum. A *mask*
# says which weights stay; *sparsity* is the share that is removed:
#
# $$m_i = 1 \text{ for all but the } \text{round}(s \cdot n) \text{ smallest } |w_i|, \qquad w_i \leftarrow m_i w_i$$


# %%
def magnitude_mask(w, share):
    """True where a weight stays: the round(share · size) smallest |w| go. A bool array of w's shape."""
    # begin solution: Exercise 1: np.argsort the |w| (axis=None, kind="stable"), put False at the first of them, return the mask in w's shape
    mask = np.ones(w.size, bool)
    mask[np.argsort(np.abs(w), axis=None, kind="stable")[: round(share * w.size)]] = False
    return mask.reshape(w.shape)
    # end solution


check.magnitude_mask(magnitude_mask)

# %% [markdown]
# The same share in every layer, or one threshold for the whole network? Layers differ: the first convolution here has a few hundred weights,
# the last one hundreds of times as many.


# %%
def global_masks(kernels, share):
    """{layer: mask} of kernels {layer: weights}, with one threshold for all of them."""
    # begin solution: Exercise 2: flatten and concatenate all weights, call magnitude_mask once, np.split the long mask, give each part its kernel's shape
    every = np.concatenate([w.reshape(-1) for w in kernels.values()])
    ends = np.cumsum([w.size for w in kernels.values()])[:-1]
    parts = np.split(magnitude_mask(every, share), ends)
    return {name: part.reshape(w.shape) for (name, w), part in zip(kernels.items(), parts)}
    # end solution


check.global_masks(global_masks)

# %%
probe = models.copy(dense)


def masked_accuracy(masks):
    """Accuracy of the network with these masks and no training: with the stored statistics, and with new ones."""
    for name, mask in masks.items():
        probe.get_layer(name).kernel.assign(kernels[name] * mask)
    return [100 * train.accuracy(network, validation) for network in (probe, recalibrate(probe, calibration))]


shares = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
layerwise = [masked_accuracy({name: magnitude_mask(w, share) for name, w in kernels.items()}) for share in shares]
together = [masked_accuracy(global_masks(kernels, share)) for share in shares]
kept = {name: 100 * mask.mean() for name, mask in global_masks(kernels, SPARSITY).items()}

figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for color, label, pairs in (("tab:orange", "layer by layer", layerwise), ("tab:blue", "one threshold for all", together)):
    stored, new = np.array(pairs).T
    axes[0].plot(100 * np.array(shares), new, "o-", color=color, label=label)
    axes[0].plot(100 * np.array(shares), stored, ":", color=color, label=f"{label}, stored statistics")
axes[0].set(xlabel="sparsity in %, no training after it", ylabel="accuracy in %, validation")
axes[0].legend(fontsize="x-small")
bars = axes[1].barh([f"{name} ({kernels[name].size:,})" for name in kept], list(kept.values()), color="tab:blue")
axes[1].bar_label(bars, fmt="%.0f %%", padding=3)
axes[1].axvline(100 * (1 - SPARSITY), color="tab:orange", linestyle="--", zorder=0)
axes[1].invert_yaxis()
axes[1].margins(x=0.15)
axes[1].set_xlabel(f"weights that one threshold keeps at {SPARSITY:.0%} sparsity, in %")
plt.show()

# %% [markdown]
# **How to read it.** Left: the dotted curves are of the network as it stands after the cut. Much of their fall is not lost knowledge: batch normalization still
# subtracts means and divides by deviations that were estimated with all weights (Lab 3 looks into that). `recalibrate` passes some images through once and
# estimates them anew, no weight is trained: the solid curves. At the default scale most weights can go with hardly a loss; layer by layer, accuracy falls earlier. Right: the single threshold removes most from the large layers and little from the small ones; the dashed line is what
# every layer keeps when all are treated alike. In a layer of few weights that costs much accuracy and saves almost nothing.

# %% [markdown]
# ## 2 · Pruning during training: schedules
#
# Training recovers the accuracy that pruning costs. TFMOT does both at once: during training it chooses the masks anew every few steps by a
# **schedule**. A *constant* schedule asks for the full sparsity from the first step. The *polynomial* one (Zhu and Gupta) raises it gradually:
#
# $$s(t) = s_f + (s_0 - s_f)\left(1 - \frac{t - t_0}{t_1 - t_0}\right)^{p}, \quad t_0 \le t \le t_1$$


# %%
def polynomial(step, final, begin, end, initial=0.0, power=3):
    """The sparsity at a step (a number or an array): `initial` up to `begin`, `final` from `end` on."""
    # begin solution: Exercise 3: progress (step − begin) / (end − begin), np.clip to [0, 1], then the formula
    progress = np.clip((step - begin) / (end - begin), 0, 1)
    return final + (initial - final) * (1 - progress) ** power
    # end solution


check.schedule(polynomial)

# %%
steps = sparsity.steps(dataset, RECIPE)
ways = {}
for name, plan in (
    ("layer by layer, constant", sparsity.constant(SPARSITY)),
    ("layer by layer, polynomial", sparsity.polynomial(SPARSITY, end=steps // 2)),
):
    pruning = sparsity.prepare(dense, plan)
    train.fit(pruning, dataset, RECIPE)
    ways[name] = sparsity.strip(pruning)

# %% [markdown]
# TFMOT prunes layer by layer. For one threshold, `weight_masks.masked(model, masks)` gives a network whose zeros stay zero while it
# trains, and `weight_masks.unmasked` a plain copy of it.

# %%
# begin solution: Exercise 4: mask `dense` by global_masks(kernels, SPARSITY), train that with train.fit by RECIPE, call the plain copy `pruned`
masked = weight_masks.masked(dense, global_masks(kernels, SPARSITY))
train.fit(masked, dataset, RECIPE)
pruned = weight_masks.unmasked(masked)
# end solution
ways["one threshold, at once"] = pruned
sizes = {name: w.size for name, w in kernels.items()}
dense_accuracy = train.accuracy(dense, validation)
check.pruned(weight_masks.layer_sparsity(pruned), sizes, train.accuracy(pruned, validation), dense_accuracy)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
t = np.arange(steps)
axes[0].plot(t, np.full(steps, 100 * SPARSITY), color="tab:orange", label="constant")
axes[0].plot(t, 100 * polynomial(t, SPARSITY, 0, steps // 2), color="tab:green", label="polynomial")
axes[0].set(xlabel="step", ylabel="sparsity in %")
axes[0].legend()
accuracies = [100 * train.accuracy(one, validation) for one in (dense, *ways.values())]
bars = axes[1].barh(["dense", *ways], accuracies, color=["lightsteelblue", "tab:orange", "tab:green", "tab:blue"])
axes[1].bar_label(bars, fmt="%.1f", padding=3)
axes[1].invert_yaxis()
axes[1].margins(x=0.15)
axes[1].set_xlabel(f"accuracy in %, validation, at {SPARSITY:.0%} sparsity")
plt.show()

# %% [markdown]
# **How to read it.** All three train for the same few epochs and end with the same number of zeros. *Where* the zeros are matters more
# than *when* they are set. A gradual schedule needs a longer training to help: here it takes half of the steps to reach its sparsity.

# %% [markdown]
# ## 3 · What sparsity saves: bytes, time, and the 2:4 pattern
#
# In a file a zero takes as many bytes as any other weight. Zeros save bytes when the file is **compressed** for sending, or in a **sparse
# format** that stores the other weights and their positions. And in time? A CPU multiplies by zero as fast as by anything else, unless its
# kernels skip zeros and skipping costs less than multiplying. GPUs require a pattern instead: with at most **2 non-zeros in every 4**
# neighbours along the input channels, their sparse tensor cores need half of the steps.


# %%
def two_of_four(w):
    """True at the two largest |w| of every four neighbouring inputs, for w (…, inputs, units); a bool array."""
    # begin solution: Exercise 5: np.moveaxis the inputs to the end, reshape |w| to groups (-1, 4), mark the two largest of each, undo both
    turned = np.moveaxis(np.abs(w), -2, -1)
    order = np.argsort(-turned.reshape(-1, 4), axis=1, kind="stable")
    mask = np.zeros(order.shape, bool)
    np.put_along_axis(mask, order[:, :2], True, axis=1)
    return np.moveaxis(mask.reshape(turned.shape), -1, -2)
    # end solution


check.two_of_four(two_of_four)

# %%
masked = weight_masks.masked(dense, {name: two_of_four(w) for name, w in kernels.items() if w.shape[-2] % 4 == 0})
train.fit(masked, dataset, GENTLE)  # sparsity.prepare_two_of_four(dense) is TFMOT's way to the same pattern
pattern = weight_masks.unmasked(masked)

files = {
    "dense": export.write(dense, f"{WORK}/dense.tflite", compare=validation.x),
    "pruned": export.write(pruned, f"{WORK}/pruned.tflite", compare=validation.x),
    "pruned, sparse format": export.write(pruned, f"{WORK}/sparse.tflite", precision="sparse", compare=validation.x),
    "2:4": export.write(pattern, f"{WORK}/two_of_four.tflite", compare=validation.x),
    "2:4, sparse format": export.write(pattern, f"{WORK}/two_of_four_sparse.tflite", precision="sparse", compare=validation.x),
    "dense int8": export.write(dense, f"{WORK}/dense_int8.tflite", precision="int8", calibrate=calibration, compare=validation.x),
}
# Each is timed in turn with the dense file, so that slow moments of the machine affect both; the dense file with itself shows the error.
baseline = files["dense"].artifact
ratios = {name: measure.compare_latency(file.artifact, baseline, validation.x, budget=0.4) for name, file in files.items()}

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained", sharey=True)
raw = [file.artifact.size / 1000 for file in files.values()]
packed = [measure.compressed_size(file.artifact.path) / 1000 for file in files.values()]
rows = np.arange(len(files))
for offset, values, color, label in ((-0.2, raw, "lightsteelblue", "the file"), (0.2, packed, "tab:blue", "after gzip")):
    bars = axes[0].barh(rows + offset, values, 0.38, color=color, label=label)
    axes[0].bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
axes[0].set(xlabel="kB", yticks=rows, yticklabels=list(files))
axes[0].margins(x=0.15)
axes[0].legend()
axes[0].invert_yaxis()
low, value, high = np.array([[one.low, one.value, one.high] for one in ratios.values()]).T
axes[1].errorbar(value, rows, xerr=(value - low, high - value), fmt="o", color="tab:blue", capsize=3)
axes[1].axvline(1, color="gray", linewidth=0.8)
axes[1].set(xlabel="latency relative to the dense file, with its 95 % interval", xlim=(0, max(1.2, 1.05 * high.max())))
plt.show()

for name, guess, truth in (
    ("bytes, compressed", prediction["bytes"], packed[1] / packed[0]),
    ("latency", prediction["latency"], ratios["pruned, sparse format"].value),
    ("accuracy, points", prediction["accuracy"], 100 * (file_accuracy(files["pruned"]) - file_accuracy(files["dense"]))),
):
    print(f"{name:18} predicted {guess:6.2f}   measured {truth:6.2f}")
inside = dict(measure.read_graph(files["pruned, sparse format"].artifact).operators)
print("Operators of the sparse file:", ", ".join(f"{count} {name}" for name, count in inside.items()))

# %% [markdown]
# **How to read it.** Left: the same zeros save nothing in the plain file, much after gzip, and most in the sparse format, which gzip can
# hardly improve. Right: they save **no time**. In the list of operators a DENSIFY stands before each layer with a sparse kernel: it fills the kernel
# up again with its zeros, and all of them are multiplied. With 90 % fewer multiplications the ratio would be far below 1, not within a percent or
# two of it. Eight-bit integers save time here. Zeros in a *pattern* would, on hardware made for it; removing whole channels does everywhere (the next lab).

# %% [markdown]
# ## 4 · Weight clustering, and all methods together
#
# If a layer's weights take only 16 values, each weight is a 4-bit index into a short list, and gzip finds that out by itself. **Clustering** is
# k-means in one dimension: each weight takes the nearest value, each value becomes the mean of its weights, again and again.


# %%
def palette(w, count, rounds=10):
    """(values (count,), chosen (n,)) for w (n,), from evenly spaced values; chosen: the index of the nearest in the end."""
    # begin solution: Exercise 6: np.linspace; in each round find the nearest value of every weight, then move each value that has weights to their mean
    values = np.linspace(w.min(), w.max(), count)
    for _ in range(rounds):
        chosen = np.abs(w[:, None] - values).argmin(axis=1)
        values = np.array([w[chosen == k].mean() if np.any(chosen == k) else values[k] for k in range(count)])
    return values, np.abs(w[:, None] - values).argmin(axis=1)
    # end solution


check.palette(palette)

# %% [markdown]
# TFMOT clusters a layer and trains the shared values. `keep_zeros=True` makes zero one of them, so that the pruning is not lost.

# %%
shared = clustering.prepare(pruned, clusters=16, keep_zeros=True)
train.fit(shared, dataset, GENTLE)
clustered = clustering.strip(shared)
files["pruned, clustered"] = export.write(clustered, f"{WORK}/clustered.tflite", compare=validation.x)
print(files["pruned, clustered"], clustering.distinct_values(clustered), sep="\n")

# %% [markdown]
# Last step: integers. Quantization-aware training (lab 1) changes *every* weight: the zeros fill up and the shared values drift apart. The order of the
# steps alone does not prevent it; each step has to **preserve the zeros and shared values of the steps before**. `collaborative.preserve` does.

# %%
aware = qat.prepare(clustered, calibrate=calibration)
# begin solution: Exercise 7: preserve zeros and clusters (collaborative.preserve(clustered, aware, keep="both")), train that by GENTLE, write collaborative.strip of it as int8 to f"{WORK}/int8.tflite" and call the result `small`
preserving = collaborative.preserve(clustered, aware, keep="both")
train.fit(preserving, dataset, GENTLE)
small = export.write(collaborative.strip(preserving), f"{WORK}/int8.tflite", precision="int8", compare=validation.x)
# end solution
graph, patterns = measure.read_graph(small.artifact), measure.read_patterns(small.artifact)
check.chain(graph.sparsity, patterns.distinct_weights, graph.weight_bits, file_accuracy(small), dense_accuracy)

# %%
train.fit(aware, dataset, GENTLE)  # the same training, but nothing preserves the zeros and the values
not_preserved = export.write(aware, f"{WORK}/not_preserved.tflite", precision="int8", compare=validation.x)
chain = {
    "dense float32": files["dense"],
    "dense int8": files["dense int8"],
    "pruned float32": files["pruned"],
    "… and clustered": files["pruned, clustered"],
    "… and int8, preserved": small,
    "… and int8, not preserved": not_preserved,
}
packed = [measure.compressed_size(file.artifact.path) / 1000 for file in chain.values()]
figure, axis = plt.subplots(figsize=(9, 2.6), layout="constrained")
bars = axis.barh(list(chain), packed, color=["lightsteelblue"] * 2 + ["tab:blue"] * 3 + ["tab:orange"])
rights = [file_accuracy(file) for file in chain.values()]
labels = [f"{size:.0f} kB, {packed[0] / size:.1f}×, {right:.1%} right" for size, right in zip(packed, rights)]
axis.bar_label(bars, labels, padding=4, fontsize=8)
axis.invert_yaxis()
axis.margins(x=0.3)
axis.set_xlabel("kB after gzip")
plt.show()

# %% [markdown]
# **How to read it.** Each step reduces something else: weights, values, bits. The savings do not simply multiply, because gzip already stores
# 16 different values in few bits. The orange bar had the same steps and the same epochs, but without preserving zeros and shared values.

# %% [markdown]
# ## 5 · The lottery ticket hypothesis
#
# Could the sparse network have been trained from scratch? Frankle and Carbin: yes, **if its weights start where they started in the
# dense network**. Train; drop the smallest weights; *rewind* the others to their first values; repeat. The control has the same
# connections and *new* random values. One seed shows nothing: take three.

# %%
RATE = 0.8  # of the weights that are left, removed in each of the ROUNDS rounds
SHORT = Recipe(epochs=2 * FEW, batch_size=BATCH // 2, learning_rate=3e-3)
rewound, redrawn = [], []  # a row for each seed: accuracies of the dense network and its tickets; of the same redrawn
for seed in SEEDS:
    # begin solution: Exercise 8: tickets = lottery.find_tickets(models.BUILDERS["lenet300"], dataset, SHORT, rounds=…, rate=…, seed=…); lottery.train_reinitialized each but the first (seed=seed + 100); append the .accuracy of both kinds
    tickets = lottery.find_tickets(models.BUILDERS["lenet300"], dataset, SHORT, rounds=ROUNDS, rate=RATE, seed=seed)
    again = [
        lottery.train_reinitialized(models.BUILDERS["lenet300"], ticket, dataset, SHORT, seed=seed + 100)
        for ticket in tickets[1:]
    ]
    rewound.append([ticket.accuracy for ticket in tickets])
    redrawn.append([ticket.accuracy for ticket in again])
    # end solution
densities = [ticket.density for ticket in tickets]
check.tickets(rewound, redrawn, densities, seeds=len(SEEDS))

# %%
plt.figure(figsize=(7, 2.8), layout="constrained")
for values, places, color, label in (
    (rewound, densities, "tab:blue", "rewound: a ticket"),
    (redrawn, densities[1:], "tab:orange", "same connections, new values"),
):
    values = 100 * np.array(values)
    spread = np.abs(values.mean(axis=0) - [values.min(axis=0), values.max(axis=0)])
    plt.errorbar(100 * np.array(places), values.mean(axis=0), spread, fmt="o-", color=color, capsize=4, label=label)
plt.xscale("log")
plt.xticks([100 * density for density in densities], [f"{density:.0%}" for density in densities])
plt.minorticks_off()
plt.gca().invert_xaxis()
plt.xlabel("weights that are left")
plt.ylabel("accuracy in %, validation")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** Points are means of three seeds, bars the range from the worst to the best. Where the bars of the two colours do not
# overlap, the starting values matter and not the connections alone. Finding a ticket takes several trainings,
# so it does not make training cheaper.
#
# ## Ship it


# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


x = my_inputs("magnitude")
share = float(x["sparsity"])
both = global_masks({name: x[name] for name in ("first", "second")}, share)
plan = my_inputs("schedule")
w = my_inputs("two_of_four")["w"].astype(np.float64)
mask = two_of_four(w)
weights = my_inputs("palette")["w"].astype(np.float64)
values, chosen = palette(weights, 8)

answers = {
    "magnitude": {f"layerwise_{name}": np.flatnonzero(magnitude_mask(x[name], share)) for name in ("first", "second")}
    | {f"global_{name}": np.flatnonzero(both[name]) for name in ("first", "second")},
    "schedule": {
        "sparsity": polynomial(plan["steps"], plan["final"], plan["begin"], plan["end"], plan["initial"], plan["power"])
    },
    "two_of_four": {
        "values": w.T[mask.T].reshape(6, 8).T,
        "positions": (np.nonzero(mask.T)[1] % 4).reshape(6, 8).T,
        "kept": np.abs(w[mask]).sum() / np.abs(w).sum(),
    },
    "palette": {"values": values, "chosen": chosen, "error": np.mean((weights - values[chosen]) ** 2)},
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={
        "pruned": files["pruned"].artifact.path,
        "sparse": files["pruned, sparse format"].artifact.path,
        "two_of_four": files["2:4"].artifact.path,
        "clustered": files["pruned, clustered"].artifact.path,
        "int8": small.artifact.path,
    },
    answers=answers,
    claims={
        "pruned/accuracy": file_accuracy(files["pruned"]),
        "int8/compressed_size": measure.compressed_size(small.artifact.path),
    },
)
for finding in submit.check(package):
    print(finding)
print(f"From the first training to here: {time.perf_counter() - started:.0f} s.")

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * Raise the global sparsity in three stages with a short training after each. How much sparser can it get than with a single cut?
# * Draw the curve of section 2 for 80, 90, 95 and 98 %. From which sparsity on does a schedule matter?
# * Set `rewind=1` in `find_tickets`, or take `resnet8`: deep networks have winning tickets only near an early epoch, not at its very start.
# * Compress `sparse.tflite` with other programs (xz, zstd). How near do they come to the entropy of the weights?
#
# ## Literature
#
# * M. Zhu, S. Gupta: *To Prune, or Not to Prune: Exploring the Efficacy of Pruning for Model Compression*, 2017.
# * S. Han, H. Mao, W. Dally: *Deep Compression: Compressing Deep Neural Networks with Pruning, Trained Quantization and Huffman Coding*, ICLR 2016.
# * A. Mishra et al.: *Accelerating Sparse Deep Neural Networks*, 2021 (2:4).
# * J. Frankle, M. Carbin: *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks*, ICLR 2019.
# * J. Frankle et al.: *Stabilizing the Lottery Ticket Hypothesis*, 2019 (rewinding).
# * D. Blalock et al.: *What Is the State of Neural Network Pruning?*, MLSys 2020 (why to compare at equal sparsity).
