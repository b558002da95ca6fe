"""Checks of l07_nas_distillation."""

import numpy as np

from checks import close, reached, right


def kd_loss(student) -> None:
    """student(student_logits, teacher_logits, labels, temperature, alpha) -> loss"""
    ours, theirs = np.log([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2]]), np.log([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    labels = np.array([0, 2])
    hard = -(np.log(0.5) + np.log(0.2)) / 2
    soft = [0.8 * np.log(1.6) + 0.2 * np.log(0.4), 0.8 * np.log(0.8 / 0.6) + 0.2 * np.log(0.5)]
    close(student(ours, theirs, labels, 1.0, 0.0), hard, "with α = 0", "Only the cross-entropy: −log of the label's probability.")
    close(
        student(ours, theirs, labels, 1.0, 1.0),
        np.mean(soft),
        "with α = 1, T = 1",
        "KL(teacher ‖ student) = Σ p (log p − log q).",
    )
    assert abs(student(ours, ours, labels, 3.0, 1.0)) < 1e-9, "Equal logits: the divergence is 0 at every temperature."
    at_two = student(2 * ours, 2 * theirs, labels, 2.0, 1.0)
    close(at_two, 4 * np.mean(soft), "with T = 2", "Divide both logits by T, and multiply the divergence by T².")
    right("this is the loss by which a student learns from labels and teacher.")


def rewards(student_soft, student_hard) -> None:
    """student_soft(accuracy, latency, target), student_hard(accuracy, latency, target), of arrays"""
    accuracy, latency = np.array([0.9, 0.9, 0.9]), np.array([1.0, 2.0, 4.0])
    close(
        student_soft(accuracy, latency, 2.0), 0.9 * np.array([2**0.07, 1.0, 2**-0.07]), "the soft reward", "(latency / target)^w."
    )
    close(
        student_hard(accuracy, latency, 2.0),
        [0.9, 0.9, 0.45],
        "the hard reward",
        "Nothing is won by being faster than the target.",
    )
    right("the soft reward always trades accuracy for latency, the hard one only above the target.")


def cka(student) -> None:
    """student(a, b) -> similarity"""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(50, 4))
    turned = 3 * a @ np.linalg.qr(rng.normal(size=(4, 4)))[0] + 7
    close(student(a, turned), 1.0, "features that were turned, scaled and moved", "Centre the columns; then neither changes CKA.")
    b = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    close(student(b, b[:, :1]), np.sqrt(0.5), "one of three columns", "The square is on the numerator's norm only.")
    right("1 for the same features after a rotation, a scaling and a shift.")


def kendall(student) -> None:
    """student(score, outcome) -> τ"""
    up = np.array([0.1, 0.2, 0.4, 0.9])
    hint = "(concordant − discordant) / all 6 pairs."
    close(student(up, up**3), 1.0, "the same order", hint)
    close(student(-up, up), -1.0, "the reverse order", hint)
    close(student(np.array([1.0, 3.0, 2.0, 4.0]), up), 4 / 6, "one pair exchanged", hint)
    close(
        student(np.array([1.0, 1.0, 2.0, 4.0]), up), 5 / 6, "one pair equal", "It counts as neither, and the pairs are still 6."
    )
    right("1 for the same order, −1 for the reverse.")


def chosen(trial, study, teacher_accuracy: float) -> None:
    """The trial to hand in, the study that it is of, and the teacher's accuracy."""
    front_numbers = sorted(one.number for one in study.best_trials)
    assert trial.number in front_numbers, f"Trial {trial.number} is beaten by another. The front: {front_numbers}."
    accuracy, latency = trial.values
    reached(
        accuracy >= teacher_accuracy - 0.1,
        f"Trial {trial.number} is right on {accuracy:.1%}, its teacher on {teacher_accuracy:.1%}. Choose a more accurate one.",
        accuracy,
        teacher_accuracy,
    )
    right(f"trial {trial.number}: {accuracy:.1%} at {latency:.2f} times the reference's latency; teacher {teacher_accuracy:.1%}.")
