# %% [markdown]
# # Lab 7 · Architecture search with distillation
#
# **You will ship** `student.tflite`, a network of a few thousand parameters that a large one has taught and whose architecture was searched *with the teacher*, and
# `study.json`, the search. Lab 5 had a teacher and a student designed by hand; Lab 6 searched without a teacher. Does it help to combine the two?
#
# *75 minutes. A laptop is enough; at the default quick scale everything together takes about a minute and a half.*

# %%
# %xmode Minimal
import functools
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
from checks import l07 as check
from matplotlib import pyplot as plt

from projectkit import data, distill, export, measure, models, nas, scale, submit, train
from projectkit.models.cost import macs
from projectkit.nas import table
from projectkit.types import Recipe

optuna.logging.set_verbosity(optuna.logging.WARNING)
LAB = "l07_nas_distillation"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
DATASET, IMAGES, EPOCHS, TEACHING, TRIALS = {
    "quick": ("digits", 1077, 12, 8, 6),
    "full": ("mnist", 12_000, 3, 3, 6),
    "smoke": ("digits", 256, 1, 1, 2),  # for the tests of this notebook
}[scale.current()]
MY_SEED = sum(ME.encode())
SEEDS = (MY_SEED, MY_SEED + 1, MY_SEED + 2)  # your own, so that no two students train the same networks

dataset = data.load(DATASET)
dataset, classes = replace(dataset, train=dataset.train.take(IMAGES)), len(dataset.classes)
teacher = models.build("convnet", dataset, widths=(32, 64, 128))
train.fit(teacher, dataset, Recipe(epochs=TEACHING, learning_rate=2e-3), progress=False)
answers_of_teacher = distill.teacher_logits(teacher, dataset.train)
whole = train.accuracy(teacher, dataset.val)
print(f"teacher: {whole:.1%} on the validation images, {macs(teacher):,} multiply-accumulates")

# %% [markdown]
# ### Predict first
#
# A few small architectures are trained twice: on the labels, and by the teacher. Will the order be the same? Put a number on it, Kendall's τ: 1 the same order, 0 none
# in common. And what is worth more for the same number of epochs: to search with the teacher, to search first and distil after it, or to distil one
# sensible student for all of them? Write it down; nobody grades it.

# %%
prediction = {"τ of labels and teacher": 0.8, "best": "search with the teacher"}

# %% [markdown]
# ## 1 · The objective: accuracy after distillation
#
# In a search with a teacher, an architecture is worth what it can **learn from the teacher**: the accuracy after training with Hinton's loss, at a temperature $T$,
#
# $$(1-\alpha)\, \text{CE}(\text{labels}) + \alpha\, T^2\, \text{KL}\big(\text{softmax}(t/T)\,\|\,\text{softmax}(s/T)\big).$$


# %%
def kd_loss(student, teacher, labels, temperature, alpha):
    """The loss of logits (n, classes), twice, and labels (n,): the mean over the images."""
    # begin solution: Exercise 1: cross-entropy from the log-softmax of the student; KL from the softmaxes at the temperature; weigh them as above

    def log_softmax(logits):
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    hard = -log_softmax(student)[np.arange(len(labels)), labels].mean()
    ours, theirs = log_softmax(student / temperature), log_softmax(teacher / temperature)
    soft = (np.exp(theirs) * (theirs - ours)).sum(axis=1).mean()
    return (1 - alpha) * hard + alpha * temperature**2 * soft
    # end solution


check.kd_loss(kd_loss)

# %% [markdown]
# `distill.distill` trains with it, and `train.fit` on the labels alone; the rest of the recipe is the same.


# %%
def fresh(architecture, seed):
    import tf_keras as keras

    keras.utils.set_random_seed(seed)
    return nas.build(architecture, dataset.shape, classes)


