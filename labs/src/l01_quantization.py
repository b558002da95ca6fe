# %% [markdown]
# # Lab 1 · Quantization
#
# **You will ship** four files of one network for handwritten digits: `int8.tflite` (a quarter of the bytes, faster), `onnx_int8.onnx` (the same for
# another runtime), `qat.tflite` (a network that quantization had destroyed, repaired by training) and `few_bits.tflite` (at most **5 bits per
# weight**). Each must stay within two points of the float network's accuracy on images that you have not seen.
#
# Quantization changes how weights are stored, not which ones there are: each file must hold the layers of the network below, with kernels of the same
# shapes, the first three with 8 bits per weight. Another network earns nothing, and neither do more than 8 bits in `few_bits`.
#
# *90 minutes. A laptop is enough; at the default quick scale all training together takes less than a minute.*

# %%
# %xmode Minimal
from contextlib import closing

import numpy as np
from checks import l01 as check
from matplotlib import pyplot as plt

import projectkit
from projectkit import data, export, measure, models, quantize, runtimes, scale, submit, train
from projectkit.quantize import qat
from projectkit.quantize.sensitivity import layer_sensitivity
from projectkit.quantize.unbalance import unbalance
from projectkit.types import Recipe

LAB = "l01_quantization"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, WIDTHS, EPOCHS = {
    "quick": ("digits", (48, 96, 192), 10),
    "full": ("mnist", (32, 64, 128), 3),
    "smoke": ("digits", (24, 48, 96), 1),  # for the tests of this notebook
}[scale.current()]

dataset = data.load(DATASET)
calibration, validation = dataset.train.x[:200], dataset.val.take(1000)
model = models.build("convnet", dataset, widths=WIDTHS)
train.fit(model, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
float32 = export.write(model, f"{WORK}/float32.tflite", compare=validation.x)
print(float32)


def accuracy(exported):
    """The share of the validation images that the *file* gets right."""
    with closing(runtimes.open(exported.artifact)) as session:
        return measure.accuracy(session.run(validation.x), validation.y).value


# %% [markdown]
# ### Predict first
#
# The same network with 8-bit integers instead of 32-bit floats: what fraction of the size, what fraction of the latency, how many
# points of accuracy lost? Write it down; nobody grades it.

# %%
prediction = {"size": 0.5, "latency": 0.5, "accuracy": -5.0}

# %% [markdown]
# ## 1 · Affine quantization: scale and zero point
#
# Affine quantization puts 256 evenly spaced points on the real line: stored integers $q \in [-128, 127]$ mean
#
# $$x \approx \text{scale} \cdot (q - \text{zero\_point})$$
#
# To cover $[\text{low}, \text{high}]$: $\text{scale} = (\text{high} - \text{low}) / 255$, and the zero point is the integer that stands
# for real 0. It *must* be an integer, because networks are full of exact zeros (padding, ReLU); for the same reason the range is widened until it
# contains 0.


# %%
def affine(low, high):
    """(scale, zero_point) of the int8 grid over [low, high], widened to contain 0."""
    # begin solution: Exercise 1: widen the range to contain 0, compute scale and the rounded zero point, return both
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / 255
    return step, int(np.round(-128 - low / step))
    # end solution


check.affine(affine)


# %%
def to_integers(x, scale, zero_point):
    """The stored int8 values of x: divide, round, shift, clip."""
    # begin solution: Exercise 1: return x as int8 on the grid (np.round, then np.clip before the cast)
    return np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)
    # end solution


def to_reals(stored, scale, zero_point):
    """What the stored values mean."""
    return scale * (stored.astype(np.int32) - zero_point)


check.round_trip(to_integers, to_reals)

# %%
x = np.linspace(-1.6, 3.6, 2000)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
for bits, color in ((3, "tab:orange"), (8, "tab:blue")):
    step, zero = quantize.scale_and_zero_point(-1.0, 3.0, bits=bits)
    y = quantize.dequantize(quantize.quantize(x, step, zero, bits=bits), step, zero)
    axes[0].plot(x, y, color=color, label=f"{bits} bits")
    axes[1].plot(x, y - x, color=color, label=f"{bits} bits")
axes[0].set(xlabel="real value", ylabel="after the round trip")
axes[1].set(xlabel="real value", ylabel="error", ylim=(-0.4, 0.4))
axes[0].legend()
plt.show()

