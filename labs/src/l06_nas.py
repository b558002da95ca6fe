# %% [markdown]
# # Lab 6 · Architecture search
#
# **You will ship** `best.tflite`, a network for handwritten digits that a search has designed, and `study.json`, that search. The grader counts and
# measures the file and compares it with what the study says about it: a wrong claim earns nothing.
#
# *90 minutes. A laptop is enough; at the default quick scale everything together takes about a minute and a half.*

# %%
# %xmode Minimal
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
from checks import l06 as check
from matplotlib import pyplot as plt
from optuna.visualization import matplotlib as pictures
from scipy.stats import kendalltau
from scipy.stats import t as students_t

from projectkit import data, export, measure, nas, scale, submit, train
from projectkit.nas import supernet, table
from projectkit.nas.genes import mutate, uniform
from projectkit.types import Recipe

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the pictures
LAB = "l06_nas"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
BUDGET, SEEDS, SHARED, TRIALS, DATASET, IMAGES, EPOCHS = {  # SHARED: epochs of the supernet
    "quick": (50, 12, 20, 8, "digits", 1077, 6),
    "full": (50, 30, 20, 8, "mnist", 20_000, 2),
    "smoke": (20, 2, 1, 3, "digits", 300, 1),  # for the tests of this notebook
}[scale.current()]

benchmark = table.load()  # every architecture of a small space, trained once
genes = table.SPACE.genes()
print(
    f"{len(benchmark.entries)} architectures, the best has {benchmark.best.accuracy:.1%} on the validation images: {benchmark.best.architecture}"
)

# %% [markdown]
# ### Predict first
#
# Ten search strategies are compared with random search; each may evaluate 50 different architectures of a few hundred. How many of them are *clearly* better? What share of
# the training epochs can be saved by stopping bad trials early? Write it down; nobody grades it.

# %%
prediction = {"clearly better": 5, "epochs saved": 0.5}

# %% [markdown]
# ## 1 · The search space and a tabular benchmark
#
# A **search space** says what may be chosen: here the depth, and for each block its filters, its stride and, where the shapes allow one, a skip. The skip is a
# **conditional** parameter: it exists only in a block after the first that has stride 1 and as many filters as its input has channels. A trial chooses, the
# choices make an architecture, the architecture makes a network; what it costs is known before any training.

# %%
trial = optuna.trial.FixedTrial({"depth": 2, "filters_0": 8, "stride_0": 1, "filters_1": 8, "stride_1": 1, "skip_1": True})
architecture = table.SPACE.sample(trial)
print(architecture, nas.cost(architecture, table.SHAPE, table.CLASSES), sep="\n")


# %% [markdown]
# How many architectures are there? One block has (filters · strides) choices. A later one has one more: the skip.


# %%
def size(depths, filters, strides):
    """The number of architectures.

    depths: the depths that may be chosen, for example (1, 2, 3); filters, strides: how many choices a block has of each, one
    stride being 1. In a block after the first, stride 1 with the filters of the block before may have a skip or not.
    """
    # begin solution: Exercise 1: for each depth multiply the choices of its blocks, filters·strides for the first and one more for each later; add up
    block = filters * strides
    return sum(block * (block + 1) ** (depth - 1) for depth in depths)
    # end solution


check.size(size)
print(
    f"this space {size((1, 2, 3), 3, 2):,}; twenty blocks with 5 widths {size((20,), 5, 2):.1e}, at a second each {size((20,), 5, 2) / 3.15e7:.0e} years"
)

# %% [markdown]
# Where training all is possible, it can be done once and looked up ever after. That is a **tabular benchmark** (after NAS-Bench-101, and a thousand times
# smaller): all architectures of this space, trained on the digits for 12 epochs, with their curves. A search on it takes milliseconds, and can be repeated
# from thirty seeds, so that a better strategy can be distinguished from luck.

# %%
entries = list(benchmark.entries.values())
plt.figure(figsize=(9, 3), layout="constrained")
for depth, color in zip((1, 2, 3), ("tab:green", "tab:orange", "tab:blue")):
    of_depth = [entry for entry in entries if len(entry.architecture.blocks) == depth]
    points = np.array([(entry.cost.macs, 100 - 100 * entry.accuracy) for entry in of_depth])
    plt.plot(*points.T, ".", color=color, label=f"{depth} block{'s' * (depth > 1)}", alpha=0.7)
