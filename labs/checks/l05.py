"""Checks of l05_distillation."""

import numpy as np
from scipy.special import rel_entr, softmax
from scipy.stats import t as students_t

from checks import close, reached, right
from projectkit import distill


def soften(student) -> None:
    """student(logits, temperature) -> probabilities of the same shape"""
    logits = np.array([[2.0, 0.0, -2.0], [3000.0, 2998.0, 0.0]])
    with np.errstate(all="ignore"):
        got = np.asarray(student(logits, 2.0))
    assert got.shape == (2, 3), f"Expected a probability for each logit, shape (2, 3); got shape {got.shape}."
    assert np.isfinite(got).all(), "Large logits gave NaN: exp(1500) overflows. Subtract each row's largest number before exp."
    assert not np.allclose(got, softmax(logits, axis=1)), "The temperature changes nothing. Divide the logits by it."
    assert not np.allclose(got[0], softmax(logits[0] * 2)), (
        "You have multiplied by the temperature. Divide: a high temperature softens."
    )
    close(got, softmax(logits / 2, axis=1), "the probabilities", "exp(z / T), then divide each row by its own sum.")
    right("a high temperature makes probabilities softer, and rows sum to 1.")


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of a student and a teacher, (6, 4), and labels."""
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(0, 2, (2, 6, 4))
    return student, teacher, np.array([0, 1, 2, 3, 0, 1])


def soft_loss(student) -> None:
    """student(student_logits, teacher_logits, labels, temperature, alpha) -> the loss"""
    ours, theirs, labels = drawn()
    hard = -np.log(softmax(ours, axis=1)[np.arange(6), labels]).mean()
    p, q = softmax(theirs / 3, axis=1), softmax(ours / 3, axis=1)
    soft, turned = (rel_entr(*pair).sum(axis=1).mean() for pair in ((p, q), (q, p)))
    close(
        student(ours, theirs, labels, 3.0, 0.0),
        hard,
        "α = 0",
        "Then only the labels count: the mean of −ln softmax(z)[label], at T = 1.",
    )
    got = float(student(ours, theirs, labels, 3.0, 1.0))
    for wrong, hint in (
        (soft, "The factor T² is missing."),
        (9 * turned, "The divergence is the other way round: the teacher's probabilities stand before the logarithm."),
        (9 * 6 * soft, "Take the mean over the images, not the sum."),
        (9 * soft / 4, "Sum over the classes; the mean is over the images only."),
        (9 * (p * np.log(1 / q)).sum(axis=1).mean(), "This is a cross-entropy. Subtract the teacher's own entropy: ln p − ln q."),
    ):
        assert not np.isclose(got, wrong, rtol=1e-6), f"α = 1: you have {got:.4f}, expected {9 * soft:.4f}. {hint}"
    close(
        got,
        9 * soft,
        "α = 1",
        "T² times the mean over the images of Σ p (ln p − ln q), p of the teacher, q of the student, both at T.",
    )
    both = float(distill.LOSSES["hinton"](ours, theirs, labels, temperature=3.0, alpha=0.7))
    close(student(ours, theirs, labels, 3.0, 0.7), both, "α = 0.7", "(1 − α) of the labels and α of the teacher.", tolerance=1e-5)
    right(f"{both:.4f}, as distill.LOSSES['hinton'] has it.")


def gradient(student, loss) -> None:
    """student(student_logits, teacher_logits, labels, temperature, alpha) -> (n, classes); loss: the function of before"""
    ours, theirs, labels = drawn()
    for temperature, alpha, what, hint in (
        (1.0, 0.0, "α = 0", "softmax(z) minus 1 at the label, over n."),
        (1.0, 1.0, "α = 1 at T = 1", "softmax of the student minus softmax of the teacher, over n."),
        (3.0, 1.0, "α = 1 at T = 3", "T² of the loss times 1/T of the inner derivative leaves one T."),
        (3.0, 0.4, "α = 0.4 at T = 3", "(1 − α) times the first plus α times the second."),
    ):
        expected = numeric_gradient(lambda z, T=temperature, a=alpha: loss(z, theirs, labels, T, a), ours)
        close(student(ours, theirs, labels, temperature, alpha), expected, f"the gradient for {what}", hint, tolerance=1e-4)
    right("the gradient is a difference of probabilities.")


def numeric_gradient(function, point: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient by central differences."""
    moves = step * np.eye(point.size).reshape(-1, *point.shape)
    ends = np.array([(function(point + move), function(point - move)) for move in moves])
    return ((ends[:, 0] - ends[:, 1]) / (2 * step)).reshape(point.shape)


def interval(student) -> None:
    """student(differences) -> (mean, half) so that mean ± half is the 95 % interval of Student's t"""
    differences = np.array([0.4, 1.0, 2.2])
    mean, half = student(differences)
    close(mean, 1.2, "the mean", "Of the differences.")
    sure = students_t.ppf(0.975, 2)
    for spread, hint in (
        (differences.std(), "Divide the squares by n − 1: np.std(…, ddof=1)."),
        (differences.std(ddof=1) * np.sqrt(3), "Divide by √n: the mean of three varies less than one of them."),
    ):
        assert not np.isclose(half, sure * spread / np.sqrt(3)), f"half the width: you have {half:.4f}. {hint}"
    assert not np.isclose(half, 1.96 * differences.std(ddof=1) / np.sqrt(3), rtol=1e-2), (
        f"half the width: you have {half:.4f}. 1.96 is for many samples; of three, t is {sure:.2f}: stats.t.ppf(0.975, n − 1)."
    )
    close(half, sure * differences.std(ddof=1) / np.sqrt(3), "half the width", "t · s / √n, t = stats.t.ppf(0.975, n − 1).")
    right("three seeds only show large differences.")


