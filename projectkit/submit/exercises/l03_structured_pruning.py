"""The inputs of the exercises of l03_structured_pruning, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def filter_scores(rng: np.random.Generator) -> Arrays:
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


def surgery(rng: np.random.Generator) -> Arrays:
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


def channel_groups(rng: np.random.Generator) -> Arrays:
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


INPUTS = {
    "filter_scores": filter_scores,
    "surgery": surgery,
    "channel_groups": channel_groups,
}
