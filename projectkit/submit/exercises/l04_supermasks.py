"""The inputs of the exercises of l04_supermasks, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def drawn_network(rng: np.random.Generator) -> Arrays:
    """A network to draw again: `seed` () int64 and `units` (4,) int64, the widths of its layers from inputs to classes.

    rng = np.random.default_rng(seed) draws the kernels one after the other, first layer first, each as
    rng.standard_normal((inputs, outputs), dtype=np.float32) times np.float32(np.sqrt(2 / inputs)). Answers:

    first (outputs,)   the weights from the first input to the units of the first hidden layer
    last (classes,)    the weights from the last unit of the last hidden layer to the classes
    """
    units = [int(rng.integers(30, 60)), int(rng.integers(12, 20)), int(rng.integers(6, 12)), int(rng.integers(3, 8))]
    return {"seed": np.array(rng.integers(0, 1000), dtype=np.int64), "units": np.array(units, dtype=np.int64)}


def ensemble(rng: np.random.Generator) -> Arrays:
    """`masks` (60, 6) int64 of 0 and 1: which of 6 units took part, and `losses` (60,) float64 under each mask. Answers:

    success (60,)   1 − (L − Lmin) / (Lmax − Lmin)
    shares (6,)     θ of the least-squares fit success ≈ masks · θ + c, with a constant c
    order (6,) integer   the units from the least share to the greatest, counted from 0
    """
    masks = (rng.random((60, 6)) < 0.5).astype(np.int64)
    effects = rng.permutation(np.linspace(-0.3, 0.3, 6) + rng.uniform(-0.02, 0.02, 6))
    losses = 2.3 - masks @ effects + rng.normal(0.0, 0.03, 60)
    return {"masks": masks, "losses": np.round(losses, 6)}


def climb(rng: np.random.Generator) -> Arrays:
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


def dense_rest(rng: np.random.Generator) -> Arrays:
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


INPUTS = {
    "drawn_network": drawn_network,
    "ensemble": ensemble,
    "climb": climb,
    "dense_rest": dense_rest,
}
