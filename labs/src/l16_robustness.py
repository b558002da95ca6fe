# %% [markdown]
# # Lab 16 · Adversarial and corruption robustness
#
# **You will ship** two files of networks that go on recognizing digits while somebody changes every pixel by up to 10 %: `robust.tflite`, and
# `robust_small.tflite` in 8-bit integers. The grader attacks the files themselves, as a **black box**: it sees answers, but no gradients. So gradient
# masking earns nothing; on the way you will build such a defense and see it fail. You will also prove a radius in which no attack can succeed, and
# measure what corruptions such as fog, and pruning, do to robustness.
#
# Both are convolutional networks that look at the image as it is. Rounding the image before the first layer hides small changes without any robustness of
# the network; the grader moves a grey value from black to white, and refuses files whose answers jump.
#
# *90 minutes. A laptop is enough; at the default quick scale everything together takes a minute or two.*

# %%
# %xmode Minimal
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np
from checks import l16 as check
from matplotlib import pyplot as plt
from scipy import stats

from projectkit import data, distill, export, measure, models, prune, robustness, runtimes, scale, submit, train
from projectkit.prune import schedules
from projectkit.robustness import losses
from projectkit.types import Recipe

LAB = "l16_robustness"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, RECIPE, WIDTHS, SEEDS, IMAGES = {
    "quick": ("digits", Recipe(epochs=8, learning_rate=4e-3), (16, 32, 64), (0, 1, 2), 200),
    "full": ("mnist", Recipe(epochs=2, learning_rate=2e-3), (16, 32, 64), (0, 1, 2), 200),
    "smoke": ("digits", Recipe(epochs=1, learning_rate=4e-3), (8, 16, 32), (0, 1), 40),  # for the tests of this notebook
}[scale.current()]
EPSILON = 0.1

dataset = data.load(DATASET)
dataset = replace(dataset, train=dataset.train.take(20_000))
images = dataset.val.take(IMAGES)
calibration = dataset.train.x[:200]


def fresh(seed):
    """An untrained network."""
    return models.build("convnet", dataset, seed=seed, widths=WIDTHS)


def learned(model, seed):
    """The same model, trained on clean images."""
    train.fit(model, dataset, replace(RECIPE, seed=seed), progress=False)
    return model


def accuracy(model, x=images.x):
    """The share of the images of which the label has the largest logit, with its interval."""
    return measure.accuracy(robustness.logits(model, x), images.y)


plain = [learned(fresh(seed), seed) for seed in SEEDS]
print("trained on clean images:", ", ".join(f"{accuracy(model).value:.1%}" for model in plain))

# %% [markdown]
# ### Predict first
#
# How many per cent of the validation images does such a network still get right when each pixel may change by at most $\varepsilon = 0.1$ (white is 1) and
# an attack chooses the change? And when the change is random? And, under attack, a network that was trained on attacks? Write it down; nobody grades it.

# %%
prediction = {"attack": 50.0, "random change": 50.0, "attack, robust training": 50.0}

# %% [markdown]
# ## 1 · Adversarial examples: FGSM and PGD
#
# Training asks: how does the loss change with the *weights*? An attack asks the same of the *image*. Near $x$ the loss is almost linear,
# $L(x + \delta) \approx L(x) + \delta \cdot \nabla_x L$, and of all $\delta$ with $|\delta_i| \le \varepsilon$ the one that raises it most has every pixel at
# its limit: $\delta = \varepsilon \cdot \text{sign}(\nabla_x L)$. That is **FGSM** (Goodfellow et al., 2015). Where the loss is not linear, **PGD** (Madry
# et al., 2018) takes many smaller steps and goes back into the ball of radius $\varepsilon$ round the image after each.


# %%
def step_linf(point, gradient, x, step, epsilon):
    """One step of size `step` from `point` along the sign of `gradient`, then back to |x′ − x| ≤ epsilon and into [0, 1]."""
    # begin solution: Exercise 1: point + step · sign(gradient); clip to [x − epsilon, x + epsilon]; clip to [0, 1]
    moved = point + step * np.sign(gradient)
    return np.clip(np.clip(moved, x - epsilon, x + epsilon), 0.0, 1.0)
    # end solution