spread = [(e.cost.macs, *[100 - 100 * f([run.accuracy[-1] for run in e.runs]) for f in (min, max)]) for e in benchmark.repeated]
for macs, low, high in spread:
    plt.plot((macs, macs), (low, high), color="gray", linewidth=1, zorder=0)
plt.xscale("log")
plt.yscale("log")
plt.xlabel("multiply-accumulates, known before training")
plt.ylabel("error in %, validation")
plt.legend()
plt.show()
good = [[100 * run.accuracy[-1] for run in entry.runs] for entry in benchmark.repeated if entry.accuracy > 0.97]
noise = np.sqrt(np.mean([np.var(runs, ddof=1) for runs in good]))
print(f"standard deviation between trainings of one architecture, among the good ones: {noise:.2f} points")
print("the best of the table, trained five times:", *[f"{run.accuracy[-1]:.1%}" for run in benchmark.best.runs])

# %% [markdown]
# **How to read it.** Lower is better. A dot is an architecture; a gray line is the range of five trainings of the same one. More work buys accuracy, but at one cost
# the errors differ by a factor of ten: a search can find something. Among the good ones the gray lines are as long as the differences: which of them is *the*
# best is chance. Look at the last line: the "best" is an architecture that was lucky in the training that the table shows. Every search will prefer it.

# %% [markdown]
# ## 2 · Search strategies: annealing, evolution, REINFORCE
#
# The baseline is **random search**. What a search has reached after $n$ architectures is measured by its **simple regret**: the accuracy of the best architecture
# there is, minus the best accuracy seen so far.
#
# A **trial** is one proposal, and a strategy may propose what it has proposed before. The answer is known then and costs nothing. So the budget counts *different
# architectures*, not trials, for every strategy: random search becomes random search without repeats, and no strategy looks better only because it does not repeat itself.


# %%
def regret(accuracies, best):
    """The simple regret after each architecture, (n,), of accuracies (n,) in the order of the search."""
    # begin solution: Exercise 2: best minus the running maximum (np.maximum.accumulate)
    return best - np.maximum.accumulate(accuracies)
    # end solution


check.regret(regret)


# %%
class Search:
    """What one search has evaluated. An architecture costs one of BUDGET the first time, and nothing when it comes again."""

    def __init__(self):
        self.found, self.trials = {}, 0  # {digest: accuracy}, in the order of the search; proposals, repeated ones too

    def look_up(self, values):
        """The accuracy of the architecture with these genes, and the names of the genes that it has asked for."""
        trial = optuna.trial.FixedTrial(values)
        entry = benchmark.lookup(table.SPACE.sample(trial))
        self.found.setdefault(entry.architecture.digest, entry.accuracy)
        self.trials += 1
        return entry.accuracy, tuple(trial.params)

    def goes_on(self):
        return len(self.found) < BUDGET and self.trials < 10 * BUDGET  # a strategy that is stuck would repeat itself for ever


def random_search(rng):
    search = Search()
    while search.goes_on():
        search.look_up(uniform(genes, rng))
    return search


# %% [markdown]
# **Hill climbing** changes one gene and keeps the change if that is better. It stops at the first local optimum. **Simulated annealing** sometimes takes a step that is worse
# by $\Delta$: with probability $e^{-\Delta/T}$, at a temperature $T$ that falls.


# %%
def accept(worse, temperature, luck):
    """Whether a step is taken that is worse by `worse` (negative: better); luck: a uniform number in [0, 1)."""
    # begin solution: Exercise 3: always if it is not worse; else if the temperature is above 0 and luck below exp(−worse / temperature)
    return worse <= 0 or (temperature > 0 and luck < np.exp(-worse / temperature))
    # end solution


check.accept(accept)


# %%
def annealing(rng, start=0.03, cooling=0.95):
    search, here = Search(), uniform(genes, rng)
    accuracy, active = search.look_up(here)
    while search.goes_on():
        temperature = start * cooling**search.trials
        proposal = mutate(genes, here, active, rng)  # one of the genes that have an effect
        its_accuracy, its_active = search.look_up(proposal)
        if accept(accuracy - its_accuracy, temperature, rng.random()):
            here, accuracy, active = proposal, its_accuracy, its_active
    return search