def learn(architecture, seed, *, taught=True, epochs=EPOCHS):
    """(model, validation accuracy after each epoch)"""
    model, recipe = fresh(architecture, seed), Recipe(epochs=epochs, batch_size=32, learning_rate=0.01, seed=seed)
    if taught:
        loss = functools.partial(distill.LOSSES["hinton"], temperature=4.0, alpha=0.9)
        history = distill.distill(model, answers_of_teacher, dataset, recipe, loss=loss, progress=False)
    else:
        history = train.fit(model, dataset, recipe, progress=False)
    return model, history.val_accuracy


BY_HAND = {"digits": (nas.Block(8), nas.Block(16, stride=2)), "mnist": tuple(nas.Block(width, 5, 2) for width in (8, 16, 16))}
by_hand = nas.Architecture(BY_HAND[DATASET])  # a student designed by hand
for taught in (False, True):
    runs = [100 * learn(by_hand, seed, taught=taught)[1][-1] for seed in SEEDS]
    print(
        f"{by_hand}, {'taught' if taught else 'labels'}: {np.mean(runs):.1f} % ({min(runs):.1f} to {max(runs):.1f}, three seeds)"
    )

# %% [markdown]
# ## 2 · Rewards for accuracy and latency
#
# A student must also be fast. MnasNet (2019) multiplies: $\text{accuracy} \cdot (\text{latency}/\text{target})^w$. With $w = -0.07$ twice the latency must bring about 5 % more
# accuracy (relative); a *hard* version leaves what meets the target as it is and punishes the rest with $w = -1$.


# %%
def soft_reward(accuracy, latency, target, w=-0.07):
    """accuracy · (latency / target)^w; accuracy and latency may be arrays."""
    # begin solution: Exercise 2: the formula
    return accuracy * (latency / target) ** w
    # end solution


def hard_reward(accuracy, latency, target):
    """The accuracy itself up to the target; above, accuracy · target / latency."""
    # begin solution: Exercise 2: np.where(latency <= target, …, …), or a minimum with 1
    return accuracy * np.minimum(1, target / latency)
    # end solution


check.rewards(soft_reward, hard_reward)

# %% [markdown]
# ## 3 · Architecture search with the teacher
#
# A tiny space, so that we can look at all of it afterwards: two blocks, each with 4 or 16 filters and stride 1 or 2 (at full scale three or four of stride 2). Each trial is taught, exported, and its *file* is
# timed in turn with a fixed reference. Both goals go to NSGA-II; the rewards choose from its front.

# %%
CHOICES = {  # larger images need to be made smaller before the mean
    "quick": {"depth": (2,), "kernel": (3,), "stride": (1, 2)},
    "smoke": {"depth": (2,), "kernel": (3,), "stride": (2,)},
    "full": {"depth": (3, 4), "kernel": (5,), "stride": (2,)},
}
SPACE = nas.Space(**CHOICES[scale.current()], filters=(4, 16), depthwise=(False,), activation=("relu",), skip=(False,))
every = list(SPACE.architectures())
fixed = nas.write_reference(Path(WORK) / "reference.tflite", dataset.val.x, classes)
known = {}  # (digest, seed) → what the training found, so that nothing is trained twice


def taught_once(architecture, seed):
    """What a taught training found."""
    key = architecture.digest, seed
    if key not in known:
        model, curve = learn(architecture, seed)
        known[key] = {"curve": curve, "test": train.accuracy(model, dataset.test), "weights": model.get_weights()}
    return known[key]


def evaluate(architecture, trial):
    """Validation accuracy of the taught student, and the latency of its file over that of the reference."""
    found = taught_once(architecture, MY_SEED)
    model = fresh(architecture, MY_SEED)
    model.set_weights(found["weights"])
    file = export.write(model, f"{WORK}/{architecture.digest}.tflite", compare=dataset.val.x[:100])
    latency = measure.compare_latency(file.artifact, fixed, dataset.val.x[:100], budget=0.1)
    print(f"trial {trial.number}: {found['curve'][-1]:.1%}, latency × {latency.value:.2f}  {architecture}")
    return found["curve"][-1], latency.value


