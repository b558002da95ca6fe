# %% [markdown]
# # Lab 10 · From a model to a device
#
# **You will ship** `micro.tflite`, a network for handwritten digits whose activations fit into the RAM of a small microcontroller, and `tensorrt.onnx`, the
# network of the course in the one int8 form that both supported versions of TensorRT (10.x and 11.x) read. The memory and the form are read from your files.
#
# `micro` is a convolutional network with 8 bits per weight; `tensorrt` has the layers of the network below, with kernels of the same shapes. What is built
# otherwise earns nothing.
#
# *90 minutes. A laptop is enough; at the default quick scale everything together takes about a minute.* There is no NVIDIA GPU on the machines that made and
# test this lab: what TensorRT does is shown by its command lines, its documented outputs and its rules, and the lab says what was not run.

# %%
# %xmode Minimal
import itertools
import re
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from checks import l10 as check
from matplotlib import pyplot as plt

from projectkit import data, devices, export, measure, models, runtimes, scale, submit, train
from projectkit.errors import NotHere, ProjectkitError
from projectkit.runtimes import tensorrt
from projectkit.types import Artifact, Recipe

LAB = "l10_deployment"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, WIDTHS, IMAGES, EPOCHS, RAM = {  # RAM: bytes that the device has for activations
    "quick": ("digits", (48, 96, 192), 1077, 10, 1380),
    "full": ("mnist", (32, 64, 128), 20_000, 2, 11_200),
    "smoke": ("digits", (24, 48, 96), 256, 1, 1380),  # for the tests of this notebook
}[scale.current()]

dataset = data.load(DATASET)
dataset = replace(dataset, train=dataset.train.take(IMAGES))
calibration, validation = dataset.train.x[:200], dataset.val.take(500)
model = models.build("convnet", dataset, widths=WIDTHS)
train.fit(model, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3), progress=False)


def write(model, name, **options):
    """The file WORK/name of `model`, in the precision of the options."""
    return export.write(model, f"{WORK}/{name}", calibrate=calibration, compare=validation.x[:200], **options).artifact


float32, int8 = write(model, "float32.tflite"), write(model, "int8.tflite", precision="int8")
onnx_float32, onnx_int8 = write(model, "float32.onnx"), write(model, "int8.onnx", precision="int8")

# %% [markdown]
# ### Predict first
#
# By what factor does XNNPACK speed up LiteRT's float32 network? How many bytes of RAM do the activations of the int8 network need at once, in percent of its
# file? Write it down; nobody grades it.

# %%
prediction = {"XNNPACK": 2.0, "activations": 50}

# %% [markdown]
# ## 1 · Comparing runtimes: LiteRT, ONNX Runtime, LiteRT for microcontrollers
#
# A file says *what* is computed; a **runtime** decides *how*. LiteRT hands what it can to XNNPACK's kernels, or runs its own. ONNX Runtime first rewrites the graph:
# *basic* folds constants and batch normalizations, *extended* fuses operators into larger ones, *all* also changes the memory layout. LiteRT for
# **microcontrollers** has neither threads nor an operating system, and runs on this PC, too. They are timed **in turn**: each round calls every one once.


# %%
def ratios(samples):
    """How long each column takes relative to the first: medians of samples (rounds, columns) in seconds -> (columns,)."""
    # begin solution: Exercise 1: the median of each column, divided by that of the first
    middle = np.median(samples, axis=0)
    return middle / middle[0]
    # end solution


check.ratios(ratios)


# %%
def timed(cases, budget=0.2):
    """name -> (ratio to the first, its interval), of {name: (artifact, threads, variant)}; what cannot run here is printed with the reason."""
    opened = {}
    for name, (artifact, threads, variant) in cases.items():
        opened[name] = partial(runtimes.open, artifact, threads=threads, variant=variant)
        try:
            opened[name]().close()
        except ProjectkitError as reason:
            print(f"{name}: missing: {str(reason).removeprefix(f'{artifact.path}: ')}")
            del opened[name]
    first = next(iter(opened.values()))
    # Each case is timed in turn with the first, and both are opened anew several times; `ratios` compares the calls of one opening.
    groups = measure.time_openings([[first, case] for case in opened.values()], validation.x, budget=budget)
    found = [measure.over_openings("latency_ratio", [ratios(one.calls)[1] for one in openings]) for openings in groups]
    return {name: (ratio.value, ratio.low, ratio.high) for name, ratio in zip(opened, found)}


