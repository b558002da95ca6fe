# %% [markdown]
# # Lab 0 · Measure a model honestly
#
# **You will ship** one small model for handwritten digits, `small.tflite`, that does at most **25 %** of the baseline's
# multiply-accumulates in at most 25 % of its bytes and is still right on **90 %** of images that you have never seen. The grader
# opens your file and measures it again; what you claim earns nothing.
#
# The small model is a convolutional network, as the baseline is, and a smaller one: a file with more than 60 % of the baseline's multiply-accumulates
# earns nothing, however few bytes it has.
#
# *45 minutes. A laptop is enough; at the default quick scale all training together takes less than a minute.*
#
# Every later lab makes a model smaller or faster. This one shows how to measure whether it worked.

# %%
# %xmode Minimal
import numpy as np
from checks import l00 as check
from matplotlib import pyplot as plt
from matplotlib.ticker import EngFormatter, MaxNLocator

import projectkit
from projectkit import data, export, measure, models, scale, submit, train
from projectkit.types import Artifact, Recipe

LAB = "l00_measurement"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, WIDTHS, EPOCHS = {
    "quick": ("digits", (48, 96, 192), 10),
    "full": ("mnist", (32, 64, 128), 3),
    "smoke": ("digits", (24, 48, 96), 1),  # for the tests of this notebook
}[scale.current()]

