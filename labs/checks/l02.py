"""Checks of l02_pruning."""

from collections.abc import Mapping, Sequence

import numpy as np

from checks import close, reached, right
from projectkit.prune.weight_masks import largest


def magnitude_mask(student) -> None:
    """student(w, sparsity) -> bool mask: the round(sparsity · size) smallest |w| go"""
    w = np.random.default_rng(0).normal(size=(3, 3, 4, 5))
    for share in (0.0, 0.5, 0.9):
        mask = np.asarray(student(w, share))
        assert mask.shape == w.shape, f"The mask has shape {mask.shape}, the weights have {w.shape}. Reshape it at the end."
        assert mask.dtype == bool, f"The mask holds {mask.dtype}, expected bool: True where a weight stays."
        gone, expected = int(np.sum(~mask)), round(share * w.size)
        assert gone == expected, (
            f"At a sparsity of {share} of {w.size} weights, {expected} go; in your mask {gone} do. A sparsity is what goes, not "
            "what stays; round(sparsity * w.size) says how many."
        )
        assert np.array_equal(mask, largest(np.abs(w), share, "w")), (
            f"At a sparsity of {share} some weight went that is larger than one that stayed. Sort by |w|: a weight of −3 matters."
        )
    equal = np.asarray(student(np.ones(10), 0.3))
    assert np.sum(~equal) == 3, (
        f"Of ten equal weights 3 should go at a sparsity of 0.3, in your mask {np.sum(~equal)} do. A threshold cannot tell equal "
        "weights apart, np.argsort can."
    )
    right("the smallest |w| go, whatever their sign, and exactly as many as asked.")


def global_masks(student) -> None:
    """student({layer: w}, sparsity) -> {layer: mask}: one threshold for all layers"""
    rng = np.random.default_rng(1)
    kernels = {"narrow": rng.normal(0, 1, (3, 3, 1, 4)), "wide": rng.normal(0, 0.1, (8, 20))}
    masks = student(kernels, 0.8)
    assert set(masks) == set(kernels), f"Give a mask for each of {', '.join(kernels)}; you have {', '.join(masks) or 'none'}."
    for name, mask in masks.items():
        assert np.shape(mask) == kernels[name].shape, (
            f"The mask of {name} has shape {np.shape(mask)}, its weights have {kernels[name].shape}."
        )
    gone = {name: float(np.mean(~np.asarray(mask))) for name, mask in masks.items()}
    every = np.concatenate([w.reshape(-1) for w in kernels.values()])
    expected = largest(np.abs(every), 0.8, "all")
    got = np.concatenate([np.asarray(masks[name]).reshape(-1) for name in kernels])
    assert not np.isclose(gone["narrow"], 0.8, atol=0.02), (
        "Both layers lost 80 %: that is layer by layer. Put the weights of all layers into one array before you sort."
    )
    assert np.array_equal(got, expected), (
        f"{np.sum(got != expected)} of {len(got)} weights have the wrong mask. np.split the long mask where each layer ends: at "
        "np.cumsum of the sizes, without the last."
    )
    right(f"one threshold: the layer with small weights lost {gone['wide']:.0%}, the other {gone['narrow']:.0%}.")


def schedule(student) -> None:
    """student(step, final, begin, end, initial, power) -> sparsity at `step`"""
    for step, expected, hint in (
        (0, 0.2, "Before `begin` it is `initial`."),
        (100, 0.2, "At `begin` it is `initial`."),
        (150, 0.9 - 0.7 * 0.125, "Halfway with power 3: final + (initial − final) · (1/2)³."),
        (200, 0.9, "At `end` it is `final`."),
        (500, 0.9, "After `end` it stays `final`: clip the progress to [0, 1]."),
    ):
        close(student(step, 0.9, 100, 200, 0.2, 3), expected, f"sparsity at step {step} (begin 100, end 200)", hint)
    right("the sparsity rises steeply at first and levels out at the end.")


def pruned(sparsity: Mapping[str, float], weights: Mapping[str, int], accuracy: float, reference: float) -> None:
    """Sparsity and number of weights by layer, the accuracies of the pruned and of the dense network."""
    total = sum(sparsity[name] * weights[name] for name in weights) / sum(weights.values())
    assert total >= 0.8, (
        f"Only {total:.1%} of the weights are zero, expected at least 80 %. Train the model that weight_masks.masked returned, "
        "which keeps its zeros, and give the plain copy of that one."
    )
    reached(
        accuracy >= reference - 0.05,
        f"The pruned network is right on {accuracy:.1%}, the dense one on {reference:.1%}. Did you train it after masking? "
        "A few epochs more may help, or a lower sparsity.",
        accuracy,
        reference,
    )
    right(f"{total:.1%} of the weights are zero, and {accuracy:.1%} of the images right; the dense network has {reference:.1%}.")


