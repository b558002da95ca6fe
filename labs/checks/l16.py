"""Checks of l16_robustness."""

import functools

import numpy as np
from scipy import stats

from checks import close, reached, right
from projectkit import robustness, scale
from projectkit.errors import RobustnessError
from projectkit.robustness import losses


def step_linf(student) -> None:
    """student(point, gradient, x, step, epsilon) -> the next point"""
    x = np.array([0.5, 0.5, 0.5, 0.02, 0.98])
    point, gradient = np.array([0.55, 0.58, 0.5, 0.0, 0.99]), np.array([3.0, 0.001, -2.0, -5.0, 1.0])
    got = np.asarray(student(point, gradient, x, 0.04, 0.1))
    assert got.shape == (5,), f"Expected a number for each pixel, shape (5,); got shape {got.shape}."
    assert not np.isclose(got[1], 0.58 + 0.04 * 0.001), "You have multiplied by the gradient itself. Take its sign: np.sign."
    assert not np.isclose(got[2], 0.54), "You go downhill. The attack raises the loss: add."
    assert got[1] <= 0.6 + 1e-9, (
        f"Pixel 1 lies {got[1] - 0.5:.2f} from the image, farther than epsilon = 0.1. Clip to [x − ε, x + ε]."
    )
    assert got.min() >= 0 and got.max() <= 1, "A pixel has left [0, 1]: there is no such image. Clip that, too."
    close(
        got, [0.59, 0.6, 0.46, 0.0, 1.0], "the point", "point + step · sign, then the two clips; the ball is round x, not point."
    )
    right("a step along the sign of the gradient, clipped to the ball.")


def step_l2(student) -> None:
    """student(point, gradient, x, step, radius) -> the next points, (n, height, width, channels)"""
    x = np.full((2, 1, 2, 1), 0.5)
    gradient = np.array([[3.0, 4.0], [0.0, 0.02]]).reshape(x.shape)
    got = np.asarray(student(x, gradient, x, 0.1, 1.0))
    assert got.shape == x.shape, f"Expected images of shape {x.shape}; got shape {got.shape}."
    close(
        got.ravel(),
        [0.56, 0.58, 0.5, 0.6],
        "a step of 0.1",
        "Divide each image's gradient by its own length: both images move by 0.1.",
    )
    got = np.asarray(student(x, gradient, x, 0.4, 0.2))
    close(
        got.ravel(), [0.62, 0.66, 0.5, 0.7], "a step of 0.4 in a ball of 0.2", "Shorten the change from x, all its pixels alike."
    )
    got = np.asarray(student(x, gradient, x, 1.0, 2.0))
    close(got.ravel(), [1.0, 1.0, 0.5, 1.0], "a step out of [0, 1]", "Clip to [0, 1] before you measure the length.")
    right("a step along the gradient, projected into the L2 ball.")


def pgd(student, model, images) -> None:
    """student(model, x, y, epsilon, steps) -> x_adv"""
    few, epsilon = images.take(50), 0.1
    for steps in (1, 5):
        attack = functools.wraps(student)(lambda *given, steps=steps: student(*given, steps))
        try:
            found = robustness.check_attack(attack, model, few.x, few.y, epsilon, norm="linf")
        except RobustnessError as error:
            raise AssertionError(str(error)) from error
        before, after = (robustness.gradient(model, losses.cross_entropy, x, few.y)[1].mean() for x in (few.x, found))
        assert after > before, f"The loss fell from {before:.3f} to {after:.3f}: an attack raises it."
    one, many = (
        robustness.evaluate(model, few.x, few.y, lambda *a, s=steps: student(*a, s), epsilon, norm="linf").value
        for steps in (1, 20)
    )
    assert many <= one, f"20 steps leave {many:.0%}, one leaves {one:.0%}. Take gradients at the point where you are, not at x."
    ours = robustness.evaluate(model, few.x, few.y, robustness.bim, epsilon).value
    assert many <= ours + 0.1, f"Your 20 steps leave {many:.0%}, ours leave {ours:.0%}. Is the step 2.5 · epsilon / steps?"
    right(f"one step leaves {one:.0%} of fifty images right, twenty leave {many:.0%}.")


def hardened(networks, plain, images, epsilon) -> None:
    """networks: one for each of `plain`, trained on attacks."""
    assert len(networks) == len(plain), f"Expected {len(plain)} networks, one a seed; got {len(networks)}."
    few = images.take(100)
    for number, (ours, other) in enumerate(zip(networks, plain, strict=True)):
        assert ours is not other, "This is the network trained on clean images. Build a fresh one."
        after, before = (robustness.evaluate(one, few.x, few.y, robustness.bim, epsilon).value for one in (ours, other))
        reached(
            after > before + 0.1,
            f"Network {number}: {after:.0%} right under BIM, {before:.0%} without the training. Is epsilon that of the attack?",
            after,
            before,
        )
    weights = [network.get_weights()[0] for network in networks]
    assert len(weights) < 2 or not np.array_equal(weights[0], weights[1]), "Two networks are the same. Give each its own seed."
    right("every one of them is more robust than the same network trained on clean images.")