files = {"LiteRT float32": float32, "LiteRT int8": int8, "ONNX float32": onnx_float32, "ONNX int8": onnx_int8}
cases = {"LiteRT float32, xnnpack": (float32, 1, "xnnpack")}
for name, artifact in files.items():
    cases |= {f"{name}, {variant}": (artifact, 1, variant) for variant in runtimes.VARIANTS[artifact.format]}
cases |= {f"{name}, 2 threads": (artifact, 2, None) for name, artifact in files.items()}
speed = timed(cases)

plt.figure(figsize=(9, 5.2), layout="constrained")
for row, (name, (middle, low, high)) in enumerate(speed.items()):
    color = "tab:blue" if name.startswith("LiteRT") else "tab:orange"
    plt.barh(row, middle, color=color, alpha=1.0 if "int8" in name else 0.5)
    plt.plot((low, high), (row, row), color="black", linewidth=1.5)
    plt.text(max(middle, high) * 1.05, row, f"{middle:.2f}", va="center")
plt.yticks(range(len(speed)), list(speed))
plt.gca().invert_yaxis()
plt.axvline(1, color="gray", linestyle=":")
plt.xscale("log")
plt.margins(x=0.2)
plt.xlabel("time of one image, relative to LiteRT float32 with XNNPACK (less is better)")
plt.show()
slowest, fastest = (limit(ratio for ratio, _, _ in speed.values()) for limit in (max, min))
print(f"{len(speed)} ways to run one network; the slowest takes {slowest / fastest:.0f} times as long as the fastest")
gain = speed["LiteRT float32, built-in"][0]
print(f"without XNNPACK LiteRT takes {gain:.1f} times as long, predicted {prediction['XNNPACK']:.1f}")

# %% [markdown]
# **How to read it.** Each bar is one way to run one file; pale is float32, full is int8, the black line is the 95 % interval. The interpreter for microcontrollers is slow *here*:
# on its own devices it has kernels made for them. Whether a second thread helps depends on how much work there is to share, and on what else uses the cores: waking a thread costs
# microseconds, and this network takes no longer.

# %% [markdown]
# ## 2 · Peak memory: tensor lifetimes and the arena
#
# Weights can stay in flash memory. What must be in RAM are the **activations**, but not all at once: a tensor is *alive* from the operator that makes it to the last that
# reads it. Operators run in the order of their numbers; operator $i$ makes tensor $i + 1$, tensor 0 is the input.


# %%
def last_reader(reads):
    """The last operator at which each tensor is alive: (operators + 1,) integers.

    reads[i]: the tensors that operator i reads. Nobody reads the output; it lives to the last operator.
    """
    # begin solution: Exercise 2: for each tensor the largest i with the tensor in reads[i]; for the output the last operator
    last = [max(i for i, read in enumerate(reads) if tensor in read) for tensor in range(len(reads))]
    return np.array([*last, len(reads) - 1])
    # end solution


def live(sizes, last):
    """The bytes that are alive while each operator runs: (operators,), from sizes and last (operators + 1,)."""
    # begin solution: Exercise 3: tensor t is made by operator max(t − 1, 0); at operator i add the sizes of those that are made by then and have last ≥ i
    made = np.maximum(np.arange(len(sizes)) - 1, 0)
    return np.array([sizes[(made <= i) & (i <= last)].sum() for i in range(len(sizes) - 1)])
    # end solution


check.lifetimes(last_reader)
check.live(live)

# %% [markdown]
# The peak of this curve is a **lower bound**: no interpreter can do with less in this order. Then the tensors must be packed into one block of memory, the **arena**. The
# interpreter for microcontrollers reports what it took of its arena: the *head* for activations and scratch buffers, the *tail* for its own structures. (They hold pointers; a
# 32-bit device's are half as long as this PC's, so that its tail is smaller.)