# %% [markdown]
# **Regularized evolution** keeps a population. A few members are drawn; the best of them has a child with one gene changed; and **the oldest** member is
# removed, not the worst. So an architecture that was only lucky in its training does not stay for ever.


# %%
def one_round(population, drawn, child_of):
    """The next population.

    population: members (accuracy, values, active), the oldest first; drawn: the indices of those in the tournament;
    child_of: member -> its child, another member.
    """
    # begin solution: Exercise 4: find the drawn member of the highest accuracy, leave out the oldest member, append the child
    parent = max((population[index] for index in drawn), key=lambda member: member[0])
    return [*population[1:], child_of(parent)]
    # end solution


check.one_round(one_round)


# %%
def evolution(rng, members=12, tournament=4):
    def member(values):
        accuracy, active = search.look_up(values)
        return accuracy, values, active

    search = Search()
    population = [member(uniform(genes, rng)) for _ in range(members)]
    while search.goes_on():
        drawn = rng.choice(members, tournament, replace=False)
        population = one_round(population, drawn, lambda parent: member(mutate(genes, *parent[1:], rng)))
    return search


# %% [markdown]
# **Reinforcement learning** does not keep architectures but a *controller* that draws them: here a row of logits for each gene, whose softmax gives the
# probability of each choice. REINFORCE is gradient ascent on the expected reward: after a trial with the advantage $A$ (its reward minus a moving average),
#
# $$\text{logits} \mathrel{+}= \eta \, A \, \nabla \log p(\text{choice}), \qquad \nabla \log p(\text{choice}) = \text{onehot}(\text{choice}) - p.$$


# %%
def policy_gradient(logits, choice, advantage):
    """A · ∇ log p(choice) by the logits (choices,) of one gene; choice: the index that was drawn."""
    # begin solution: Exercise 5: p is the softmax of the logits; the advantage times (one-hot of the choice minus p)
    p = np.exp(logits - logits.max())
    p = p / p.sum()
    return advantage * (np.eye(len(p))[choice] - p)
    # end solution


check.policy_gradient(policy_gradient)


# %%
def reinforce(rng, rate=0.3, memory=0.9):
    logits = {name: np.zeros(len(gene.choices)) for name, gene in genes.items()}
    search, usual, distance = Search(), None, 0.02
    while search.goes_on():
        p = {name: np.exp(row) / np.exp(row).sum() for name, row in logits.items()}
        drawn = {name: rng.choice(len(row), p=row) for name, row in p.items()}
        accuracy, active = search.look_up({name: genes[name].choices[index] for name, index in drawn.items()})
        usual = accuracy if usual is None else usual
        advantage = np.clip((accuracy - usual) / distance, -3, 3)  # in units of the usual distance
        for name in active:
            logits[name] = logits[name] + rate * policy_gradient(logits[name], drawn[name], advantage)
        usual, distance = memory * usual + (1 - memory) * accuracy, memory * distance + (1 - memory) * abs(accuracy - usual)
    return search


def curve(accuracies):
    """The regret in points after each of BUDGET architectures; of a search that has ended with fewer, it stays what it is."""
    points = 100 * regret(np.array(accuracies), benchmark.best.accuracy)
    return np.pad(points, (0, BUDGET - len(points)), mode="edge")


def interval(values):
    """Mean and half of its 95 % interval, over the first axis."""
    values = np.asarray(values)
    return values.mean(axis=0), students_t.ppf(0.975, len(values) - 1) * values.std(axis=0, ddof=1) / np.sqrt(len(values))


by_hand = {"random": random_search, "annealing": annealing, "evolution": evolution, "REINFORCE": reinforce}
plt.figure(figsize=(9, 3), layout="constrained")
for name, strategy in by_hand.items():
    searched = [strategy(np.random.default_rng(seed)) for seed in range(30)]
    mean, half = interval([curve(list(search.found.values())) for search in searched])
    different, trials = np.mean([(len(search.found), search.trials) for search in searched], axis=0)
    print(f"{name:10} {different:.0f} different architectures in {trials:.0f} trials")
    plt.plot(
        1 + np.arange(BUDGET),
        mean,
        label=f"{name}: {mean[-1]:.2f} ± {half[-1]:.2f} points",
        color="black" if name == "random" else None,
    )
    plt.fill_between(1 + np.arange(BUDGET), mean - half, mean + half, alpha=0.15, color="black" if name == "random" else None)