check.step_linf(step_linf)


# %%
def step_l2(point, gradient, x, step, radius):
    """One step along each image's gradient divided by its length; into [0, 1]; then no farther from x than `radius`. (n, height, width, channels)"""

    # begin solution: Exercise 1: divide each image's gradient by the root of the sum of its squares; move; clip to [0, 1]; multiply the change by min(1, radius / its length)
    def length(changes):
        return np.sqrt((changes**2).sum(axis=(1, 2, 3), keepdims=True))

    change = np.clip(point + step * gradient / length(gradient), 0.0, 1.0) - x
    return x + change * np.minimum(1.0, radius / length(change))
    # end solution


check.step_l2(step_l2)


# %%
def pgd(model, x, y, epsilon, steps=20):
    """PGD from x: `steps` steps of 2.5 · epsilon / steps each; the last point."""
    # begin solution: Exercise 1: start at x; in every step get the gradient with robustness.gradient(model, losses.cross_entropy, point, y)[0], then take step_linf
    point = x
    for _ in range(steps):
        gradient, _, _ = robustness.gradient(model, losses.cross_entropy, point, y)
        point = step_linf(point, gradient, x, 2.5 * epsilon / steps, epsilon)
    return point
    # end solution


def at_random(model, x, y, epsilon):
    """Every pixel up or down by epsilon, at random."""
    return x + epsilon * np.random.default_rng(0).choice([-1.0, 1.0], x.shape)


check.pgd(pgd, plain[0], images)

# %%
adversarial = pgd(plain[0], images.x, images.y, EPSILON)
answers = robustness.logits(plain[0], adversarial).argmax(axis=1)
fooled = np.flatnonzero(answers != images.y)[:5]
figure, axes = plt.subplots(3, 5, figsize=(8, 5), layout="constrained")
for column, number in zip(axes.T, fooled):
    shown = images.x[number], adversarial[number] - images.x[number], adversarial[number]
    for axis, picture, (low, high) in zip(column, shown, ((0, 1), (-EPSILON, EPSILON), (0, 1))):
        axis.imshow(picture[..., 0], cmap="gray_r" if high == 1 else "RdBu", vmin=low, vmax=high)
        axis.set(xticks=[], yticks=[])
    column[0].set_title(dataset.classes[images.y[number]])
    column[2].set_title(dataset.classes[answers[number]])
for axis, name in zip(axes[:, 0], ("image\nand label", "change", "changed image\nand predicted\nclass")):
    axis.set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()

radii = np.array([0, 0.25, 0.5, 0.75, 1, 1.5, 2]) * EPSILON
plt.figure(figsize=(9, 3), layout="constrained")
for name, attack in {"at random": at_random, "FGSM": partial(pgd, steps=1), "PGD": pgd}.items():
    found = [robustness.evaluate(plain[0], images.x, images.y, attack, epsilon, norm="linf") for epsilon in radii]
    values = np.array([one.value for one in found])
    bars = [values - [one.low for one in found], [one.high for one in found] - values]
    plt.errorbar(radii, 100 * values, yerr=100 * np.array(bars), fmt="o-", capsize=3, label=name)
    print(f"{name:10} ε = {EPSILON:g}: {found[4].value:.1%} [{found[4].low:.1%} to {found[4].high:.1%}]")
plt.xlabel("ε, the largest change of a pixel")
plt.ylabel("accuracy in %")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** A person reads the changed digits as before. Random changes of the same size lower the accuracy far less, if at all: what matters is the
# *direction*. Note how it is counted: `robustness.evaluate` puts every changed image back into the ball and counts an image only if it was right before,
# too, so that no attack gains by leaving the ball and no network by luck.
#
# ## 2 · Adversarial training
#
# If such images fool the network, train on them: in every step, attack the batch, then learn from the attacked batch. It is a min-max problem, $\min_\theta \, \mathbb{E} \,
# \max_{\|\delta\|_\infty \le \varepsilon} L(\theta, x + \delta)$, and the best known defense (Madry et al., 2018). It costs as many passes as the attack
# has steps, and some clean accuracy. `robustness.TRAININGS` has cheaper and more expensive variants.

