"""Checks of l15_uncertainty."""

import itertools
import math

import numpy as np
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from checks import close, reached, right


def diagram(student) -> None:
    """student(probs, y, bins) -> count, confidence, accuracy, each (bins,)"""
    probs = np.array([[0.9, 0.1], [0.82, 0.18], [0.35, 0.65], [0.7, 0.3], [0.45, 0.55]])
    y = np.array([0, 1, 1, 0, 1])
    found = student(probs, y, 5)
    assert len(found) == 3, f"Return three arrays: count, confidence and accuracy; you return {len(found)}."
    for got, expected, what, hint in (
        (found[0], [0, 0, 1, 2, 2], "count", "Bin b of five holds confidences in (b/5, (b + 1)/5]."),
        (found[1], [0, 0, 0.55, 0.675, 0.86], "confidence", "The mean of the largest probabilities in it, 0 where it is empty."),
        (found[2], [0, 0, 1, 1, 0.5], "accuracy", "How many of its images are right, as a share; 0 where it is empty."),
    ):
        close(got, expected, what, hint)
    right("count, mean confidence and accuracy of each bin.")


def ece(student) -> None:
    """student(count, confidence, accuracy) -> float"""
    count, confidence, accuracy = np.array([0, 10, 30]), np.array([0, 0.5, 0.9]), np.array([0, 0.7, 0.8])
    got = float(student(count, confidence, accuracy))
    assert not np.isclose(got, 0.25 * 0.2 - 0.75 * 0.1), "An overconfident and an underconfident bin must not cancel: |…|."
    assert not np.isclose(got, 0.1), "Weigh each bin by its share of the images; the mean over the bins is another number."
    close(got, 0.25 * 0.2 + 0.75 * 0.1, "the error", "Σ count / n · |accuracy − confidence|.")
    right("0.125: on average confidence and accuracy differ by 12.5 points.")


def slope(student) -> None:
    """student(logits, y, beta) -> the derivative of the NLL of softmax(beta · logits) with respect to beta"""
    logits, y = _drawn()
    for beta in (1.0, 0.4):
        expected = (_nll(logits, y, beta + 1e-6) - _nll(logits, y, beta - 1e-6)) / 2e-6
        got = float(student(logits, y, beta))
        assert not np.isclose(got, -expected, rtol=1e-4), f"β = {beta}: the sign is turned. Take Σ p z − z_y."
        assert not np.isclose(got, len(y) * expected, rtol=1e-4), f"β = {beta}: take the mean over the images, not the sum."
        hint = "p = softmax(β z), not of z; then the mean of Σ p z − z_y."
        close(got, expected, f"the slope at β = {beta}", hint, tolerance=1e-4)
    right("the derivative is the expected logit minus that of the label.")


def temperature(student, slope) -> None:
    """student(logits, y) -> T; slope: the function of before"""
    logits, y = _drawn()
    got = float(student(logits, y))
    at_best = slope(logits, y, 1 / got) if got > 0 else math.inf
    assert not abs(slope(logits, y, got)) < 1e-5 < abs(at_best), f"{got:.4f} is β. Return T = 1 / β."
    assert abs(at_best) < 1e-5, (
        f"At T = {got:.4f} the slope is {at_best:+.2g}, not 0. Halve the interval often enough (forty times), and keep the half "
        "in which the slope changes its sign: where it is positive, β is too large."
    )
    right(f"T = {got:.3f}.")


def brier_parts(student) -> None:
    """student(stated, happened) -> reliability, resolution, uncertainty"""
    stated, happened = np.repeat([0.2, 0.8], [4, 6]), np.array([0, 1, 0, 1, 1, 1, 1, 0, 1, 1])
    found = student(stated, happened)
    assert len(found) == 3, f"Return three numbers: reliability, resolution, uncertainty; you return {len(found)}."
    rates, base = (0.5, 5 / 6), 0.7
    expected = (
        0.4 * (0.2 - rates[0]) ** 2 + 0.6 * (0.8 - rates[1]) ** 2,
        0.4 * (rates[0] - base) ** 2 + 0.6 * (rates[1] - base) ** 2,
        base * (1 - base),
    )
    hints = (
        "For each value that was stated: its share of all, times (the value − how often it came true)².",
        "For each value: its share, times (how often it came true − how often anything came true)².",
        "o (1 − o), o being how often it happened at all.",
    )
    for got, value, what, hint in zip(found, expected, ("reliability", "resolution", "uncertainty"), hints, strict=True):
        close(got, value, what, hint)
    right("reliability − resolution + uncertainty is the Brier score.")


