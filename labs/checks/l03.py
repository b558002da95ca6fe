"""Checks of l03_structured_pruning."""

import numpy as np

from checks import close, reached, right
from projectkit import prune
from projectkit.errors import ModelError
from projectkit.prune.lfe import filter_shares

IMAGE, CONVOLUTION, PASSED, SUM = 0, 1, 2, 3
CHAIN = [(IMAGE, -1, -1), (CONVOLUTION, 0, -1), (PASSED, 1, -1), (CONVOLUTION, 2, -1), (PASSED, 3, -1), (CONVOLUTION, 4, -1)]
BLOCK = [*CHAIN, (SUM, 2, 5), (PASSED, 6, -1), (CONVOLUTION, 7, -1)]
# Two sums that share one summand only in the end, when both have members already.
FOUR = [(CONVOLUTION, 0, -1)] * 4
LATE = [(IMAGE, -1, -1), *FOUR, (SUM, 1, 2), (SUM, 3, 4), (SUM, 6, 5), (PASSED, 3, -1), (CONVOLUTION, 7, -1)]
TABLES = (
    (CHAIN, [0, 1, 1, 2, 2, 3], "a chain", "A convolution opens a group; what passes channels on stays in it."),
    (BLOCK, [0, 1, 1, 2, 2, 1, 1, 1, 3], "a residual block", "The sum joins the block's input and its second convolution."),
    (LATE, [0, *[1] * 8, 2], "sums of sums", "A sum joins two *whole* groups: earlier members change, too."),
)


def group_of(student) -> None:
    """student(tensors) -> (n,): the group of each tensor, in the order of their first tensor"""
    for table, expected, what, hint in TABLES:
        found = np.asarray(student(np.array(table)))
        assert found.shape == (len(table),), f"{what}: expected ({len(table)},), one number per tensor; got shape {found.shape}."
        assert found.tolist() == expected, f"{what}: expected the groups {expected}, you have {found.tolist()}. {hint}"
    right("a chain, a residual block and sums of sums.")


def cut(student_convolutions, student_dense) -> None:
    """student_convolutions(first, norm, second, keep) -> the three; student_dense(kernel, keep) -> kernel"""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(3, 3, 5, 5)), rng.normal(size=(3, 3, 5, 5))
    norm = [rng.normal(size=5) for _ in range(4)]
    keep = np.array([True, False, True, True, False])
    got_first, got_norm, got_second = student_convolutions(first, norm, second, keep)
    stay = [0, 2, 3]
    close(got_first, first[:, :, :, stay], "the first kernel", "Its filters are on the last axis: (height, width, in, out).")
    close(
        got_second,
        second[:, :, stay, :],
        "the second kernel",
        "It reads the channels on its third axis: (height, width, in, out).",
    )
    assert len(got_norm) == 4, f"Batch normalization has four arrays, you return {len(got_norm)}."
    for index, array in enumerate(got_norm):
        close(array, norm[index][stay], f"array {index} of the batch normalization", "Each has one number per channel.")
    kernel = np.arange(15.0)[:, None] * np.ones(2)  # three pixels
    close(
        student_dense(kernel, keep),
        kernel[[0, 2, 3, 5, 7, 8, 10, 12, 13]],
        "the dense kernel",
        "Its rows are pixel 0 with all channels, then pixel 1 with all channels, …: np.tile repeats keep, np.repeat does not.",
    )
    right("two kernels, the batch normalization between them, and the dense layer behind a Flatten.")


def leftover(student) -> None:
    """student(gamma, beta, mean, variance) -> (c,)"""
    gamma, beta = np.array([1.0, 2.0, 0.5]), np.array([0.5, -1.0, 0.2])
    mean, variance = np.array([1.0, -3.0, 0.0]), np.array([0.0, 1.0, 4.0])
    expected = [0.0, 6 / np.sqrt(1.001) - 1, 0.2]
    close(
        student(gamma, beta, mean, variance),
        expected,
        "the leftovers",
        "Add epsilon to the variance, take the root, end with max(…, 0).",
    )
    right("a convolution that gives 0 can still leave a constant behind its batch normalization.")


def norms(student_l1, student_fpgm) -> None:
    """student_l1(kernel), student_fpgm(kernel) -> (channels,)"""
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 6))
    filters = [kernel[..., index] for index in range(6)]
    close(
        student_l1(kernel),
        [sum(abs(one).ravel()) for one in filters],
        "L1",
        "One filter is kernel[..., c]: sum |w| over the first three axes.",
    )
    close(
        student_fpgm(kernel),
        [sum(np.sqrt(np.sum((one - other) ** 2)) for other in filters) for one in filters],
        "FPGM",
        "For each filter: the Euclidean norm of its difference to every filter (0 to itself), then the sum of these.",
    )
    right("both scores are computed from the weights alone.")


