# %% [markdown]
# # Lab 9 · Operators
#
# **You will ship** two files of networks for handwritten digits: `fused.tflite`, a trained network whose parallel branches are merged into single convolutions
# (fewer operators, the same answers), and `separable.tflite`, where depthwise separable convolutions do the work with a fraction of the multiplications.
# On the way you learn what an operator costs, and why the number of multiplications does not predict its time.
#
# *The same answers* is meant literally: the logits of `fused` must follow those of the network with branches (`measure.fidelity` of 0.7 or more; another
# network has 0.45). And `separable` has no convolution of more than 1×1 but depthwise ones behind its first layer.
#
# *90 minutes. A laptop is enough; at the default quick scale everything together takes about a minute.*

# %%
# %xmode Minimal
import time
from functools import partial

import numpy as np
from checks import l09 as check
from matplotlib import pyplot as plt

from projectkit import data, export, measure, models, runtimes, scale, submit, train
from projectkit.devices.measured_roofline import measure_roofline
from projectkit.devices.roofline import Roofline, ridge
from projectkit.devices.roofline import seconds as roofline_seconds
from projectkit.types import Recipe

import tf_keras as keras  # after projectkit, which chooses Keras 2
from tf_keras import layers

LAB = "l09_operators"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, WIDTHS, EPOCHS = {
    "quick": ("digits", (24, 48, 96), 10),
    "full": ("mnist", (16, 32, 64), 3),
    "smoke": ("digits", (24, 48, 96), 1),  # for the tests of this notebook
}[scale.current()]