plt.yscale("symlog", linthresh=0.5)  # linear below half a point, so that 0 has a place
plt.ylim(0, None)
plt.xlabel("different architectures evaluated")
plt.ylabel("simple regret, points")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** Lower is better; the mean of 30 seeds with its 95 % interval. In the beginning all are random search: a strategy must have seen something
# to learn from it. Where the bands overlap, fifty architectures and thirty seeds do not show a difference between the strategies. The lines above the picture say how
# many trials were repeats: a strategy that has settled proposes what it knows, for nothing; one that has cooled down may propose nothing new any more.

# %% [markdown]
# ## 3 · Comparing the strategies with random search
#
# `nas.SAMPLERS` holds eleven strategies, those four among them, as samplers of [Optuna](https://optuna.org): they share storage, pruning and pictures, and
# `projectkit search --worker` runs any of them on many machines at once. None was tuned on this table. All start from the same seeds, so that each can be
# compared with random search **in pairs**.


# %%
to_the_end = nas.PRUNERS["none"](epochs=table.RECIPE.epochs)  # without one, Optuna would stop trials early


def search_once(name, seed, pruner=to_the_end, budget=BUDGET):
    study = optuna.create_study(direction="maximize", sampler=nas.SAMPLERS[name](genes, seed=seed), pruner=pruner)
    run = nas.objective(table.SPACE, benchmark.evaluate, shape=table.SHAPE, classes=table.CLASSES)
    nas.search(study, run, trials=budget)
    return study


def best_found(study):
    return benchmark.lookup(study.best_trial.user_attrs["digest"])


curves, tests, trials_made = {}, {}, {}
for name in nas.SAMPLERS:
    for seed in range(SEEDS):
        study = search_once(name, seed)
        paid = nas.different(study)  # the trials that repeat no other
        curves.setdefault(name, []).append(curve([trial.value for trial in paid]))
        trials_made.setdefault(name, []).append((len(paid), 1 + paid[-1].number))
        tests.setdefault(name, []).append(100 * best_found(study).test)

print(f"strategy      regret after {BUDGET}    minus that of random     test accuracy of what it found   different / trials")
ahead = {}
for name, own in curves.items():
    (mean, half), (test, test_half) = interval(own), interval(tests[name])
    ahead[name] = interval([mine[-1] - theirs[-1] for mine, theirs in zip(own, curves["random"])])
    print(
        f"{name:10} {mean[-1]:10.2f} ± {half[-1]:.2f}  {ahead[name][0]:15.2f} ± {ahead[name][1]:.2f} {test:18.2f} ± {test_half:.2f} %"
        + "{:20.0f} / {:.0f}".format(*np.mean(trials_made[name], axis=0))
    )
better = [name for name, (mean, half) in ahead.items() if mean + half < 0]
worse = [name for name, (mean, half) in ahead.items() if mean - half > 0]
print(
    f"clearly better than random: {len(better)} of 10 ({', '.join(better)}), predicted {prediction['clearly better']}; clearly worse: {', '.join(worse) or 'none'}"
)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", width_ratios=(3, 2))
colors = dict(zip(curves, ["black", *plt.get_cmap("tab10").colors]))
for name, own in sorted(curves.items(), key=lambda item: np.mean(item[1], axis=0)[-1]):
    mean, half = interval(own)
    axes[0].plot(1 + np.arange(BUDGET), mean, color=colors[name], label=name, linewidth=2.5 if name == "random" else 1.2)
    if name == "random":
        axes[0].fill_between(1 + np.arange(BUDGET), mean - half, mean + half, color="black", alpha=0.12)
axes[0].axhline(noise, color="gray", linestyle=":")
axes[0].set(xlabel="different architectures evaluated", ylabel="simple regret, points")
axes[0].set_yscale("symlog", linthresh=0.5)
axes[0].set_ylim(0, None)
axes[0].legend(ncols=3, fontsize=8)
rows = sorted(set(ahead) - {"random"}, key=lambda name: -ahead[name][0])
for row, name in enumerate(rows):
    axes[1].errorbar(ahead[name][0], row, xerr=ahead[name][1], fmt="o", color=colors[name])