sampler = nas.SAMPLERS["nsga2"](SPACE.genes(), seed=MY_SEED, population=4)
study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
run = nas.objective(SPACE, evaluate, shape=dataset.shape, classes=classes)
nas.search(study, run, trials=TRIALS + 2)  # of different architectures: one that comes again costs nothing

# %%
accuracies, latencies = np.array([trial.values for trial in study.trials]).T
target = np.median(latencies)
figure, axis = plt.subplots(figsize=(9, 3.2), layout="constrained")
on_front = [trial.number for trial in study.best_trials]
axis.plot(latencies, 100 * accuracies, "o", color="lightgray")
axis.plot(latencies[on_front], 100 * accuracies[on_front], "o", color="tab:blue", label="the front")
x = np.linspace(0.9 * latencies.min(), 1.05 * latencies.max(), 100)
for reward, name, color in ((soft_reward, "soft", "tab:orange"), (hard_reward, "hard", "tab:red")):
    best = int(np.argmax(reward(accuracies, latencies, target)))
    level = reward(accuracies, latencies, target)[best] / reward(np.ones_like(x), x, target)
    axis.plot(x, 100 * level, color=color, linewidth=1, label=f"as good as trial {best} for the {name} reward")
    axis.plot(latencies[best], 100 * accuracies[best], "o", color=color, markersize=12, fillstyle="none")
axis.axvline(target, color="gray", linestyle=":")
axis.set(xlabel="latency of the file, relative to the reference", ylabel="accuracy when taught, %")
axis.set_ylim(100 * accuracies.min() - 3, 101)
axis.legend()
plt.show()

# %% [markdown]
# **How to read it.** A dot is a trial, the dotted line the target, here the median latency. A curve joins all points of the same reward; the circle is the trial with the
# highest. The hard reward does not depend on the latency to the left of the line. Would another target have chosen another?

# %%
# begin solution: Exercise 3: choose a trial of study.best_trials, for example the fastest of those within two points of the best accuracy
enough = max(trial.values[0] for trial in study.best_trials) - 0.02
chosen = min((trial for trial in study.best_trials if trial.values[0] >= enough), key=lambda trial: trial.values[1])
# end solution
check.chosen(chosen, study, whole)

# %% [markdown]
# ## 4 · Cheap scores (proxies) for the accuracy
#
# Every trial costs a training. Could something that costs almost nothing predict the outcome? Candidates: the number of parameters; the **similarity of the features**
# of teacher and *untrained* student (CKA, which compares two sets of features of the same images whatever their width); the accuracy after **one epoch** of teaching;
# and the accuracy after training on the labels, which is not cheap, but what a search without a teacher would have followed.
#
# $$\text{CKA}(A, B) = \frac{\lVert A^\top B\rVert^2}{\lVert A^\top A\rVert\,\lVert B^\top B\rVert} \quad\text{(columns centred, Frobenius norms)}$$


# %%
def cka(a, b):
    """The similarity of features (n, p) and (n, q) of the same n images, in [0, 1]."""
    # begin solution: Exercise 4: subtract each column's mean, then the formula
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    # end solution


def kendall(score, outcome):
    """(concordant pairs − discordant pairs) / all pairs, of (n,) and (n,). A pair that is equal in one of the two counts as neither."""
    # begin solution: Exercise 5: over all pairs (itertools.combinations), the mean of the sign of the product of the two differences
    pairs = itertools.combinations(range(len(score)), 2)
    return float(np.mean([np.sign((score[a] - score[b]) * (outcome[a] - outcome[b])) for a, b in pairs]))
    # end solution


check.cka(cka)
check.kendall(kendall)


# %%
def features(model, images):
    """The output of the layer before the logits, (n, features)."""
    import tf_keras as keras

    return keras.Model(model.input, model.layers[-1].input)(images, training=False).numpy()