def of_logits(student) -> None:
    """student(logits, labels) -> cross_entropy, margin, ratio, each (n,)"""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (6, 5)), np.array([0, 1, 2, 3, 4, 0])
    entropy, margin, ratio = student(logits.copy(), labels)
    expected = -np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[np.arange(6), labels]
    close(entropy, expected, "the cross-entropy", "−ln softmax(z)_y, a number for each image.")
    close(
        margin,
        robustness.margins(logits, labels),
        "the margin",
        "z_y minus the largest other logit: below 0 where it is wrong.",
    )
    ordered = np.sort(logits, axis=1)
    assert not np.allclose(ratio, margin / (ordered[:, -1] - ordered[:, -3])), "The ratio has the other sign: attacks raise it."
    close(ratio, -margin / (ordered[:, -1] - ordered[:, -3]), "the ratio", "−margin / (largest − third largest).")
    with np.errstate(all="ignore"):
        entropy, _, scaled = student(1000 * logits, labels)
    assert np.isfinite(entropy).all(), "Large logits gave NaN or ∞: subtract each row's largest number before exp."
    close(scaled, ratio, "the ratio of 1000 times the logits", "Numerator and denominator grow alike: nothing changes.")
    right("a factor on the logits masks cross-entropy, but not the ratio.")


def proven(student) -> None:
    """student(hits, n, sigma, alpha) -> bound, radius"""
    hits = np.array([40, 52, 70, 99, 100])
    bound, radius = student(hits, 100, 0.5, 0.001)
    assert not np.allclose(bound, hits / 100), "The share of the sample is too good: by chance it may lie above the true one."
    close(bound, stats.beta.ppf(0.001, hits, 101 - hits), "the bound", "stats.beta.ppf(alpha, hits, n − hits + 1).")
    assert np.all(np.asarray(radius)[:2] == 0), "Where the bound is 1/2 or less nothing is proven: the radius is 0."
    close(radius, np.where(bound > 0.5, 0.5 * stats.norm.ppf(bound), 0), "the radius", "sigma · stats.norm.ppf(bound).")
    right(f"even 100 hits of 100 prove no more than {radius[-1]:.2f}.")


def corruption_error(student) -> None:
    """student(errors, reference) -> (kinds,) in per cent"""
    errors, reference = np.array([[0.1, 0.3], [0.2, 0.2]]), np.array([[0.1, 0.1], [0.1, 0.7]])
    got = np.asarray(student(errors, reference))
    assert got.shape == (2,), f"Expected a number for each kind, shape (2,); got shape {got.shape}."
    assert not np.allclose(got, [2.0, 0.5]), "In per cent: multiply by 100."
    wrong = 100 * (errors / reference).mean(axis=1)
    assert not np.allclose(got, wrong), (
        "You average ratios. Sum the severities of both first, then divide: easy severities weigh little."
    )
    close(got, [200.0, 50.0], "the errors", "100 · Σ errors / Σ reference, over the severities.")
    mean = robustness.mean_corruption_error({"fog": errors[0], "snow": errors[1]}, {"fog": reference[0], "snow": reference[1]})
    close(got.mean(), 100 * mean, "their mean", "As robustness.mean_corruption_error has it.")
    right("below 100 is better than the reference.")


def robust_accuracy(student) -> None:
    """student(before (n,), after (…, n)) -> (…,)"""
    before = np.array([True, True, True, False])
    after = np.array([[True, False, True, True], [False, False, True, True]])
    got = np.asarray(student(before, after))
    assert not np.allclose(got, [0.75, 0.5]), "An image that was wrong before and right by luck after does not count."
    close(got, [0.5, 0.25], "the shares", "Right before and after, then the mean over the images.")
    close(student(before, after[0]), 0.5, "the share after one attack", "The mean over the last axis.")
    right("only images that are right before and after the attack count.")


def robust_files(measured) -> None:
    """measured: slot -> (accuracy without attack, under Square)"""
    goals = {"robust": 0.84, "robust_small": 0.8} if scale.current() == "quick" else {"robust": 0.65, "robust_small": 0.6}
    for slot, least in goals.items():
        clean, attacked = measured[slot]
        reached(
            clean >= 0.9,
            f"{slot} is right on {clean:.1%} without any attack. Train longer, or for a smaller epsilon.",
            clean,
        )
        reached(
            attacked >= least,
            f"{slot} keeps {attacked:.1%} under Square, expected {least:.0%}. Train longer, or on attacks at all.",
            attacked,
        )
    right("both files are accurate enough under the black-box attack.")