axes[1].axvline(0, color="black")
axes[1].set(yticks=range(len(rows)), yticklabels=rows, xlabel=f"regret after {BUDGET}, minus that of random, points")
plt.show()

# %% [markdown]
# **How to read it.** Left: the mean regret; the gray band is the interval of random search, the dotted line how far trainings of one good architecture scatter. On the right:
# the difference from random search with its interval, seed by seed; left of the line is better. Then look at the last column of the table: below the dotted line,
# a search chooses among trainings that were lucky. Does the *test* accuracy of what was found still follow? And there are ten comparisons: if all ten strategies
# were no better than random, one of them would still look better about every fourth time.
#
# What has a search learned about the space? Optuna estimates how much each parameter **matters**, and draws every trial as a line through its choices.

# %%
study = search_once("random", seed=0, budget=150)
asked_always = ["depth", "filters_0", "stride_0"]  # the others exist only in some trials
with plt.rc_context():  # they change the style of all pictures
    pictures.plot_param_importances(study, params=asked_always).figure.set_size_inches(7, 1.8)
    plt.show()
    pictures.plot_parallel_coordinate(study, params=asked_always).figure.set_size_inches(8, 3)
    plt.show()

# %% [markdown]
# **How to read it.** Importance tells how far the choices of the best tenth of the trials differ from those of all trials (PED-ANOVA; the sum is 1): it is about being among
# the best. In the second picture follow the lines of the highest value back: which choice do they share, and which does not matter?

# %% [markdown]
# ## 4 · Cheaper trials: early stopping and weight sharing
#
# A trial that looks bad after two epochs may be stopped. **Median pruning** stops it when it is below the median of the others at the same age; **Hyperband**
# lets a third of the trials go on at each rung. Both assume that the order after a few epochs is that after the last. The curves of the table tell how
# far that is so: Kendall's $\tau$ is 1 for the same order, 0 for none in common.
#
# **Weight sharing** goes further: all architectures are parts of one big **supernet**, which is trained once; each is evaluated with the weights that it
# inherits, and never trained itself.

# %%
final = [entry.accuracy for entry in entries]
order_known = [kendalltau([entry.curve[epoch] for entry in entries], final).statistic for epoch in range(table.RECIPE.epochs)]

digits = data.load("digits")
start = time.perf_counter()
net = supernet.build(table.SPACE, table.SHAPE, table.CLASSES, seed=0)
supernet.train(net, digits, Recipe(epochs=SHARED, batch_size=64, learning_rate=0.01))
inherited = supernet.accuracies(net, [entry.architecture for entry in entries], digits)
shared = kendalltau(inherited, final).statistic
print(
    f"one supernet for {len(entries)} architectures in {time.perf_counter() - start:.0f} s: τ = {shared:.2f} with training each on its own"
)
twice = [len(entry.runs) > 1 for entry in entries]
of_two = kendalltau(*np.array([[run.accuracy[-1] for run in entry.runs[:2]] for entry in benchmark.repeated]).T).statistic
of_net = kendalltau(inherited[twice], np.array(final)[twice]).statistic
print(f"on the {sum(twice)} that were trained twice: τ of the two trainings {of_two:.2f}, of supernet and training {of_net:.2f}")

# %%
spent = {}
for name, pruner in nas.PRUNERS.items():
    for seed in range(SEEDS):
        study = search_once("random", seed, pruner=pruner(epochs=table.RECIPE.epochs))
        epochs = sum(len(trial.intermediate_values) for trial in nas.different(study))
        spent.setdefault(name, []).append((epochs, 100 * (benchmark.best.accuracy - study.best_value)))

figure, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
axes[0].plot(1 + np.arange(len(order_known)), order_known, "o-", label="accuracy after so many epochs")
axes[0].axhline(shared, color="tab:red", linestyle="--", label="inherited from the supernet")
axes[0].set(xlabel="epochs", ylabel="Kendall's τ with the last", ylim=(0, 1.05))
axes[0].legend()
for name, pairs in spent.items():
    (epochs, its_regret), (_, half) = interval(pairs)
    axes[1].errorbar(epochs, its_regret, yerr=half, fmt="o", capsize=4, label=f"{name}: {epochs:.0f} epochs")
