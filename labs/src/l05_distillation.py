# %% [markdown]
# # Lab 5 · Knowledge distillation
#
# **You will ship** two files of one network for handwritten digits that a larger one has taught: `student.tflite` (at most **2 %** of its teacher's
# multiply-accumulates, 5 % at full scale, and a few points behind it) and `int8.tflite` (the same in 8-bit integers). On the way you find out *when*
# a teacher helps: with a hundred labels, with all of them, with other signals than its answers, and when the student has been pruned or quantized.
#
# That the teacher below has taught them shows in their answers: for the **wrong** classes, which no label tells them, a student's logits follow its
# teacher's. The grader measures their correlation (`measure.fidelity`): about 0.77 after distillation, 0.5 to 0.6 without, and below 0.62 a file earns nothing.
#
# *75 minutes. A laptop is enough; at the default quick scale everything together takes a minute or two.*

# %%
# %xmode Minimal
from contextlib import closing
from dataclasses import replace

import numpy as np
from checks import l05 as check
from matplotlib import pyplot as plt
from scipy import stats

from projectkit import data, distill, export, measure, models, prune, runtimes, scale, submit, train
from projectkit.models.cost import macs
from projectkit.prune import schedules
from projectkit.quantize import qat
from projectkit.types import Recipe, Split

LAB = "l05_distillation"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, WIDTHS, EPOCHS, RECIPE, SMALL, GOAL, SEEDS = {  # RECIPE: of every student
    "quick": ("digits", (48, 96, 192), 10, Recipe(epochs=5, batch_size=32, learning_rate=1e-2), (4, 8, 16), 0.02, (0, 1, 2)),
    "full": ("mnist", (32, 64, 128), 3, Recipe(epochs=2, batch_size=64, learning_rate=1e-2), (6, 12, 24), 0.05, (0, 1, 2)),
    # For the tests of this notebook:
    "smoke": ("digits", (48, 96, 192), 1, Recipe(epochs=2, batch_size=256, learning_rate=1e-2), (4, 8, 16), 0.02, (0,)),
}[scale.current()]

