# %% [markdown]
# # Capstone project
#
# **You will ship** two models (`baseline`: before you optimized it, `optimized`: your best), up to two variants (`variant_a`, `variant_b`: more points of
# the trade-off), a list of **claims**, and a report. No rubric counts points here: a jury measures every claim again while you watch, and asks about it.
#
# **Duplicate this notebook** and work in the copy. It runs as it stands, in about a minute, with a small example of all that a project has:
# handwritten digits on a small device. Replace the example from the top, one section at a time; whatever you have replaced, the rest still runs.
#
# *20 to 40 hours with the report. A laptop is enough for the datasets of the course.*

# %%
# %xmode Minimal
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
from checks import project as check
from IPython.display import Markdown
from matplotlib import pyplot as plt

from projectkit import data, export, measure, models, runtimes, scale, submit, train
from projectkit.types import Project, Recipe

ME = "ada@example.edu"  # your e-mail address, as your course knows it
TITLE = "Digits on a small device: narrower, or fewer bits?"
WORK = "work/project"
Path(WORK).mkdir(parents=True, exist_ok=True)
report = {}  # section → Markdown; at the end it becomes report.md

# %% [markdown]
# ## 1 · Question and state of the art
#
# A project answers **one question** that can come out either way. "Optimizing a network" is none. "Which costs less accuracy at a quarter of the
# bytes: half the filters, or a quarter of the bits?" is one.
#
# Read at least three papers until you can fill a line each: what was done, **on what**, with which figures, and what you take from it. A figure
# without its model and its dataset says nothing. Say what the authors did not measure; there is your gap.

# %%
QUESTION = "At equal file size, does a small network lose less accuracy with 8-bit integers or with fewer filters?"
papers = [
    # paper, method, figures (with model and data), what we take from it
    (
        "Jacob et al., CVPR 2018",
        "8-bit integers in weights and activations",
        "ResNet-50, ImageNet: 76.4 % as floats, 74.9 % as integers",
        "integers throughout; our network is a hundred times smaller",
    ),
    (
        "Howard et al., MobileNets, 2017",
        "depthwise separable convolutions, a width multiplier",
        "ImageNet: 70.6 % with 569 M multiply-adds, the full convolutions 71.7 % with 4866 M",
        "width as one knob for size and time",
    ),
    (
        "Han et al., Deep Compression, ICLR 2016",
        "pruning, shared weights, Huffman coding",
        "AlexNet, ImageNet: 240 MB to 6.9 MB at equal accuracy",
        "savings of several methods multiply, so we also combine ours",
    ),
]
check.state_of_the_art(papers)