# %%
TRAIN_EPSILON = 1.5 * EPSILON  # train for a little more than is tested
hardened = []
for seed in SEEDS:
    # begin solution: Exercise 2: a fresh network of this seed; robustness.pgd_training with `dataset`, the recipe of this seed, epsilon=TRAIN_EPSILON and progress=False; append it
    model = fresh(seed)
    robustness.pgd_training(model, dataset, replace(RECIPE, seed=seed), epsilon=TRAIN_EPSILON, progress=False)
    hardened.append(model)
    # end solution
check.hardened(hardened, plain, images, EPSILON)

# %%
strongest = partial(robustness.strongest, steps=20, targets=3, queries=200)
attacks = {
    "FGSM": robustness.fgsm,
    "PGD, 40 steps": robustness.pgd,
    "Square, 300 queries": partial(robustness.square, queries=300),
    "strongest": strongest,
}


def accuracy_under(attack, model):
    """The share of the images that the model gets right before and after the attack."""
    return robustness.evaluate(model, images.x, images.y, attack, EPSILON).value


rows = {"no attack": [[accuracy(model).value for model in line] for line in (plain, hardened)]}
for name, attack in attacks.items():
    rows[name] = [[accuracy_under(attack, model) for model in line] for line in (plain, hardened)]
print(f"accuracy at ε = {EPSILON:g}, mean [least, most] of {len(SEEDS)} seeds")
print(f"{'trained on:':24} {'clean images':>24} {'attacks':>24}")
for name, pair in rows.items():
    cells = [f"{np.mean(line):.1%} [{min(line):.1%}, {max(line):.1%}]" for line in pair]
    print(f"{name:24} {cells[0]:>24} {cells[1]:>24}")
of_random = robustness.evaluate(plain[0], images.x, images.y, at_random, EPSILON, norm="linf").value
truths = np.mean(rows["PGD, 40 steps"][0]), of_random, np.mean(rows["PGD, 40 steps"][1])
for (name, guess), truth in zip(prediction.items(), truths):
    print(f"{name:24} predicted {guess:5.1f}   measured {100 * truth:5.1f}")

# %% [markdown]
# **How to read it.** Read down a column: every attack gives an *upper* bound of the robust accuracy, so the lowest number is the best estimate. `strongest`
# is an ensemble of attacks: two losses with gradients, and Square, which uses none; an image counts only if all three fail (in the spirit of AutoAttack,
# Croce and Hein, 2020). The first row shows the clean accuracy that robustness costs.
#
# ## 3 · Gradient masking: defenses that only look robust
#
# Now a cheap defense: multiply the logits by 1000. No answer changes. Cross-entropy is $-\ln \text{softmax}(z)_y$, and of a network that is so sure its slope is
# exactly 0 in 32-bit numbers: PGD does not move. The network is not harder to fool, only its gradients are masked. Two losses without this weakness:
# the **margin** of the label, $z_y - \max_{i \ne y} z_i$, and the *difference of logits ratio* (DLR, below `ratio`), which no factor changes:
#
# $$\text{DLR}(z, y) = -\frac{z_y - \max_{i \ne y} z_i}{z_{(1)} - z_{(3)}}, \qquad z_{(k)} \text{ the } k\text{-th largest logit.}$$


# %%
def of_logits(logits, labels):
    """cross_entropy, margin, ratio: (n,) each, of logits (n, classes)."""
    # begin solution: Exercise 3: ln Σ exp(z) − z_y after subtracting each row's largest; z_y − the largest of the others (set z_y to −∞ in a copy); −margin / (largest − third largest)
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    cross_entropy = np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]
    others = logits.copy()
    others[rows, labels] = -np.inf
    margin = logits[rows, labels] - others.max(axis=1)
    ordered = np.sort(logits, axis=1)
    return cross_entropy, margin, -margin / (ordered[:, -1] - ordered[:, -3])
    # end solution


check.of_logits(of_logits)

# %%
import tf_keras as keras