# %%
plt.figure(figsize=(9, 3), layout="constrained")
for artifact, name, color in ((float32, "float32", "tab:gray"), (int8, "int8", "tab:blue")):
    found = measure.read_lifetimes(artifact)
    plt.step(
        range(len(found.operators)), np.array(measure.live_bytes(found.buffers)) / 1000, where="mid", color=color, label=name
    )
    plt.axhline(found.peak_activations / 1000, color=color, linestyle=":")
plt.xticks(range(len(found.operators)), [name.replace("_", "\n") for name in found.operators], fontsize=8)
plt.ylabel("alive, kB")
plt.legend()
plt.show()

print("file          activations   greedy plan   arena: head + tail    resident memory of the runtime on this PC")
for name, artifact in files.items():
    found = measure.read_lifetimes(artifact)
    try:
        arena = measure.read_arena(artifact)
        arena_text = f"{arena.head:,} + {arena.tail:,} B"
    except NotHere as reason:
        arena_text = "missing"
        why = f"an arena is missing: {reason}"
    (resident,) = measure.peak_memory(artifact, validation.x)
    packed = measure.plan(found.buffers)[1]
    print(f"{name:14} {found.peak_activations:9,} B {packed:11,} B {arena_text:>20} {resident.value / 1e6:10.1f} MB")
print(why)
try:
    with closing(runtimes.open(onnx_float32, variant="tensorrt")) as session:
        print(f"memory of the GPU for the activations of the ONNX float32 network: {session.device_memory:,} B")
except NotHere as reason:
    print(f"memory of the GPU is missing: {reason}")
share = 100 * measure.read_lifetimes(int8).peak_activations / int8.size
print(f"the activations of the int8 network are {share:.1f} % of its file, predicted {prediction['activations']} %")

# %% [markdown]
# **How to read it.** The dotted lines are the peaks. The first layers decide the peak: there the image is still large. Fewer channels or a stride **in the first layers** lower the peak, pruning
# the last ones does not. What else does? In the .onnx file every ReLU is an operator of its own, which may write **over** its input; with **int8** a number takes a byte; and the **image** may be
# smaller.

# %%
halved = replace(dataset, train=replace(dataset.train, x=dataset.train.x[:, ::2, ::2]))
images = halved.train.x[:200]  # the weights of this network are random: only sizes matter
smaller = export.write(
    models.build("convnet", halved, widths=WIDTHS), f"{WORK}/halved.tflite", precision="int8", calibrate=images, compare=images
)
for what, artifact, in_place in (
    ("float32, every result in a place of its own", onnx_float32, False),
    ("element-wise results written over their inputs", onnx_float32, True),
    ("in int8", int8, True),
    ("on an image of half the height and width", smaller.artifact, True),
):
    print(f"{measure.read_lifetimes(artifact, in_place=in_place).peak_activations:8,} B  {what}")

# %% [markdown]
# And sometimes only the **order** of the operators has to change: with two branches, finishing one before beginning the other keeps fewer bytes alive.


# %%
def cheapest_order(orders, peak_of):
    """(order, peak) of the first order with the smallest peak. peak_of: order -> bytes."""
    # begin solution: Exercise 4: compute peak_of for each order and take the first with the smallest
    peaks = [peak_of(order) for order in orders]
    best = int(np.argmin(peaks))
    return orders[best], peaks[best]
    # end solution


check.cheapest_order(cheapest_order)

# Each operator's inputs by the operators that make them (−1: the image), and the kB of its output.
parents, kilobytes = [[-1], [0], [1], [0], [3], [2, 4], [5]], [16, 64, 4, 40, 4, 8, 1]


def peak_of(order):
    when = {operator: step for step, operator in enumerate(order)}
    reads = [[when[parent] + 1 if parent >= 0 else 0 for parent in parents[operator]] for operator in order]
    return live(np.array([8, *[kilobytes[operator] for operator in order]]), last_reader(reads)).max()