# %% [markdown]
# **How to read it.** Inside the range the error is a saw-tooth of half a step (rounding); outside it grows without bound (clipping). Every
# method of this lab trades one against the other: a wider range clips less, but its rounding is coarser.

# %% [markdown]
# ## 2 · Per-tensor and per-channel quantization
#
# One filter of a convolution may be a hundred times larger than its neighbour. With one scale for the tensor, the small filter gets a
# handful of the 255 steps. So weights get **one scale per output channel**, symmetric, without a zero point:
#
# $$\text{scale}_c = \max |w_{\cdot\cdot\cdot c}| / 127$$
#
# It costs four bytes per channel and nothing at run time, because a channel's results are rescaled anyway.


# %%
def round_per_channel(w):
    """(scales, rounded) of w (…, channels): one int8 scale per channel, and the reals that the integers stand for."""
    # begin solution: Exercise 2: take max |w| over all axes but the last, make the scales, round and clip to ±127, scale back
    scales = np.abs(w).max(axis=tuple(range(w.ndim - 1))) / 127
    return scales, scales * np.clip(np.round(w / scales), -127, 127)
    # end solution


check.per_channel(round_per_channel)

# %%
w = model.layers[5].get_weights()[0]  # the second convolution
ranges = np.abs(w).max(axis=(0, 1, 2))
errors = {
    "one scale per tensor": ((quantize.fake_quantize(w) - w) ** 2).mean(axis=(0, 1, 2)),
    "one scale per channel": ((round_per_channel(w)[1] - w) ** 2).mean(axis=(0, 1, 2)),
}
plt.figure(figsize=(9, 2.6), layout="constrained")
order = np.argsort(ranges)
for (label, error), color in zip(errors.items(), ("tab:orange", "tab:blue")):
    plt.semilogy(error[order], ".", color=color, label=label)
plt.xlabel("output channels of the second convolution, from the smallest weights to the largest")
plt.ylabel("mean squared error")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** Blue rises with the size of the channel's weights: the error of each channel is in proportion to its own range. Orange is
# flat: the small channels on the left have the same error as the largest one on the right.

# %% [markdown]
# ## 3 · Post-training quantization: calibrating the activations
#
# The weights are known in advance; the activations are not. **Post-training quantization** runs a *calibration set* through the network, watches every activation
# and fixes its range. An *observer* decides from what it saw: `minmax` keeps everything, a percentile cuts outliers off.
#
# LiteRT's options: `float16` (half the bytes, float arithmetic), `dynamic` (int8 weights, activation ranges found anew in every call),
# `int8` (everything fixed ahead of time), `int16x8` (16-bit activations for delicate networks; slow kernels).


# %%
def observe(values, share):
    """(low, high) of the middle `share` percent of the values."""
    # begin solution: Exercise 3: cut (100 - share) / 2 percent off on each side with np.percentile and return the two ends
    return tuple(np.percentile(values, [(100 - share) / 2, 100 - (100 - share) / 2]))
    # end solution


check.observe(observe)

# %%
files = {"float32": float32}
for precision in ("float16", "dynamic", "int8", "int16x8"):
    files[precision] = export.write(
        model, f"{WORK}/{precision}.tflite", precision=precision, calibrate=calibration, compare=validation.x
    )
files["ONNX float32"] = export.write(model, f"{WORK}/onnx_float32.onnx", compare=validation.x)
files["ONNX dynamic"] = export.write(model, f"{WORK}/onnx_dynamic.onnx", precision="dynamic", compare=validation.x)
files["ONNX int8"] = export.write(model, f"{WORK}/onnx_int8.onnx", precision="int8", calibrate=calibration, compare=validation.x)
measured = measure.compare([file.artifact for file in files.values()], validation, baseline=float32.artifact, budget=0.5)
profiles = dict(zip(files, measured))

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained", sharey=True)
colors = ["tab:orange" if "ONNX" in name else "tab:blue" for name in profiles]
for axis, metric, unit, title in (
    (axes[0], "accuracy", 100, "accuracy in %"),
    (axes[1], "size", 1e-3, "file size in kB"),
    (axes[2], "latency_p50", 1e6, "median latency in µs"),
):
    values = [profile.values[metric] for profile in profiles.values()]
    numbers = np.array([[value.low, value.value, value.high] for value in values]) * unit
    errors = np.diff(numbers, axis=1).T
    if metric == "accuracy":
        axis.errorbar(numbers[:, 1], list(profiles), xerr=errors, fmt="none", ecolor="gray", capsize=3)
        axis.scatter(numbers[:, 1], list(profiles), c=colors, zorder=3)
    else:
        bars = axis.barh(list(profiles), numbers[:, 1], color=colors, xerr=errors, ecolor="gray")
        axis.bar_label(bars, fmt="%.0f", padding=4, fontsize=8)
        axis.margins(x=0.2)
    axis.set_xlabel(title)
