"""The inputs of the exercises of l02_pruning, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def magnitude(rng: np.random.Generator) -> Arrays:
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


def schedule(rng: np.random.Generator) -> Arrays:
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


def two_of_four(rng: np.random.Generator) -> Arrays:
    """`w` (16, 6) float32, the kernel of a layer with 16 inputs and 6 units: of every 4 neighbouring inputs of a unit the 2
    with the largest |w| stay. Answers, as sparse tensor cores store it:

        values (8, 6)              what stays in each column, from the top down
        positions (8, 6) integer   where each of them stood in its group of four: 0, 1, 2 or 3
        kept ()                    sum of the |w| that stay / sum of all |w|
    """
    return {"w": np.round(rng.normal(0.0, 0.5, (16, 6)), 5).astype(np.float32)}


def palette(rng: np.random.Generator) -> Arrays:
    """`w` (400,) float32, weights that shall share 8 values. Start from 8 values evenly spaced from the smallest weight to the
    largest; ten times: each weight takes the nearest value, each value becomes the mean of the weights that took it (and
    stays where it is when none did). Answers:

        values (8,)             the values in the end, ascending
        chosen (400,) integer   the index of the value that is nearest to each weight in the end
        error ()                mean of (w − values[chosen])²
    """
    first, second = rng.normal(rng.uniform(-0.4, -0.1), 0.12, 250), rng.normal(rng.uniform(0.1, 0.5), 0.2, 150)
    return {"w": np.round(rng.permutation(np.concatenate([first, second])), 5).astype(np.float32)}


INPUTS = {
    "magnitude": magnitude,
    "schedule": schedule,
    "two_of_four": two_of_four,
    "palette": palette,
}