def lfe(student) -> None:
    """student(masks, losses) -> (channels,)"""
    rng = np.random.default_rng(2)
    masks = rng.random((200, 8)) < 0.5
    losses = 3 - masks @ np.linspace(-0.2, 0.5, 8) + rng.normal(0, 0.05, 200)
    got = np.asarray(student(masks, losses), np.float64)
    assert got.shape == (8,), f"Expected one number for each of 8 channels, got shape {got.shape}. Leave c, the last one, out."
    raw = np.linalg.lstsq(np.column_stack([masks, np.ones(200)]), losses, rcond=None)[0][:-1]
    assert not np.allclose(got, raw), "You have fitted the losses: large θ means a *harmful* channel then. Fit the successes s."
    close(
        got,
        filter_shares(masks, losses, ridge=0),
        "θ",
        "s = 1 − (L − min L) / (max L − min L); the ones beside the masks: np.column_stack([masks, np.ones(len(masks))]).",
    )
    right("channels that lower the loss have a large share, those that raise it a negative one.")


def pgbp_gradient(student) -> None:
    """student(theta, masks, scores, baseline, spread) -> (channels,)"""
    theta = np.array([0.0, np.log(3), -np.log(3)])  # p = 0.5, 0.75, 0.25
    masks = np.array([[True, True, False], [False, True, True]])
    close(
        student(theta, masks, np.array([3.0, 1.0]), 1.0, 1.0),
        [0.5, 0.25, -0.25],
        "g with baseline 1 and spread 1",
        "Row by row (z − p) · (s − b) / d, then the mean of the rows; p = 1 / (1 + exp(−θ)).",
    )
    close(
        student(theta, masks, np.array([3.0, 1.0]), 0.0, 2.0),
        [0.25, 0.25, 0.0],
        "g with baseline 0 and spread 2",
        "Subtract the baseline from the scores, divide by the spread.",
    )
    right("channels in masks that scored above the baseline become more probable.")


def score(student, model, layer_name, data) -> None:
    """student(model, layer_name, data, *, seed=0) -> (channels,)"""
    try:
        found = prune.check_score(student, model, layer_name, data)
    except ModelError as error:
        raise AssertionError(str(error)) from error
    right(f"{len(found)} numbers for {len(found)} channels: a valid score.")


def bound(student) -> None:
    """student(work, behind) -> how many times less"""
    work = {"first": 600, "second": 300, "third": 100}
    close(student(work, ("re_lu", "second", "pool", "third")), 2.5, "1000 in all, 400 behind", "Layers without work count 0.")
    close(student(work, ("third",)), 10.0, "1000 in all, 100 behind", "Divide all by what is behind, not by what is before.")
    right("this is the speed-up if only arithmetic counted.")


def statistics(student) -> None:
    """student(x) -> (mean, variance), (channels,) each"""
    x = np.random.default_rng(3).normal(2.0, 3.0, size=(4, 3, 2, 5))
    rows = x.reshape(-1, 5)
    found = student(x)
    assert len(found) == 2, f"Expected two arrays, the mean and the variance; you return {len(found)}."
    hint = "One number a channel, over the images and both axes of the picture: axis=(0, 1, 2)."
    close(found[0], rows.mean(axis=0), "the mean", hint)
    close(found[1], np.square(rows - rows.mean(axis=0)).mean(axis=0), "the variance", f"{hint} Not its root: x.var.")
    right("these are the numbers that batch normalization stores.")


def small_enough(work: float, accuracy: float, reference_accuracy: float, at_most: float) -> None:
    """The share of work that is left, the accuracy, that of the whole network, and the share that the lab asks for."""
    assert work <= at_most, f"{work:.1%} of the work are left, the goal is {at_most:.0%}. Remove more: schedules.ratio_for_macs."
    reached(
        accuracy >= reference_accuracy - 0.04,
        f"It is right on {accuracy:.1%}, the whole network on {reference_accuracy:.1%}. Fine-tune longer or in more rounds.",
        accuracy,
        reference_accuracy,
    )
    right(f"{work:.1%} of the work at {accuracy:.1%}; the whole network has {reference_accuracy:.1%}.")