axes[0].invert_yaxis()
axes[2].set_xscale("log")
axes[2].xaxis.set_minor_formatter("")
plt.show()

before, after = profiles["float32"].values, profiles["int8"].values
for name, guess, truth in (
    ("size", prediction["size"], after["size"].value / before["size"].value),
    ("latency", prediction["latency"], after["latency_ratio"].value),
    ("accuracy, points", prediction["accuracy"], 100 * (after["accuracy"].value - before["accuracy"].value)),
):
    print(f"{name:17} predicted {guess:6.2f}   measured {truth:6.2f}")

# %% [markdown]
# **How to read it.** Left: the accuracies do not differ measurably, eight bits are enough for this network. Middle: every kind of int8 is a
# quarter of the bytes. Right (a logarithmic scale!): the same bytes, but not the same time. int16x8 has no fast kernels, and ONNX Runtime's
# dynamic convolutions are slower than float.
#
# The calibration set determines the ranges. What happens with a **bad** one?

# %%
bad_sets = {
    "200 training images": calibration,
    "a single image": calibration[:1],
    "images at a tenth of their brightness": calibration * 0.1,
    "black images": calibration * 0.0,
}
for name, images in bad_sets.items():
    file = export.write(model, f"{WORK}/calibrated.tflite", precision="int8", calibrate=images, compare=validation.x)
    print(f"{name:40} accuracy {accuracy(file):6.1%}   logits moved by {file.difference.mean:.3f} on average")

# %% [markdown]
# **How to read it.** A range that was never seen is clipped. Few images are nearly enough, because thousands of activations share one range; the
# wrong *kind* of images is not.

# %% [markdown]
# ## 4 · Quantization-aware training
#
# Post-training quantization can fail. `unbalance` multiplies every channel by a factor between 1/32 and 32 and divides the next layer's weights by it. Because
# $\text{ReLU}(s x) = s\,\text{ReLU}(x)$, the float network computes the same function. (MobileNets come out of training like this by
# themselves.) But one activation tensor has *one* scale for all channels, and the small ones round to zero.

# %%
fragile = unbalance(model)
broken = export.write(fragile, f"{WORK}/broken.tflite", precision="int8", calibrate=calibration, compare=validation.x)
print(f"float {train.accuracy(fragile, validation):.1%}, after post-training quantization {accuracy(broken):.1%}")

# %% [markdown]
# **Quantization-aware training** rounds weights and activations *during* training, so that the network adapts to it. Rounding has no
# useful gradient; the straight-through estimator pretends that it is the identity, inside the range. `qat.prepare` gives a network
# that rounds; train it like any network and export it. It brings its own ranges: no calibration set.