lines = ["| paper | method | figures | we take |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in papers)]
report["Question and state of the art"] = QUESTION + "\n\n" + "\n".join(lines)
Markdown(report["Question and state of the art"])

# %% [markdown]
# ### Predict first
#
# Write down what will come out **before** you measure, and by how much. The conclusions compare; a wrong prediction that you can explain is worth more at the
# defense than a right one. `smallest` is the smallest difference of accuracy, in points, that would change your conclusion.

# %%
prediction = {"size_ratio": 0.3, "latency_ratio": 0.5, "accuracy, points": -1.0}
smallest = 3.0

# %% [markdown]
# ## 2 · Model and data
#
# **Data.** Why this set? Who owns it, under which licence, and what are its flaws? `train` is for training, `val` for every decision, `test` for one
# measurement at the end. Looking at `test` twice gives figures that are too good, and that nobody can repeat.

# %%
DATASET, WIDTHS, EPOCHS = {
    "quick": ("digits", (48, 96, 192), 10),
    "full": ("mnist", (32, 64, 128), 3),
    "smoke": ("digits", (24, 48, 96), 1),  # for the tests of this notebook
}[scale.current()]
dataset = data.load(DATASET)
check.no_leak(dataset)
check.enough_images(len(dataset.test), smallest)

figure, axes = plt.subplots(1, 10, figsize=(9, 1.2), layout="constrained")
for label, axis in enumerate(axes):
    axis.imshow(dataset.train.x[np.argmax(dataset.train.y == label)], cmap="gray")
    axis.set_title(dataset.classes[label], fontsize=9)
    axis.axis("off")
plt.show()

# %% [markdown]
# **How to read it.** One training image of each class. Look at a hundred of yours: what do you yourself get wrong?
#
# **Model.** Why this architecture? The baseline must be *good*: beating a badly trained network shows nothing. Train it until more epochs do
# not help on `val`, and keep the recipe for all variants.

# %%
recipe = Recipe(epochs=EPOCHS, learning_rate=2e-3)
wide = models.build("convnet", dataset, widths=WIDTHS)
history = train.fit(wide, dataset, recipe)
history.plot()
plt.show()
print(f"validation accuracy {train.accuracy(wide, dataset.val):.1%} with {wide.count_params():,} parameters")

report["Model and data"] = f"""
Data: {DATASET}, {len(dataset.train):,} images for training, {len(dataset.val):,} for decisions, {len(dataset.test):,} for the last measurement.
It is small and clean, as a form reader on a microcontroller might see it; nobody wrote carelessly, so real forms will be harder.

Model: a plain convolutional network of widths {WIDTHS}, because its cost grows with the width alone. {recipe.epochs} epochs of Adam,
learning rate {recipe.learning_rate}, seed {recipe.seed}; the curve of the validation accuracy is flat at its end.
"""
Markdown(report["Model and data"])

# %% [markdown]
# ## 3 · Methods
#
# Take few methods and say **why these**: what in your model or device makes you expect that they help? For each, name the alternative that you did not take.
# Change one thing at a time, and combine only what has been measured alone.

# %%
report["Methods"] = """
1. **8-bit integers after training.** The device has no floating-point unit, and integers of a quarter of the bits need no new training. Not taken:
   quantization-aware training, as long as calibration loses less than the smallest difference that matters.
2. **Half the width.** About a quarter of the parameters and of the work, so the same file size as method 1 by another way. Not taken: pruning,
   because zeros in a dense file save neither bytes nor time.
3. **Both**, to see whether the savings multiply and whether the losses add up.
"""
Markdown(report["Methods"])

# %% [markdown]
# ## 4 · Environment
#
# A latency without its machine means nothing, and next month you will not remember it. Let the code record it.

# %%
packages = ("projectkit-labs", "tensorflow", "ai-edge-litert", "numpy")
report["Environment"] = f"""
Device: {measure.device()}.

Software: Python {platform.python_version()}, {", ".join(f"{package} {version(package)}" for package in packages)}.
One thread. Latencies are medians; all models take turns in one loop, so that a busy moment affects them all.
"""
Markdown(report["Environment"])

# %% [markdown]
# ## 5 · Experiments
#
# Build the variants, with `val` for every decision. The calibration set comes from the training images.

# %%
narrow = models.build("convnet", dataset, widths=tuple(width // 2 for width in WIDTHS))
train.fit(narrow, dataset, recipe)

calibration, looked_at = dataset.train.x[:200], dataset.val.x[:100]
options = {"precision": "int8", "calibrate": calibration, "compare": looked_at}
files = {
    "baseline": export.write(wide, f"{WORK}/baseline.tflite", compare=looked_at),
    "optimized": export.write(wide, f"{WORK}/optimized.tflite", **options),
    "variant_a": export.write(narrow, f"{WORK}/variant_a.tflite", compare=looked_at),
    "variant_b": export.write(narrow, f"{WORK}/variant_b.tflite", **options),
}
names = {"baseline": "float32", "optimized": "int8", "variant_a": "half the width", "variant_b": "half the width, int8"}

# %% [markdown]
# Decisions are over: now measure once on `test`. `measure.compare` lets the models take turns, one call each a round; a ratio taken that way depends
# on your work, while milliseconds depend on the machine. What this machine cannot measure is missing with its reason, not estimated.

# %%
artifacts = [file.artifact for file in files.values()]
measured = measure.compare(artifacts, dataset.test, baseline=artifacts[0], budget=0.5)
profiles = dict(zip(files, measured))
check.comparable(profiles)
measure.table(measured)

# %%
figure, axis = plt.subplots(figsize=(8, 3.8), layout="constrained")
latencies = [profile.values["latency_p50"] for profile in measured]
accuracies = [profile.values["accuracy"] for profile in measured]
sizes = np.array([profile.artifact.size for profile in measured])
x = np.array([value.value for value in latencies]) * 1e6
y, low, high = 100 * np.array([[value.value, value.low, value.high] for value in accuracies]).T
best = measure.pareto(x, y)
axis.plot(x[best], y[best], ":", color="gray", label="nothing is both faster and more accurate")
axis.errorbar(x, y, yerr=[y - low, high - y], fmt="none", ecolor="lightsteelblue", capsize=3)
axis.scatter(x, y, s=600 * sizes / sizes.max(), alpha=0.7, zorder=3)
for rank, index in enumerate(np.argsort(x)):  # neighbours' labels stand above and below in turn
    label = f"{names[list(files)[index]]}, {sizes[index] / 1000:.0f} kB"
    place, paper = (0, 22 if rank % 2 else -28), {"color": "white", "alpha": 0.8, "pad": 0.5}
    axis.annotate(label, (x[index], y[index]), place, textcoords="offset points", fontsize=8, ha="center", bbox=paper)
axis.set(xlabel="median latency in µs", ylabel="accuracy in %, test")
axis.margins(x=0.25, y=0.2)
axis.legend(loc="lower right", fontsize=8)
figure.savefig(f"{WORK}/trade_off.png", dpi=150)
plt.show()

# %% [markdown]
# **How to read it.** Left is faster, up is better, a small dot is a small file; the bars are 95 % intervals. Where two bars overlap widely, do not
# say that one model is better. The picture is also in your work folder, for the presentation.
#
# An average hides in **which classes** accuracy was lost. The jury will ask:

# %%
errors = {}
for slot in ("baseline", "optimized", "variant_a"):
    session = runtimes.open(files[slot].artifact)
    wrong = session.run(dataset.test.x).argmax(axis=1) != dataset.test.y
    session.close()
    errors[slot] = np.bincount(dataset.test.y[wrong], minlength=len(dataset.classes))

places = np.arange(len(dataset.classes))
plt.figure(figsize=(9, 2.4), layout="constrained")
for shift, (slot, counts) in zip((-0.27, 0, 0.27), errors.items()):
    plt.bar(places + shift, counts, width=0.27, label=names[slot])
plt.xticks(places, dataset.classes)
plt.xlabel("class")
plt.ylabel("wrong test images")
plt.legend(fontsize=8)
plt.show()

# %% [markdown]
# **How to read it.** Equal accuracies may hide different errors. When most of what was lost is in one or two classes, look at those images before you
# write a conclusion.


# %%
def cell(slot, metric):
    """A measured value as people write it, for the report's table."""
    value = profiles[slot].values.get(metric)
    return measure.format_value(metric, value.value) if value else "not measurable here"


metrics = ("accuracy", "size", "latency_p50", "latency_ratio", "energy")
lines = [f"| model | {' | '.join(metrics)} |", "|---" * (len(metrics) + 1) + "|"]
lines += [f"| {names[slot]} | {' | '.join(cell(slot, metric) for metric in metrics)} |" for slot in files]
worst = {slot: dataset.classes[counts.argmax()] for slot, counts in errors.items()}
report["Experiments"] = "\n".join(lines) + (
    f"\n\nOn {len(dataset.test)} test images, measured once. The class with most errors: {worst['baseline']} for the baseline, "
    f"{worst['optimized']} with integers, {worst['variant_a']} at half the width."
)
Markdown(report["Experiments"])

# %% [markdown]
# ## 6 · Conclusions
#
# Answer the question in one sentence, with a figure and its interval. Then: where were you wrong, and why? What would have to be measured to
# overturn the answer? What did it cost (hours, training runs, energy)? Whose models, data and code did you use, and under which licences?

# %%
before, after, half = (profiles[slot].values for slot in ("baseline", "optimized", "variant_a"))
outcome = {
    "size_ratio": after["size"].value / before["size"].value,
    "latency_ratio": after["latency_ratio"].value,
    "accuracy, points": 100 * (after["accuracy"].value - before["accuracy"].value),
}
for name, guess in prediction.items():
    print(f"{name:17} predicted {guess:6.2f}   measured {outcome[name]:6.2f}")

gap = 100 * (after["accuracy"].value - half["accuracy"].value)
verdict = "the two do not clearly differ" if abs(gap) < smallest else "integers win" if gap > 0 else "the narrow network wins"
report["Conclusions"] = f"""
At about a quarter of the bytes, {verdict}: {after["accuracy"].value:.1%} with 8-bit integers, {half["accuracy"].value:.1%} with half the width
(95 % intervals {after["accuracy"].low:.1%} to {after["accuracy"].high:.1%} and {half["accuracy"].low:.1%} to {half["accuracy"].high:.1%}).
Integers take {outcome["size_ratio"]:.2f} of the bytes (predicted: {prediction["size_ratio"]:.2f}) and {outcome["latency_ratio"]:.2f} of the time
(predicted: {prediction["latency_ratio"]:.2f}).

What could overturn this: one training is one draw. Other seeds may move the accuracies by about as much as the models differ, and clean digits
are an easy set. Data: see the licence in `projectkit data list`.
"""
Markdown(report["Conclusions"])

# %% [markdown]
# ## 7 · Presentation
#
# | minute | you show | you say |
# |---|---|---|
# | 0–1 | the question | who would care about the answer |
# | 1–3 | the table of papers | what is known, and the gap |
# | 3–5 | model, data, methods | why these, and what you left out |
# | 5–8 | the trade-off picture, the errors by class | what came out, with intervals |
# | 8–9 | predicted and measured | where you were wrong |
# | 9–10 | one sentence | the answer, and what could overturn it |
#
# **Meanwhile the jury** measures your files on its own machine and shows each claim as confirmed, not confirmed (how far off) or not measurable there
# (why). Then it asks, from your own numbers: *Why is the smaller file slower? Which two classes pay for the integers? What happens with another seed?*
# So claim what also holds on another machine: accuracy, size, ratios to your baseline; not milliseconds on your laptop.

# %%
report["Presentation"] = """
Ten minutes: question, papers, methods, the trade-off picture, the errors by class, predicted and measured, one sentence as the answer.
To be confirmed live: every claim that was handed in with this report.
"""

# %% [markdown]
# ## Ship it
#
# **Claims** are named `slot/metric` or `slot/metric_ratio` (relative to your baseline), in seconds, bytes and joules. Take them from your own
# measurements and round to the **worse** side: down for accuracy, up for size and time. A claim that is a little too modest is confirmed.

# %%
claims = {
    "optimized/accuracy": np.floor(100 * after["accuracy"].value) / 100,
    "optimized/size": after["size"].value,
    "optimized/size_ratio": np.ceil(100 * outcome["size_ratio"]) / 100,
    "optimized/latency_ratio": np.ceil(10 * after["latency_ratio"].high) / 10,
    "variant_a/accuracy": np.floor(100 * half["accuracy"].value) / 100,
}
check.claims(claims, profiles)

# %%
text = f"# {TITLE}\n\n" + "\n\n".join(f"## {section}\n\n{body.strip()}" for section, body in report.items()) + "\n"
check.report(text)
Path(f"{WORK}/report.md").write_text(text, encoding="utf-8")

package = submit.pack(
    f"{WORK}/project.zip",
    student=ME,
    lab="project",
    scale=scale.current(),
    artifacts={slot: file.artifact.path for slot, file in files.items()},
    claims=claims,
    project=Project(TITLE, DATASET, text),
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Read `report.md` once more as somebody who does not know the project, then hand in the zip. Without a notebook, from files that you have made elsewhere:
#
#     projectkit pack project --out project.zip --student ada@example.edu --title "…" --dataset digits --report report.md \
#         --model baseline=baseline.tflite --model optimized=optimized.tflite --claim optimized/accuracy=0.97
#
# ## Go further
#
# * Train each variant with three seeds and draw all points. Which conclusion survives?
# * Add the method of another lab as `variant_a`: pruning, distillation, another architecture of `models.BUILDERS`.
# * Measure on a second device. Which ratios stay, and which do not?
# * If the hardware has a counter, claim `optimized/energy_ratio`, and say which part of the machine it counts.
#
# ## Literature
#
# * B. Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, CVPR 2018.
# * A. Howard et al.: *MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications*, 2017.
# * S. Han, H. Mao, W. Dally: *Deep Compression*, ICLR 2016.
# * D. Blalock et al.: *What is the State of Neural Network Pruning?*, MLSys 2020 (how papers compare, and how they should).
# * T. Hoefler, R. Belli: *Scientific Benchmarking of Parallel Computing Systems*, SC 2015.