def untrained_cka(architecture, seed):
    return cka(features(fresh(architecture, seed), some), of_teacher)


def plain_accuracy(architecture):
    """Validation accuracy without a teacher; on digits it was measured before, by the same recipe."""
    if DATASET == "digits":
        return table.load().lookup(architecture).accuracy
    return learn(architecture, MY_SEED, taught=False)[1][-1]


some = dataset.train.x[:256]
of_teacher = features(teacher, some)
outcome = np.mean([[taught_once(one, seed)["curve"][-1] for one in every] for seed in SEEDS], axis=0)
plain = np.array([plain_accuracy(one) for one in every])
scores = {
    "parameters": [nas.cost(one, dataset.shape, classes).parameters for one in every],
    "CKA, untrained": np.mean([[untrained_cka(one, seed) for one in every] for seed in SEEDS], axis=0),
    "one epoch taught": [taught_once(one, MY_SEED)["curve"][0] for one in every],
    "labels only": plain,
    "another seed, taught": [taught_once(one, MY_SEED + 1)["curve"][-1] for one in every],
}
of_one_seed = np.array([taught_once(one, MY_SEED)["curve"][-1] for one in every])
tau = {name: kendall(score, of_one_seed) for name, score in scores.items()}
chance = 1.96 * np.sqrt(2 * (2 * len(every) + 5) / (9 * len(every) * (len(every) - 1)))
for name, value in tau.items():
    print(f"{name:22} τ = {value:+.2f}")
print(
    f"scores without any information lie within ±{chance:.2f}; labels only was predicted at {prediction['τ of labels and teacher']}"
)

figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
axes[0].plot(100 * plain, 100 * outcome, "o")
limits = [100 * min(plain.min(), outcome.min()) - 2, 101]
axes[0].plot(limits, limits, color="gray", linestyle=":")
axes[0].set(xlabel="accuracy on labels only, %", ylabel="accuracy when taught, %, three seeds")
axes[1].barh(list(tau), list(tau.values()), color="tab:blue")
axes[1].axvspan(-chance, chance, color="gray", alpha=0.2)
axes[1].set(xlabel="Kendall's τ with the accuracy when taught, one seed", xlim=(-1, 1))
axes[1].invert_yaxis()
plt.show()

# %% [markdown]
# **How to read it.** Left: each dot is an architecture; above the dotted line the teacher has helped, below it has done harm: a network too small to imitate it can lose
# accuracy in few epochs. Right: how well each score predicts the order of the outcome; inside the gray band it may be chance. The last bar is about the best that a
# score can do: the same training with another seed.
#
# ## 5 · Comparison at an equal number of epochs
#
# Three ways to spend the same number of epochs, each limited to the work of the student drawn by hand: **(a)** six trials with the teacher, the best is the student;
# **(b)** five trials on the labels, then the best is taught; **(c)** the student by hand is taught for six times as many epochs. The result of a search depends on what it
# happens to draw, so (a) and (b) are drawn 300 times.

# %%
limit = nas.cost(by_hand, dataset.shape, classes).macs
allowed = [index for index, one in enumerate(every) if nas.cost(one, dataset.shape, classes).macs <= limit]
tests = {"search with the teacher": [], "search, then teach": [], "by hand, taught longer": []}
rng = np.random.default_rng(0)
for seed in SEEDS:
    of_taught = np.array([taught_once(one, seed)["curve"][-1] for one in every])
    test = np.array([taught_once(one, seed)["test"] for one in every])
    draws = [rng.choice(allowed, TRIALS, replace=False) for _ in range(300)]
    tests["search with the teacher"].append(100 * np.mean([test[drawn[np.argmax(of_taught[drawn])]] for drawn in draws]))
    tests["search, then teach"].append(100 * np.mean([test[drawn[np.argmax(plain[drawn[1:]]) + 1]] for drawn in draws]))
    model, _ = learn(by_hand, seed, epochs=TRIALS * EPOCHS)
    tests["by hand, taught longer"].append(100 * train.accuracy(model, dataset.test))