orders = [
    [0, *middle, 5, 6]
    for middle in itertools.permutations((1, 2, 3, 4))
    if middle.index(1) < middle.index(2) and middle.index(3) < middle.index(4)
]
print("kB in every order that is possible:", {"-".join(map(str, order)): int(peak_of(order)) for order in orders})
print("the cheapest:", cheapest_order(orders, peak_of))

# %% [markdown]
# ## 3 · TensorRT and the DLA
#
# TensorRT compiles an .onnx file into an **engine** for one GPU. Two major versions are in use. On **10.x** (Jetson Orin with JetPack 6) the builder is *allowed* precisions
# by flags and chooses. **11.x** is *strongly typed*: the precision is part of the graph, float16 as tensors, int8 as Q/DQ pairs with zero points 0. The int8 file of section 1 has unsigned
# activations for x86: TensorRT does not read it. The right one:

# %%
onnx_half = write(model, "float16.onnx", precision="float16")
onnx_symmetric = write(model, "tensorrt.onnx", precision="int8", preset="tensorrt")
for artifact in (onnx_float32, onnx_half, onnx_int8, onnx_symmetric):
    symmetric = measure.read_symmetric(artifact).symmetric_int8
    print(
        f"{Path(artifact.path).name:14} holds {', '.join(sorted(tensorrt.held(artifact))):22} symmetric int8: {symmetric:.0%} of the weights"
    )

fixed = {"image": tensorrt.Shapes.fixed(1, *dataset.shape)}
wanted = [(onnx_float32, "float16"), (onnx_half, "float16"), (onnx_symmetric, "int8"), (onnx_int8, "int8")]
for line, (artifact, precision) in itertools.product(tensorrt.LINES, wanted):
    print(f"\n{line}.x, {Path(artifact.path).name} in {precision}:")
    try:
        plan = tensorrt.choose(artifact, precision, line, tensorrt.Build(shapes=fixed, workspace=2**30))
        print(plan.sentence, " ".join(tensorrt.command(Path(artifact.path).name, plan.build, tensorrt.Run(), line)), sep="\n")
    except ProjectkitError as reason:
        print(f"refused: {reason}")
try:
    print(tensorrt.benchmark(onnx_float32, tensorrt.Build(shapes=fixed)).summary)
except NotHere as reason:
    print(f"\nmissing: {reason}. None of these commands was run here.")

# %% [markdown]
# The four flags at the end of the commands for 10.x make it time what 11.x times by default: no transfers, one CUDA graph, active waiting, layers profiled in a run of their own. Without them, the
# two versions cannot be compared. The output of the program has the same form on both. Here is an example, **written by hand** in the documented form:

# %%
printed = """[11/22/2026-14:03:20] [I] === Performance summary ===
[11/22/2026-14:03:20] [I] Throughput: 1204.51 qps
[11/22/2026-14:03:20] [I] Latency: min = 0.812012 ms, max = 1.50488 ms, mean = 0.829114 ms, median = 0.824219 ms, percentile(99%) = 0.977539 ms
[11/22/2026-14:03:20] [I] H2D Latency: min = 0.0101318 ms, max = 0.0410156 ms, mean = 0.0117 ms, median = 0.0115967 ms, percentile(99%) = 0.0170898 ms
[11/22/2026-14:03:20] [I] GPU Compute Time: min = 0.793579 ms, max = 1.4848 ms, mean = 0.8102 ms, median = 0.805878 ms, percentile(99%) = 0.95752 ms"""


def medians(text):
    """(latency, GPU compute time): their medians in seconds, from the lines that begin so, behind a time stamp or not."""
    # begin solution: Exercise 5: find the two lines with re.search, for example rf"(?:^|\] ){name}: .*?median = ([\d.e+-]+) ms" and re.MULTILINE; divide by 1000
    found = [
        re.search(rf"(?:^|\] ){name}: .*?median = ([\d.e+-]+) ms", text, re.MULTILINE) for name in ("Latency", "GPU Compute Time")
    ]
    return tuple(float(match[1]) / 1000 for match in found)
    # end solution