axes[1].set(
    xlabel=f"epochs of training for {BUDGET} different architectures",
    ylabel="simple regret, points",
    xlim=(0, None),
    ylim=(0, None),
)
axes[1].legend()
plt.show()
saved = 1 - np.mean([epochs for epochs, _ in spent["hyperband"]]) / np.mean([epochs for epochs, _ in spent["none"]])
print(f"Hyperband saves {saved:.0%} of the epochs, predicted {prediction['epochs saved']:.0%}")

# %% [markdown]
# **How to read it.** Left: how early the final order is known. Right: what stopping saves and what it costs; a point further left has trained less, a higher one found
# a worse architecture. An architecture that comes again costs nothing, whether its training was stopped or not.

# %% [markdown]
# ## 5 · Pareto fronts, and search with the hardware in the loop
#
# Accuracy is not all. With two goals there is no best network but a **Pareto front**: those that no other beats. A point *dominates* another when it is at
# most as large in both numbers and smaller in one (less is better here: error and cost).


# %%
def front(points):
    """Which of the points (n, 2), of which less is better in both columns, no other dominates: (n,) bool."""
    # begin solution: Exercise 6: for each point: is there none that is ≤ in both columns and < in at least one?
    return np.array([not np.any(np.all(points <= point, axis=1) & np.any(points < point, axis=1)) for point in points])
    # end solution


def hypervolume(points):
    """How much of the unit square a front beats, in [0, 1]: the area of all (x, y) that some point of (n, 2) is at most as large as."""
    # begin solution: Exercise 6: sort the front by x, equal points once (np.unique(…, axis=0)); each strip is as wide as the way to the next x, the last to 1, and 1 − y high
    best = np.unique(points[front(points)], axis=0)
    return float(np.sum(np.diff([*best[:, 0], 1.0]) * (1 - best[:, 1])))
    # end solution


check.front(front)
check.hypervolume(hypervolume)

# %% [markdown]
# **NSGA-II** follows both goals: of two it prefers the one that fewer dominate, and among equals the one in an emptier part of the front. First on the table.


# %%
def both_goals(name, seed):
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=nas.SAMPLERS[name](genes, seed=seed))

    def evaluate(architecture, trial):
        return benchmark.lookup(architecture).accuracy, nas.cost(architecture, table.SHAPE, table.CLASSES).macs

    nas.search(study, nas.objective(table.SPACE, evaluate, shape=table.SHAPE, classes=table.CLASSES), trials=BUDGET)
    return to_unit([trial.values for trial in study.trials])


def to_unit(values):
    """(error in units of 10 %, more counts as 1; work on a logarithmic scale) from (accuracy, multiply-accumulates)."""
    accuracies, work = np.array(values, dtype=float).T
    low, high = (np.log(limit(entry.cost.macs for entry in entries)) for limit in (min, max))
    return np.column_stack([np.minimum(10 * (1 - accuracies), 1), (np.log(work) - low) / (high - low)])


everything = to_unit([(entry.accuracy, entry.cost.macs) for entry in entries])
searches = {name: [both_goals(name, seed) for seed in range(SEEDS)] for name in ("random", "nsga2", "tpe")}
areas = {name: np.array([hypervolume(points) for points in runs]) for name, runs in searches.items()}
print(f"hypervolume of the whole table: {hypervolume(everything):.3f}")
for name, own in areas.items():
    (mean, half), (gain, gain_half) = interval(own), interval(own - areas["random"])
    print(f"{name:7} {mean:.3f} ± {half:.3f}; minus that of random {gain:+.3f} ± {gain_half:.3f}")

plt.figure(figsize=(9, 3), layout="constrained")
plt.plot(*everything.T[::-1], ".", color="lightgray", label="every architecture")
for name, points, color in (
    ("the table's front", everything, "black"),
    ("random", searches["random"][0], "tab:orange"),
    ("NSGA-II", searches["nsga2"][0], "tab:blue"),
):
    best = np.unique(points[front(points)], axis=0)
    plt.step(best[:, 1], best[:, 0], "o-", where="pre", color=color, label=name, markersize=4, linewidth=1)
plt.yscale("log")
plt.xlabel("work, logarithmic, 0 = least of the space, 1 = most")
plt.ylabel("error / 10 %")
plt.legend()
plt.show()

