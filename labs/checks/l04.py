"""Checks of l04_supermasks."""

import numpy as np

from checks import close, reached, right
from projectkit.runtimes.supermask import Supermask
from projectkit.runtimes.supermask import draw as reference_draw


def drawn(student) -> None:
    """student(units, seed) -> kernels"""
    for units, seed in (((64, 300, 100, 10), 0), ((5, 4, 3), 7)):
        kernels = student(units, seed)
        assert len(kernels) == len(units) - 1, (
            f"Layers of {units} units have {len(units) - 1} kernels between them, you have {len(kernels)}."
        )
        for number, (kernel, expected) in enumerate(zip(kernels, reference_draw(units, seed), strict=True), 1):
            kernel = np.asarray(kernel)
            assert kernel.shape == expected.shape, f"kernel {number} has shape {kernel.shape}, expected {expected.shape}."
            assert np.allclose(kernel, expected, rtol=1e-5), (
                f"kernel {number} begins with {kernel[0, :3].round(5)}, expected {expected[0, :3].round(5)}. One generator for "
                "all layers, rng.standard_normal((inputs, outputs), dtype=np.float32), times √(2 / inputs)."
            )
    right("the same seed gives everybody the same network.")


def masked(student) -> None:
    """student(kernels, masks, x) -> logits"""
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=shape) for shape in ((6, 5), (5, 4), (4, 3))]
    x, masks = rng.normal(size=(7, 6)), [np.array([1, 0, 1, 1, 0], bool), np.array([0, 1, 1, 0], bool)]
    first = np.maximum(x @ kernels[0][:, masks[0]], 0)
    expected = np.maximum(first @ kernels[1][masks[0]][:, masks[1]], 0) @ kernels[2][masks[1]]
    got = np.asarray(student(kernels, masks, x))
    assert got.shape == (7, 3), f"7 images and 3 classes should give logits of shape (7, 3), yours have {got.shape}."
    assert np.any(got < 0), "The last layer has no ReLU: logits may be negative."
    close(
        got,
        expected,
        "the logits of a small network",
        "Layer by layer: multiply by the kernel, ReLU, multiply by the mask; the last kernel gives the logits.",
    )
    right("masking a unit gives the same logits as removing it.")


def shares(student) -> None:
    """student(masks, losses) -> (units,)"""
    rng = np.random.default_rng(2)
    masks, effects = rng.random((200, 6)) < 0.5, np.array([0.5, -0.2, 0.0, 0.1, -0.4, 0.3])
    losses = 7.0 - masks @ effects  # a constant that depends on no unit
    expected = effects / np.ptp(losses)
    got = np.asarray(student(masks, losses))
    assert got.shape == (6,), f"Six units have six shares, yours have shape {got.shape}. Leave the constant out of the answer."
    assert np.corrcoef(got, expected)[0, 1] > -0.5, (
        "Your best unit is the worst one: success grows when the loss falls, s = 1 − (L − Lmin) / (Lmax − Lmin)."
    )
    close(
        got,
        expected,
        "θ",
        "Solve [Z 1] θ ≈ s with np.linalg.lstsq; without the column of ones, the constant would be spread over the units.",
    )
    right("where the effects of units add up, least squares finds them exactly.")


def gradient(student) -> None:
    """student(theta, masks, scores) -> (units,): with the mean of the other scores as the baseline"""
    rng = np.random.default_rng(3)
    theta, masks, scores = rng.normal(size=5), rng.random((8, 5)) < 0.5, rng.normal(size=8) - 30.0
    p = 1 / (1 + np.exp(-theta))
    others = np.array([np.delete(scores, number).mean() for number in range(8)])
    got = np.asarray(student(theta, masks, scores))
    assert got.shape == (5,), f"Five units have a gradient of shape (5,), yours has {got.shape}. Take the mean over the masks."
    plain, own = (masks - p).T @ scores / 8, (masks - p).T @ (scores - scores.mean()) / 8
    assert not np.allclose(got, plain), "Subtract a baseline from each score: the mean of the other masks' scores."
    assert not np.allclose(got, own), (
        "The baseline of a mask is the mean of the *other* scores, (scores.sum() − scores) / (n − 1). With its own score in it, "
        "the gradient comes out too small by a factor (n − 1) / n."
    )
    close(got, (masks - p).T @ (scores - others) / 8, "the gradient", "mean over the masks of (z − σ(θ)) · (s − baseline).")
    right("a common part of all scores, however large, no longer moves θ.")


def parameters(student) -> None:
    """student(units, masks) -> how many weights the dense rest has"""
    rng = np.random.default_rng(4)
    for shape, hidden in (((8, 8, 1), (300, 100)), ((28, 28, 1), (50, 40, 30))):
        masks = tuple(rng.random(units) < 0.3 for units in hidden)
        supermask = Supermask(shape, 0, masks)
        got = student(supermask.units, masks)
        assert got == supermask.parameters, (
            f"With {supermask.kept[1:-1]} of {hidden} hidden units, {supermask.parameters:,} weights "
            f"are left, you have {got:,}. A kernel loses its rows on one side and its columns on the other."
        )
    right("a removed unit takes its column of one kernel and its row of the next with it.")


def handed_in(accurate, tiny) -> None:
    """The two supermasks: enough removed, and better than chance on validation images."""
    assert accurate.removed >= 0.5, (
        f"The accurate supermask should have lost half of the weights, yours has lost {accurate.removed:.0%}. "
        "Choose with best(rounds, removed=0.5)."
    )
    assert tiny.removed >= 0.9, (
        f"The tiny supermask should have lost 90 % of the weights, yours has lost {tiny.removed:.0%}. "
        "Choose with best(rounds, removed=0.9)."
    )
    worst = min(accurate.accuracy, tiny.accuracy)
    reached(
        worst > 0.25,
        f"One of them is right on {worst:.1%} of the validation images. Give the search more steps.",
        worst,
    )
    found = [f"{one.accuracy:.1%} with {1 - one.removed:.0%} of the weights" for one in (accurate, tiny)]
    right(f"{found[0]}, {found[1]}.")
