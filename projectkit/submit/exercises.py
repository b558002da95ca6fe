"""The inputs of the exercises: public, and another draw for every student, so that copied answers do not fit.

A student runs their own function on `exercise_inputs(...)` and hands in the arrays; the grader computes the reference on the
same inputs. Arrays are rounded to a few decimals, so that the last bit of another machine's logarithm changes nothing.
Below, "round" is round half to even (`np.round`) and x(k) is the k-th smallest of the samples, counted from 1.
"""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from projectkit.errors import SubmissionError
from projectkit.submit import deployment_exercises, operator_exercises, robustness_exercises, uncertainty_exercises

Inputs = dict[str, np.ndarray]


def exercise_inputs(student: str, lab: str, exercise: str) -> Inputs:
    """The named input arrays of one exercise, drawn from a seed that is the SHA-256 of (student, lab, exercise).

    Raises SubmissionError for a lab or an exercise that does not exist.
    """
    known = INPUTS.get(lab, {})
    if exercise not in known:
        raise SubmissionError(
            f"exercise_inputs: {lab} has no exercise {exercise!r}, expected one of {', '.join(known) or 'none'}. "
            "Check the two names."
        )
    seed = hashlib.sha256("\0".join((student, lab, exercise)).encode()).digest()
    return known[exercise](np.random.default_rng(int.from_bytes(seed, "big")))