# %% [markdown]
# **How to read it.** Lower left is better; each staircase is what one search of fifty architectures (seed 0) leaves to choose from. The hypervolume is the area above a
# staircase. Does NSGA-II come nearer to the black one than random search does, by more than the interval?
#
# Now a real search in a larger space, with real training and the **hardware in the loop**: every network is exported, and *its file* is timed on this machine, in
# turn with a fixed reference, so that the ratio stays the same when the machine's speed changes.

# %%
dataset = data.load(DATASET)
dataset = replace(dataset, train=dataset.train.take(IMAGES))
CHOICES = {  # larger images need to be made smaller before the mean
    "digits": {"depth": (2, 3), "stride": (1, 2), "skip": (False, True)},
    "mnist": {"depth": (3, 4), "stride": (2,), "skip": (False,)},
}
SPACE = nas.Space(**CHOICES[DATASET], filters=(8, 16, 32), kernel=(3, 5), depthwise=(False, True), activation=("relu",))
RECIPE = Recipe(epochs=EPOCHS, batch_size=32, learning_rate=0.01)
MY_SEED = sum(ME.encode())
fixed = nas.write_reference(Path(WORK) / "reference.tflite", dataset.val.x, len(dataset.classes))


def evaluate(architecture, trial):
    """Validation accuracy, and the latency of the exported file over that of the reference."""
    import tf_keras as keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(MY_SEED)
    model = nas.build(architecture, dataset.shape, len(dataset.classes))
    history = train.fit(model, dataset, RECIPE, progress=False)
    file = export.write(model, f"{WORK}/{architecture.digest}.tflite", compare=dataset.val.x[:100])
    latency = measure.compare_latency(file.artifact, fixed, dataset.val.x[:100], budget=0.1)
    print(
        f"trial {trial.number:2}: {history.val_accuracy[-1]:.1%}, latency × {latency.value:.2f}, {trial.user_attrs['macs']:7,} MACs  {architecture}"
    )
    return history.val_accuracy[-1], latency.value


print(f"{TRIALS} different ones of {sum(1 for _ in SPACE.architectures()):,} architectures")
sampler = nas.SAMPLERS["nsga2"](SPACE.genes(), seed=MY_SEED, population=5)
study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
run = nas.objective(SPACE, evaluate, shape=dataset.shape, classes=len(dataset.classes))
nas.search(study, run, trials=TRIALS)  # of different architectures: one that comes again costs nothing
print(f"{len(nas.different(study))} different architectures in {len(study.trials)} trials")

# %%
print("the front: accuracy, latency, parameters, multiply-accumulates")
first = {trial.number for trial in nas.different(study)}
found = [trial for trial in study.best_trials if trial.number in first]
for trial in sorted(found, key=lambda trial: trial.values[1]):
    accuracy, latency = trial.values
    print(
        f"trial {trial.number:2} {accuracy:10.1%} {latency:8.2f} {trial.user_attrs['parameters']:9,} {trial.user_attrs['macs']:9,}"
    )
plt.figure(figsize=(9, 2.8), layout="constrained")
on_front = {trial.number for trial in found}
for trial in nas.different(study):
    place = (trial.values[1], 100 * (1 - trial.values[0]))
    plt.plot(*place, "o", color="tab:blue" if trial.number in on_front else "lightgray")
    plt.annotate(str(trial.number), place, textcoords="offset points", xytext=(5, 4))
plt.xlabel("latency of the file, relative to the reference")
plt.ylabel("error in %, validation")
plt.show()

# %% [markdown]
# **How to read it.** Blue is the front, the number that of the trial. Latency and work are not the same: look for two networks of which the one with less work is
# slower. Eight networks are a small search; *Go further* says how to run a long one.

# %%
# begin solution: Exercise 7: choose a trial of study.best_trials, for example the fastest of those within two points of the best accuracy
enough = max(trial.values[0] for trial in study.best_trials) - 0.02
chosen = min((trial for trial in study.best_trials if trial.values[0] >= enough), key=lambda trial: trial.values[1])
# end solution
check.chosen(chosen, study)
best = f"{WORK}/{chosen.user_attrs['digest']}.tflite"