# %%
aware = qat.prepare(fragile, calibrate=calibration)
# begin solution: Exercise 4: train `aware` with train.fit by the same recipe as the float network, then export.write it as int8 to f"{WORK}/qat.tflite" and call the result `rescued`
train.fit(aware, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
rescued = export.write(aware, f"{WORK}/qat.tflite", precision="int8", compare=validation.x)
# end solution

check.rescued(accuracy(broken), accuracy(rescued), accuracy(float32))

# %%
aware_onnx = export.write(aware, f"{WORK}/qat.onnx", precision="int8", compare=validation.x)
names = ["float32", "post-training int8", "quantization-aware int8", "the same as ONNX"]
shares = [100 * accuracy(file) for file in (float32, broken, rescued, aware_onnx)]
plt.figure(figsize=(9, 2.2), layout="constrained")
plt.barh(names, shares, color=["lightsteelblue", "tab:orange", "tab:blue", "tab:blue"])
plt.gca().invert_yaxis()
plt.xlabel("accuracy in %, validation")
plt.show()

# %% [markdown]
# **How to read it.** The network of the second bar is as good in float as the first; only its quantization grid is bad. A few epochs of
# rounding during training repair what calibration could not, and both runtimes get the same integers.

# %% [markdown]
# ## 5 · Layer sensitivity and mixed precision
#
# Below eight bits the layers differ. Round one layer at a time to 4 bits and watch how far the logits move. Layers at the top of the picture
# deserve 8 bits, large ones at the bottom can have 4.

# %%
rows = layer_sensitivity(model, validation, bits=4)
plt.figure(figsize=(9, 2.2), layout="constrained")
plt.barh([f"{row.layer} ({row.parameters:,} weights)" for row in rows], [row.change for row in rows])
plt.gca().invert_yaxis()
plt.xlabel("relative change of the logits when only this layer has 4 bits")
plt.show()

# %%
# begin solution: Exercise 5: choose bits, a dict {layer name: 4 or 8} with "*" for all other layers, so that the mean stays at or below 5 bits per weight
bits = {"*": 4} | {row.layer: 8 for row in rows if row.parameters < 5000}
# end solution
few = export.write(model, f"{WORK}/few_bits.tflite", precision=bits, compare=validation.x)
print(few)
few_profile = measure.profile(few.artifact, validation, baseline=float32.artifact, budget=0.5)
print(f"latency relative to float32: {few_profile.values['latency_ratio'].value:.2f}")
check.small_enough(few_profile.values["weight_bits"].value, accuracy(few), accuracy(float32))

# %% [markdown]
# **How to read it.** Sensitivity and size are different things: a bit saved in a large, insensitive layer costs no accuracy and saves many bytes.
# And look at the latency: fewer bytes are not always less time. Kernels for 4-bit weights are few, and some unpack them in every call.
#
# ## Ship it


# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


x = my_inputs("affine")["x"]
step, zero = affine(float(x.min()), float(x.max()))
stored = to_integers(x.astype(np.float64), step, zero)
w = my_inputs("per_channel")["w"].astype(np.float64)
scales, rounded = round_per_channel(w)
tensor_scale = np.abs(w).max() / 127
rounded_once = tensor_scale * np.clip(np.round(w / tensor_scale), -127, 127)
values = my_inputs("observers")["activations"].astype(np.float64)
low, high = observe(values, 99.8)

answers = {
    "affine": {"scale": step, "zero_point": zero, "quantized": stored, "dequantized": to_reals(stored, step, zero)},
    "per_channel": {
        "scales": scales,
        "error_per_tensor": np.mean((w - rounded_once) ** 2),
        "error_per_channel": np.mean((w - rounded) ** 2),
    },
    "observers": {
        "minmax": observe(values, 100.0),
        "percentile": (low, high),
        "clipped": np.mean((values < low) | (values > high)),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={
        "int8": files["int8"].artifact.path,
        "onnx_int8": files["ONNX int8"].artifact.path,
        "qat": rescued.artifact.path,
        "few_bits": few.artifact.path,
    },
    answers=answers,
    claims={"int8/accuracy": accuracy(files["int8"]), "few_bits/accuracy": accuracy(few)},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * Export `int8` for TensorRT (`preset="tensorrt"`) and time it on your CPU. Why is it slower, and why does TensorRT want it so?
# * Try `method="entropy"` and `method="percentile"` for the ONNX file of the *fragile* network. Does a better observer help?
# * Undo the damage without training: find factors for the channels from the weights alone (Nagel et al., below), then quantize.
# * Which of these findings change with `PROJECTKIT_SCALE=full`?
#
# ## Literature
#
# * B. Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, CVPR 2018.
# * R. Krishnamoorthi: *Quantizing Deep Convolutional Networks for Efficient Inference: A Whitepaper*, 2018.
# * M. Nagel et al.: *Data-Free Quantization through Weight Equalization and Bias Correction*, ICCV 2019.
# * M. Nagel et al.: *A White Paper on Neural Network Quantization*, 2021.
# * Y. Bengio, N. Léonard, A. Courville: *Estimating or Propagating Gradients through Stochastic Neurons*, 2013 (straight-through).