scaled = keras.Model(plain[0].input, keras.layers.Rescaling(1000.0)(plain[0].output))
padded = robustness.defended(plain[0], robustness.TRANSFORMATIONS["resize_and_pad"], seed=0)
attacks_on_scaled = {
    "PGD on cross-entropy": robustness.pgd,
    "PGD on the ratio": partial(robustness.pgd, loss=losses.difference_of_logits_ratio),
    "Square": attacks["Square, 300 queries"],
}
print(f"accuracy at ε = {EPSILON:g}            as it is  logits × 1000")
for name, attack in attacks_on_scaled.items():
    print(f"{name:24} " + "  ".join(f"{accuracy_under(attack, model):12.1%}" for model in (plain[0], scaled)))
print("\nSigns of gradient masking in the scaled network:")
for finding in robustness.signs_of_masking(scaled, images.x, images.y, EPSILON):
    print("✗" if finding.suspicious else " ", finding.sentence)
both = {"undefended": plain[0], "padded": padded}
transfer = robustness.transfer(both, images.x, images.y, pgd, EPSILON, norm="linf", sources=["undefended"])
print("\nimages resized and padded at random before the network sees them:")
print(f"{accuracy(padded).value:.1%} without attack, {accuracy_under(attacks_on_scaled['Square'], padded):.1%} under Square,")
print(f"{transfer['undefended']['padded'].value:.1%} on images made to fool the network *without* that transformation")

# %% [markdown]
# **How to read it.** By its first row the second network looks very robust; the others show that it is not. (The ratio is not the stronger loss on the unscaled
# network, but scaling does not mask it: so `strongest` uses both.) Most defenses of
# 2017 and 2018 were broken like this one (Athalye, Carlini and Wagner, 2018): rounding, random transformations, saturated outputs. Their lesson is a list of warning
# signs: one step beats many, a black box beats gradients, an unlimited $\varepsilon$ does not bring the accuracy to 0, gradients are exactly 0. The random
# transformation disturbs Square's search; the images made for the undefended network still fool it. A defense is only as good as the *best* attack that was tried on it.
#
# ## 4 · Certified robustness (randomized smoothing) and common corruptions
#
# No attack can *prove* robustness. **Randomized smoothing** (Cohen et al., 2019) can: ask the network about $n$ copies of the image with Gaussian noise of
# standard deviation $\sigma$ and let them vote. If the winner has a true share of at least $p > \frac12$, then it also wins for every image at a Euclidean
# distance below
#
# $$R = \sigma \, \Phi^{-1}(p).$$
#
# The true share is unknown; $k$ hits of $n$ bound it from below, wrongly with probability $\alpha$ at most: the $\alpha$ quantile of the beta distribution with
# $k$ and $n - k + 1$ (Clopper and Pearson, 1934).


# %%
def proven(hits, n, sigma, alpha):
    """bound, radius of `hits` (m,) of n copies each; where the bound is 1/2 or less nothing is proven: radius 0."""
    # begin solution: Exercise 4: stats.beta.ppf(alpha, hits, n − hits + 1); then sigma · stats.norm.ppf(bound) where bound > 0.5, else 0
    bound = stats.beta.ppf(alpha, hits, n - hits + 1)
    return bound, np.where(bound > 0.5, sigma * stats.norm.ppf(bound), 0.0)
    # end solution


check.proven(proven)

# %%
SIGMA, COPIES = 0.25, 300
noisy = fresh(0)
robustness.noise_training(noisy, dataset, RECIPE, sigma=SIGMA, progress=False)
few = images.take(100)
plt.figure(figsize=(9, 2.8), layout="constrained")
ways = {"trained on clean images": plain[0], "trained on attacks": hardened[0], "trained with noise": noisy}
for name, model in ways.items():
    certificate = robustness.certify(model, few.x, sigma=SIGMA, n=COPIES)
    radii = np.linspace(0, 0.75, 76)
    plt.step(radii, [100 * certificate.accuracy(few.y, radius).value for radius in radii], label=name)
    at = certificate.accuracy(few.y, 0.3)
    print(f"{name:24} proven right within 0.3: {at.value:.1%} [{at.low:.1%} to {at.high:.1%}] of {at.n} images")
plt.xlabel("radius R, Euclidean")
plt.ylabel("proven right, in %")
plt.legend()
plt.show()