dataset = data.load(DATASET)
validation = dataset.val.take(1000)
some = validation.x[:200]
model = models.build("branched", dataset, widths=WIDTHS)
train.fit(model, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
branched = export.write(model, f"{WORK}/branched.tflite", compare=some)
whole = train.accuracy(model, validation)
print(branched, f"\naccuracy {whole:.1%} on the validation images")

# %% [markdown]
# ### Predict first
#
# A separable network needs an eighth of the multiplications. How many times faster is it? The runtime's convolution against yours in plain NumPy loops: how
# many times faster? What share of the processor's peak does a whole small network reach? Write it down; nobody grades it.

# %%
prediction = {"separable, times faster": 4, "runtime against loops": 100, "share of the roofline": 0.5}


def median_seconds(call, rounds=15):
    """The median of a few runs, after a first one."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def latency_ratio(artifact, baseline, x):
    """(ratio of the median latencies, and its interval as a text), both files timed in turn."""
    found = measure.compare_latency(artifact, baseline, x, budget=0.5)
    return found.value, f"{found.value:.2f} [{found.low:.2f}–{found.high:.2f}]"


# %% [markdown]
# ## 1 · Operator fusion
#
# Batch normalization at inference is a linear function of each channel: $y = \gamma\,(x-\mu)/\sqrt{\sigma^2+\varepsilon} + \beta$. A convolution is linear, too. So both together are **one**
# convolution, with the kernel $w' = w \cdot s$ and the bias $b' = \beta + (b - \mu)\,s$, where $s = \gamma/\sqrt{\sigma^2+\varepsilon}$.


# %%
def fold(kernel, gamma, beta, mean, variance, epsilon=1e-3):
    """(kernel, bias) of the convolution that computes convolution and batch normalization; kernel: (height, width, in, out)."""
    # begin solution: Exercise 1: s = gamma / sqrt(variance + epsilon); the kernel times s, and beta − mean · s
    s = gamma / np.sqrt(variance + epsilon)
    return kernel * s, beta - mean * s
    # end solution


check.fold(fold)

# %% [markdown]
# The network above was trained with **branches** (RepVGG): each block adds a 3×3 convolution, a 1×1 convolution and, where the shapes allow it, its own input. That trains
# better than one convolution, and no converter merges it. You can, because sums of convolutions are convolutions: a 1×1 kernel is a 3×3 kernel with eight zeros
# around it, and "the input itself" is a 1×1 kernel that is the identity matrix.


# %%
def merge(wide, narrow, same):
    """One (kernel, bias) for the sum of branches.

    wide: (kernel (3, 3, in, out), bias (out,)); narrow: (kernel (1, 1, in, out), bias (out,)); same: whether the input is added.
    """
    # begin solution: Exercise 2: add narrow's kernel in the middle of a copy of wide's; with `same` also np.eye(channels); add the biases
    kernel = wide[0].copy()
    kernel[1, 1] += narrow[0][0, 0]
    if same:
        kernel[1, 1] += np.eye(kernel.shape[2])
    return kernel, wide[1] + narrow[1]
    # end solution


check.merge(merge)

# %%
merged = models.build("branched", dataset, widths=WIDTHS, merged=True)


def folded(branch):
    (kernel,) = model.get_layer(branch).get_weights()
    return fold(kernel, *model.get_layer(f"{branch}_norm").get_weights())


for layer in merged.layers:
    if layer.name.startswith("block_"):
        wide, narrow = folded(f"{layer.name}_3x3"), folded(f"{layer.name}_1x1")
        layer.set_weights(merge(wide, narrow, same=wide[0].shape[2] == wide[0].shape[3]))
merged.get_layer("logits").set_weights(model.get_layer("logits").get_weights())
check.same_answers(model, merged, some)
fused = export.write(merged, f"{WORK}/fused.tflite", compare=some)
for name, file in (("branched", branched), ("fused", fused)):
    graph = measure.read_graph(file.artifact)
    print(f"{name:9} {graph.operator_count:3} operators, {graph.macs:,} MACs:", dict(measure.fusions(file.artifact)["file"]))
print("latency, fused / branched:", latency_ratio(fused.artifact, branched.artifact, some)[1])

# %% [markdown]
# **How to read it.** A tenth of the multiplications is gone, and more than half of the operators. Look at the names: `CONV_2D + RELU` is one operator, and no batch
# normalization is anywhere, not even in the branched file: the converter folds it by itself, as you did. ONNX Runtime does its part when it loads a file, level by level:

# %%
plain = models.build("resnet8", dataset)
onnx_file = export.write(plain, f"{WORK}/resnet8.onnx", compare=some)
print(f"Keras: {len(plain.layers)} layers; after export.fuse: {len(export.fuse(plain).layers)}")
for level, operators in measure.fusions(onnx_file.artifact).items():
    print(f"{level:8}", sum(count for _, count in operators), dict(operators))

# %% [markdown]
# What does fusion save? Take a finished file apart again: `export.unfuse` puts a multiplication by 1, an addition of 0 and the activation back as operators of their own. The
# answers stay the same to the last bit.

# %%
resnet = models.build("resnet8", data.load("shapes"))  # 32×32 pixels in colour; only its time matters here
images = data.load("shapes").val.x[:64]
files = {"float32": export.write(resnet, f"{WORK}/resnet8.tflite", compare=images).artifact}
light_for_time = models.build("dsconv", data.load("shapes"))  # of depthwise separable convolutions, for Section 5
files["separable"] = export.write(light_for_time, f"{WORK}/dsconv.tflite", compare=images).artifact
files["int8"] = export.write(resnet, f"{WORK}/resnet8_int8.tflite", compare=images, precision="int8", calibrate=images).artifact
for precision in ("float32", "int8"):
    file = files[precision]
    apart = export.unfuse(file, f"{WORK}/apart_{precision}.tflite")
    check.same_file_answers(file, apart, images[:8])
    _, text = latency_ratio(apart, file, images)
    counts = [measure.read_graph(one).operator_count for one in (apart, file)]
    print(f"ResNet-8 in {precision}: {counts[0]} operators instead of {counts[1]}, latency {text} times the fused one's")

# %% [markdown]
# **How to read it.** The added operators do almost no arithmetic. Their cost is the data that they **move**: every one of them reads a whole tensor and writes one. And
# the faster the convolutions are, the larger that share. (In int8 each of them also scales and rounds anew; nobody runs a network like that: quantizers fuse first.)
#
# ## 2 · Depthwise separable convolutions: MACs, bytes and time
#
# A convolution of $k\times k$ from $c$ to $d$ channels needs $k^2 c\,d$ multiplications at every position. A **depthwise separable** one filters each channel alone ($k^2 c$)
# and then mixes the channels ($c\,d$). Count also the bytes that are moved: input, weights and output, four bytes per number, and the tensor between the two convolutions twice.


# %%
def costs(height, width, c, d, k):
    """((parameters, MACs, bytes) of a full convolution, the same of a depthwise and a 1×1 convolution); stride 1, no biases."""
    # begin solution: Exercise 3: weights k²·c·d against k²·c and c·d; MACs: times the positions; bytes: 4 · (input + weights + output), the middle twice
    positions = height * width
    full, pair = k * k * c * d, k * k * c + c * d
    ends = positions * (c + d)
    return (full, positions * full, 4 * (ends + full)), (pair, positions * pair, 4 * (ends + 2 * positions * c + pair))
    # end solution


check.costs(costs)


# %%
def separable_network(widths):
    """The network of Section 1 with a depthwise and a 1×1 convolution in place of each block."""
    inputs = x = keras.Input(dataset.shape)
    for stage, width in enumerate(widths):
        x = layers.MaxPooling2D()(x) if stage else x
        for _ in range(2):
            # begin solution: Exercise 4: DepthwiseConv2D(3, padding="same", use_bias=False), Conv2D(width, 1, use_bias=False), BatchNormalization(momentum=0.9), ReLU
            x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
            x = layers.Conv2D(width, 1, use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
            # end solution
    return keras.Model(inputs, layers.Dense(len(dataset.classes))(layers.GlobalAveragePooling2D()(x)), name="separable")


keras.utils.set_random_seed(0)
light = separable_network(WIDTHS)
train.fit(light, dataset, Recipe(epochs=EPOCHS, learning_rate=1e-2))
separable = export.write(light, f"{WORK}/separable.tflite", compare=some)
check.separable(separable.artifact, fused.artifact, train.accuracy(light, validation), whole)

# %%
totals = []
for file in (fused.artifact, separable.artifact):
    operators = measure.read_operators(file)
    totals.append(
        [sum(one.macs for one in operators), sum(one.moved_bytes for one in operators), measure.read_graph(file).parameters]
    )
macs, moved, parameters = np.array(totals[0]) / np.array(totals[1])
ratio, text = latency_ratio(separable.artifact, fused.artifact, some)
wins = {"multiplications": macs, "parameters": parameters, "bytes moved": moved, "time": 1 / ratio}
plt.figure(figsize=(8, 2.2), layout="constrained")
bars = plt.barh(list(wins), list(wins.values()), color=["tab:gray"] * 3 + ["tab:red"])
plt.bar_label(bars, fmt=" %.1f times less", padding=2)
plt.gca().invert_yaxis()
plt.xlim(0, 1.3 * max(wins.values()))
plt.xlabel("full convolutions / separable convolutions")
plt.show()
print(f"latency, separable / fused: {text}; times faster: {1 / ratio:.1f}, predicted {prediction['separable, times faster']}")

# %% [markdown]
# **How to read it.** The work shrank far more than the time. Where does the time go? Look at each operator. LiteRT has no profiler in Python, so `measure.operator_times` cuts
# the file into files of one operator each and runs them in turn; `explained` says whether the parts make up the whole.

# %%
timed = {
    name: measure.operator_times(file.artifact, some, budget=1.0) for name, file in (("fused", fused), ("separable", separable))
}
print(f"{'network':10} {'operators':>20}  time   of all   MACs    GMAC/s    GB/s")
for name, found in timed.items():
    total = sum(one.seconds.value for one in found.operators)
    for kind in dict.fromkeys(one.operator.kind for one in found.operators):
        group = [one for one in found.operators if one.operator.kind == kind]
        spent = sum(one.seconds.value for one in group)
        work = sum(one.operator.macs for one in group)
        bytes_moved = sum(one.operator.moved_bytes for one in group)
        if spent > 0.01 * total:
            print(
                f"{name:10} {len(group):2} {kind:>17} {1e6 * spent:5.1f} µs {spent / total:5.0%} {work / 1e6:6.2f} M {work / spent / 1e9:7.1f} {bytes_moved / spent / 1e9:8.1f}"
            )
    print(f"{name:10} {'the whole':>20} {1e6 * found.whole.value:5.1f} µs, of which the operators explain {found.explained:.0%}")

# %% [markdown]
# **How to read it.** A depthwise convolution does few multiplications for each number it loads: it runs at a fraction of the speed (GMAC/s) of a full one.
#
# ## 3 · Convolution algorithms: direct, im2col, Winograd
#
# The same convolution can be computed in very different orders. **Direct**: six loops. **im2col**: copy what the kernel sees at each position into a row of a matrix; then the
# convolution is one matrix product (GEMM), the best-tuned routine there is. The price: with 3×3, every number is copied nine times.


# %%
def direct(x, kernel):
    """x: (height, width, c) → (height − 2, width − 2, d); kernel: (3, 3, c, d)."""
    height, width, c = x.shape
    y = np.zeros((height - 2, width - 2, kernel.shape[3]), np.float32)
    for row in range(height - 2):
        for column in range(width - 2):
            for i in range(3):
                for j in range(3):
                    for channel in range(c):
                        y[row, column] += x[row + i, column + j, channel] * kernel[i, j, channel]  # this loop is NumPy's
    return y


def im2col(x):
    """x: (height, width, c) → ((height − 2)·(width − 2), 9·c): a row for each position, in the order (row, column, channel)."""
    # begin solution: Exercise 5: reshape and stack the nine shifted images x[i : i + height − 2, j : j + width − 2] along a new axis before the channels
    height, width, c = x.shape
    shifted = [x[i : i + height - 2, j : j + width - 2] for i in range(3) for j in range(3)]
    return np.stack(shifted, axis=2).reshape((height - 2) * (width - 2), 9 * c)
    # end solution


check.im2col(im2col)


def by_matrix_product(x, kernel):
    y = im2col(x) @ kernel.reshape(-1, kernel.shape[3])
    return y.reshape(x.shape[0] - 2, x.shape[1] - 2, -1)


# %% [markdown]
# **Winograd** trades multiplications for additions. Two outputs of a filter of three in a row need six multiplications, or four after a change of basis; in two dimensions 2×2 outputs
# need 16 instead of 36: $Y = A^\top\big[(G\,g\,G^\top)\odot(B^\top d\,B)\big]A$, with a tile $d$ of 4×4 inputs. The filters are transformed once; $\odot$, summed over the channels, is
# again a matrix product, one for each of the 16 places.

# %%
B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32).T
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], np.float32).T


def winograd_tile(tile, kernel):
    """The 2×2 outputs of one tile (4, 4) under one kernel (3, 3)."""
    # begin solution: Exercise 6: transform both, multiply element by element, transform back: A.T @ (… * …) @ A
    return A.T @ ((G @ kernel @ G.T) * (B.T @ tile @ B)) @ A
    # end solution


check.winograd_tile(winograd_tile)


def winograd(x, kernel):
    """As `direct`, for an even number of outputs in both directions."""
    height, width, c = x.shape
    tiles = np.lib.stride_tricks.sliding_window_view(x, (4, 4), axis=(0, 1))[::2, ::2]  # (rows, columns, c, 4, 4)
    seen = tiles.reshape(-1, 16) @ np.kron(B, B)  # all tiles at once: Bᵀ·d·B of a tile laid flat is d·(B ⊗ B)
    filters = kernel.reshape(9, -1).T @ np.kron(G, G).T  # (c·d, 16)
    places = seen.reshape(-1, c, 16).transpose(2, 0, 1) @ filters.reshape(c, -1, 16).transpose(2, 0, 1)  # 16 products
    y = places.transpose(1, 2, 0) @ np.kron(A, A)  # (tiles, d, 4)
    return y.reshape(*tiles.shape[:2], -1, 2, 2).transpose(0, 3, 1, 4, 2).reshape(height - 2, width - 2, -1)


# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((30, 30, 32), dtype=np.float32)
kernel = rng.standard_normal((3, 3, 32, 32), dtype=np.float32) / 17
layer = keras.Sequential([keras.Input(x.shape), layers.Conv2D(32, 3, use_bias=False)])
layer.layers[0].set_weights([kernel])
sessions = {}
for suffix in ("tflite", "onnx"):
    sessions[suffix] = runtimes.open(export.write(layer, f"{WORK}/one_layer.{suffix}", compare=x[None]).artifact)
ways = {
    "direct, in loops": lambda: direct(x, kernel),
    "im2col + matrix product": lambda: by_matrix_product(x, kernel),
    "Winograd in NumPy": lambda: winograd(x, kernel),
    "ONNX Runtime": lambda: sessions["onnx"].run(x[None])[0],
    "LiteRT": lambda: sessions["tflite"].run(x[None])[0],
}
spent = {}
for name, way in ways.items():
    check.convolution(way(), x, kernel, name)
    spent[name] = median_seconds(way, rounds=1 if "loops" in name else 30)
work = 28 * 28 * 9 * 32 * 32
plt.figure(figsize=(8, 2.4), layout="constrained")
bars = plt.barh(list(spent), [1e3 * one for one in spent.values()], color=["tab:blue"] * 3 + ["tab:orange"] * 2)
plt.bar_label(bars, [f" {1e3 * one:,.2f} ms, {work / one / 1e9:.3g} GMAC/s" for one in spent.values()], padding=2)
plt.gca().invert_yaxis()
plt.xscale("log")
plt.xlim(right=5e6 * max(spent.values()))  # room for the labels
plt.xlabel("milliseconds for one convolution, 30×30×32 → 28×28×32")
plt.show()
print(
    f"LiteRT against the loops: {spent['direct, in loops'] / spent['LiteRT']:,.0f} times, predicted {prediction['runtime against loops']}"
)

# %% [markdown]
# **How to read it.** All five give the same numbers. What makes the difference is the matrix product, not the number of multiplications: Winograd needs fewer than half of them, and what it
# saves there its transforms spend on moving data. The runtimes never build the im2col matrix; they gather its rows into the cache on the way.
#
# ## 4 · Memory layout: NHWC and NCHW
#
# Memory has one dimension. A tensor (n, height, width, channels) is stored in some order: **NHWC** with the channels side by side, **NCHW** with the pixels of a channel side by side. The
# **stride** of an axis is how far its next element is. Memory is fetched in lines of 64 bytes: neighbours come with the same line, a jump needs another one.


# %%
def strides(shape, order):
    """Bytes from an element to its neighbour along each axis of `shape`, float32; order: the axes from the slowest to the fastest."""
    # begin solution: Exercise 7: walk through `order` from behind: the last axis steps 4 bytes, the one before 4 times the size of the last, and so on
    found, step = [0] * len(shape), 4
    for axis in reversed(order):
        found[axis], step = step, step * shape[axis]
    return tuple(found)
    # end solution


check.strides(strides)

# %%
nhwc = rng.standard_normal((1, 256, 256, 64), dtype=np.float32)
nchw_memory = np.ascontiguousarray(nhwc.transpose(0, 3, 1, 2))
views = {"NHWC": nhwc, "NCHW": nchw_memory.transpose(0, 2, 3, 1)}  # the same tensor, stored in another order
rows, columns_at = rng.integers(0, 256, (2, 4000))


def all_channels(view):
    return view[0, rows, columns_at].sum(axis=1)


for order, view in views.items():
    spent_there = median_seconds(partial(all_channels, view))
    print(f"{order}: strides {view.strides}; all 64 channels of 4000 pixels: {1e6 * spent_there:,.0f} µs")
reordering = median_seconds(lambda: np.ascontiguousarray(nhwc.transpose(0, 3, 1, 2)))
copying = median_seconds(lambda: nhwc.copy())
print(
    f"copy {1e3 * copying:.1f} ms, the same copy to the other order {1e3 * reordering:.1f} ms: {reordering / copying:.1f} times as long"
)

# %% [markdown]
# Keras and LiteRT use NHWC, ONNX uses NCHW. So a converted file begins with a `Transpose`, and ONNX Runtime adds more: its fastest convolutions need blocks of channels, so it
# inserts `ReorderInput` and `ReorderOutput`. Its profiler shows what that costs (and adds a microsecond or two to every operator):

# %%
big = export.write(resnet, f"{WORK}/resnet8_32.onnx", compare=images)
found = measure.operator_times(big.artifact, images, budget=1.0)
moving = [
    one for one in found.operators if one.operator.kind in ("Transpose", "ReorderInput", "ReorderOutput", "Reshape", "Squeeze")
]
for one in moving:
    print(f"{one.operator.kind:14} {one.operator.moved_bytes:7,} bytes {1e6 * one.seconds.value:5.1f} µs")
share = sum(one.seconds.value for one in moving) / sum(one.seconds.value for one in found.operators)
print(f"only moved and not computed: {share:.1%} of the operators' time")

# %% [markdown]
# ## 5 · The roofline model
#
# An operator cannot be faster than its arithmetic, nor than its data arrive:
#
# $$\text{seconds} \ge \max\left(\frac{\text{MACs}}{\text{peak}},\ \frac{\text{bytes}}{\text{bandwidth}}\right).$$
#
# Over the **intensity** (MACs per byte) this bound has the form of a roof: rising where memory is the limit, flat where arithmetic is. Peak and bandwidth are measured here, on this machine: the best matrix product,
# and a copy of arrays that no cache holds. A second, steeper roof is that of the cache, where the tensors of a small network stay.


# %%
def least_seconds(macs, moved, peak, bandwidth):
    """The least time of an operator, and whether it waits for memory."""
    # begin solution: Exercise 8: compare macs / peak with moved / bandwidth
    computing, memory = macs / peak, moved / bandwidth
    return max(computing, memory), memory > computing
    # end solution


check.least_seconds(least_seconds)

# %%
memory_roof = measure_roofline(budget=3)
cache_roof = measure_roofline(budget=3, buffer=2**18)
roof = memory_roof.roofline
for dtype, peak in memory_roof.peaks.items():
    print(
        f"{dtype:8} at best {peak.value / 1e9:6.1f} GMAC/s [{peak.low / 1e9:.1f}–{peak.high / 1e9:.1f}]; ridge at {ridge(roof, dtype):.1f} MACs per byte"
    )
for name, found in (("memory", memory_roof.bandwidth), ("cache", cache_roof.bandwidth)):
    print(f"{name:8} at best {found.value / 1e9:6.1f} GB/s [{found.low / 1e9:.1f}–{found.high / 1e9:.1f}]")
check.same_roof(least_seconds, roof, roofline_seconds)

# %%
placed = {name: measure.operator_times(file, images, budget=1.0) for name, file in files.items()}
markers = {"CONV_2D": "o", "DEPTHWISE_CONV_2D": "v", "FULLY_CONNECTED": "s"}
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
for axis, dtype, names in ((axes[0], "float32", ("float32", "separable")), (axes[1], "int8", ("int8",))):
    intensity = np.logspace(-1.5, 2.5, 100)
    for bandwidth, style, label in ((cache_roof.bandwidth.value, "--", "cache"), (roof.bandwidth, "-", "memory")):
        axis.plot(
            intensity,
            np.minimum(roof.peaks[dtype], bandwidth * intensity) / 1e9,
            "k" + style,
            linewidth=1,
            label=f"roof: {label}",
        )
    for name, color in zip(names, ("tab:blue", "tab:orange")):
        for kind, marker in markers.items():
            ones = [one for one in placed[name].operators if one.operator.kind == kind and one.seconds.low > 1e-7]
            points = [(one.operator.macs / one.operator.moved_bytes, one.operator.macs / one.seconds.value / 1e9) for one in ones]
            if points:
                network = "separable" if name == "separable" else "ResNet-8"
                axis.plot(*zip(*points), marker, color=color, alpha=0.7, label=f"{network}: {kind.lower()}")
    axis.set(xscale="log", yscale="log", title=dtype, xlabel="MACs per byte moved")
    axis.legend(fontsize=8, loc="lower right")
axes[0].set_ylabel("GMAC/s")
plt.show()
# %%
for name, found in placed.items():
    least = sum(
        roofline_seconds(roof, one.operator.macs, one.operator.moved_bytes, one.operator.dtype) for one in found.operators
    )
    print(
        f"{name:10} least {1e6 * least:6.1f} µs, measured {1e6 * found.whole.value:6.1f} µs: {least / found.whole.value:.0%} of the roofline"
    )
print(f"predicted for a whole small network: {prediction['share of the roofline']:.0%}")

# %% [markdown]
# **How to read it.** Each mark is a layer that takes longer than a tenth of a microsecond. Full convolutions stand on the right, near the flat roof; depthwise ones on the left, where no kernel
# however good can be fast. A mark above the memory's roof is no mistake: its tensors never left the cache. So the share of the roofline can exceed 100 % where everything is small. The
# peak was measured with a matrix product while other programs ran; a convolution may have been measured in a quieter moment.
#
# ## Ship it


# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


given = my_inputs("merge_branches")
block = merge(fold(given["wide"], *given["wide_norm"]), fold(given["narrow"], *given["narrow_norm"]), same=True)
convolution = my_inputs("im2col")
step, filters = int(convolution["stride"]), convolution["kernel"].reshape(27, -1)
columns = im2col(convolution["x"]).reshape(5, 5, 27)[::step, ::step]
tile = my_inputs("winograd")
out_height, out_width, c, d = tile["sizes"].tolist()
layer_costs = np.array([costs(*row) for row in my_inputs("separable_cost")["layers"].tolist()])  # (5, full or pair, 3)
tensor = my_inputs("layouts")
in_nhwc, in_nchw = (np.array(strides(tensor["shape"].tolist(), order)) for order in ((0, 1, 2, 3), (0, 3, 1, 2)))
device = my_inputs("roofline")
bounds = [
    least_seconds(m, b, device["peaks"][narrow], device["bandwidth"])
    for m, b, narrow in zip(device["macs"], device["moved"], device["narrow"])
]
least = np.array([bound for bound, _ in bounds])

answers = {
    "merge_branches": {"kernel": block[0], "bias": block[1], "macs": np.array([9 * 16 + 16, 9 * 16])},
    "im2col": {
        "columns": columns.reshape(-1, 27),
        "y": columns @ filters,
        "copies": columns.size / convolution["x"].size,
    },
    "winograd": {
        "seen": B.T @ tile["tile"] @ B,
        "filter": G @ tile["kernel"] @ G.T,
        "y": winograd_tile(tile["tile"], tile["kernel"]),
        "multiplications": np.array([9 * out_height * out_width * c * d, 16 * (out_height // 2) * (out_width // 2) * c * d]),
    },
    "separable_cost": {
        "parameters": layer_costs[:, :, 0],
        "macs": layer_costs[:, :, 1],
        "moved": layer_costs[:, :, 2],
        "intensity": layer_costs[:, :, 1] / layer_costs[:, :, 2],
    },
    "layouts": {
        "strides_nhwc": in_nhwc,
        "strides_nchw": in_nchw,
        "offset_nhwc": tensor["places"] @ in_nhwc,
        "offset_nchw": tensor["places"] @ in_nchw,
        "lines": np.array([len({channel * s[3] // 64 for channel in range(tensor["shape"][3])}) for s in (in_nhwc, in_nchw)]),
    },
    "roofline": {
        "ridge": device["peaks"] / device["bandwidth"],
        "least": least,
        "memory": np.array([int(memory) for _, memory in bounds]),
        "share": least / device["seconds"],
        "gain": device["seconds"].sum() / least.sum(),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={"fused": fused.artifact.path, "separable": separable.artifact.path},
    answers=answers,
    claims={"separable/accuracy": train.accuracy(light, validation)},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * Winograd's F(4×4, 3×3) needs 36 multiplications for 16 outputs. What do its transforms do to float16 or int8?
# * Widen the separable network until it takes as long as the full one. Is it more accurate then?
# * Measure the roofline on two threads. Which of the two roofs rises?
# * Write the separable network in int8. Which of its operators gain, and which stay where they are?
#
# ## Literature
#
# * B. Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, CVPR 2018 (folding).
# * X. Ding et al.: *RepVGG: Making VGG-style ConvNets Great Again*, CVPR 2021.
# * A. Howard et al.: *MobileNets*, 2017. F. Chollet: *Xception*, CVPR 2017.
# * K. Chellapilla et al.: *High Performance Convolutional Neural Networks for Document Processing*, 2006 (im2col).
# * A. Lavin, S. Gray: *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016 (Winograd).
# * S. Williams, A. Waterman, D. Patterson: *Roofline*, Communications of the ACM 52, 2009.
# * M. Dukhan: *The Indirect Convolution Algorithm*, 2019: what LiteRT's kernels do instead of im2col.
