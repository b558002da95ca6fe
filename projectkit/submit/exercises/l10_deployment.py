"""The inputs of the exercises of l10_deployment, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def lifetimes(rng: np.random.Generator) -> Arrays:
    """Eight operators that run in the order of their numbers. Operator i makes tensor i + 1; tensor 0 is the model's input and
    tensor 8 its output. `sizes` (9,) int64: bytes of each tensor; `reads` (8, 2) int64: the tensors that operator i reads, −1 for
    none.

    A tensor is alive from the operator that makes it (the input: from operator 0) to the last that reads it (the output: to
    operator 7), both included. Answers, all integer:

        last (9,)    the last operator at which tensor t is alive
        live (8,)    the bytes that are alive while operator i runs
        peak ()      the most of these
        arena ()     the bytes of one block into which all are put greedily: the largest first, each at the lowest offset at which
                     it overlaps none that was put there before and is alive together with it (no two have the same size)
    """
    sizes = 16 * rng.choice(np.arange(2, 60), 9, replace=False)
    reads = np.stack([np.arange(8), np.full(8, -1)], axis=1)
    for operator in rng.choice(np.arange(2, 8), 3, replace=False):
        reads[operator, 1] = rng.integers(0, operator)
    return {"sizes": sizes.astype(np.int64), "reads": reads.astype(np.int64)}


def two_branches(rng: np.random.Generator) -> Arrays:
    """A network with two branches: operator 0 reads the input, 1 and 3 read the output of 0, 2 that of 1, 4 that of 3, 5 those of
    2 and 4, and 6 that of 5. `input` () int64: bytes of the input; `sizes` (7,) int64: bytes that each operator makes; `orders`
    (6, 7) int64: the six orders in which they may run. Tensors live as in exercise lifetimes. Answers, integer:

        peaks (6,)   the most bytes alive at once in each order
        best ()      the number of the first order with the smallest peak
    """
    orders = [[1, 2, 3, 4], [1, 3, 2, 4], [1, 3, 4, 2], [3, 1, 2, 4], [3, 1, 4, 2], [3, 4, 1, 2]]
    sizes = rng.integers(4, 20, 7)
    sizes[[1, 3]] += rng.permutation([60, 20]) + rng.integers(0, 10, 2)
    return {
        "input": np.array(16 * rng.integers(4, 20), dtype=np.int64),
        "sizes": (16 * sizes).astype(np.int64),
        "orders": np.array([[0, *order, 5, 6] for order in rng.permutation(orders).tolist()], dtype=np.int64),
    }


def trtexec_output(rng: np.random.Generator) -> Arrays:
    """`text` () str: what NVIDIA's trtexec prints at the end of a run, as its sources write it; drawn, not measured. Its times
    are in milliseconds; the answers, each (), are in seconds and inferences per second:

        throughput   inferences per second
        compute      the median of the GPU's compute time
        latency_99   the 99th percentile of the latency
        transfers    the medians of both transfers between host and device together
        busy         the total compute time of the GPU / the total wall time
    """
    compute, to, back = rng.uniform(0.5, 3.0), rng.uniform(0.05, 0.2), rng.uniform(0.01, 0.05)
    runs = round(3000 / (compute * rng.uniform(1.05, 1.6)))
    wall = rng.uniform(3.0, 3.01)

    def line(name: str, middle: float) -> str:
        least, most, mean, p90, p95, p99 = middle * np.array([0.97, 1.4, 1.01, 1.05, 1.1, 1.25]) * rng.uniform(0.99, 1.01, 6)
        percentiles = ", ".join(f"percentile({q}%) = {value:.6g} ms" for q, value in ((90, p90), (95, p95), (99, p99)))
        return f"{name}: min = {least:.6g} ms, max = {most:.6g} ms, mean = {mean:.6g} ms, median = {middle:.6g} ms, {percentiles}"

    lines = [
        "=== Performance summary ===",
        f"Throughput: {runs / wall:.6g} qps",
        line("Latency", compute + to + back),
        line("Enqueue Time", rng.uniform(0.01, 0.05)),
        line("H2D Latency", to),
        line("GPU Compute Time", compute),
        line("D2H Latency", back),
        f"Total Host Walltime: {wall:.6g} s",
        f"Total GPU Compute Time: {runs * compute / 1000:.6g} s",
    ]
    return {"text": np.array("\n".join(f"[11/22/2026-14:03:{20 + number}] [I] {text}" for number, text in enumerate(lines)))}


def fallback(rng: np.random.Generator) -> Arrays:
    """A chain of nine layers on a device with a GPU and a DLA. `supported` (9,) int64: 1 where the DLA can run the layer; `dla`
    (9,) and `gpu` (9,) float64: the seconds that it takes on each; `crossing` () float64: the seconds that it costs to hand an
    activation from one to the other. Input and answer lie with the GPU. TensorRT puts every supported layer on the DLA. Answers:

        crossings () integer   how often an activation changes sides then, before the first and after the last layer included
        seconds ()             layers and crossings together then
        gpu_only ()            all layers on the GPU
        best ()                the least that any placement takes, of those that leave unsupported layers on the GPU
    """
    supported = (rng.random(9) < 0.7).astype(np.int64)
    supported[rng.choice(9, 3, replace=False)] = [1, 0, 1]
    gpu = rng.uniform(2e-5, 2e-4, 9)
    return {
        "supported": supported,
        "dla": np.round(gpu * rng.uniform(0.4, 1.3, 9), 7),
        "gpu": np.round(gpu, 7),
        "crossing": np.array(np.round(rng.uniform(1e-5, 6e-5), 7)),
    }


def ram_budget(rng: np.random.Generator) -> Arrays:
    """Fourteen models: `accuracy`, `latency` in seconds and `memory` in bytes, (14,) float64 each, and a `budget` () in bytes.
    Answers:

    feasible (f,) integer   the models of which memory ≤ budget, by number
    front (p,) integer      those of them that no other feasible one beats: is at least as accurate, at most as slow, and better
                            in one of the two
    best () integer         the most accurate feasible one
    price ()                what the budget costs: the highest accuracy of all models minus that of `best`
    """
    size = rng.uniform(0.0, 1.0, 14)
    memory = np.round(2000 * np.exp(3 * size) * rng.uniform(0.7, 1.4, 14))
    accuracy = 0.8 + 0.18 * size**0.5 + rng.normal(0.0, 0.01, 14)
    return {
        "accuracy": np.round(accuracy, 3) + 1e-6 * rng.permutation(14),  # so that no two are equal
        "latency": np.round(1e-5 * np.exp(2 * size) * rng.uniform(0.7, 1.4, 14), 8),
        "memory": memory,
        "budget": np.array(np.sort(memory)[rng.integers(6, 10)]),
    }


INPUTS = {
    "lifetimes": lifetimes,
    "two_branches": two_branches,
    "trtexec_output": trtexec_output,
    "fallback": fallback,
    "ram_budget": ram_budget,
}
