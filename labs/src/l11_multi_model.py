# %% [markdown]
# # Lab 11 · Several models on one device
#
# **You will ship** `camera.tflite` and `keyword.tflite`, two networks that together fit into a third of the bytes of one and stay accurate. On the way
# you find out why two models that each meet their deadlines alone miss them together, and search for the cores and threads of each.
#
# `camera` has the layers of its network below, with kernels of the same shapes and 8 bits per weight; `keyword` is any convolutional network.
#
# *75 minutes. A laptop with two cores is enough; at the default quick scale everything together takes about a minute and a half.*

# %%
# %xmode Minimal
import itertools
import math
from contextlib import closing
from pathlib import Path

import numpy as np
from checks import l11 as check
from matplotlib import pyplot as plt

from projectkit import data, export, measure, models, runtimes, scale, schedule, submit, train
from projectkit.types import Recipe

LAB = "l11_multi_model"
ME = "ada@example.edu"  # your e-mail address, as your course knows it
WORK = f"work/{LAB}"
# SIZE: pixels along an edge of the camera's images; SIMULATED and LENGTH: seconds of requests in a simulation and in a run
DATASET, WIDTHS, EPOCHS, SIZE, SIMULATED, BLOCKS, LENGTH, SEEDS = {
    "quick": ("digits", (48, 96, 192), 10, 192, 4.0, 4, 1.5, 10),
    "full": ("mnist", (32, 64, 128), 3, 192, 4.0, 8, 3.0, 10),
    "smoke": ("digits", (32, 64, 128), 1, 96, 1.0, 2, 0.3, 2),  # for the tests of this notebook
}[scale.current()]

dataset = data.load(DATASET)
CORES = min(2, len(schedule.available_cores()))
print(f"{measure.device()}; the models get {CORES} of its cores")

# %% [markdown]
# ### Predict first
#
# A device has three networks: a *camera* that looks at frames, a *gesture* network, and a *keyword* network that must answer at once. On one thread, in float32, they need
# 1.2 cores, half of one and a seventh: less than the two that there are. All start at once, each with a thread for every core. What share of the requests misses its deadline?
# How many times slower is a model beside another one on the same cores? Write it down; nobody grades it.

# %%
prediction = {"missed": 0.05, "slower": 1.2}

# %% [markdown]
# ## 1 · Interference between models
#
# Only time matters in this part, so the three networks have random weights. The camera's comes in two files, float32 and int8; any of them will do.


# %%
def write_device_model(name, size, widths, precision="float32"):
    """The path of a convolutional network for images of `size` × `size`, untrained."""
    model = models.BUILDERS["convnet"]((size, size, 1), 10, widths=widths)
    images = np.random.default_rng(0).random((4, size, size, 1), dtype=np.float32)
    return export.write(model, f"{WORK}/{name}.tflite", precision=precision, calibrate=images, compare=images).artifact.path