check.medians(medians)
print("yours:", medians(printed))
print("the course's:", tensorrt.parse_summary(printed).latency)

# %% [markdown]
# A **DLA** is a second, smaller and more energy-efficient processor beside the GPU of some Jetsons. It runs convolutional layers in float16 or int8; what it cannot run **falls back** to the GPU, silently,
# and each change between DLA and GPU costs a copy. Whether there is one at all depends on the board, its software and TensorRT:

# %%
print(f"{'platform':17} {'software':24} {'TensorRT':18} DLA")
for row in tensorrt.SUPPORT:
    versions = f"{'.'.join(map(str, row.first))} to {'.'.join('x' if part == 99 else str(part) for part in row.last)}"
    print(
        f"{row.platform:17} {row.software:24} {versions:18} {'yes, ' + row.typing + ' typing' if row.dla else 'no'} ({row.note})"
    )

log = """[V] [TRT] ---------- Layers Running on DLA ----------
[V] [TRT] [DlaLayer] {ForeignNode[conv1...relu3]}
[V] [TRT] ---------- Layers Running on GPU ----------
[V] [TRT] [GpuLayer] SHUFFLE: flatten
[V] [TRT] [GpuLayer] FULLY_CONNECTED: logits
"""  # written by hand, after the builder's verbose log
names = ["conv1", "relu1", "conv2", "relu2", "conv3", "relu3", "mean", "flatten", "logits"]
print("\n" + ", ".join(f"{name}: {where}" for name, where in tensorrt.report(names, tensorrt.placements(log))))


# %%
def placed(on_dla, dla, gpu, crossing):
    """The seconds of a chain of layers.

    on_dla (n,): 1 where a layer runs on the DLA, else 0; dla, gpu (n,): the seconds that each layer takes there; crossing: the seconds of a
    change between the two. Input and output are on the GPU.
    """
    # begin solution: Exercise 6: add up the layers at their places, and a crossing for each change in [0, *on_dla, 0]
    changes = np.count_nonzero(np.diff([0, *on_dla, 0]))
    return np.where(np.asarray(on_dla) == 1, dla, gpu).sum() + crossing * changes
    # end solution


check.placed(placed)
layers, fast_there = np.full(9, 1e-4), np.full(9, 0.6e-4)
print("one layer of nine falls back, by its place, in ms:")
for place in (0, 4, 8):
    on_dla = np.ones(9, int)
    on_dla[place] = 0
    print(f"  layer {place}: {1e3 * placed(on_dla, fast_there, layers, 1e-4):.2f} (all on the GPU: {1e3 * layers.sum():.2f})")

# %% [markdown]
# **How to read it.** "unknown" is a layer that the log does not name: a report of what runs where is only as good as the log. And one layer in the middle costs two more crossings: a DLA is only worth it for
# networks that stay on it.

# %% [markdown]
# ## 4 · Devices: measured, remote and estimated
#
# How long does a model take on three kinds of device? **Here** it is measured. A **remote** one runs `projectkit agent`, and is measured there: `devices.read_device("tls://…")` is all that
# changes below. For one that you do not have there is an **estimate**: for every layer the larger of its arithmetic time and its memory time, from the device's data sheet. An estimate
# of *this* machine shows how far such estimates are off.

# %%
here = devices.measure_roofline(budget=1.0)
known = [float32, int8, onnx_float32]
calibration_here = devices.calibrate(here.roofline, known, [validation.x] * len(known), budget=0.2)
for one in calibration_here.comparisons:
    print(f"{Path(one.artifact.path).name:14} estimate {1e6 * one.estimate:7.1f} µs, measured {1e6 * one.measured.value:7.1f} µs")
error, factor = calibration_here.error, calibration_here.factor
print(
    f"error of the estimates of this machine: {error.value:.0%} ({error.low:.0%} to {error.high:.0%}); measured / estimate: {factor.value:.1f} ({factor.low:.1f} to {factor.high:.1f})\n"
)