# %% [markdown]
# Any network can be certified; how far depends on its accuracy under noise. The lines end where even $n$ hits of $n$ prove no more: more copies, larger radii.
#
# Noise, blur or fog are not chosen by an attacker, but they are not limited to a ball either. **Common corruptions**
# (Hendrycks and Dietterich, 2019): fifteen kinds at five severities. Each kind's errors are summed over the severities and divided by those of a reference
# network; the mean of these ratios over the kinds, in per cent, is **mCE**.


# %%
def corruption_error(errors, reference):
    """100 · Σ over severities of the errors (kinds, severities) / the same of the reference: (kinds,)."""
    # begin solution: Exercise 4: sum over the last axis before you divide, not after
    return 100 * errors.sum(axis=1) / reference.sum(axis=1)
    # end solution


check.corruption_error(corruption_error)

# %%
kinds, severities = robustness.COMMON, (1, 2, 3, 4, 5)
errors = {"clean images": [], "attacks": [], "noise": []}
for kind in kinds:
    changed = [robustness.CORRUPTIONS[kind](images.x, severity, np.random.default_rng(severity)) for severity in severities]
    for line, model in zip(errors.values(), (plain[0], hardened[0], noisy)):
        line.append([1 - accuracy(model, x).value for x in changed])
errors = {name: np.array(line) for name, line in errors.items()}