def two_of_four(student) -> None:
    """student(w) -> bool mask of w (…, inputs, units): of every 4 neighbouring inputs 2 stay"""
    w = np.random.default_rng(2).normal(size=(3, 3, 8, 6))
    mask = np.asarray(student(w))
    assert mask.shape == w.shape and mask.dtype == bool, (
        f"Expected a bool mask of shape {w.shape}, got {mask.dtype} of shape {mask.shape}. Undo np.moveaxis after the reshape."
    )
    kept = mask.reshape(3, 3, 2, 4, 6).sum(axis=3)
    assert np.all(kept == 2), (
        f"Some groups keep {kept.min()} and some {kept.max()} weights, expected 2 in each. The four neighbours lie along the "
        "last axis but one, the input channels: move it to the end before you reshape to (-1, 4)."
    )
    magnitudes = np.abs(w).reshape(3, 3, 2, 4, 6)
    largest_two = magnitudes >= np.sort(magnitudes, axis=3)[:, :, :, 2:3]
    assert np.array_equal(mask, largest_two.reshape(w.shape)), "Two of every four stay, but not the two with the largest |w|."
    right("half of the weights stay, two of every four.")


def palette(student) -> None:
    """student(w, count) -> (values, chosen): k-means in one dimension, ten rounds from an even start"""
    w = np.array([-1.0, -0.9, -0.8, 0.0, 0.1, 0.9, 1.0])
    values, chosen = student(w, 3)
    close(
        values,
        [-0.9, 0.05, 0.95],
        "the values of −1, −0.9, −0.8 | 0, 0.1 | 0.9, 1",
        "Each is the mean of the weights that chose it.",
    )
    assert np.array_equal(chosen, [0, 0, 0, 1, 1, 2, 2]), (
        f"chosen should be [0 0 0 1 1 2 2], yours is {np.asarray(chosen)}: for each weight the index of the nearest value, found "
        "anew after the last round."
    )
    lonely, _ = student(np.array([0.0, 0.1, 1.0]), 5)
    assert np.all(np.isfinite(lonely)), (
        "With five values for three weights, one of yours became NaN: a value that no weight chose has no mean and stays."
    )
    right("every weight is now an index into a list of few values.")


def chain(sparsity: float, distinct: int, bits: float, accuracy: float, reference: float) -> None:
    """What was measured in the int8 file at the end of the chain, and the accuracies of it and of the dense network."""
    assert bits == 8, f"The file stores {bits:.1f} bits per weight. Write it with precision='int8'."
    assert sparsity >= 0.79, (
        f"{sparsity:.1%} of the file's weights are zero: training has filled the zeros. Use collaborative.preserve with "
        'keep="both" between qat.prepare and train.fit.'
    )
    assert distinct <= 16, (
        f"A filter in the file stores {distinct} different values, expected at most 16. "
        'Start from the clustered network, and preserve with keep="both".'
    )
    reached(
        accuracy >= reference - 0.05,
        f"The file is right on {accuracy:.1%}, the dense network on {reference:.1%}. Lower the learning rate of the last step.",
        accuracy,
        reference,
    )
    right(f"{bits:.0f} bits, {sparsity:.0%} zeros, at most {distinct} values per filter, and {accuracy:.1%} right.")


def tickets(
    rewound: Sequence[Sequence[float]], redrawn: Sequence[Sequence[float]], densities: Sequence[float], seeds: int = 3
) -> None:
    """Accuracies (seeds, densities) of the tickets and (seeds, densities − 1) of the same connections with new weights."""
    rewound, redrawn = np.asarray(rewound), np.asarray(redrawn)
    points = len(densities)
    assert rewound.shape == (seeds, points), (
        f"rewound has shape {rewound.shape}, expected ({seeds}, {points}): a row for each seed, the dense network first."
    )
    assert redrawn.shape == (seeds, points - 1), (
        f"redrawn has shape {redrawn.shape}, expected ({seeds}, {points - 1}): the dense network is not drawn again."
    )
    assert not np.allclose(rewound, rewound[0]), "Every seed gave the same. Pass seed=seed to find_tickets."
    gap = 100 * (rewound[:, -1] - redrawn[:, -1])
    right(
        f"at {densities[-1]:.0%} of the weights the tickets are {gap.mean():+.1f} points from the redrawn networks "
        f"({gap.min():+.1f} to {gap.max():+.1f})."
    )