for name in devices.KNOWN:
    for artifact in (float32, int8):
        try:
            profile = devices.measure_on(devices.read_device(name), artifact, validation)
        except ProjectkitError as reason:
            print(f"{name:20} {Path(artifact.path).stem:8} {reason}")
            continue
        seconds = profile.values["latency_estimate"].value
        fits = "fits" if profile.values["memory_fits_estimate"].value else "does not fit"
        print(f"{name:20} {Path(artifact.path).stem:8} estimate {1e6 * seconds:9.1f} µs, {fits} into its memory")

# %% [markdown]
# **How to read it.** The estimate counts every byte as read from memory, while a network as small as this one stays in the caches: that makes it too slow. And it leaves out what starting an operator
# costs: that makes it too fast. Which error is larger depends on the file, as the first lines show, and on the device. Such estimates say whether a model fits, and rank networks that
# differ by much; they are not exact.

# %% [markdown]
# ## 5 · Hardware in the loop
#
# Now the search for the network that you ship: every candidate is trained, written to a file, and *the file* is measured on the device, its accuracy, its latency and its memory. The device
# has little RAM; what does not fit cannot be chosen, however accurate it is. Change `DEVICE` to an agent's address, and the same loop runs on a board.

# %%
DEVICE = devices.read_device("here")
SWEEP = {
    "quick": [(8, 16, 32), (14, 32, 64), (24, 48, 96)],
    "full": [(6, 16, 32), (10, 24, 48), (16, 32, 64)],
    "smoke": [(8, 16, 32)],
}[scale.current()]
candidates = {}
for widths in SWEEP:
    small = models.build("convnet", dataset, widths=widths)
    train.fit(small, dataset, Recipe(epochs=EPOCHS + 2, learning_rate=1e-2), progress=False)
    for precision in ("float32", "int8"):
        candidates[f"{widths[0]} {precision}"] = write(small, f"{widths[0]}_{precision}.tflite", precision=precision)
profiles = devices.compare_on(DEVICE, list(candidates.values()), validation, baseline=float32, budget=0.2)
table = {
    name: (profile.values["accuracy"].value, profile.values["latency_ratio"].value, int(profile.values["peak_activations"].value))
    for name, profile in zip(candidates, profiles)
}
print(f"{profiles[0].device}\nwidth precision   accuracy   latency ratio   activations, budget {RAM:,} B")
for name, (accuracy, latency, memory) in table.items():
    print(f"{name:14} {accuracy:10.1%} {latency:15.2f} {memory:10,} B {'' if memory <= RAM else '  does not fit'}")

plt.figure(figsize=(9, 3), layout="constrained")
for name, (accuracy, latency, memory) in table.items():
    fits = memory <= RAM
    plt.plot(
        memory, 100 * (1 - accuracy), "o" if fits else "x", color="tab:blue" if fits else "gray", markersize=4 + 12 * latency**0.5
    )
    plt.annotate(name, (memory, 100 * (1 - accuracy)), textcoords="offset points", xytext=(8, 4))
plt.axvline(RAM, color="black", linestyle=":")
plt.xscale("log")
plt.margins(0.15)
plt.xlabel("bytes of activations alive at once")
plt.ylabel("error in %, validation")
plt.show()

# %% [markdown]
# **How to read it.** Left of the line fits. The larger the mark, the slower the file. Is the best network that fits a narrow one in int8 or a narrower one in float32? The files that were not
# chosen cost nothing but time: `projectkit search`, with `device` and `most_memory` in its file, does the same with hundreds.

# %%
# begin solution: Exercise 7: choose the name of the most accurate candidate of the table whose activations fit into RAM
chosen = max((name for name in table if table[name][2] <= RAM), key=lambda name: table[name][0])
# end solution
check.chosen(chosen, table, RAM)

# %% [markdown]
# ## Ship it
#
# The grader counts the activations of `micro` and the symmetric pairs of `tensorrt` from your files, and measures accuracy and latency.


# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


drawn = my_inputs("lifetimes")
last = last_reader([[tensor for tensor in row if tensor >= 0] for row in drawn["reads"].tolist()])
alive = live(drawn["sizes"], last)
buffers = [
    measure.Buffer(str(tensor), int(size), max(tensor - 1, 0), int(end))
    for tensor, (size, end) in enumerate(zip(drawn["sizes"], last))
]
branches = my_inputs("two_branches")