def count_layers(rng: np.random.Generator) -> Inputs:
    """Six layers to count: `layers` (6, 7) int64 with the columns kind, height, width, channels_in, channels_out, kernel, stride.

    kind 0 is a convolution, 1 a depthwise convolution (channels_out = channels_in), 2 a dense layer (height = width = kernel =
    stride = 1). height and width are those of the layer's input. Padding is "same": the output is ceil(height / stride) by
    ceil(width / stride). Every layer has a bias. Answers:

        parameters (6,)   conv k²·cin·cout + cout; depthwise k²·cin + cin; dense cin·cout + cout
        macs (6,)         output positions × (conv k²·cin·cout; depthwise k²·cin; dense cin·cout); biases count no MACs
    """
    height = width = int(rng.choice([24, 28, 32, 48]))
    channels, layers = int(rng.choice([1, 3])), []
    for kind in (0, *rng.permutation([0, 0, 1, 1]).tolist()):
        kernel, stride = int(rng.choice([1, 3, 5] if kind == 0 else [3, 5])), int(rng.choice([1, 2]))
        out = channels if kind == 1 else int(rng.choice([8, 12, 16, 24, 32, 48]))
        layers.append([kind, height, width, channels, out, kernel, stride])
        height, width, channels = -(-height // stride), -(-width // stride), out
    layers.append([2, 1, 1, height * width * channels, int(rng.choice([10, 12, 20])), 1, 1])
    return {"layers": np.array(layers, dtype=np.int64)}


def latency_interval(rng: np.random.Generator) -> Inputs:
    """`latencies` (200,) float64 in seconds: log-normal around a fraction of a millisecond, a few much slower. Answers, each ():

    median   np.median
    p90      np.quantile(latencies, 0.9), linear interpolation
    low      x(l), l = the smallest k with P(B ≤ k) ≥ 0.025, B ~ Binomial(200, 1/2)
    high     x(u), u = 1 + the smallest k with P(B ≤ k) ≥ 0.975
    """
    latencies = rng.uniform(2e-4, 9e-4) * rng.lognormal(0.0, 0.08, 200)
    spikes = rng.random(200) < 0.06
    return {"latencies": np.round(np.where(spikes, latencies * rng.uniform(3, 12, 200), latencies), 9)}


def interleaved_ratio(rng: np.random.Generator) -> Inputs:
    """Two models timed on a machine that slows down. All float64, in seconds.

    `interleaved` (120, 2): A and B measured in turn, columns A, B. `sequential_a` (120,), `sequential_b` (120,): first all of A,
    then all of B, on the same machine. Answers, each ():

        ratio              median(B) / median(A) of `interleaved`
        sequential_ratio   median(sequential_b) / median(sequential_a): what one would have believed
    """
    a, ratio = rng.uniform(3e-4, 8e-4), rng.uniform(0.6, 0.9)
    slowdown = np.linspace(1.0, rng.uniform(1.5, 2.0), 240)
    noise = rng.lognormal(0.0, 0.03, (2, 240))
    turns = a * np.where(np.arange(240) % 2 == 0, 1.0, ratio) * slowdown * noise[0]
    blocks = a * np.where(np.arange(240) < 120, 1.0, ratio) * slowdown * noise[1]
    return {
        "interleaved": np.round(turns.reshape(120, 2), 9),
        "sequential_a": np.round(blocks[:120], 9),
        "sequential_b": np.round(blocks[120:], 9),
    }


def energy_counter(rng: np.random.Generator) -> Inputs:
    """A RAPL counter read 50 times: `microjoules` (50,) int64, `seconds` (50,) float64, `max_energy_range_uj` () int64.

    The counter only grows, and begins again at 0 after max_energy_range_uj: a step down is a wrap-around and means
    reading − previous + max_energy_range_uj (at most one between two readings). Answers, each ():

        joules   the energy from the first to the last reading
        watts    the mean power over that time
    """
    span = int(rng.integers(60, 90)) * 1_000_000
    seconds = np.round(np.cumsum(rng.uniform(0.4, 0.6, 50)), 3)
    used = np.cumsum(rng.integers(3_000_000, 9_000_000, 50))
    return {
        "microjoules": ((int(rng.integers(0, span)) + used) % span).astype(np.int64),
        "seconds": seconds,
        "max_energy_range_uj": np.array(span, dtype=np.int64),
    }


def accuracy_interval(rng: np.random.Generator) -> Inputs:
    """Five test results: `correct` (5,) and `total` (5,) int64. Answers: `low` (5,) and `high` (5,), Wilson's 95 % interval:

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n),  p = correct / total, n = total, z = 1.959964
    """
    total = rng.integers(50, 5000, 5)
    return {
        "correct": np.minimum(total, np.round(total * rng.uniform(0.7, 1.0, 5))).astype(np.int64),
        "total": total.astype(np.int64),
    }


def affine(rng: np.random.Generator) -> Inputs:
    """`x` (16, 16) float32 with an asymmetric range, to quantize to int8. Answers:

    scale () and zero_point () integer   low = min(min x, 0), high = max(max x, 0); scale = (high − low) / 255,
                                         zero_point = round(−128 − low / scale)
    quantized (16, 16) integer           clip(round(x / scale) + zero_point, −128, 127)
    dequantized (16, 16)                 scale · (quantized − zero_point)
    """
    low, high = -rng.uniform(0.2, 1.5), rng.uniform(2.0, 6.0)
    return {"x": np.round(rng.uniform(low, high, (16, 16)), 4).astype(np.float32)}


def per_channel(rng: np.random.Generator) -> Inputs:
    """`w` (3, 3, 8, 16) float32, a convolution's weights whose 16 output channels have very different ranges. Answers:

    scales (16,)             max |w[..., c]| / 127: symmetric int8, integers −127 to 127, zero point 0
    error_per_tensor ()      mean of (w − ŵ)² when one scale, max |w| / 127, serves all channels
    error_per_channel ()     mean of (w − ŵ)² with `scales`;  ŵ = scale · clip(round(w / scale), −127, 127)
    """
    spread = np.exp(rng.uniform(np.log(0.01), np.log(1.0), 16))
    return {"w": np.round(rng.normal(0.0, 1.0, (3, 3, 8, 16)) * spread, 5).astype(np.float32)}


def observers(rng: np.random.Generator) -> Inputs:
    """`activations` (4096,) float32 with outliers, of which an observer must choose a range. Answers:

    minmax (2,)       the smallest and the largest
    percentile (2,)   np.percentile at 0.1 and at 99.9, linear interpolation
    clipped ()        the fraction of the values strictly outside `percentile`
    """
    activations = rng.normal(rng.uniform(-0.5, 0.5), 1.0, 4096)
    outliers = rng.choice(4096, 12, replace=False)
    activations[outliers] *= rng.uniform(8, 25, 12)
    return {"activations": np.round(activations, 4).astype(np.float32)}


def magnitude(rng: np.random.Generator) -> Inputs:
    """Two kernels, `first` (3, 3, 4, 8) and `second` (32, 10) float32, and a `sparsity` (): the share of weights that shall go.

    Answers, each (weights that stay,) integer: the places of those in the flattened kernel (C order), ascending, when

        layerwise_first, layerwise_second   each kernel loses its own round(sparsity · size) smallest |w|
        global_first, global_second         both together lose the round(sparsity · (size + size)) smallest |w|
    """
    spread = rng.uniform(0.3, 0.6)
    return {
        "first": np.round(rng.normal(0.0, spread, (3, 3, 4, 8)), 6).astype(np.float32),
        "second": np.round(rng.normal(0.0, spread * rng.uniform(0.4, 0.6), (32, 10)), 6).astype(np.float32),
        "sparsity": np.array(rng.choice([0.75, 0.8, 0.85])),
    }


def schedule(rng: np.random.Generator) -> Inputs:
    """A polynomial schedule: `initial`, `final`, `power` () float64, `begin`, `end` () int64, and the `steps` (16,) int64.

    Answer: `sparsity` (16,), final + (initial − final) · (1 − (step − begin) / (end − begin))^power from begin to end, `initial`
    before and `final` after.
    """
    begin, length = int(rng.integers(20, 100)), int(rng.integers(300, 900))
    return {
        "initial": np.array(np.round(rng.uniform(0.05, 0.3), 2)),
        "final": np.array(np.round(rng.uniform(0.7, 0.95), 2)),
        "power": np.array(float(rng.integers(2, 6))),
        "begin": np.array(begin, dtype=np.int64),
        "end": np.array(begin + length, dtype=np.int64),
        "steps": np.sort(rng.choice(begin + length + 100, 16, replace=False)).astype(np.int64),
    }


def two_of_four(rng: np.random.Generator) -> Inputs:
    """`w` (16, 6) float32, the kernel of a layer with 16 inputs and 6 units: of every 4 neighbouring inputs of a unit the 2
    with the largest |w| stay. Answers, as sparse tensor cores store it:

        values (8, 6)              what stays in each column, from the top down
        positions (8, 6) integer   where each of them stood in its group of four: 0, 1, 2 or 3
        kept ()                    sum of the |w| that stay / sum of all |w|
    """
    return {"w": np.round(rng.normal(0.0, 0.5, (16, 6)), 5).astype(np.float32)}


def palette(rng: np.random.Generator) -> Inputs:
    """`w` (400,) float32, weights that shall share 8 values. Start from 8 values evenly spaced from the smallest weight to the
    largest; ten times: each weight takes the nearest value, each value becomes the mean of the weights that took it (and
    stays where it is when none did). Answers:

        values (8,)             the values in the end, ascending
        chosen (400,) integer   the index of the value that is nearest to each weight in the end
        error ()                mean of (w − values[chosen])²
    """
    first, second = rng.normal(rng.uniform(-0.4, -0.1), 0.12, 250), rng.normal(rng.uniform(0.1, 0.5), 0.2, 150)
    return {"w": np.round(rng.permutation(np.concatenate([first, second])), 5).astype(np.float32)}


def filter_scores(rng: np.random.Generator) -> Inputs:
    """`w` (3, 3, 6, 12) float32, a convolution's 12 filters F_c = w[..., c], and `ratio` (): the share of them that shall go.
    Answers, scores as float64:

        l1 (12,)           Σ|F_c|
        fpgm (12,)         Σ_k ‖F_c − F_k‖₂: small for a filter that the others can replace
        kept_l1 (left,)    integer, ascending: the filters that stay, the left = 12 · (1 − ratio) with the largest l1
        kept_fpgm (left,)  the same by fpgm
    """
    common = rng.normal(0.0, 0.5, (3, 3, 6, 1))
    near = rng.uniform(0.1, 1.0, 12)
    w = near * common + rng.permutation(np.linspace(0.1, 0.5, 12)) * rng.normal(0.0, 1.0, (3, 3, 6, 12))
    return {"w": np.round(w, 5).astype(np.float32), "ratio": np.array(rng.choice([0.25, 0.5, 0.75]))}


def surgery(rng: np.random.Generator) -> Inputs:
    """A convolution without bias, `first` (3, 3, 2, 6), its batch normalization `gamma`, `beta`, `mean`, `variance` (6,) with
    ε = 0.001, then ReLU. Two layers read the result: the convolution `second` (3, 3, 6, 4) and, behind a Flatten of 2×2 pixels
    (the channel runs fastest), the dense layer `last` (24, 3). All float32. `keep` (6,) int64: 1 for a channel that stays.

    Answers:
        first (3, 3, 2, left), second (3, 3, left, 4), last (4 · left, 3)   what is left of the three kernels
        leftover (6 − left,)   what the other channels would answer to any image if a mask made them 0 before the batch
                               normalization: ReLU(β − γ · mean / √(variance + ε)), in the order of the channels
    """
    keep = np.zeros(6, dtype=np.int64)
    keep[rng.choice(6, int(rng.integers(2, 5)), replace=False)] = 1
    arrays = {
        "first": rng.normal(0.0, 0.4, (3, 3, 2, 6)),
        "gamma": rng.uniform(0.5, 1.5, 6),
        "beta": rng.normal(0.3, 0.4, 6),
        "mean": rng.normal(0.0, 0.5, 6),
        "variance": rng.uniform(0.2, 2.0, 6),
        "second": rng.normal(0.0, 0.4, (3, 3, 6, 4)),
        "last": rng.normal(0.0, 0.4, (24, 3)),
    }
    return {name: np.round(array, 5).astype(np.float32) for name, array in arrays.items()} | {"keep": keep}


def channel_groups(rng: np.random.Generator) -> Inputs:
    """A network as a table: row t of `tensors` (n, 3) int64 says how tensor t is made, with the columns kind, a, b.

    kind 0 is the image (row 0 only), 1 a convolution of tensor a, which makes new channels, 2 batch normalization or ReLU of
    tensor a, 3 the sum of the tensors a and b. Columns without a meaning are −1. All tensors have equally many channels; the
    last one is the output. Channels that are added must be removed together. Answers, integer:

        group (n,)            the group of each tensor's channels; groups are numbered 0, 1, … in the order of their first tensor
        convolutions (g,)     how many convolutions make channels of each group
        prunable (g,)         1 when neither the image nor the output belongs to the group, else 0
    """
    rows = [(0, -1, -1)]

    def add(kind: int, a: int, b: int = -1) -> int:
        rows.append((kind, a, b))
        return len(rows) - 1

    def passed(tensor: int) -> int:
        for _ in range(int(rng.integers(1, 3))):
            tensor = add(2, tensor)
        return tensor

    x = 0 if rng.random() < 0.5 else passed(add(1, 0))
    kinds = ["plain", "projected", "chain"]
    for block in rng.permutation([*kinds, *rng.choice(kinds, 3)]):
        inside = passed(add(1, x))
        if block == "chain":
            x = inside
            continue
        made = passed(add(1, inside))
        x = passed(add(3, add(1, x) if block == "projected" else x, made))
    add(1, x)
    return {"tensors": np.array(rows, dtype=np.int64)}


def drawn_network(rng: np.random.Generator) -> Inputs:
    """A network to draw again: `seed` () int64 and `units` (4,) int64, the widths of its layers from inputs to classes.

    rng = np.random.default_rng(seed) draws the kernels one after the other, first layer first, each as
    rng.standard_normal((inputs, outputs), dtype=np.float32) times np.float32(np.sqrt(2 / inputs)). Answers:

    first (outputs,)   the weights from the first input to the units of the first hidden layer
    last (classes,)    the weights from the last unit of the last hidden layer to the classes
    """
    units = [int(rng.integers(30, 60)), int(rng.integers(12, 20)), int(rng.integers(6, 12)), int(rng.integers(3, 8))]
    return {"seed": np.array(rng.integers(0, 1000), dtype=np.int64), "units": np.array(units, dtype=np.int64)}


def ensemble(rng: np.random.Generator) -> Inputs:
    """`masks` (60, 6) int64 of 0 and 1: which of 6 units took part, and `losses` (60,) float64 under each mask. Answers:

    success (60,)   1 − (L − Lmin) / (Lmax − Lmin)
    shares (6,)     θ of the least-squares fit success ≈ masks · θ + c, with a constant c
    order (6,) integer   the units from the least share to the greatest, counted from 0
    """
    masks = (rng.random((60, 6)) < 0.5).astype(np.int64)
    effects = rng.permutation(np.linspace(-0.3, 0.3, 6) + rng.uniform(-0.02, 0.02, 6))
    losses = 2.3 - masks @ effects + rng.normal(0.0, 0.03, 60)
    return {"masks": masks, "losses": np.round(losses, 6)}


def climb(rng: np.random.Generator) -> Inputs:
    """One step of gradient ascent: `theta` (5,) float64, `masks` (8, 5) int64 drawn from σ(theta), `scores` (8,) float64.

    z is a mask, p = σ(θ) = 1 / (1 + exp(−θ)). Answers:

    probability (5,)   p
    plain (5,)         mean over the masks of (z − p) · s
    baselined (5,)     mean over the masks of (z − p) · (s − the mean score of the other seven masks)
    stepped (5,)       θ + 2 · baselined
    """
    theta = np.round(rng.normal(0.0, 1.0, 5), 3)
    masks = (rng.random((8, 5)) < 1 / (1 + np.exp(-theta))).astype(np.int64)
    scores = -2.0 + 0.4 * masks @ rng.normal(0.0, 1.0, 5) + rng.normal(0.0, 0.1, 8)
    return {"theta": theta, "masks": masks, "scores": np.round(scores, 5)}


def dense_rest(rng: np.random.Generator) -> Inputs:
    """A network without biases and its masks: `inputs` (), `classes` () int64, `mask_1` and `mask_2`, (units,) int64 of 0 and 1
    for the two hidden layers. Answers:

    kept (2,) integer         the units that are left of each hidden layer
    parameters () integer     the weights of the dense network that is left
    removed ()                the share of the whole network's weights that is gone
    """
    first, second = int(rng.integers(40, 80)), int(rng.integers(15, 30))
    return {
        "inputs": np.array(rng.integers(60, 800), dtype=np.int64),
        "classes": np.array(rng.integers(5, 20), dtype=np.int64),
        "mask_1": (rng.random(first) < 0.4).astype(np.int64),
        "mask_2": (rng.random(second) < 0.4).astype(np.int64),
    }


def pareto(rng: np.random.Generator) -> Inputs:
    """Networks in two numbers, of which less is better: `points` (20, 2) float64 in [0, 1], columns error and cost.

    Point a dominates b when it is at most as large in both columns and smaller in one. Answers:

    front (k,) integer         the points that no other dominates, counted from 0, in the order of their numbers
    dominators (20,) integer   how many points dominate each
    hypervolume ()             the area of all (x, y) with x ≤ 1, y ≤ 1 that some point is at most as large as, in both
    """
    cost = rng.permutation(np.linspace(0.05, 0.9, 20))
    error = 0.15 + 0.5 * (1 - cost) ** 2 + rng.uniform(-0.12, 0.25, 20)
    points = np.round(np.clip(np.column_stack([error, cost]), 0.01, 0.99), 2)
    points[rng.integers(10)] = points[10 + rng.integers(10)]  # equal points do not dominate each other
    return {"points": points}


def acceptance(rng: np.random.Generator) -> Inputs:
    """Twelve proposals of simulated annealing: `worse` (12,) float64, by how much the proposal's error is above the present one
    (negative: better), `step` (12,) int64, `luck` (12,) float64 uniform in [0, 1); `start` () and `cooling` () float64.

    The temperature at step k is start · cooling^k. A better or equal proposal is accepted with probability 1, a worse one with
    exp(−worse / temperature). Answers:

    probability (12,)        of being accepted
    accepted (12,) integer   1 where luck < probability, else 0
    """
    worse = np.round(np.abs(rng.normal(0.0, 0.03, 12)) + 0.001, 4)
    worse[rng.choice(12, 3, replace=False)] *= -1
    return {
        "worse": worse,
        "step": rng.integers(0, 60, 12),
        "luck": np.round(rng.random(12), 3),
        "start": np.array(np.round(rng.uniform(0.03, 0.08), 4)),
        "cooling": np.array(np.round(rng.uniform(0.93, 0.98), 3)),
    }


def tournament(rng: np.random.Generator) -> Inputs:
    """Regularized evolution, played: `scores` (8,) float64 of the members 0 … 7, the oldest first, higher is better; `draws`
    (6, 3) int64: places in the population, 0 is the oldest alive; `children` (6,) float64: the scores of the members 8 … 13.

    Each round the best of the drawn places is the parent of the next child; the child joins, and the oldest member dies. Answers:

    parents (6,) integer     the member that is the parent in each round
    survivors (8,) integer   the members that are alive in the end, the oldest first
    best_alive ()            the highest score among them
    best_ever ()             the highest score of all members that lived
    """
    scores = np.round(rng.permutation(np.linspace(0.80, 0.93, 14)) + rng.uniform(-0.004, 0.004, 14), 4)
    first = int(np.argmax(scores))
    scores[[first, 0]] = scores[[0, first]]  # the best of all is the first to die
    return {
        "scores": scores[:8],
        "draws": np.array([rng.choice(8, 3, replace=False) for _ in range(6)], dtype=np.int64),
        "children": scores[8:],
    }


def simple_regret(rng: np.random.Generator) -> Inputs:
    """Six searches: `accuracy` (6, 20) float64 of their networks in the order of evaluation; `best` (), that of the best network
    there is. Answers:

    regret (6, 20)   best − the highest accuracy so far
    mean (20,)       the mean of the six
    interval (2,)    low and high of the 95 % interval of the mean after 20 evaluations: mean ∓ 2.571 · s / √6, s with n − 1
    """
    accuracy = np.round(0.97 - np.abs(rng.normal(0.0, 0.05, (6, 20))) - 0.001, 4)
    return {"accuracy": accuracy, "best": np.array(0.97)}


def policy_gradient(rng: np.random.Generator) -> Inputs:
    """A controller with a softmax for each of 3 genes: `logits` (3, 4) float64; 6 networks that it drew, `choices` (6, 3) int64;
    `rewards` (6,) float64. Answers:

    probabilities (3, 4)   softmax of each row of logits
    gradient (3, 4)        the mean over the networks of (reward − mean reward) · Σ over genes of ∇ log p(choice), by logits
    stepped (3, 4)         logits + 0.5 · gradient
    entropy (3,)           −Σ p log p of each gene, in nats
    """
    logits = np.round(rng.normal(0.0, 1.0, (3, 4)), 3)
    return {
        "logits": logits,
        "choices": rng.integers(0, 4, (6, 3)),
        "rewards": np.round(rng.uniform(0.7, 0.98, 6), 4),
    }


def latency_reward(rng: np.random.Generator) -> Inputs:
    """Twelve networks: `accuracy` (12,) float64, `latency` (12,) float64 in seconds; `target` () in seconds and `w` () = −0.07.

    MnasNet's rewards, accuracy · (latency / target)^exponent. Answers:

    soft (12,)               the exponent is w for all
    hard (12,)               the exponent is 0 where latency ≤ target, else −1
    best_soft () integer     the network of the highest soft reward
    best_hard () integer     the network of the highest hard reward
    """
    latency = np.round(np.sort(rng.uniform(1e-5, 2e-4, 12)), 7)
    accuracy = np.round(0.9 + 0.08 * (latency / 2e-4) ** 0.5 + rng.normal(0.0, 0.006, 12), 4)
    order = rng.permutation(12)
    target = np.round(np.median(latency), 7)
    return {
        "accuracy": accuracy[order],
        "latency": latency[order],
        "target": np.array(target),
        "w": np.array(-0.07),
    }


def kendall(rng: np.random.Generator) -> Inputs:
    """Does a cheap score know the outcome? `score` (14,), `outcome` (14,) float64 of 14 networks, no two values equal. Answers:

    concordant () integer   pairs of networks that both put in the same order, of 91
    tau ()                  (concordant − discordant) / 91
    top () integer          how many of the 4 networks of highest score are among the 4 of highest outcome
    """
    outcome = 0.85 + 0.1 * rng.permutation(14) / 14 + rng.uniform(0.0, 0.005, 14)
    score = np.argsort(np.argsort(outcome + rng.normal(0.0, 0.04, 14))) + rng.uniform(0.1, 0.9, 14)
    return {"score": np.round(score, 4), "outcome": np.round(outcome, 5)}


def distilled_objective(rng: np.random.Generator) -> Inputs:
    """Eight images: `student_logits` and `teacher_logits` (8, 5), `labels` (8,) int64; `student_features` (8, 4) and
    `teacher_features` (8, 6); `temperature` () and `alpha` (), float64.

    CKA of A and B, columns centred: ‖AᵀB‖² / (‖AᵀA‖ · ‖BᵀB‖) with Frobenius norms. Answers, each ():

    loss        (1 − α) · cross-entropy(labels) + α · T² · KL(softmax(teacher / T) ‖ softmax(student / T)), means over the images
    agreement   the share of images on which both have the same class of the highest logit
    cka         CKA of the two sets of features
    """
    labels = rng.integers(0, 5, 8)
    teacher = rng.normal(0.0, 1.0, (8, 5)) + 4 * np.eye(5)[labels]
    features = rng.normal(0.0, 1.0, (8, 6))
    return {
        "student_logits": np.round(0.5 * teacher + rng.normal(0.0, 1.2, (8, 5)), 3),
        "teacher_logits": np.round(teacher, 3),
        "labels": labels,
        "student_features": np.round(features[:, :4] @ rng.normal(0.0, 1.0, (4, 4)) + rng.normal(0.0, 1.0, (8, 4)), 3),
        "teacher_features": np.round(features, 3),
        "temperature": np.array(float(rng.integers(2, 7))),
        "alpha": np.array(np.round(rng.uniform(0.5, 0.95), 2)),
    }


def soft_targets(rng: np.random.Generator) -> Inputs:
    """`logits` (8, 6) float64 of a teacher, the `labels` (8,) int64 of the images, and a `temperature` () T. Answers:

    probabilities (8, 6)     softmax(logits / T)
    entropy (8,)             −Σ p · ln p of each row of `probabilities`, in nats
    not_the_label (8,)       the sum of the probabilities of all classes but the label
    runner_up (8,) integer   the most probable class but the label
    """
    labels = rng.integers(0, 6, 8)
    logits = rng.normal(0.0, 2.0, (8, 6))
    logits[np.arange(8), labels] += rng.uniform(3.0, 8.0, 8)
    return {
        "logits": np.round(logits, 3),
        "labels": labels.astype(np.int64),
        "temperature": np.array(np.round(rng.uniform(2.0, 8.0), 1)),
    }


def soft_loss(rng: np.random.Generator) -> Inputs:
    """Logits of a `student` and a `teacher`, (8, 5) float64 each, `labels` (8,) int64, `temperature` () T and `alpha` () α.
    All logarithms are natural. Answers:

        cross_entropy ()   the mean over the images of −ln softmax(student)[label]
        divergence ()      the mean over the images of KL(softmax(teacher / T) ‖ softmax(student / T))
        loss ()            (1 − α) · cross_entropy + α · T² · divergence
        slope (8, 5)       the gradient of `loss` with respect to `student`: an eighth of (1 − α) · (softmax(student) − one-hot
                           label) + α · T · (softmax(student / T) − softmax(teacher / T))
    """
    student, teacher = rng.normal(0.0, 2.0, (2, 8, 5))
    return {
        "student": np.round(student, 3),
        "teacher": np.round(teacher, 3),
        "labels": rng.integers(0, 5, 8).astype(np.int64),
        "temperature": np.array(np.round(rng.uniform(2.0, 6.0), 1)),
        "alpha": np.array(np.round(rng.uniform(0.3, 0.9), 2)),
    }


def paired_gain(rng: np.random.Generator) -> Inputs:
    """Seven seeds: the accuracy in percent without a teacher, `plain` (7,), and with one, `taught` (7,), float64; entry k of both
    is of the same seed. With d = taught − plain, s its sample standard deviation (squares summed, divided by 6, the root) and
    t = 2.446912, the 97.5 % quantile of Student's t with 6 degrees of freedom. Answers:

        gain ()            the mean of d
        low (), high ()    gain − t · s / √7 and gain + t · s / √7
        unpaired ()        t · √((s₁² + s₂²) / 7), s₁ of `plain` and s₂ of `taught`: what one would add and subtract without pairs
        seeds () integer   how many of the seven have taught > plain
    """
    seeds, gains = rng.normal(0.0, 1.5, 7), rng.normal(rng.uniform(-0.3, 1.2), 0.5, 7)
    plain = rng.uniform(80.0, 95.0) + seeds
    return {"plain": np.round(plain, 2), "taught": np.round(plain + np.where(np.abs(gains) < 0.05, 0.1, gains), 2)}


def decoupled_parts(rng: np.random.Generator) -> Inputs:
    """Logits of a `student` and a `teacher`, (6, 5) float64 each, `labels` (6,) int64 and a `temperature` () T. With p the
    teacher's and q the student's softmax of logits / T, and y the label of an image. Answers, each (6,), the last three in nats:

        sure     p_y
        target   p_y · ln(p_y / q_y) + (1 − p_y) · ln((1 − p_y) / (1 − q_y))
        others   KL(p̂ ‖ q̂), p̂ and q̂ being p and q without entry y, scaled to sum to 1
        whole    KL(p ‖ q); it is target + (1 − sure) · others
    """
    labels = rng.integers(0, 5, 6)
    student, teacher = rng.normal(0.0, 2.0, (2, 6, 5))
    teacher[np.arange(6), labels] += rng.uniform(2.0, 5.0, 6)
    return {
        "student": np.round(student, 3),
        "teacher": np.round(teacher, 3),
        "labels": labels.astype(np.int64),
        "temperature": np.array(np.round(rng.uniform(1.5, 5.0), 1)),
    }


def attention_maps(rng: np.random.Generator) -> Inputs:
    """Features of two networks for the same 3 images: `student` (3, 4, 4, 5) and `teacher` (3, 4, 4, 9) float32, height and width
    being 4. The map of an image is the sum over the channels of the squared features, divided by the Euclidean length of its
    16 numbers. Answers:

        student_map, teacher_map (3, 4, 4)   the maps
        loss ()                              the mean over images and places of (student_map − teacher_map)²
    """
    place = rng.uniform(0.2, 2.0, (3, 4, 4, 1))
    student, teacher = (np.maximum(place * rng.normal(0.4, 1.0, (3, 4, 4, channels)), 0) for channels in (5, 9))
    return {"student": np.round(student, 4).astype(np.float32), "teacher": np.round(teacher, 4).astype(np.float32)}


def utilization(rng: np.random.Generator) -> Inputs:
    """Five models, each alone on a core of its own: `seconds` (5,) of a call, `rate` (5,) of its requests in 1/s, which come as a
    Poisson stream, and `deadline` (5,) in seconds, all float64. A call answers one request; s is `seconds`, ρ its utilization.

    The mean wait before a call of an M/D/1 queue is ρ · s / (2 · (1 − ρ)). Answers:

        utilization (5,)   rate · s
        latency (5,)       the mean wait + s
        highest (5,)       the rate at which the mean latency is exactly the deadline: with w = deadline − s, 2w / (s · (s + 2w))
        cores () integer   the fewest cores that have more time than all five models together need: the sum of the utilizations,
                           rounded down, plus 1
    """
    seconds = np.round(rng.uniform(0.002, 0.08, 5), 4)
    return {
        "seconds": seconds,
        "rate": np.round(rng.uniform(0.2, 0.9, 5) / seconds, 2),
        "deadline": np.round(seconds * rng.uniform(1.3, 5.0, 5), 4),
    }


def two_orders(rng: np.random.Generator) -> Inputs:
    """Fourteen requests to one process, float64: `arrival` (14,) in seconds, increasing, `seconds` (14,) that its call takes, and
    `deadline` (14,) in seconds from its arrival.

    Whenever the process is free it takes one of the requests that have arrived, and if there is none it waits for the next; a
    call is not interrupted. "fifo" takes the earliest arrival, "edf" the smallest arrival + deadline. Answers:

        fifo (14,), edf (14,)   the latency of each request, from its arrival to its answer, in the order of the inputs
        missed (2,) integer     how many have a latency above their deadline, under fifo and under edf
    """
    seconds = np.round(np.where(rng.random(14) < 0.3, rng.uniform(0.3, 0.6, 14), rng.uniform(0.02, 0.08, 14)), 3)
    arrival = np.cumsum(rng.exponential(seconds.mean() / 1.1, 14)) + 0.001 * np.arange(14)
    return {
        "arrival": np.round(arrival, 3) + 1e-5 * np.arange(1, 15),  # so that no two times are equal
        "seconds": seconds,
        "deadline": np.round(seconds * rng.uniform(2.0, 6.0, 14) + 0.05, 3) + 5e-4,
    }


def fairness(rng: np.random.Generator) -> Inputs:
    """Three models in one run: `latency` (3, 80) float64 in seconds, a row a model, and `deadline` (3,). Answers:

    in_time (3,)   the share of each model's requests with a latency of at most its deadline
    p99 (3,)       np.quantile(row, 0.99), linear interpolation
    jain ()        Jain's index of in_time: (Σx)² / (3 · Σx²)
    missed ()      the share of all 240 requests with a latency above their deadline
    """
    latency = np.round(rng.lognormal(np.log(rng.uniform(0.005, 0.05, (3, 1))), 0.7, (3, 80)), 5)
    return {"latency": latency, "deadline": np.round(np.median(latency, axis=1) * rng.uniform(0.8, 4.0, 3), 5)}


def interference(rng: np.random.Generator) -> Inputs:
    """Four models: `alone` (4,) float64, seconds of a call when nothing else runs, and `slower` (4, 4) float64: how many times
    slower model i is while j runs; 1 on the diagonal. While several run, their slowdowns multiply. Answers:

        shared (4,)        seconds of a call of each while all four run
        throughput ()      the system throughput: Σ alone / shared
        turnaround ()      the average normalized turnaround time: the mean of shared / alone
        pairs (3,)         the models two by two, one pair after the other: the sum over the four of alone / shared with only the
                           partner running, for the pairings {0, 1} {2, 3} · {0, 2} {1, 3} · {0, 3} {1, 2}
        best () integer    the pairing, counted from 0, with the largest of these
    """
    slower = np.round(rng.uniform(1.0, 2.2, (4, 4)), 3)
    np.fill_diagonal(slower, 1.0)
    return {"alone": np.round(rng.uniform(0.001, 0.05, 4), 4), "slower": slower}


def placement(rng: np.random.Generator) -> Inputs:
    """Four models on two cores: `seconds` (4,) of a call and `deadline` (4,) in seconds from the arrival, float64; 30 requests:
    `arrival` (30,) float64 in seconds, increasing, and `model` (30,) int64.

    Plan a, from 0 to 15, puts model i on the core that is bit i of a: (a >> i) & 1. A core answers its requests one by one in the
    order of their arrivals; the cores do not disturb each other. Answers:

        misses (16,) integer   how many requests have a latency above their deadline under each plan
        best () integer        the plan with the fewest; of equal ones the smallest number
        cores (4,) integer     the core of each model in that plan
        worst ()               the largest latency / deadline of a request in that plan
    """
    seconds = np.round(rng.permutation([0.02, 0.05, 0.12, 0.4]) * rng.uniform(0.7, 1.3, 4), 4)
    model = rng.choice(4, 30, p=(1 / seconds) / (1 / seconds).sum())
    model[rng.choice(30, 4, replace=False)] = np.arange(4)  # each has a request
    gaps = rng.exponential(seconds[model].mean() / 1.6, 30)
    return {
        "seconds": seconds,
        "deadline": np.round(seconds * rng.uniform(1.5, 4.0, 4), 4) + 5e-5,  # so that no latency is equal to it
        "arrival": np.round(np.cumsum(gaps) + 0.0001 * np.arange(30), 4) + 1e-6 * np.arange(30),
        "model": model.astype(np.int64),
    }


INPUTS: Mapping[str, Mapping[str, Callable[[np.random.Generator], Inputs]]] = {
    "l00_measurement": {
        "count_layers": count_layers,
        "latency_interval": latency_interval,
        "interleaved_ratio": interleaved_ratio,
        "energy_counter": energy_counter,
        "accuracy_interval": accuracy_interval,
    },
    "l01_quantization": {
        "affine": affine,
        "per_channel": per_channel,
        "observers": observers,
    },
    "l02_pruning": {
        "magnitude": magnitude,
        "schedule": schedule,
        "two_of_four": two_of_four,
        "palette": palette,
    },
    "l03_structured_pruning": {
        "filter_scores": filter_scores,
        "surgery": surgery,
        "channel_groups": channel_groups,
    },
    "l04_supermasks": {
        "drawn_network": drawn_network,
        "ensemble": ensemble,
        "climb": climb,
        "dense_rest": dense_rest,
    },
    "l05_distillation": {
        "soft_targets": soft_targets,
        "soft_loss": soft_loss,
        "paired_gain": paired_gain,
        "decoupled_parts": decoupled_parts,
        "attention_maps": attention_maps,
    },
    "l06_nas": {
        "pareto": pareto,
        "acceptance": acceptance,
        "tournament": tournament,
        "simple_regret": simple_regret,
        "policy_gradient": policy_gradient,
    },
    "l07_nas_distillation": {
        "latency_reward": latency_reward,
        "kendall": kendall,
        "distilled_objective": distilled_objective,
    },
    "l09_operators": operator_exercises.INPUTS,
    "l10_deployment": deployment_exercises.INPUTS,
    "l11_multi_model": {
        "utilization": utilization,
        "two_orders": two_orders,
        "fairness": fairness,
        "interference": interference,
        "placement": placement,
    },
    "l15_uncertainty": uncertainty_exercises.INPUTS,
    "l16_robustness": robustness_exercises.INPUTS,
}