def parts(student) -> None:
    """student(student_logits, teacher_logits, labels, temperature) -> sure, target, others, each (n,)"""
    ours, theirs, labels = drawn()
    p, q = softmax(theirs / 2, axis=1), softmax(ours / 2, axis=1)
    each = np.arange(6), labels
    mine = p[each], q[each]
    expected = {"sure": mine[0], "target": sum(rel_entr(a, b) for a, b in (mine, (1 - mine[0], 1 - mine[1])))}
    for rows in (p, q):
        rows[each] = 0
        rows /= rows.sum(axis=1, keepdims=True)
    expected["others"] = rel_entr(p, q).sum(axis=1)
    hints = {
        "sure": "The teacher's softened probability of the label.",
        "target": "KL of the two-way question: (p, 1 − p) against (q, 1 − q), p and q of the label.",
        "others": "Leave the label out, scale what is left to sum to 1, then KL.",
    }
    found = student(ours, theirs, labels, 2.0)
    assert len(found) == 3, f"Return three arrays: sure, target and others; you return {len(found)}."
    for got, (name, values) in zip(found, expected.items(), strict=True):
        close(got, values, name, hints[name])
    right("target + (1 − sure) · others is the whole divergence.")


def attention(student) -> None:
    """student(features (n, height, width, channels)) -> (n, height, width)"""
    features = np.random.default_rng(1).normal(0, 1, (2, 3, 3, 4))
    squares = (features**2).sum(axis=3)
    got = np.asarray(student(features))
    assert got.shape == squares.shape, (
        f"Expected one number per position, shape {squares.shape}; got {got.shape}. Sum over the channels."
    )
    assert not np.allclose(got, squares / np.linalg.norm(squares)), (
        "You have scaled all images together. Scale each by its own length."
    )
    assert not np.allclose(got, squares / squares.sum(axis=(1, 2), keepdims=True)), (
        "Your maps sum to 1. Divide by the Euclidean length instead: the root of the sum of squares."
    )
    lengths = np.linalg.norm(squares.reshape(2, -1), axis=1)
    close(
        got,
        squares / lengths[:, None, None],
        "the map",
        "Square the features, sum over the channels, divide each map by its length.",
    )
    right("the map has the same shape for any number of channels.")


def generations(line) -> None:
    """line: for each seed, the accuracies (in [0, 1]) of generation 0, 1 and 2"""
    line = np.asarray(line, np.float64)
    assert line.ndim == 2 and line.shape[1] == 3, f"Expected three accuracies per seed, you have an array of {line.shape}."
    same = [seed for seed, row in enumerate(line) if len(set(row)) == 1]
    assert len(same) < len(line), "All generations are equal. Build a fresh student for each, and let the one before teach it."
    right(f"{line.shape[0]} lines of three generations.")


def taught(fidelity: float) -> None:
    """The student's fidelity to its teacher."""
    reached(
        fidelity >= 0.62,
        f"Its answers for the wrong classes correlate by {fidelity:.2f} with the teacher's, expected 0.62 or more: it was not "
        "taught by it, or not long enough. Give the teacher's answers a larger share of the loss (alpha), or train longer.",
        fidelity,
        0.62,
    )
    right(f"its fidelity to the teacher is {fidelity:.2f}.")


def small_enough(share: float, accuracy: float, teacher_accuracy: float, at_most: float) -> None:
    """The student's multiply-accumulates relative to the teacher's, its accuracy, the teacher's, and the goal for the first."""
    assert share <= at_most, f"It needs {share:.1%} of the teacher's work, the goal is {at_most:.0%}. Make it narrower."
    reached(
        accuracy >= teacher_accuracy - 0.05,
        f"It is right on {accuracy:.1%}, the teacher on {teacher_accuracy:.1%}. Train longer; let the teacher answer all images.",
        accuracy,
        teacher_accuracy,
    )
    right(f"{share:.1%} of the work at {accuracy:.1%}; the teacher has {teacher_accuracy:.1%}.")


def eight_bits(bits: float, accuracy: float, student_accuracy: float) -> None:
    """Stored bits per weight of the file, its accuracy, and that of the float student."""
    assert bits <= 8.5, f"The file has {bits:.1f} bits per weight, expected 8. Export with precision='int8'."
    reached(
        accuracy >= student_accuracy - 0.03,
        f"It is right on {accuracy:.1%}, the float student on {student_accuracy:.1%}. Lower the learning rate, or train longer.",
        accuracy,
        student_accuracy,
    )
    right(f"{bits:.0f} bits per weight at {accuracy:.1%}; with floats {student_accuracy:.1%}.")