def peak_of_mine(order):
    when = {operator: step for step, operator in enumerate(order)}
    reads = [[when[parent] + 1 if parent >= 0 else 0 for parent in parents[operator]] for operator in order]
    return live(np.array([branches["input"], *branches["sizes"][order]]), last_reader(reads)).max()


my_orders = branches["orders"].tolist()
peaks = np.array([peak_of_mine(order) for order in my_orders])
summary = tensorrt.parse_summary(str(my_inputs("trtexec_output")["text"]))
chain = my_inputs("fallback")
times = chain["dla"], chain["gpu"], float(chain["crossing"])
possible = itertools.product(*[(0, 1) if able else (0,) for able in chain["supported"]])
points = my_inputs("ram_budget")
fitting = np.flatnonzero(points["memory"] <= points["budget"])
accuracies, latencies = points["accuracy"], points["latency"]
beaten = [np.any((accuracies[fitting] > accuracies[one]) & (latencies[fitting] <= latencies[one])) for one in fitting]
most_accurate = fitting[np.argmax(accuracies[fitting])]

answers = {
    "lifetimes": {"last": last, "live": alive, "peak": np.array(alive.max()), "arena": np.array(measure.plan(buffers)[1])},
    "two_branches": {"peaks": peaks, "best": np.array(my_orders.index(cheapest_order(my_orders, peak_of_mine)[0]))},
    "trtexec_output": {
        "throughput": np.array(summary.throughput),
        "compute": np.array(summary.compute.median),
        "latency_99": np.array(summary.latency.percentiles[99.0]),
        "transfers": np.array(summary.to_device.median + summary.from_device.median),
        "busy": np.array(summary.compute_total / summary.walltime),
    },
    "fallback": {
        "crossings": np.array(np.count_nonzero(np.diff([0, *chain["supported"], 0]))),
        "seconds": np.array(placed(chain["supported"], *times)),
        "gpu_only": np.array(placed(np.zeros(9, int), *times)),
        "best": np.array(min(placed(places, *times) for places in possible)),
    },
    "ram_budget": {
        "feasible": fitting,
        "front": fitting[~np.array(beaten)],
        "best": np.array(most_accurate),
        "price": np.array(accuracies.max() - accuracies[most_accurate]),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={"micro": candidates[chosen].path, "tensorrt": onnx_symmetric.path},
    answers=answers,
    claims={"micro/peak_activations": table[chosen][2]},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * A teacher with a Jetson starts `projectkit agent` on it (the commands are in `help(devices)`): set `DEVICE` to its address and ship what is best *there*.
# * With an NVIDIA GPU, `tensorrt.benchmark(onnx_symmetric, tensorrt.Build(shapes=fixed))` runs what was only read here, and `runtimes.open(…, variant="tensorrt")` is a session like all others.
# * Give the first convolution stride 2 instead of the pooling behind it. What happens to the peak, what to the accuracy?
# * Read the lifetimes of a residual network with `in_place=False` and without. Which operators write over their inputs?
#
# ## Literature
#
# * R. David et al.: *TensorFlow Lite Micro: Embedded Machine Learning for TinyML Systems*, MLSys 2021.
# * J. Lin et al.: *MCUNet: Tiny Deep Learning on IoT Devices*, NeurIPS 2020, and *MCUNetV2: Memory-Efficient Patch-based Inference*, NeurIPS 2021.
# * Y. Pisarchyk, J. Lee: *Efficient Memory Management for Deep Neural Net Inference*, 2020.
# * E. Liberis, N. Lane: *Neural networks on microcontrollers: saving memory at inference via operator reordering*, 2019.
# * NVIDIA: [Working with DLA](https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-with-dla.html), [Migrating from 10.x to 11.x](https://docs.nvidia.com/deeplearning/tensorrt/latest/api/migration/tensorrt-10x-to-11x-jetson.html).
# * S. Williams, A. Waterman, D. Patterson: *Roofline*, CACM 2009.