plt.figure(figsize=(9, 2), layout="constrained")
for row, (name, values) in enumerate(tests.items()):
    plt.plot(values, [row] * 3, "o", color="tab:blue", alpha=0.6)
    plt.plot(np.mean(values), row, "|", color="black", markersize=16)
    print(
        f"{name:24} {np.mean(values):.2f} % on the test images ({min(values):.2f} to {max(values):.2f}, three seeds of training)"
    )
plt.yticks(range(3), tests)
plt.gca().invert_yaxis()
plt.xlabel("test accuracy in %, equal numbers of epochs, at most equal work")
plt.show()
winner = max(tests, key=lambda name: np.mean(tests[name]))
print(f"{len(allowed)} of {len(every)} architectures were allowed; predicted best: {prediction['best']}, measured best: {winner}")

# %% [markdown]
# **How to read it.** A dot is one seed of training (for the searches the mean over 300 draws), the bar the mean of three. Where the dots of two rows interleave, three
# seeds cannot order them. Note the third row: searches should not only be compared with each other, because the same epochs can also train one
# sensible network for longer.
#
# ## Ship it
#
# The study is held against the file as in Lab 6, and your instructor may have two of its other trials trained again.

# %%
student = f"{WORK}/{chosen.user_attrs['digest']}.tflite"
exported = nas.export_study(study, f"{WORK}/study.json")


def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


offered = my_inputs("latency_reward")
soft = soft_reward(offered["accuracy"], offered["latency"], offered["target"], offered["w"])
hard = hard_reward(offered["accuracy"], offered["latency"], offered["target"])
ranked = my_inputs("kendall")
own_tau = kendall(ranked["score"], ranked["outcome"])
tops = [set(np.argsort(ranked[name])[-4:]) for name in ("score", "outcome")]
asked = my_inputs("distilled_objective")
logits = asked["student_logits"], asked["teacher_logits"]

answers = {
    "latency_reward": {"soft": soft, "hard": hard, "best_soft": np.argmax(soft), "best_hard": np.argmax(hard)},
    "kendall": {"concordant": round((own_tau + 1) / 2 * 91), "tau": own_tau, "top": len(tops[0] & tops[1])},
    "distilled_objective": {
        "loss": kd_loss(*logits, asked["labels"], float(asked["temperature"]), float(asked["alpha"])),
        "agreement": np.mean(logits[0].argmax(axis=1) == logits[1].argmax(axis=1)),
        "cka": cka(asked["student_features"], asked["teacher_features"]),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={"student": student},
    answers=answers,
    claims={"student/accuracy": chosen.values[0]},
    study=exported,
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * Let another teacher teach, smaller or trained for one epoch only. Does the search choose another student? (AKD, below, says that it should.)
# * Hide all but 100 labels (Lab 5) and repeat section 5. Where is the teacher worth most?
# * Widen the space to three blocks, depthwise ones and skips, and give the search an hour with `projectkit search`.
# * Combine two cheap scores: train only the four architectures that both put in front. What is lost?
#
# ## Literature
#
# * Y. Liu et al.: *Search to Distill: Pearls Are Everywhere but Not the Eyes*, CVPR 2020 (AKD: the reward is what the student learns from its teacher).
# * C. Li et al.: *Block-wisely Supervised Neural Architecture Search with Knowledge Distillation*, CVPR 2020 (DNA: each block learns the teacher's features).
# * M. Tan et al.: *MnasNet: Platform-Aware Neural Architecture Search for Mobile*, CVPR 2019.
# * G. Hinton, O. Vinyals, J. Dean: *Distilling the Knowledge in a Neural Network*, 2015.
# * S. Kornblith et al.: *Similarity of Neural Network Representations Revisited*, ICML 2019 (CKA).
# * L. Dudziak, M. Abdelfattah et al.: *Zero-Cost Proxies for Lightweight NAS*, ICLR 2021.