dataset = data.load(DATASET)
model = models.build("convnet", dataset, widths=WIDTHS)
history = train.fit(model, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
baseline = export.write(model, f"{WORK}/baseline.tflite", compare=dataset.val.x[:100])
print(baseline)

# %% [markdown]
# This is the **baseline**: three convolutions of 48, 96 and 192 filters. From here on only the *file* counts, not the
# Keras model, because the file is what a phone runs and what you hand in.
#
# ### Predict first
#
# You will halve every width: 24, 48, 96. By what factor do these change? Write your guesses down before you measure; nobody grades them.

# %%
prediction = {"parameters": 0.5, "macs": 0.5, "size": 0.5, "latency": 0.5}

# %% [markdown]
# ## 1 · Counting parameters and multiply-accumulates
#
# A 3×3 convolution slides over the image and, at every output position, multiplies `k·k·c_in` inputs with as many weights for each
# of its `c_out` filters. So it stores $k^2 c_{in} c_{out}$ weights and $c_{out}$ biases, but computes
#
# $$\text{MACs} = \lceil h/s \rceil \, \lceil w/s \rceil \; k^2 \, c_{in} \, c_{out}$$
#
# multiply-accumulates (with "same" padding and stride $s$). Parameters are memory, MACs are work; early layers do much work with
# few parameters, late ones the other way round. A *depthwise* convolution has one filter per channel and does not mix channels.


# %%
def count(kind, height, width, channels_in, channels_out, kernel, stride):
    """(parameters, macs) of one layer with biases. kind: 0 convolution, 1 depthwise convolution, 2 dense."""
    # begin solution: Exercise 1: compute parameters and macs for the three kinds of layers and return both
    positions = -(-height // stride) * -(-width // stride)
    weights = kernel * kernel * channels_in * (1 if kind == 1 else channels_out)
    return weights + channels_out, positions * weights
    # end solution


check.count(count)

# %%
graph = measure.read_graph(Artifact.of(f"{WORK}/baseline.tflite"))
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
names = [f"{layer.operator.lower()} {index + 1}" for index, layer in enumerate(graph.layers)]
for axis, what in zip(axes, ("parameters", "macs")):
    axis.barh(names, [getattr(layer, what) for layer in graph.layers], color="tab:blue")
    axis.invert_yaxis()
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.set_title(f"{what}: {getattr(graph, what):,} in all")
plt.show()

# %% [markdown]
# **How to read it.** The bars come from the file's own graph, not from Keras. Compare the two panels: the layer that holds most of the
# parameters need not be the one that does most of the work, so decide which of the two you want to cut before you cut.

# %% [markdown]
# ## 2 · Latency: the median and its interval
#
# Run the same file on the same input 500 times and you get 500 different times: the operating system, the clock frequency and
# other programs interfere, always upwards. The *mean* follows every spike; the **median** does not. A median also has a confidence interval:
# if $B \sim \text{Binomial}(n, \tfrac12)$ counts the samples below the true median, then between the sorted samples
#
# $$x_{(l)} \ldots x_{(u)}, \qquad l = \min\{k : P(B \le k) \ge 0.025\}, \quad u = 1 + \min\{k : P(B \le k) \ge 0.975\}$$
#
# the true median lies with 95 % probability, whatever the distribution looks like.

# %%
from scipy.stats import binom


def median_interval(samples):
    """(median, low, high): the median of `samples` and its 95 % interval."""
    # begin solution: Exercise 2: sort the samples, find the two positions with binom.ppf(p, n, 0.5), return median, low, high
    ordered, n = np.sort(samples), len(samples)
    lower = int(binom.ppf(0.025, n, 0.5))
    upper = int(binom.ppf(0.975, n, 0.5)) + 1
    return np.median(ordered), ordered[lower - 1], ordered[upper - 1]
    # end solution


check.median_interval(median_interval)

# %%
from contextlib import closing
from functools import partial

from projectkit import runtimes

with closing(runtimes.open(baseline.artifact)) as session:
    samples = measure.interleave([session], dataset.test.x)[:, 0] * 1e6
median, low, high = median_interval(samples)
plt.figure(figsize=(9, 2.6), layout="constrained")
plt.hist(samples, bins=np.linspace(samples.min(), np.quantile(samples, 0.99), 60), color="lightsteelblue")
plt.axvspan(low, high, color="tab:red", alpha=0.3, label=f"median {median:.1f} [{low:.1f}, {high:.1f}] µs")
plt.axvline(samples.mean(), color="black", linestyle=":", label=f"mean {samples.mean():.1f} µs")
plt.xlabel("microseconds per inference")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** The histogram shows single runs, the red band the interval of their median, which is narrow because there are many
# runs. The long right tail comes from the machine; report it as the 90th percentile instead of letting it raise the mean.
#
# The clock starts when the input lies where the runtime reads it, and stops before the output is read: what is timed is the model, not our
# Python. Converting the input and the output takes time as well; the table at the end shows it as a metric of its own.
#
# ### Open the file again
#
# More runs make the band as narrow as you like. But does it hold for the next person who opens the same file? Open it eight times and guess
# first: how many of the eight medians lie within the interval of the first opening?

# %%
prediction["within"] = 8

openings = measure.time_openings([[partial(runtimes.open, baseline.artifact)]], dataset.test.x)[0]
intervals = np.array([median_interval(opening.calls[:, 0] * 1e6) for opening in openings])
middle, low, high = intervals.T
within = np.sum((low[0] <= middle) & (middle <= high[0]))
overall = measure.latency_from(openings)[0]
plt.figure(figsize=(9, 2.6), layout="constrained")
plt.errorbar(middle, range(len(openings)), xerr=(middle - low, high - middle), fmt="o", color="tab:red", capsize=3)
plt.axvspan(overall.low * 1e6, overall.high * 1e6, color="tab:blue", alpha=0.3, label="interval over openings")
plt.gca().set(xlabel="median of an opening in microseconds, with its interval", yticks=[], ylabel="openings")
plt.legend()
plt.show()
print(f"{within} of {len(openings)} medians lie within the first opening's interval; you said {prediction['within']}")

# %% [markdown]
# **How to read it.** A red line is the interval of one opening: it says what more runs of *that opening* would give. Openings differ by more,
# because each places weights and buffers somewhere else in memory and meets the machine in another moment, and all runs of it share that. Whoever
# compares two files compares openings, so **the openings are the samples**: a few numbers and their interval, the blue band (Student's $t$). From here on
# `measure` does this, and the grader too.

# %% [markdown]
# ## 3 · Comparing latencies: interleaved runs
#
# Laptops slow down when they get warm. Time all of A, then all of B, and B looks worse than it is. The remedy costs nothing:
# **interleave**, A B A B…, so that the drift affects both, and compare the medians. Milliseconds depend on the machine; their *ratio* shows
# the difference between the models.


# %%
def interleave(run_a, run_b, clock, rounds):
    """(rounds, 2) seconds: in every round, one call of run_a() and one of run_b(), timed with clock()."""
    # begin solution: Exercise 3: in every round time run_a() and run_b() once each with clock(), and return the array of times
    times = np.empty((rounds, 2))
    for index in range(rounds):
        for column, run in enumerate((run_a, run_b)):
            start = clock()
            run()
            times[index, column] = clock() - start
    return times
    # end solution


check.interleave(interleave)

# %%
half = models.build("convnet", dataset, widths=tuple(width // 2 for width in WIDTHS))
train.fit(half, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
halved = export.write(half, f"{WORK}/half.tflite", compare=dataset.val.x[:100])

profiles = measure.compare([baseline.artifact, halved.artifact], dataset.val, baseline=baseline.artifact)
before, after = (profile.values for profile in profiles)
measured = {name: after[name].value / before[name].value for name in ("parameters", "macs", "size")}
measured["latency"] = after["latency_ratio"].value
plt.figure(figsize=(9, 2.6), layout="constrained")
positions = np.arange(len(measured))
plt.bar(positions - 0.2, [prediction[name] for name in measured], width=0.4, label="predicted", color="lightsteelblue")
plt.bar(positions + 0.2, measured.values(), width=0.4, label="measured", color="tab:blue")
plt.errorbar(
    positions[-1] + 0.2,
    after["latency_ratio"].value,
    yerr=[
        [after["latency_ratio"].value - after["latency_ratio"].low],
        [after["latency_ratio"].high - after["latency_ratio"].value],
    ],
    color="black",
    capsize=4,
)
plt.xticks(positions, list(measured))
plt.ylabel("half width / baseline")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** Half the width is a *quarter* of most weights, because a layer has $c_{in} \cdot c_{out}$ of them. Latency
# falls less than the work does: each operator costs something by itself, and narrow layers do not fill the processor's vectors. The line on the
# last bar is the 95 % interval of the ratio, over openings.

# %% [markdown]
# ## 4 · The confidence interval of an accuracy
#
# 349 of 360 right is 96.9 %, but another 360 images would give another number. Wilson's interval for a share $p$ of $n$:
#
# $$\frac{p + \frac{z^2}{2n} \pm z\sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}, \qquad z = 1.959964$$
#
# It says where *one* model's accuracy lies. Which of two models is better is another question, and the next section's.


# %%
def wilson(correct, total):
    """(low, high): the 95 % interval of an accuracy of `correct` out of `total`."""
    # begin solution: Exercise 4: compute p and n, then the two ends of Wilson's interval, and return them
    z, p, n = 1.959964, correct / total, total
    center = p + z**2 / (2 * n)
    half_width = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (center - half_width) / (1 + z**2 / n), (center + half_width) / (1 + z**2 / n)
    # end solution


check.wilson(wilson)

# %%
totals = np.array([20, 50, 100, 200, 360, 1000, 3000, 10000])
ends = np.array([wilson(0.97 * total, total) for total in totals])
plt.figure(figsize=(9, 2.6), layout="constrained")
plt.fill_between(totals, ends[:, 0], ends[:, 1], alpha=0.3)
plt.axhline(0.97, color="black", linestyle=":")
plt.xscale("log")
plt.xlabel("test images")
plt.ylabel("accuracy, 95 % interval")
plt.show()

# %% [markdown]
# **How to read it.** To halve the band you need four times the images. With 360 of them an accuracy is known to about two percentage points.
#
# ### Two models on the same images
#
# A and B have answered the **same** 1000 images. A is right on 90.4 % [88.4–92.1 %], B on 91.8 % [89.9–93.3 %]: the intervals overlap widely. Is B better, or is it
# luck? Write your guess down.

# %%
told_apart = False  # your guess

# %% [markdown]
# Both intervals contain the luck of which images were drawn, and it is the *same* luck: an image that is hard for A is mostly hard for B. Look image by image:
#
# | | B right | B wrong |
# |---|---|---|
# | **A right** | 900 | 4 |
# | **A wrong** | 18 | 78 |
#
# The 978 images on which both are right, or both wrong, say nothing about which is better. On 22 they differ, and if A and B were equally good, each of these would be a coin: how often
# do 22 coins fall at least as unevenly as 4 to 18? That is **McNemar's test**: $p = \min\{1,\; 2\,P(B \le \min(a, b))\}$ with $B \sim \text{Binomial}(a + b, \tfrac12)$, where only A is right $a$ times
# and only B is right $b$ times.


# %%
def mcnemar(right_a, right_b):
    """(only A is right, only B is right, p) from which of the same images each is right on, (n,) bool each."""
    # begin solution: count right_a & ~right_b and the reverse; p is twice binom.cdf of the smaller one, at most 1
    only_a, only_b = np.sum(right_a & ~right_b), np.sum(right_b & ~right_a)
    return only_a, only_b, min(1.0, 2 * binom.cdf(min(only_a, only_b), only_a + only_b, 0.5))
    # end solution


check.mcnemar(mcnemar)

# %%
right_a, right_b = np.repeat([[True, True, False, False], [True, False, True, False]], [900, 4, 18, 78], axis=1)
only_a, only_b, p = mcnemar(right_a, right_b)
print(f"only A {only_a}, only B {only_b}, p = {p:.4f}; told apart: {p < 0.05}, your guess: {told_apart}")

# How far would B − A move with other images? Draw them with replacement: for both models the same ones, or for each its own.
rng = np.random.default_rng(0)
drawn, others = rng.integers(0, 1000, (2, 4000, 1000))
same = 100 * (right_b[drawn].mean(axis=1) - right_a[drawn].mean(axis=1))
separate = 100 * (right_b[others].mean(axis=1) - right_a[drawn].mean(axis=1))
plt.figure(figsize=(9, 2.6), layout="constrained")
for difference, name in ((separate, "each its own images"), (same, "the same images")):
    low, high = np.quantile(difference, [0.025, 0.975])
    plt.hist(difference, np.arange(-4, 7, 0.2), alpha=0.6, label=f"{name}: 95 % from {low:+.1f} to {high:+.1f}")
plt.axvline(0, color="black", linestyle=":")
plt.xlabel("accuracy of B minus that of A, points")
plt.legend()
plt.show()

print(*measure.compare_answers([baseline.artifact, halved.artifact], dataset.val), sep="\n")

# %% [markdown]
# **How to read it.** The wide histogram is what overlapping intervals compare; it ignores that both models saw the same images. The narrow one is the **paired bootstrap**, and it
# excludes 0. `projectkit measure a.tflite b.tflite` prints the last lines for your files, with a closed interval instead of the bootstrap's. On your own two models the answer may well be
# *no difference shown*: that is not *they are equal*, see how wide the interval is.
#
# ### Planning: how many images, openings, seeds?
#
# *Before* you measure, say which difference would matter, and find out how many repeats show it (in four of five experiments, with 5 % false alarms). Four questions:
#
# * **Images.** Two models on the same images: what counts is the share of images on which only one is right. On separate images you need many more.
# * **Openings.** A file that is opened again lies elsewhere in memory, and its latency differs more than the interval of one run says. The repeat is the opening, not the call.
# * **Seeds.** A method trains another network from each seed. To compare *methods*, the repeat is the training: more test images do not replace seeds.
# * **Blocking.** What you do not want to know (the minute, the machine, the seed, the images) is kept the same within a pair: measure A and B once in every block, and take differences
#   within blocks. What all of a block share drops out.

# %%
print("images to show a difference:   on the same images   on separate ones   (both models near 95 %)")
for points in (0.5, 1, 2, 5):
    delta = points / 100
    disagreement = max(0.03, 1.5 * delta)
    apart = 0.95 * 0.05 + (0.95 - delta) * (0.05 + delta)
    needed = measure.images_needed(delta, disagreement), measure.images_needed(delta, apart)
    print(
        f"{points:8} points                 {needed[0]:14,} {needed[1]:20,}, for each model   ({disagreement:.1%} answered differently)"
    )

medians = []  # a block: both files opened anew, timed in turn
for _ in range(8):
    with closing(runtimes.open(baseline.artifact)) as a, closing(runtimes.open(halved.artifact)) as b:
        medians.append(np.median(measure.interleave([a, b], dataset.val.x, budget=0.05), axis=0))
logs = np.log(medians)
within, across = np.std(logs[:, 1] - logs[:, 0], ddof=1), np.std(logs, axis=0, ddof=1).mean()
print(f"\neight openings: one file's median varies by {across:.1%}, the ratio of both within a block by {within:.1%}")
for effect in (0.01, 0.05):
    print(
        f"to show {effect:.0%}: {measure.repeats_needed(effect, within)} blocks, or {measure.repeats_needed(effect, across, paired=False)} "
        "openings of each without blocks"
    )
print(
    f"to show 0.5 points where seeds differ by 0.7 points: {measure.repeats_needed(0.5, 0.7, paired=False)} seeds of each method"
)

# Many comparisons: twenty equally good models against a baseline, a hundred times.
rng, alarms = np.random.default_rng(0), np.zeros(2)
for _ in range(100):
    less = rng.binomial(30, 0.5, 20)
    p_values = [measure.mcnemar(only, 30 - only) for only in less]
    alarms += np.min(p_values) < 0.05, np.min(measure.holm(p_values)) < 0.05
print(
    f"\ntwenty equal models: at least one 'better' or 'worse' in {alarms[0]:.0f} of 100 courses, with Holm's correction in {alarms[1]:.0f}"
)

# %% [markdown]
# **How to read it.** Half the difference needs four times the images. If the ratio varies less than one file's median, blocking has removed what both share; on a quiet machine there is little to remove. The last
# line is why whoever tries twenty variants and reports the best has shown nothing yet: count *all* comparisons that you made, and correct for them (Holm multiplies the smallest p-value by their number, the next by one less, …),
# or measure the winner once more on fresh images.

# %% [markdown]
# ## 5 · Peak memory and energy
#
# Peak memory is taken in a fresh process, because in a process that has already run something the model's part cannot be separated. Energy
# comes from a counter in the hardware (RAPL on Intel and AMD, NVML on NVIDIA, INA3221 on Jetson). A counter begins again at 0 when it is full: 32 bits of microjoules are
# 4295 J, 66 seconds at 65 W. Linux says in `max_energy_range_uj` how far it counts: RAPL's own steps are coarser than a microjoule, so that it often lasts an hour. The difference of two readings across that
# point is negative unless you correct it.


# %%
def joules(microjoules, max_energy_range_uj):
    """The energy in joules between the first and the last reading of a counter that begins again at 0."""
    # begin solution: Exercise 5: take the differences, add max_energy_range_uj where one is negative, and return the sum in joules
    steps = np.diff(microjoules)
    return np.sum(np.where(steps < 0, steps + max_energy_range_uj, steps)) / 1e6
    # end solution


check.joules(joules)

# %%
counter = submit.exercise_inputs(ME, LAB, "energy_counter")  # fifty readings of a counter, drawn for you
readings, span = counter["microjoules"], counter["max_energy_range_uj"]
plt.figure(figsize=(9, 2.6), layout="constrained")
plt.plot(counter["seconds"], readings / 1e6, ".-", color="lightsteelblue", label="reading of the counter")
used = [joules(readings[: count + 1], span) for count in range(len(readings))]
plt.plot(counter["seconds"], used, color="tab:blue", label="energy since the first reading")
plt.xlabel("seconds")
plt.ylabel("joules")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** The saw-tooth is the counter, the line is the energy; its slope is the power in watts.
#
# And this machine? One table with everything that can be measured here:

# %%
measure.table(profiles)

# %% [markdown]
# **How to read it.** Every cell is a value with its 95 % interval, or the reason why this machine cannot measure it. A missing number
# with a reason is better than an estimate that looks like a measurement.

# %% [markdown]
# ## Ship it
#
# Now use what you have learned: choose widths (or another architecture of `models.BUILDERS`) so that the model does at most a quarter of
# the baseline's work and stays above 90 %. Look at validation data; the grader will use **hidden** images.
#
# What does *hidden* mean? At quick scale: images of the same set that `data.load` puts into no split, with a little noise. At full scale: MNIST's test images, each a little turned, shifted, zoomed and brightened, which costs
# an honest model points. Or photographs that your instructor has taken. The first two come from public sets: you could find them and train on them, and your number would be worth nothing, as every number is that
# was measured on images the model has learned. Two signs give it away: a loss on test images far below that on validation images, and an accuracy that fresh photographs do not confirm. The same holds for papers: a public test set
# on which many have tuned is no longer hidden from anybody.

# %%
# begin solution: Ship: build a smaller model for `dataset`, train it with train.fit, and call it `small`
small = models.build("convnet", dataset, widths=tuple(width // 3 for width in WIDTHS))
train.fit(small, dataset, Recipe(epochs=2 * EPOCHS, learning_rate=4e-3))
# end solution

shipped = export.write(small, f"{WORK}/small.tflite", compare=dataset.val.x[:100])
profiles = measure.compare([baseline.artifact, shipped.artifact], dataset.val, baseline=baseline.artifact)
check.small_model(profiles[1], profiles[0])
measure.table(profiles)


# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


counts = np.array([count(*layer) for layer in my_inputs("count_layers")["layers"].tolist()])
latencies = my_inputs("latency_interval")["latencies"]
median, low, high = median_interval(latencies)
turns = my_inputs("interleaved_ratio")
results = my_inputs("accuracy_interval")
ends = np.array([wilson(correct, total) for correct, total in zip(results["correct"], results["total"])])
energy = joules(readings, span)

answers = {
    "count_layers": {"parameters": counts[:, 0], "macs": counts[:, 1]},
    "latency_interval": {"median": median, "p90": np.quantile(latencies, 0.9), "low": low, "high": high},
    "interleaved_ratio": {
        "ratio": np.median(turns["interleaved"][:, 1]) / np.median(turns["interleaved"][:, 0]),
        "sequential_ratio": np.median(turns["sequential_b"]) / np.median(turns["sequential_a"]),
    },
    "accuracy_interval": {"low": ends[:, 0], "high": ends[:, 1]},
    "energy_counter": {"joules": energy, "watts": energy / (counter["seconds"][-1] - counter["seconds"][0])},
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={"small": shipped.artifact.path},
    answers=answers,
    claims={"small/accuracy": profiles[1].values["accuracy"].value},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * Give the runtime two threads (`measure.compare(..., threads=2)`). Does a small model gain?
# * Set `PROJECTKIT_SCALE=full` and do it again on MNIST. Which figures move, and which ratios stay?
# * Make two models with equal MACs and different latency: one deep and narrow, one shallow and wide.
#
# ## Literature
#
# * V. Sze, Y.-H. Chen, T.-J. Yang, J. Emer: *Efficient Processing of Deep Neural Networks*, Proceedings of the IEEE, 2017 (why MACs are not energy).
# * C. Banbury et al.: *MLPerf Tiny Benchmark*, NeurIPS Datasets and Benchmarks, 2021 (rules for measuring latency and energy).
# * Q. McNemar: *Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages*, Psychometrika, 1947.
# * T. Dietterich: *Approximate Statistical Tests for Comparing Supervised Classification Learning Algorithms*, Neural Computation, 1998 (McNemar's test, and what to do about seeds).
# * S. Holm: *A Simple Sequentially Rejective Multiple Test Procedure*, Scandinavian Journal of Statistics, 1979.
# * T. Hoefler, R. Belli: *Scientific Benchmarking of Parallel Computing Systems*, SC 2015 (medians, intervals, what to report).
# * E. B. Wilson: *Probable Inference, the Law of Succession, and Statistical Inference*, JASA, 1927.