FILES = {
    "camera": (
        write_device_model("camera_float32", SIZE, (48, 96, 192)),
        write_device_model("camera_int8", SIZE, (48, 96, 192), "int8"),
    ),
    "gesture": (write_device_model("gesture", SIZE * 2 // 3, (32, 64)),),
    "keyword": (write_device_model("keyword", SIZE // 2, (16, 32)),),
}
NAMES = list(FILES)
to_profile = schedule.Workload(tuple(schedule.Task(name, files, 1.0, 1.0) for name, files in FILES.items()), CORES)
costs = schedule.profile(to_profile, seconds=0.2)
for (task, variant, threads, _), seconds in costs.seconds.items():
    print(f"{Path(FILES[NAMES[task]][variant]).stem:15} {threads} thread{'s' * (threads > 1):1} {1000 * seconds:8.2f} ms")
for what, why in costs.missing.items():
    print(f"missing: {what} ({why})")

# %% [markdown]
# Two models side by side share caches, memory and perhaps cores. Each of the two is timed alone and beside the other, in turn. What the machine as a whole does is the
# **system throughput**, the sum of $t_\text{alone} / t_\text{shared}$ (2 when two do not disturb each other); what a request experiences is the **normalized turnaround**, the
# mean of $t_\text{shared} / t_\text{alone}$.


# %%
def progress(alone, shared):
    """(throughput, turnaround) of models that take alone (n,) seconds a call, and shared (n,) while all run."""
    # begin solution: Exercise 1: the sum of alone / shared, and the mean of shared / alone
    return np.sum(alone / shared), np.mean(shared / alone)
    # end solution


check.progress(progress)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for axis, slower, title in ((axes[0], costs.together, "on the same cores"), (axes[1], costs.apart, "on other cores")):
    axis.imshow(np.log(slower), cmap="coolwarm", vmin=-1.5, vmax=1.5)
    for i, j in itertools.product(range(3), range(3)):
        axis.text(j, i, "" if i == j else f"{slower[i, j]:.2f}×", ha="center", va="center")
    axis.set_xticks(range(3), NAMES)
    axis.set_yticks(range(3), NAMES)
    axis.set(title=title, xlabel="beside")
plt.show()
for i, j in itertools.combinations(range(3), 2):
    for title, slower in (("the same cores", costs.together), ("other cores", costs.apart)):
        throughput, turnaround = progress(np.ones(2), np.array([slower[i, j], slower[j, i]]))  # in units of the time alone
        print(f"{NAMES[i]} and {NAMES[j]} on {title}: throughput {throughput:.2f} of 2, turnaround {turnaround:.2f}")
print(f"the largest slowdown on the same cores is {costs.together.max():.2f}, predicted {prediction['slower']:.2f}")

# %% [markdown]
# **How to read it.** A row says how many times slower that model becomes beside the one of the column; below 1 is noise of the machine, or a core that left its idle state. Cores that
# are not shared still share memory bandwidth and the clock. Is a throughput near 2 worth giving up a thread?
#
# ## 2 · Queues: utilization and waiting time
#
# Requests do not wait for each other to be done: they **arrive**, on average `rate` per second. A call takes `seconds`; the **utilization** is $\rho = \text{rate} \cdot
# \text{seconds}$. When arrivals are independent of each other (a Poisson stream) and all calls take equally long, the mean wait before a call is (Pollaczek and Khinchine,
# an M/D/1 queue)
#
# $$\text{wait} = \frac{\rho \cdot \text{seconds}}{2\,(1 - \rho)}$$


# %%
def wait(seconds, rate):
    """The mean seconds that a request waits before its call."""
    # begin solution: Exercise 2: the utilization rho, then the formula; float("inf") where rho is 1 or more
    rho = rate * seconds
    return rho * seconds / (2 * (1 - rho)) if rho < 1 else float("inf")
    # end solution


check.wait(wait)

# %%
loads = np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
mean_waits = np.empty((SEEDS, len(loads)))
for seed, place in np.ndindex(mean_waits.shape):
    alone = schedule.Workload((schedule.Task("one", ("…",), loads[place], 1.0),), 1)
    known = schedule.Costs.known({(0, 0, 1, 1): 1.0}, tasks=1)
    requests = schedule.draw_arrivals(alone, 1500, seed=seed)
    trace = schedule.simulate(alone, schedule.Plan((schedule.Choice(),)), known, requests, span=1500)
    mean_waits[seed, place] = np.mean(trace.begin - trace.arrival)
middle, half = np.array([schedule.mean_interval(each) for each in mean_waits.T]).T
curve = np.linspace(0.01, 0.96, 100)
plt.figure(figsize=(8, 3), layout="constrained")
plt.plot(curve, [wait(1.0, load) for load in curve], label="the formula")
plt.errorbar(loads, middle, yerr=half, fmt="o", capsize=4, label=f"simulated, {SEEDS} streams of 1,500 calls' length")
plt.xlabel("utilization")
plt.ylabel("mean wait, in calls")
plt.ylim(0, 16)
plt.legend()
plt.show()
for load in (0.5, 0.9, 0.95):
    print(f"utilization {load:.2f}: mean wait {wait(1.0, load):.1f} calls")

# %% [markdown]
# **How to read it.** Up to one half the wait is short; near 1 it grows without bound, and so do the intervals: a run begins with an empty queue, which needs long to fill. On a
# device that is "only" 90 % busy, requests already wait for several calls.
#
# ## 3 · Scheduling: FIFO and earliest deadline first (EDF)
#
# One process has several models; a call is not interrupted. When it is free and several requests wait, which one is next? **FIFO**: the one that came first. **EDF**:
# the one whose deadline (arrival + time allowed) comes first. Jackson (1955): when all requests wait from the beginning, no order has a smaller largest lateness than EDF.


# %%
def serve(arrival, seconds, deadline, order):
    """The latencies (n,) of requests that arrive at `arrival` (n,), take `seconds` (n,) and may take `deadline` (n,) from their arrival."""
    key = arrival + deadline if order == "edf" else arrival
    latency, waiting, now = np.zeros(len(arrival)), set(range(len(arrival))), 0.0
    while waiting:
        # begin solution: Exercise 3: if no request has arrived, set `now` to the next arrival; of those that have arrived take the one with the smallest key; add its seconds to `now`; note its latency; remove it from `waiting`
        now = max(now, min(arrival[one] for one in waiting))
        first = min((one for one in waiting if arrival[one] <= now), key=lambda one: key[one])
        now += seconds[first]
        latency[first] = now - arrival[first]
        waiting.remove(first)
        # end solution
    return latency


check.serve(serve)


# %%
def timeline(axis, kind, arrival, begin, end, deadline, title):
    """A row a kind of request: a thin line while it waits, a bar while its call runs, red when the deadline has passed."""
    for which, came, begun, done, allowed in zip(kind, arrival, begin, end, deadline):
        color = "tab:red" if done - came > allowed else "tab:blue"
        axis.plot([came, begun], [which, which], color=color, linewidth=1, alpha=0.7)
        axis.barh(which, done - begun, left=begun, height=0.55, color=color, alpha=0.8)
    axis.set(title=title, ylim=(len(NAMES) - 0.5, -0.5))
    axis.set_yticks(range(len(NAMES)), NAMES)


def drawn_requests(seed, length):
    """Requests to one process that has all three models and is 75 % busy; times in calls of the camera: (kind, arrival, seconds, deadline)."""
    tasks = [("camera", 1.0, 0.45, 3.0), ("gesture", 0.3, 0.8, 1.5), ("keyword", 0.02, 3.0, 0.5)]
    work = schedule.Workload(tuple(schedule.Task(name, ("…",), rate, limit) for name, _, rate, limit in tasks), 1)
    streams = schedule.draw_arrivals(work, length, seed=seed)
    kind = np.repeat(np.arange(3), [len(stream) for stream in streams])
    order = np.argsort(np.concatenate(streams))
    kind, arrival = kind[order], np.concatenate(streams)[order]
    return kind, arrival, np.array([task[1] for task in tasks])[kind], np.array([task[3] for task in tasks])[kind]


figure, axes = plt.subplots(2, 1, figsize=(10, 4), sharex=True, layout="constrained")
kind, arrival, seconds, deadline = drawn_requests(seed=1, length=12)
for axis, order in zip(axes, ("fifo", "edf")):
    latency = serve(arrival, seconds, deadline, order)
    end = arrival + latency
    timeline(axis, kind, arrival, end - seconds, end, deadline, f"{order}: {np.mean(latency > deadline):.0%} missed")
axes[1].set_xlabel("time, in calls of the camera")
plt.show()

missed = {order: [] for order in ("fifo", "edf")}
for seed in range(SEEDS):
    kind, arrival, seconds, deadline = drawn_requests(seed, length=150)
    for order, shares in missed.items():
        shares.append(100 * np.mean(serve(arrival, seconds, deadline, order) > deadline))
for order, shares in missed.items():
    middle, half = schedule.mean_interval(shares)
    print(f"{order}: {middle:.1f} ± {half:.1f} % missed over {SEEDS} streams")
middle, half = schedule.mean_interval(np.subtract(missed["fifo"], missed["edf"]))
print(f"fifo minus edf, stream by stream: {middle:+.1f} ± {half:.1f} points")

# %% [markdown]
# **How to read it.** A thin line is a request that waits, a bar its call; red is late. EDF serves short deadlines first, yet a long call that has begun blocks all others:
# no order helps against that. What could?
#
# ## 4 · Tail latency and fairness
#
# A mean hides late requests. Reports give a high **quantile**, the share that **missed its deadline**, and whether all models are affected alike.
#
# A quantile needs requests. The 99th percentile of 30 is the slowest one: luck. Its 95 % interval (Lab 0) ends at one of the samples only if $q^n \le 0.025$; below that even the slowest of $n$ requests
# is too often faster than the true quantile. That takes 36 requests for a p90 and 368 for a p99; with fewer, no quantile is given. And a quantile decides nothing between two plans: compare the share missed, which every request
# informs, block by block.
#
# **Jain's index** is of what each model gets, $x_1 \dots x_n$, here the share of its requests that is answered in time:
#
# $$J = \frac{(\sum x)^2}{n \sum x^2}$$


# %%
def fairness(x):
    """Jain's index of x (n,): 1 when all get the same, 1/n when one gets everything."""
    # begin solution: Exercise 4: the squared sum over n times the sum of squares; 1.0 when all x are 0
    squares = np.sum(x**2)
    return np.sum(x) ** 2 / (len(x) * squares) if squares else 1.0
    # end solution


check.fairness(fairness)

# %% [markdown]
# The workload, in units of what your machine has just shown: the camera's float32 network needs 1.2 cores, and a frame may take as long as two of its calls; gesture needs
# half a core and may take one camera call; keyword needs 0.15 of a core and must answer within a quarter of a camera call.

# %%
one_thread = np.array([costs.seconds[task, 0, 1, 1] for task in range(3)])
rates = np.array([1.2, 0.5, 0.15]) / one_thread  # requests a second
limits = np.array([2.0, 1.0, 0.25]) * one_thread[0]
workload = schedule.Workload(
    tuple(
        schedule.Task(name, FILES[name], rate, limit, "periodic" if name == "camera" else "poisson")
        for name, rate, limit in zip(NAMES, rates, limits)
    ),
    CORES,
)
for task in workload.tasks:
    print(f"{task.name:8} {task.rate:7.1f} requests a second, {task.arrivals}, deadline {1000 * task.deadline:6.1f} ms")

requests = schedule.draw_arrivals(workload, SIMULATED, seed=0)
figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
for name, make in schedule.NAIVE.items():
    trace = schedule.simulate(workload, make(workload), costs, requests, span=SIMULATED)
    shares = np.empty(3)
    for place, task in enumerate(workload.tasks):
        latency = (trace.end - trace.arrival)[trace.task == place]
        shares[place] = np.mean(latency <= task.deadline)
        axes[place].step(np.sort(latency) / task.deadline, np.arange(1, len(latency) + 1) / len(latency), label=name)
        axes[place].set(title=task.name, xlabel="latency / deadline", xscale="log", ylim=(0, 1.02))
    print(
        f"{name}: answered in time {', '.join(f'{share:.0%}' for share in shares)}; Jain's index {fairness(shares):.2f}, simulated"
    )
for axis in axes:
    axis.axvline(1, color="black", linestyle=":")
axes[0].set_ylabel("share of the requests")
axes[0].legend()
plt.show()

# %% [markdown]
# **How to read it.** Each curve is the share of requests that is answered within so many deadlines; what is missing at the dotted line is late. Which model is late because of the
# camera, in which of the two naive plans?
#
# ## 5 · Searching for a placement
#
# A **plan** says for each model: which file, on which cores, how many threads, how many requests a call; and for each process FIFO or EDF. Every plan is simulated with the
# measured costs on the same requests. A score is (bytes over the cap, share missed, mean latency in deadlines, bytes): less is better, the first number that differs decides.


# %%
def best_plan(choices, orders, evaluate):
    """(score, plan, how many were evaluated): the best of all plans, `choices[i]` being those of model i."""
    # begin solution: Exercise 5: a schedule.Plan(combination, order) for each combination of itertools.product(*choices) and each order; keep the one of the smallest evaluate(plan)
    plans = [schedule.Plan(combination, order) for combination in itertools.product(*choices) for order in orders]
    scores = [evaluate(plan) for plan in plans]
    best = min(range(len(plans)), key=scores.__getitem__)
    return scores[best], plans[best], len(plans)
    # end solution


check.best_plan(best_plan)

# %%
evaluate = schedule.evaluation(workload, costs, seconds=SIMULATED, seed=1)
space = schedule.space(workload, costs)
score, planned, evaluated = best_plan(space.choices, space.orders, evaluate)
print(
    f"of {evaluated} plans the best misses {score.misses:.1%} in simulation, requests take {score.delay:.2f} deadlines on average:"
)
for name, choice in zip(NAMES, planned.choices):
    print(f"  {name:8} {Path(FILES[name][choice.variant]).stem:15} on cores {choice.cores} with {choice.threads} thread(s)")
print(f"  waiting requests: {planned.order}")
for name, optimizer in schedule.OPTIMIZERS.items():
    found = optimizer(space, evaluate, seed=0)
    print(
        f"{name:10} evaluated {found.played:4} different plans, misses {found.score.misses:.1%}, takes {found.score.delay:.2f} deadlines"
    )

# %% [markdown]
# A simulation has to be confirmed by a real run: processes with these models, requests at their times whether or not the last one is answered, every latency from the
# **arrival**. The plans run in turn on the same requests, so that slow moments of the machine affect all of them. One more plan shows what the int8 file gains: the best with float32 only.

# %%
float_only = [tuple(choice for choice in mine if choice.variant == 0) for mine in space.choices]
plans = {name: make(workload) for name, make in schedule.NAIVE.items()}
plans |= {"planned, float32": best_plan(float_only, space.orders, evaluate)[1], "planned": planned}
proof = schedule.prove(workload, plans, blocks=BLOCKS, seconds=LENGTH, seed=10)
for name, results in proof.results.items():
    middle, half = schedule.mean_interval(100 * proof.misses(name))
    tasks = [[one.tasks[place] for one in results] for place in range(3)]
    each = "; ".join(
        f"{NAMES[place]} {np.mean([one.misses for one in mine]):.0%}, {1000 * np.mean([one.latency for one in mine]):.0f} ms on average"
        for place, mine in enumerate(tasks)
    )
    fair = np.mean([fairness(1 - np.array(shares)) for shares in zip(*[[one.misses for one in mine] for mine in tasks])])
    print(f"{name:18} missed {middle:5.1f} ± {half:4.1f} % (simulated {100 * evaluate(plans[name]).misses:5.1f} %)")
    print(f"{'':18} {each}; Jain {fair:.2f}, {max(one.memory for one in results) / 1e6:.0f} MB")
for name in schedule.NAIVE:
    middle, half = schedule.mean_interval(100 * (proof.misses(name) - proof.misses("planned")))
    print(f"{name} minus planned, block by block: {middle:+.1f} ± {half:.1f} points")
print(f"predicted for all at once: {prediction['missed']:.0%}")

# %%
figure, axes = plt.subplots(2, 1, figsize=(10, 4), sharex=True, layout="constrained")
for axis, name in zip(axes, ("one_after_another", "planned")):
    trace = schedule.run(workload, plans[name], seconds=12 * one_thread[0], seed=0)
    deadline = np.array([task.deadline for task in workload.tasks])[trace.task]
    timeline(axis, trace.task, *(1000 * np.array([trace.arrival, trace.begin, trace.end, deadline])), f"{name}, measured")
axes[1].set_xlabel("time, ms")
plt.show()

# %% [markdown]
# **How to read it.** As above, but measured. The simulator models mean times and how two models slow each other down, not the operating system, and not what else your machine does:
# where the two numbers of a plan differ by more than the interval, something is missing in the simulation. A process that is bound to a core cannot move away from a program that
# uses that core; close what you can, and run it again. What counts is the measured run.
#
# ## Ship it
#
# The device has room for a third of the bytes of the float32 camera network, for *both* models. They learn digits here. The camera network may lose little accuracy, the keyword
# network should be tiny. Bytes, latency and accuracy of both files are measured again.

# %%
camera = models.build("convnet", dataset, widths=WIDTHS)
train.fit(camera, dataset, Recipe(epochs=EPOCHS, learning_rate=2e-3))
keyword = models.build("convnet", dataset, widths=(8, 16, 32))
train.fit(keyword, dataset, Recipe(epochs=2 * EPOCHS, batch_size=32, learning_rate=5e-3))
calibration, validation = dataset.train.x[:200], dataset.val.take(1000)
float32 = export.write(camera, f"{WORK}/trained_float32.tflite", compare=validation.x)

# begin solution: Exercise 6: files = {"camera": export.write(…), "keyword": export.write(…)}, in a precision that fits the budget; int8 needs calibrate=calibration
files = {
    name: export.write(model, f"{WORK}/{name}.tflite", precision="int8", calibrate=calibration, compare=validation.x)
    for name, model in (("camera", camera), ("keyword", keyword))
}
# end solution


def accuracy(exported):
    with closing(runtimes.open(exported.artifact)) as session:
        return measure.accuracy(session.run(validation.x), validation.y).value


accuracies = [accuracy(files[name]) for name in ("camera", "keyword")]
check.budget(files["camera"].artifact, files["keyword"].artifact, float32.artifact, accuracies)


# %%
def my_inputs(exercise):
    return submit.exercise_inputs(ME, LAB, exercise)


alone = my_inputs("utilization")
rho = alone["rate"] * alone["seconds"]
spare = alone["deadline"] - alone["seconds"]

drawn = my_inputs("two_orders")
both = {order: serve(drawn["arrival"], drawn["seconds"], drawn["deadline"], order) for order in ("fifo", "edf")}

waited = my_inputs("fairness")
in_time = np.mean(waited["latency"] <= waited["deadline"][:, None], axis=1)

beside = my_inputs("interference")
shared = beside["alone"] * beside["slower"].prod(axis=1)
throughput, turnaround = progress(beside["alone"], shared)
pairs = []
for pairing in (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))):
    partner = dict(pairing) | {second: first for first, second in pairing}
    slower = np.array([beside["slower"][one, partner[one]] for one in range(4)])
    pairs.append(progress(beside["alone"], beside["alone"] * slower)[0])

device = my_inputs("placement")
lateness = np.zeros((16, 30))
for plan, core in itertools.product(range(16), (0, 1)):
    mine = np.isin(device["model"], [model for model in range(4) if (plan >> model) & 1 == core])
    which = device["model"][mine]
    limit = device["deadline"][which]
    lateness[plan, mine] = serve(device["arrival"][mine], device["seconds"][which], limit, "fifo") / limit
late = np.sum(lateness > 1, axis=1)
best = int(np.argmin(late))

answers = {
    "utilization": {
        "utilization": rho,
        "latency": np.array([wait(*pair) for pair in zip(alone["seconds"], alone["rate"])]) + alone["seconds"],
        "highest": 2 * spare / (alone["seconds"] * (alone["seconds"] + 2 * spare)),
        "cores": int(rho.sum()) + 1,
    },
    "two_orders": both | {"missed": np.array([np.sum(both[order] > drawn["deadline"]) for order in ("fifo", "edf")])},
    "fairness": {
        "in_time": in_time,
        "p90": np.quantile(waited["latency"], 0.9, axis=1),
        "fewest": math.ceil(math.log(0.025) / math.log(float(waited["quantile"]))),
        "jain": fairness(in_time),
        "missed": 1 - in_time.mean(),
    },
    "interference": {
        "shared": shared,
        "throughput": throughput,
        "turnaround": turnaround,
        "pairs": np.array(pairs),
        "best": int(np.argmax(pairs)),
    },
    "placement": {
        "misses": late,
        "best": best,
        "cores": np.array([best >> model & 1 for model in range(4)]),
        "worst": lateness[best].max(),
    },
}
package = submit.pack(
    f"{WORK}/{LAB}.zip",
    student=ME,
    lab=LAB,
    scale=scale.current(),
    artifacts={name: file.artifact.path for name, file in files.items()},
    answers=answers,
    claims={f"{name}/accuracy": value for name, value in zip(("camera", "keyword"), accuracies)},
)
for finding in submit.check(package):
    print(finding)

# %% [markdown]
# Hand in the zip. Its answers fit only your address: every student has different inputs.
#
# ## Go further
#
# * `projectkit schedule --example > plan.toml` writes a file for your own models; `projectkit schedule plan.toml` measures, plans and confirms the plan by a run.
# * Give the camera `batches=(1, 2, 4)` in the workload. When does a batch save more time than it waits?
# * Set a memory cap between the smallest plan's bytes and those of all processes apart. Which plan is left?
# * Raise all rates until the best plan begins to miss. At which rate did the naive ones begin to?
#
# ## Literature
#
# * J. R. Jackson: *Scheduling a Production Line to Minimize Maximum Tardiness*, 1955; C. L. Liu, J. W. Layland: *Scheduling Algorithms for Multiprogramming in a
#   Hard-Real-Time Environment*, JACM 1973 (EDF).
# * L. Kleinrock: *Queueing Systems*, volume 1, 1975 (M/D/1 and its relatives).
# * R. Jain, D. Chiu, W. Hawe: *A Quantitative Measure of Fairness and Discrimination*, DEC-TR-301, 1984.
# * S. Eyerman, L. Eeckhout: *System-Level Performance Metrics for Multiprogram Workloads*, IEEE Micro 2008 (throughput and turnaround).
# * A. Gujarati et al.: *Serving DNNs like Clockwork: Performance Predictability from the Bottom Up*, OSDI 2020.