dataset = data.load(DATASET)
validation = dataset.val.take(1000)
teacher = models.build("convnet", dataset, widths=WIDTHS)
train.fit(teacher, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
answers = distill.teacher_logits(teacher, dataset.train, cache=f"{WORK}/teacher")  # once for all: (images, classes)


def fresh(seed):
    """A small untrained network."""
    return models.build("convnet", dataset, seed=seed, widths=SMALL)


whole = train.accuracy(teacher, validation)
print(f"teacher: {whole:.1%} of the validation images, {macs(teacher):,} multiply-accumulates")
print(f"student: {macs(fresh(0)):,} multiply-accumulates")

# %% [markdown]
# ### Predict first
#
# The small network learns from 100 labelled images. How many per cent of the validation images will it get right? And when a teacher also gives its
# answers for all *other* training images, which have no labels? And how many points does the teacher add when all images have labels?
# Write it down; nobody grades it.

# %%
prediction = {"100 labels": 50.0, "100 labels and a teacher": 50.0, "points, all labels": 5.0}

# %% [markdown]
# ## 1 · Soft targets and temperature
#
# A label says *3*. A trained network says more: *3, a little of 5, and surely no 1*. It is hard to see at first, because a trained network is very
# sure. Divide the logits by a **temperature** $T$ before the softmax, and the small probabilities come up:
#
# $$p_c = \frac{e^{z_c / T}}{\sum_k e^{z_k / T}}$$


# %%
def soften(logits, temperature):
    """The probabilities (n, classes) of logits (n, classes) at a temperature."""
    # begin solution: Exercise 1: divide by the temperature, subtract each row's largest number (exp must not overflow), exp, divide each row by its sum
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
    # end solution


check.soften(soften)

# %%
soft = soften(answers, 4.0)
entropy = -(soft * np.log(soft)).sum(axis=1)
entropy[answers.argmax(axis=1) != dataset.train.y] = 0  # only images that the teacher gets right
digit = entropy.argmax()

figure, axes = plt.subplots(1, 4, figsize=(10, 2.4), layout="constrained", width_ratios=(1, 2, 2, 2))
axes[0].imshow(dataset.train.x[digit, ..., 0], cmap="gray_r")
axes[0].set_axis_off()
axes[0].set_title(f"label {dataset.classes[dataset.train.y[digit]]}", fontsize=10)
for axis, temperature in zip(axes[1:], (1, 4, 10)):
    axis.bar(dataset.classes, 100 * soften(answers[[digit]], temperature)[0], color="tab:blue")
    axis.set(title=f"T = {temperature}", ylim=(0, 100), ylabel="probability in %")
    axis.title.set_fontsize(10)
plt.show()

print("   T   the label's probability, mean over the training images   all others together")
for temperature in (1, 2, 4, 10):
    of_label = soften(answers, temperature)[np.arange(len(answers)), dataset.train.y].mean()
    print(f"{temperature:4}   {of_label:52.1%}   {1 - of_label:19.1%}")

# %% [markdown]
# **How to read it.** The picture shows the training image about which the teacher is least sure among those that it gets right. The order of the bars
# is the same at every temperature; only the contrast changes. At $T = 1$ most answers say no more than the label, at $T = 10$ all classes have similar
# probabilities. Temperatures between the two show what the teacher knows about the *wrong* classes.
#
# ## 2 · The distillation loss and its gradient
#
# Hinton, Vinyals and Dean (2015) mix the labels with the softened answers of the teacher:
#
# $$L = (1 - \alpha) \cdot \text{cross-entropy}(\text{labels})
#     + \alpha\, T^2 \cdot \frac1n \sum_{\text{images}} \sum_c p_c \ln \frac{p_c}{q_c},$$
#
# $p$ being the teacher's and $q$ the student's probabilities, both at temperature $T$. The cross-entropy is that of the student at $T = 1$.


# %%
def soft_loss(student_logits, teacher_logits, labels, temperature, alpha):
    """L of logits (n, classes) and labels (n,)."""
    # begin solution: Exercise 2: the mean of −ln of the student's probability of the label; the mean over the images of Σ p (ln p − ln q); then L
    hard = -np.log(soften(student_logits, 1.0)[np.arange(len(labels)), labels]).mean()
    p, q = soften(teacher_logits, temperature), soften(student_logits, temperature)
    divergence = (p * (np.log(p) - np.log(q))).sum(axis=1).mean()
    return (1 - alpha) * hard + alpha * temperature**2 * divergence
    # end solution


check.soft_loss(soft_loss)

# %% [markdown]
# Why $T^2$? Look at the gradient of $L$ with respect to the student's logits. For cross-entropy it is $(\text{softmax}(z) - \text{one-hot
# label}) / n$. That of the divergence has the same form, $(q - p) / (n\,T)$, where one factor $1/T$ comes from $z / T$. Multiply it by $\alpha\,T^2$.


# %%
def gradient(student_logits, teacher_logits, labels, temperature, alpha):
    """The gradient of L with respect to the student's logits: (n, classes)."""
    # begin solution: Exercise 2: (1 − α) times the gradient of the cross-entropy plus α T² times that of the divergence
    count, classes = student_logits.shape
    of_labels = soften(student_logits, 1.0) - np.eye(classes)[labels]
    of_teacher = temperature * (soften(student_logits, temperature) - soften(teacher_logits, temperature))
    return ((1 - alpha) * of_labels + alpha * of_teacher) / count
    # end solution


check.gradient(gradient, soft_loss)

# %%
some = dataset.train.take(300)
untrained = train.logits(fresh(0), some.x).astype(np.float64)
temperatures = np.geomspace(1, 64, 13)
norms = [np.linalg.norm(gradient(untrained, answers[:300].astype(np.float64), some.y, T, 1.0)) for T in temperatures]
plt.figure(figsize=(9, 2.6), layout="constrained")
plt.plot(temperatures, norms, "o-", label="with T²")
plt.plot(temperatures, norms / temperatures**2, "o-", color="tab:orange", label="without")
plt.loglog()
plt.xticks([1, 2, 4, 8, 16, 32, 64], [1, 2, 4, 8, 16, 32, 64])
plt.xlabel("temperature")
plt.ylabel("norm of the gradient")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** Both axes are logarithmic. Without the factor the teacher's gradient vanishes as the temperature rises, and the labels would
# dominate whatever $\alpha$ is. With it, the gradient levels off: at a high temperature the student learns the *differences of the teacher's logits*
# (`distill.LOSSES["logit_matching"]`).

# %% [markdown]
# ## 3 · What the teacher adds, with few labels and with all
#
# Three students of one architecture and one seed: **alone** on the labels; with **label smoothing**, which takes 10 % of the probability from the label
# and spreads it evenly, like a teacher that knows nothing; and **taught**. Once with 100 labels, once with all. With 100 labels the teacher can be asked
# about these images only, or about all: for its answers no labels are needed. (It has seen all labels itself. Think of a network that was bought, or whose
# data are gone.) Every student takes equally many steps.
#
# Three seeds are few, so look at *pairs*: $d$ = taught − alone for each seed. Their mean has the 95 % interval
#
# $$\bar d \pm t\,\frac{s}{\sqrt n}, \qquad s \text{ the sample standard deviation of } d, \quad t \text{ the 97.5 % quantile of Student's t with } n - 1.$$


# %%
def interval(differences):
    """(mean, half): the 95 % interval of differences (n,) is mean ± half."""
    # begin solution: Exercise 3: the mean; s with np.std(…, ddof=1), t with stats.t.ppf(0.975, n − 1)
    count = len(differences)
    return np.mean(differences), stats.t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / np.sqrt(count)
    # end solution


check.interval(interval)


# %%
def alone(seed, training_set, smoothing=0.0):
    """A student that has learned from labels."""
    model = fresh(seed)
    train.fit(model, training_set, replace(RECIPE, seed=seed, label_smoothing=smoothing), progress=False)
    return model


def taught(seed, training_set, source, **options):
    """A student that has learned from a teacher, a model or its logits, and from the labels that there are."""
    model = fresh(seed)
    distill.distill(model, source, training_set, replace(RECIPE, seed=seed), progress=False, **options)
    return model


def repeated(training_set):
    """The images of `training_set` again and again, so that its epochs have as many steps as those of the whole set."""
    index = np.resize(np.arange(len(training_set.train)), len(dataset.train))
    return replace(training_set, train=Split(training_set.train.x[index], training_set.train.y[index]))


students, hundreds = {}, []
for seed in SEEDS:
    few = distill.hide_labels(dataset, keep=100, seed=seed)  # the other labels become −1
    hundred = repeated(distill.labelled(few))
    known = distill.teacher_logits(teacher, hundred.train)
    hundreds.append((hundred, known))
    for name, student in {
        "100 labels: alone": alone(seed, hundred),
        "100 labels: smoothed": alone(seed, hundred, smoothing=0.1),
        "100 labels: taught on these": taught(seed, hundred, known),
        "100 labels: taught on all images": taught(seed, few, answers),
        "all labels: alone": alone(seed, dataset),
        "all labels: smoothed": alone(seed, dataset, smoothing=0.1),
        "all labels: taught": taught(seed, dataset, answers),
    }.items():
        students.setdefault(name, []).append(student)
shares = {name: np.array([train.accuracy(one, validation) for one in line]) for name, line in students.items()}


# %%
def show(shares, baselines):
    """A dot for each seed, a bar for their mean; what each row gains over its baseline, in a picture and in words."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 1 + 0.33 * len(shares)), layout="constrained", sharey=True)
    for row, (name, values) in enumerate(shares.items()):
        left.plot(100 * values, [row] * len(values), "o", color="tab:blue", alpha=0.6)
        left.plot(100 * values.mean(), row, "|", color="black", markersize=16)
        if name == baselines[name]:
            continue
        mean, half = interval(100 * (values - shares[baselines[name]]))
        right.errorbar(mean, row, xerr=half, fmt="o", color="tab:orange", capsize=3)
        verdict = "above" if mean > half else "below" if mean < -half else "not clearly different from"
        print(f"{name:34} {100 * values.mean():5.1f} %  {mean:+5.1f} ± {half:4.1f} points: {verdict} {baselines[name]!r}")
    left.axvline(100 * whole, color="gray", linestyle=":")
    right.axvline(0, color="gray", linewidth=1)
    left.set(xlabel="accuracy in %; dotted: the teacher", yticks=range(len(shares)), yticklabels=shares)
    right.set_xlabel("points gained, 95 % interval")
    left.set_ylim(len(shares) - 0.5, -0.5)
    plt.show()


show(shares, {name: name.split(":")[0] + ": alone" for name in shares})
gain = 100 * (shares["all labels: taught"] - shares["all labels: alone"]).mean()
truths = [100 * shares[name].mean() for name in ("100 labels: alone", "100 labels: taught on all images")]
for (name, guess), truth in zip(prediction.items(), [*truths, gain]):
    print(f"{name:28} predicted {guess:5.1f}   measured {truth:5.1f}")

# %% [markdown]
# **How to read it.** Read the interval, not the mean: where it crosses 0, these three seeds do not show that the teacher helps. Look first at
# "taught on all images": how much of its gain over "alone" is there already in "taught on these"? That part comes from the teacher's answers for the
# same images; the rest comes from more *images*, for which its answers replace the missing labels. With **all** labels of an easy set, a plain and a distilled student
# usually do not differ by more than noise: see whether your last line agrees. Papers that show a gain there have harder data and longer training.
#
# So does `benchmarks/distillation.py`: on CIFAR-10, after ten epochs on all labels, a ResNet-8 is right on 76.8 % of the test images, and on 79.4 % when a
# ResNet-20 (85.9 %) teaches it: +2.6 points, 95 % interval 0.9 to 4.2 over three seeds.
#
# ## 4 · Decoupled distillation, attention transfer, self-distillation
#
# **Decoupled distillation** (Zhao et al., 2022) splits the divergence exactly in two: how sure the teacher is of the label, and how it ranks *the others*:
#
# $$\text{KL}(p \,\|\, q) = \underbrace{\text{KL}\big((p_y, 1 - p_y) \,\|\, (q_y, 1 - q_y)\big)}_{\text{target}}
#     + (1 - p_y) \cdot \underbrace{\text{KL}(\hat p \,\|\, \hat q)}_{\text{others}},$$
#
# $\hat p$ and $\hat q$ being without the label $y$, scaled to sum to 1. Where the teacher is sure, the factor $1 - p_y$ suppresses what it knows about the
# others; so they weight the two parts separately.


# %%
def parts(student_logits, teacher_logits, labels, temperature):
    """sure, target, others: p of the label and the two divergences of each image, (n,) each."""
    # begin solution: Exercise 4: p and q; their entries of the label; KL of (p, 1 − p) and (q, 1 − q); KL of the rest, after setting these entries to 0 and scaling each row (np.delete row by row works, too)
    p, q = soften(teacher_logits, temperature), soften(student_logits, temperature)
    mine = np.eye(p.shape[1], dtype=bool)[labels]
    sure, guess = p[mine], q[mine]
    target = sure * np.log(sure / guess) + (1 - sure) * np.log((1 - sure) / (1 - guess))
    rest_p, rest_q = (rows[~mine].reshape(len(rows), -1) for rows in (p, q))
    rest_p, rest_q = (rows / rows.sum(axis=1, keepdims=True) for rows in (rest_p, rest_q))
    return sure, target, (rest_p * np.log(rest_p / rest_q)).sum(axis=1)
    # end solution


check.parts(parts)

# %% [markdown]
# **Attention transfer** (Zagoruyko and Komodakis, 2017) does not ask what the teacher answers but where it *looks*: for each place of a layer, the sum of the
# squared channels, each image's map scaled to Euclidean length 1. So the student may have any number of channels; only height and width must agree.


# %%
def attention(features):
    """The maps (n, height, width) of features (n, height, width, channels)."""
    # begin solution: Exercise 4: square, sum over the channels, divide each image's map by the root of the sum of its squares
    maps = (features**2).sum(axis=3)
    return maps / np.sqrt((maps**2).sum(axis=(1, 2), keepdims=True))
    # end solution


check.attention(attention)

# %%
LAYER = "re_lu_1"
look = distill.Match(LAYER, LAYER, distill.FEATURE_LOSSES["attention_transfer"], weight=500.0)
on_these = "100 labels: taught on these"
signals = {"soft targets": students[on_these], "decoupled": [], "soft targets and attention": []}
for seed, (hundred, known) in zip(SEEDS, hundreds):
    signals["decoupled"].append(taught(seed, hundred, known, loss=distill.LOSSES["decoupled"], warm_up=2))
    signals["soft targets and attention"].append(taught(seed, hundred, teacher, features=[look]))
of_signals = {name: np.array([train.accuracy(one, validation) for one in line]) for name, line in signals.items()}
show(of_signals, dict.fromkeys(of_signals, "soft targets"))


def features_of(model, images):
    import tf_keras as keras

    return keras.Model(model.input, model.get_layer(LAYER).output).predict(images, verbose=0)


watched = validation.x[:4]
rows = {"image": watched[..., 0], "teacher": attention(features_of(teacher, watched))}
for name in ("soft targets", "soft targets and attention"):
    rows[name] = attention(features_of(signals[name][0], watched))
figure, axes = plt.subplots(len(rows), len(watched), figsize=(6, 5.6), layout="constrained")
for (name, maps), line in zip(rows.items(), axes):
    for axis, one in zip(line, maps):
        axis.imshow(one, cmap="gray_r" if name == "image" else "viridis")
        axis.set(xticks=[], yticks=[])
    line[0].set_ylabel(name.replace(" and ", "\nand "), rotation=0, ha="right", va="center")
plt.show()

# %% [markdown]
# **How to read it.** All three learned from the same hundred images. The intervals show what these three seeds can show (a part of any difference may come
# from the weights of the losses: `decoupled` weights the others by 8, soft targets weight everything by 0.9). The maps show what the third loss did: do those of the last row resemble the
# teacher's more than those above them? A student that looks where its teacher looks is not necessarily more accurate.
#
# Published, accuracy in % on CIFAR-100, all labels, 240 epochs (Tian et al., 2020; the last column Zhao et al., 2022):
#
# | teacher → student | teacher | alone | soft targets | FitNets | attention | decoupled |
# |---|---|---|---|---|---|---|
# | ResNet-56 → ResNet-20 | 72.34 | 69.06 | 70.66 | 69.21 | 70.55 | 71.97 |
# | ResNet-110 → ResNet-32 | 74.31 | 71.14 | 73.08 | 71.06 | 72.31 | 74.11 |
# | VGG-13 → VGG-8 | 74.64 | 70.36 | 72.98 | 71.02 | 71.43 | 74.68 |
#
# **Self-distillation.** What if the teacher is no larger than the student? "Born-again" networks (Furlanello et al., 2018): generation 0 learns from the
# labels; each next one has the same architecture, fresh weights, and the one before as its teacher.

# %%
line = []
for seed, generation in zip(SEEDS, students["all labels: alone"]):  # generation 0
    accuracies = [train.accuracy(generation, validation)]
    # begin solution: Exercise 4: twice, let a fresh student be taught by the generation before (on `dataset`; give each another seed, for example seed + 10), and append its accuracy
    for number in (1, 2):
        generation = taught(seed + 10 * number, dataset, generation)
        accuracies.append(train.accuracy(generation, validation))
    # end solution
    line.append(accuracies)
check.generations(line)
of_generations = {f"generation {number}": values for number, values in enumerate(np.array(line).T)}
show(of_generations, dict.fromkeys(of_generations, "generation 0"))

# %% [markdown]
# **How to read it.** No generation saw anything that the first had not. What a later one gains can only come from softer targets; what it loses, from its
# teacher's mistakes and uncertainty, which have nine times the weight of the labels, and from targets that take more than these few epochs to learn.
# `distill.born_again` does the same in one call.
#
# ## 5 · Distillation for pruned and quantized networks
#
# A network that has been pruned or quantized is a student, too, and the best teacher is at hand: the original network. First **pruning**: 97 % of the
# teacher's work is removed (Lab 3), and 100 labels are left for fine-tuning. Then **quantization**: a student that rounds while it trains (Lab 1).

# %%
cut = schedules.one_shot(teacher, prune.SCORES["l1"], schedules.ratio_for_macs(teacher, 0.97), dataset).model
fine_tuning = replace(RECIPE, epochs=max(1, RECIPE.epochs // 2), learning_rate=4e-3)
fine_tuned = {"fine-tuned on 100 labels": [], "taught by the original network": []}
for seed, (hundred, _) in zip(SEEDS, hundreds):
    few, twins = distill.hide_labels(dataset, keep=100, seed=seed), [models.copy(cut) for _ in range(2)]
    train.fit(twins[0], hundred, replace(fine_tuning, seed=seed), progress=False)
    distill.distill(twins[1], answers, few, replace(fine_tuning, seed=seed), progress=False)
    for row, twin in zip(fine_tuned.values(), twins):
        row.append(train.accuracy(twin, validation))
print(
    f"pruned to {macs(cut) / macs(teacher):.1%} of the work: {train.accuracy(cut, validation):.1%} recalibrated, before fine-tuning"
)
show({name: np.array(values) for name, values in fine_tuned.items()}, dict.fromkeys(fine_tuned, "fine-tuned on 100 labels"))

# %% [markdown]
# Your turn: the student that you hand in. It has all labels, the teacher, and as many epochs as you like to wait for.

# %%
# begin solution: Exercise 5: make `best`, a network with at most GOAL of the teacher's multiply-accumulates, by whatever you have found to work
best = fresh(0)
distill.distill(best, answers, dataset, replace(RECIPE, epochs=3 * RECIPE.epochs), progress=False)
# end solution
check.small_enough(macs(best) / macs(teacher), train.accuracy(best, validation), whole, at_most=GOAL)
check.taught(measure.fidelity(train.logits(best, validation.x), train.logits(teacher, validation.x), validation.y).value)

# %%
calibration = dataset.train.x[:200]
slower = replace(RECIPE, epochs=max(1, RECIPE.epochs // 2), learning_rate=2e-3)
rounding = {name: qat.prepare(best, calibrate=calibration) for name in ("labels", "teacher")}
train.fit(rounding["labels"], dataset, slower, progress=False)
# begin solution: Exercise 5: train rounding["teacher"] by the same recipe with distill.distill and the teacher's answers
distill.distill(rounding["teacher"], answers, dataset, slower, progress=False)
# end solution

files = {"teacher": export.write(teacher, f"{WORK}/teacher.tflite", compare=validation.x)}
files["student"] = export.write(best, f"{WORK}/student.tflite", compare=validation.x)
files["int8, calibrated"] = export.write(
    best, f"{WORK}/calibrated.tflite", precision="int8", calibrate=calibration, compare=validation.x
)
for name, aware in rounding.items():
    files[f"int8, {name}"] = export.write(aware, f"{WORK}/int8_{name}.tflite", precision="int8", compare=validation.x)
artifacts = [file.artifact for file in files.values()]
profiles = dict(zip(files, measure.compare(artifacts, validation, baseline=artifacts[0], budget=0.5)))
values = {name: {metric: one.value for metric, one in profile.values.items()} for name, profile in profiles.items()}
print("                   accuracy      kB  bits per weight  latency, relative to the teacher")
for name, value in values.items():
    print(f"{name:18} {value['accuracy']:8.1%} {value['size'] / 1000:7.1f}", end=" ")
    print(f"{value['weight_bits']:15.1f} {value['latency_ratio']:10.2f}")
rounded = values["int8, teacher"]
check.eight_bits(rounded["weight_bits"], rounded["accuracy"], values["student"]["accuracy"])

# %% [markdown]
# **How to read it.** The pruned network is the case of section 3 again: a few labels, many images, a teacher that answers for the rest. For the rounded one
# compare the last three lines: eight bits hardly cost a well-trained network any accuracy, so there is hardly any loss that the teacher could recover; one of the
# 180 validation images at quick scale is worth 0.6 points. And a small file has fixed parts, as has a short run: with eight bits it has more than a quarter
# of the bytes, and is not always faster.
#
# ## Ship it


# %%
def accuracy_of(exported):
    with closing(runtimes.open(exported.artifact)) as session:
        return measure.accuracy(session.run(validation.x), validation.y).value


def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


drawn = my_inputs("soft_targets")
probabilities = soften(drawn["logits"], float(drawn["temperature"]))
of_label = np.eye(probabilities.shape[1], dtype=bool)[drawn["labels"]]
loss_inputs = my_inputs("soft_loss")
logits = [loss_inputs[name] for name in ("student", "teacher", "labels")]
T, alpha = float(loss_inputs["temperature"]), float(loss_inputs["alpha"])
pairs = my_inputs("paired_gain")
gain, half = interval(pairs["taught"] - pairs["plain"])
both = np.array([interval(pairs[name])[1] for name in ("plain", "taught")])
split = my_inputs("decoupled_parts")
sure, target, others = parts(split["student"], split["teacher"], split["labels"], float(split["temperature"]))
features = {name: array.astype(np.float64) for name, array in my_inputs("attention_maps").items()}
maps = {name: attention(array) for name, array in features.items()}

exercises = {
    "soft_targets": {
        "probabilities": probabilities,
        "entropy": -(probabilities * np.log(probabilities)).sum(axis=1),
        "not_the_label": 1 - probabilities[of_label],
        "runner_up": np.where(of_label, 0, probabilities).argmax(axis=1),
    },
    "soft_loss": {
        "cross_entropy": soft_loss(*logits, T, 0.0),
        "divergence": soft_loss(*logits, T, 1.0) / T**2,
        "loss": soft_loss(*logits, T, alpha),
        "slope": gradient(*logits, T, alpha),
    },
    "paired_gain": {
        "gain": gain,
        "low": gain - half,
        "high": gain + half,
        "unpaired": np.sqrt((both**2).sum()),
        "seeds": np.sum(pairs["taught"] > pairs["plain"]),
    },
    "decoupled_parts": {"sure": sure, "target": target, "others": others, "whole": target + (1 - sure) * others},
    "attention_maps": {
        "student_map": maps["student"],
        "teacher_map": maps["teacher"],
        "loss": np.mean((maps["student"] - maps["teacher"]) ** 2),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={"student": files["student"].artifact.path, "int8": files["int8, teacher"].artifact.path},
    answers=exercises,
    claims={"student/accuracy": accuracy_of(files["student"]), "int8/accuracy": accuracy_of(files["int8, teacher"])},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * Sweep the temperature and $\alpha$ on the hundred images. Is there one best pair, or a wide valley?
# * A wrong teacher: train one on labels of which a third are false (Lab 13). Does its student learn the noise?
# * Which student learns best: make it half and twice as wide. Is there a teacher that is *too* good (Mirzadeh et al., below)?
# * Match relations instead of maps: `distill.FEATURE_LOSSES["relational"]` on the layer `global_average_pooling2d`, weight 25.
# * On CIFAR-10 a ResNet-20 teaches a ResNet-8 in `benchmarks/distillation.py`, three seeds with intervals. What does it say of section 3?
#
# ## Literature
#
# * J. Ba and R. Caruana: *Do Deep Nets Really Need to be Deep?*, NeurIPS 2014 (logit matching).
# * G. Hinton, O. Vinyals, J. Dean: *Distilling the Knowledge in a Neural Network*, 2015.
# * A. Romero et al.: *FitNets: Hints for Thin Deep Nets*, ICLR 2015.
# * S. Zagoruyko and N. Komodakis: *Paying More Attention to Attention*, ICLR 2017.
# * T. Furlanello et al.: *Born-Again Neural Networks*, ICML 2018.
# * W. Park et al.: *Relational Knowledge Distillation*, CVPR 2019.
# * R. Müller, S. Kornblith, G. Hinton: *When Does Label Smoothing Help?*, NeurIPS 2019.
# * S. I. Mirzadeh et al.: *Improved Knowledge Distillation via Teacher Assistant*, AAAI 2020.
# * Y. Tian, D. Krishnan, P. Isola: *Contrastive Representation Distillation*, ICLR 2020 (the table's comparison).
# * B. Zhao et al.: *Decoupled Knowledge Distillation*, CVPR 2022.