# %% [markdown]
# ## Ship it
#
# Beside the model goes the study, every trial of it. The grader counts the parameters and the work of your file and looks for a trial that no other beats and whose
# architecture has exactly these; it measures the accuracy and looks whether the trial's is possible; it counts again what each trial says of itself. Your instructor may
# have two of the other trials trained again: an accuracy that neither a short nor a long training reaches costs the points that rest on those trials.

# %%
exported = nas.export_study(study, f"{WORK}/study.json")


def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


points = my_inputs("pareto")["points"]
drawn = my_inputs("acceptance")
temperature = drawn["start"] * drawn["cooling"] ** drawn["step"]
steps = zip(drawn["worse"], temperature, drawn["luck"])
tournament, parents, members = my_inputs("tournament"), [], []


def child_of(parent):
    parents.append(parent[1])
    number = len(tournament["scores"]) + len(parents) - 1
    return tournament["children"][len(parents) - 1], number, ()


members = [(score, number, ()) for number, score in enumerate(tournament["scores"])]
for places in tournament["draws"]:
    members = one_round(members, places, child_of)
searches = my_inputs("simple_regret")
regrets = np.array([regret(row, searches["best"]) for row in searches["accuracy"]])
half = 2.571 * regrets[:, -1].std(ddof=1) / np.sqrt(len(regrets))
controller = my_inputs("policy_gradient")
logits, rewards = controller["logits"], controller["rewards"]
p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
slopes = [
    [policy_gradient(row, choice, reward - rewards.mean()) for row, choice in zip(logits, choices)]
    for choices, reward in zip(controller["choices"], rewards)
]
gradient = np.mean(slopes, axis=0)

answers = {
    "pareto": {
        "front": np.flatnonzero(front(points)),
        "dominators": np.array([np.sum(np.all(points <= one, axis=1) & np.any(points < one, axis=1)) for one in points]),
        "hypervolume": hypervolume(points),
    },
    "acceptance": {
        "probability": np.exp(-np.maximum(drawn["worse"], 0) / temperature),
        "accepted": np.array([int(accept(*step)) for step in steps]),
    },
    "tournament": {
        "parents": np.array(parents),
        "survivors": np.array([number for _, number, _ in members]),
        "best_alive": max(score for score, _, _ in members),
        "best_ever": max([*tournament["scores"], *tournament["children"]]),
    },
    "simple_regret": {
        "regret": regrets,
        "mean": regrets.mean(axis=0),
        "interval": regrets[:, -1].mean() + half * np.array([-1, 1]),
    },
    "policy_gradient": {
        "probabilities": p,
        "gradient": gradient,
        "stepped": logits + 0.5 * gradient,
        "entropy": -(p * np.log(p)).sum(axis=1),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={"best": best},
    answers=answers,
    claims={"best/accuracy": chosen.values[0]},
    study=exported,
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * `projectkit search --example > my.toml` writes a space to edit; `projectkit search my.toml` runs it, `--worker` on other machines joins in. Search for an hour.
# * Give your annealing another start temperature, the evolution another population. How often may you try before you have tuned on the table?
# * Train the best five of the table from three more seeds. Does the best stay the best?
# * Let the supernet choose ten architectures and train only these. Is that better than ten random ones?
#
# ## Literature
#
# * J. Bergstra, Y. Bengio: *Random Search for Hyper-Parameter Optimization*, JMLR 2012.
# * B. Zoph, Q. Le: *Neural Architecture Search with Reinforcement Learning*, ICLR 2017; R. Williams, 1992 (REINFORCE).
# * E. Real et al.: *Regularized Evolution for Image Classifier Architecture Search*, AAAI 2019.
# * S. Kirkpatrick et al.: *Optimization by Simulated Annealing*, Science 1983. E. Byla, W. Pang: *DeepSwarm* (ant colony), 2019.
# * K. Deb et al.: *A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II*, 2002.
# * C. Ying et al.: *NAS-Bench-101: Towards Reproducible Neural Architecture Search*, ICML 2019.
# * L. Li et al.: *Hyperband*, JMLR 2018. Z. Guo et al.: *Single Path One-Shot Neural Architecture Search*, ECCV 2020.
# * K. Yu et al.: *Evaluating the Search Phase of Neural Architecture Search*, ICLR 2020: is it better than random?