figure, axes = plt.subplots(1, len(kinds), figsize=(11, 1.4), layout="constrained")
for axis, kind in zip(axes, kinds):
    shown = robustness.CORRUPTIONS[kind](images.x[:1], 4, np.random.default_rng(4))
    axis.imshow(shown[0, ..., 0], cmap="gray_r", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.set_title(kind.replace("_", "\n"), fontsize=8)
plt.show()
plt.figure(figsize=(11, 3), layout="constrained")
for shift, name in ((-0.2, "attacks"), (0.2, "noise")):
    ratios = corruption_error(errors[name], errors["clean images"])
    plt.bar(np.arange(len(kinds)) + shift, ratios, width=0.4, label=f"trained on {name}")
    print(f"trained on {name:8} mCE {ratios.mean():5.1f} % of the errors of the network trained on clean images")
plt.axhline(100, color="gray", linewidth=1)
plt.xticks(range(len(kinds)), [kind.replace("_", "\n") for kind in kinds], fontsize=8)
plt.ylabel("errors, in % of\nthe reference's")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** The certificate holds against *all* attacks, future ones too, but its radius is small: compare it with the length of a change of
# $\varepsilon$ in every pixel, $\varepsilon \sqrt{\text{pixels}}$. In the last picture a bar below 100 is a corruption under which the training has lowered the
# errors, above 100 one under which it has raised them. On natural images such trainings help against noises and are known to raise the errors under fog and
# contrast (Ford et al., 2019): see whether these digits agree. One number cannot describe robustness.
#
# ## 5 · Robustness of compressed networks
#
# Does compression cost robustness? Five versions of one adversarially trained network: as it is; in **int8**; **pruned** to half of its work (Lab 3) and fine-tuned on clean
# images, or on attacked ones; and a fresh network **distilled** from it (Lab 5) on clean images. Then images made to fool one version are shown to the others.

# %%
half = schedules.one_shot(hardened[0], prune.SCORES["l1"], schedules.ratio_for_macs(hardened[0], 0.5), dataset).model
short = replace(RECIPE, epochs=max(1, RECIPE.epochs // 2), learning_rate=2e-3)
versions = {"as it is": hardened[0]}
versions["pruned, clean images"] = learned(models.copy(half), 0)
versions["pruned, attacked images"] = models.copy(half)
robustness.pgd_training(versions["pruned, attacked images"], dataset, short, epsilon=TRAIN_EPSILON, progress=False)
versions["distilled"] = fresh(1)
distill.distill(versions["distilled"], hardened[0], dataset, RECIPE, progress=False)
versions["clean images only"] = plain[0]
file = export.write(hardened[0], f"{WORK}/int8.tflite", precision="int8", calibrate=calibration, compare=images.x)
versions["int8"] = runtimes.open(file.artifact)

print(f"ε = {EPSILON:g}                      no attack      Square [95 % interval]")
for name, model in versions.items():
    found = robustness.evaluate(model, images.x, images.y, attacks["Square, 300 queries"], EPSILON)
    print(f"{name:24} {accuracy(model).value:12.1%} {found.value:12.1%} [{found.low:.1%} to {found.high:.1%}]")


# %%
def robust_accuracy(before, after):
    """The share of the images about which a network is right `before` (n,) and `after` (…, n) the attacks: (…,)."""
    # begin solution: Exercise 5: both must be true; then the mean over the last axis
    return (before & after).mean(axis=-1)
    # end solution


check.robust_accuracy(robust_accuracy)

# %%
sources = [name for name in versions if name != "int8"]  # a file has no gradients
matrix = np.zeros((len(sources), len(versions)))
for row, source in enumerate(sources):
    x_adv = robustness.project(pgd(versions[source], images.x, images.y, EPSILON), images.x, EPSILON, "linf")
    for column, target in enumerate(versions.values()):
        before, after = (robustness.margins(robustness.logits(target, x), images.y) > 0 for x in (images.x, x_adv))
        matrix[row, column] = robust_accuracy(before, after)

plt.figure(figsize=(8, 4), layout="constrained")
plt.imshow(100 * matrix, cmap="viridis", vmin=0, vmax=100)
for (row, column), value in np.ndenumerate(matrix):
    plt.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color="white" if value < 0.6 else "black")
plt.xticks(range(len(versions)), [name.replace(" ", "\n") for name in versions], fontsize=9)
plt.yticks(range(len(sources)), [f"made on: {name}" for name in sources], fontsize=9)
plt.title("accuracy in %", fontsize=10)
plt.show()
versions["int8"].close()

# %% [markdown]
# **How to read it.** With 200 images the intervals of the table are about ±6 points: smaller differences say nothing. Compare the two pruned networks: is it
# the pruning that costs robustness, or the fine-tuning on clean images? The distilled one was never trained on attacks. In the matrix, each *column* is a network
# under attack. On the diagonal are its own adversarial examples; where those of another network lower its accuracy *more*, its own gradients are masked.
# Rounding to eight bits masks gradients, too (they are zero almost everywhere), so an int8 file is attacked through its float original, or by black box, as the grader does.
# And images made on the clean network hardly fool the adversarially trained ones: attacks transfer best between networks that were trained alike.
#
# Your turn: the two networks that you hand in. The robust one may have any size; the small one is a file of 8-bit integers. More width, more epochs or
# another member of `robustness.TRAININGS` all help, and so do a few steps of the attack more.

# %%
# begin solution: Exercise 5: make `best`, a wider network (for example widths=(32, 64, 128)) trained on attacks for longer (epochs=12 at quick scale), and `small`, one to be exported to int8 (hardened[0] will do)
best = models.build("convnet", dataset, seed=0, widths=(32, 64, 128))
robustness.pgd_training(best, dataset, replace(RECIPE, epochs=RECIPE.epochs * 3 // 2), epsilon=TRAIN_EPSILON, progress=False)
small = hardened[0]
# end solution
files = {
    "robust": export.write(best, f"{WORK}/robust.tflite", compare=images.x),
    "robust_small": export.write(small, f"{WORK}/robust_small.tflite", precision="int8", calibrate=calibration, compare=images.x),
}
measured = {}
for slot, file in files.items():
    with closing(runtimes.open(file.artifact)) as session:
        clean = accuracy(session).value
        measured[slot] = clean, accuracy_under(attacks["Square, 300 queries"], session)
    print(f"{slot:14} {clean:.1%} without attack, {measured[slot][1]:.1%} under Square,", end=" ")
    print(f"{file.artifact.size / 1000:.1f} kB")
check.robust_files(measured)

# %% [markdown]
# The grader does the same, on images that you have not seen, with its own random numbers, and after Square with a second attack that sees only the class that the
# file predicts. So it measures a little less than you do.
#
# ## Ship it


# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


drawn = my_inputs("attack_steps")
x, point, gradient = (drawn[name][..., None] for name in ("x", "point", "gradient"))
epsilon, step, radius = (float(drawn[name]) for name in ("epsilon", "step", "radius"))
of_losses = my_inputs("attack_losses")
cross_entropy, margin, ratio = of_logits(of_losses["logits"], of_losses["labels"])
votes = my_inputs("certificates")
n, sigma, alpha = int(votes["n"]), float(votes["sigma"]), float(votes["alpha"])
bound, proven_radius = proven(votes["hits"], n, sigma, alpha)
measured_errors = my_inputs("corruption_errors")
ce = corruption_error(measured_errors["errors"], measured_errors["reference"])
relative = corruption_error(
    measured_errors["errors"] - measured_errors["clean"], measured_errors["reference"] - measured_errors["clean_reference"]
)
shown = my_inputs("transferred")
before, after = shown["clean"] == 1, shown["attacked"] == 1
matrix = np.stack([robust_accuracy(before, line) for line in after])  # (source, target)
of_others = matrix + 2 * np.eye(4)  # without a network's own images

exercises = {
    "attack_steps": {
        "fgsm": step_linf(x, gradient, x, epsilon, epsilon)[..., 0],
        "pgd": step_linf(point, gradient, x, step, epsilon)[..., 0],
        "l2": step_l2(point, gradient, x, step, radius)[..., 0],
    },
    "attack_losses": {
        "cross_entropy": cross_entropy,
        "lead": margin,
        "ratio": ratio,
        "fooled": np.sum(margin < 0),
        "scaled": of_logits(1000 * of_losses["logits"], of_losses["labels"])[2],
    },
    "certificates": {
        "bound": bound,
        "radius": proven_radius,
        "certified": np.mean((votes["correct"] == 1) & (proven_radius > votes["asked"])),
        "most": proven(np.array([n]), n, sigma, alpha)[1][0],
    },
    "corruption_errors": {
        "ce": ce,
        "mce": ce.mean(),
        "relative": relative,
        "relative_mce": relative.mean(),
        "worst": ce.argmax(),
    },
    "transferred": {
        "matrix": matrix,
        "together": robust_accuracy(before, after.all(axis=0)),
        "source": of_others.argmin(axis=0),
        "masked": (of_others.min(axis=0) - np.diag(matrix)).argmin(),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={slot: file.artifact.path for slot, file in files.items()},
    answers=exercises,
    claims={f"{slot}/accuracy": clean for slot, (clean, _) in measured.items()},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * `robustness.trades` weights accuracy against robustness by β. Draw clean against robust accuracy for β = 1, 3, 6, 10: is there a best one?
# * `robustness.fgsm_training` costs a third. Train with `epsilon=0.3` and compare its accuracy under its own one step with that under PGD: where does the difference come from?
# * Attack with other norms: `robustness.carlini_wagner` and `robustness.deepfool` (Euclidean), `robustness.jsma` (few pixels). Does training in one help in the others?
# * One change for all images: `robustness.universal`. How large must it be to fool the network on half of them?
# * Prune the adversarially trained network further (Lab 3): when does its robustness fall, and when its accuracy?
#
# ## Literature
#
# * I. Goodfellow, J. Shlens, C. Szegedy: *Explaining and Harnessing Adversarial Examples*, ICLR 2015.
# * N. Papernot et al.: *The Limitations of Deep Learning in Adversarial Settings*, EuroS&P 2016.
# * N. Carlini, D. Wagner: *Towards Evaluating the Robustness of Neural Networks*, S&P 2017.
# * A. Madry et al.: *Towards Deep Learning Models Resistant to Adversarial Attacks*, ICLR 2018.
# * A. Athalye, N. Carlini, D. Wagner: *Obfuscated Gradients Give a False Sense of Security*, ICML 2018.
# * J. Cohen, E. Rosenfeld, Z. Kolter: *Certified Adversarial Robustness via Randomized Smoothing*, ICML 2019.
# * D. Hendrycks, T. Dietterich: *Benchmarking Neural Network Robustness to Common Corruptions and Perturbations*, ICLR 2019.
# * H. Zhang et al.: *Theoretically Principled Trade-off between Robustness and Accuracy*, ICML 2019.
# * M. Andriushchenko et al.: *Square Attack*, ECCV 2020.
# * F. Croce, M. Hein: *Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks*, ICML 2020.
# * N. Ford et al.: *Adversarial Examples Are a Natural Consequence of Test Error in Noise*, ICML 2019.
# * E. Wong, L. Rice, Z. Kolter: *Fast is Better than Free*, ICLR 2020.