def split(student) -> None:
    """student(samples (samples, n, classes)) -> total, aleatoric, epistemic, each (n,)"""
    samples = softmax(np.random.default_rng(0).normal(0, 2, (4, 5, 3)), axis=2)
    total, aleatoric = entropy(samples.mean(axis=0), axis=1), entropy(samples, axis=2).mean(axis=0)
    found = student(samples)
    assert len(found) == 3, f"Return three arrays: total, aleatoric, epistemic; you return {len(found)}."
    assert not np.allclose(found[0], total / math.log(2)), "These are bits. Use the natural logarithm: nats."
    assert not np.allclose(found[0], aleatoric), "The total is the entropy of the mean, not the mean of the entropies."
    close(found[0], total, "total", "Average the networks' probabilities first, then −Σ p ln p.")
    close(found[1], aleatoric, "aleatoric", "−Σ p ln p of each network, then the mean over the networks.")
    close(found[2], total - aleatoric, "epistemic", "What is left of the total.")
    sure = np.tile(np.array([[1.0, 0.0, 0.0]]), (2, 1, 1))
    with np.errstate(all="ignore"):
        assert np.allclose(student(sure), 0), "Where p = 0 the logarithm is −∞ and the product NaN. Clip p at a tiny number."
    right("aleatoric: what all networks are unsure about; epistemic: what they disagree about.")


def detection(student) -> None:
    """student(inside, outside) -> the area under the ROC curve"""
    inside, outside = np.array([0.1, 0.4, 0.4, 0.7]), np.array([0.4, 0.9, 0.2])
    wins = sum((b > a) + 0.5 * (b == a) for a, b in itertools.product(inside, outside)) / 12
    got = float(student(inside, outside))
    assert not np.isclose(got, 1 - wins), "It is turned round: count the pairs in which the outside value is larger."
    strict = np.mean(outside[:, None] > inside)
    assert not np.isclose(got, strict), "Ties count one half."
    close(got, wins, "the area", "Over all pairs: 1 where the outside value is larger, ½ for a tie.")
    right("0.5 is guessing, 1 a perfect separation.")


def threshold(student) -> None:
    """student(scores, alpha) -> the ⌈(n + 1)(1 − α)⌉-th smallest"""
    scores = np.random.default_rng(0).permutation(49) / 50
    for alpha, place in ((0.1, 45), (0.2, 40), (0.05, 48)):
        got = float(student(scores, alpha))
        plain = np.sort(scores)[math.ceil(49 * (1 - alpha)) - 1]
        assert got != plain or plain == np.sort(scores)[place - 1], f"α = {alpha}: n + 1 = 50, not 49: the new image counts, too."
        assert got != np.sort(scores)[place], f"α = {alpha}: one too far; Python counts from 0."
        close(got, np.sort(scores)[place - 1], f"the threshold for α = {alpha}", f"The {place}th smallest of the 49.")
    right("the threshold is one of the scores, not a value between two.")


def adaptive(student) -> None:
    """student(probs (n, classes)) -> scores (n, classes)"""
    probs = np.array([[0.5, 0.2, 0.3], [0.1, 0.7, 0.2]])
    expected = np.array([[0.5, 1.0, 0.8], [1.0, 0.7, 0.9]])
    got = np.asarray(student(probs), np.float64)
    assert got.shape == probs.shape, f"Expected a number for each class, shape {probs.shape}; got {got.shape}."
    assert not np.allclose(got, np.cumsum(-np.sort(-probs, axis=1), axis=1)), (
        "These are the sums in order of probability. Put each back to its own class."
    )
    close(got, expected, "the nonconformity score", "Of class c: the sum of all probabilities that are at least p_c.")
    right("the least probable classes fit worst, and by how much depends on the image.")


def mixed(student) -> None:
    """student(logits (members, n, classes)) -> logits (n, classes) whose softmax is the mean of the members' probabilities"""
    logits = np.random.default_rng(0).normal(0, 2, (3, 4, 5))
    got = np.asarray(student(logits), np.float64)
    assert got.shape == (4, 5), f"Expected one row per image, shape (4, 5); got {got.shape}."
    wanted = softmax(logits, axis=2).mean(axis=0)
    assert not np.allclose(softmax(got, axis=1), softmax(logits.mean(axis=0), axis=1)), (
        "You have averaged the logits. Average the probabilities, and take the logarithm of that."
    )
    close(softmax(got, axis=1), wanted, "softmax of your logits", "ln of the mean over the members of softmax(z).")
    right("the softmax of these logits is the mean prediction of the ensemble.")


def calibrated(before, after, same_answers) -> None:
    """The calibration errors of the network and of the file with the temperature, and whether the answers are the same."""
    assert same_answers, "The file's answers are not those of the network; a temperature changes no answer. Fold nothing else."
    reached(
        after < 0.7 * before,
        f"The error went from {before:.3f} to {after:.3f}, expected 0.7 of it. Is T of the right data?",
        after,
        before,
    )
    right(f"calibration error {before:.3f} → {after:.3f}, every answer as before.")


def better_together(alone, together) -> None:
    """The NLL of one calibrated network and of the file that holds several."""
    reached(
        together <= alone + 0.01,
        f"The NLL is {together:.3f}, that of one network {alone:.3f}. Do all members differ?",
        together,
        alone,
    )
    right(f"NLL {alone:.3f} → {together:.3f}.")


def _drawn() -> tuple[np.ndarray, np.ndarray]:
    """Logits that are three times too large, and labels."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (200, 4))
    return 3 * logits, (softmax(logits, axis=1).cumsum(axis=1) < rng.random((200, 1))).sum(axis=1).clip(max=3)


def _nll(logits: np.ndarray, y: np.ndarray, beta: float) -> float:
    return -log_softmax(beta * logits, axis=1)[np.arange(len(y)), y].mean()
