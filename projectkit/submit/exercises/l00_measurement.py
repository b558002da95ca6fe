"""The inputs of the exercises of l00_measurement, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def count_layers(rng: np.random.Generator) -> Arrays:
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


def latency_interval(rng: np.random.Generator) -> Arrays:
    """`latencies` (200,) float64 in seconds: log-normal around a fraction of a millisecond, a few much slower. Answers, each ():

    median   np.median
    p90      np.quantile(latencies, 0.9), linear interpolation
    low      x(l), l = the smallest k with P(B ≤ k) ≥ 0.025, B ~ Binomial(200, 1/2)
    high     x(u), u = 1 + the smallest k with P(B ≤ k) ≥ 0.975
    """
    latencies = rng.uniform(2e-4, 9e-4) * rng.lognormal(0.0, 0.08, 200)
    spikes = rng.random(200) < 0.06
    return {"latencies": np.round(np.where(spikes, latencies * rng.uniform(3, 12, 200), latencies), 9)}


def interleaved_ratio(rng: np.random.Generator) -> Arrays:
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


def energy_counter(rng: np.random.Generator) -> Arrays:
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


def accuracy_interval(rng: np.random.Generator) -> Arrays:
    """Five test results: `correct` (5,) and `total` (5,) int64. Answers: `low` (5,) and `high` (5,), Wilson's 95 % interval:

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n),  p = correct / total, n = total, z = 1.959964
    """
    total = rng.integers(50, 5000, 5)
    return {
        "correct": np.minimum(total, np.round(total * rng.uniform(0.7, 1.0, 5))).astype(np.int64),
        "total": total.astype(np.int64),
    }


INPUTS = {
    "count_layers": count_layers,
    "latency_interval": latency_interval,
    "interleaved_ratio": interleaved_ratio,
    "energy_counter": energy_counter,
    "accuracy_interval": accuracy_interval,
}
