"""The inputs of the exercises of l05_distillation, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def soft_targets(rng: np.random.Generator) -> Arrays:
    """`logits` (8, 6) float64 of a teacher, the `labels` (8,) int64 of the images, and a `temperature` () T. Answers:

    probabilities (8, 6)     softmax(logits / T)
    entropy (8,)             −Σ p · ln p of each row of `probabilities`, in nats
    not_the_label (8,)       the sum of the probabilities of all classes but the label
    runner_up (8,) integer   the most probable class but the label
    """
    labels = rng.integers(0, 6, 8)
    logits = rng.normal(0.0, 2.0, (8, 6))
    logits[np.arange(8), labels] += rng.uniform(3.0, 8.0, 8)
    return {
        "logits": np.round(logits, 3),
        "labels": labels.astype(np.int64),
        "temperature": np.array(np.round(rng.uniform(2.0, 8.0), 1)),
    }


def soft_loss(rng: np.random.Generator) -> Arrays:
    """Logits of a `student` and a `teacher`, (8, 5) float64 each, `labels` (8,) int64, `temperature` () T and `alpha` () α.
    All logarithms are natural. Answers:

        cross_entropy ()   the mean over the images of −ln softmax(student)[label]
        divergence ()      the mean over the images of KL(softmax(teacher / T) ‖ softmax(student / T))
        loss ()            (1 − α) · cross_entropy + α · T² · divergence
        slope (8, 5)       the gradient of `loss` with respect to `student`: an eighth of (1 − α) · (softmax(student) − one-hot
                           label) + α · T · (softmax(student / T) − softmax(teacher / T))
    """
    student, teacher = rng.normal(0.0, 2.0, (2, 8, 5))
    return {
        "student": np.round(student, 3),
        "teacher": np.round(teacher, 3),
        "labels": rng.integers(0, 5, 8).astype(np.int64),
        "temperature": np.array(np.round(rng.uniform(2.0, 6.0), 1)),
        "alpha": np.array(np.round(rng.uniform(0.3, 0.9), 2)),
    }


def paired_gain(rng: np.random.Generator) -> Arrays:
    """Seven seeds: the accuracy in percent without a teacher, `plain` (7,), and with one, `taught` (7,), float64; entry k of both
    is of the same seed. With d = taught − plain, s its sample standard deviation (squares summed, divided by 6, the root) and
    t = 2.446912, the 97.5 % quantile of Student's t with 6 degrees of freedom. Answers:

        gain ()            the mean of d
        low (), high ()    gain − t · s / √7 and gain + t · s / √7
        unpaired ()        t · √((s₁² + s₂²) / 7), s₁ of `plain` and s₂ of `taught`: what one would add and subtract without pairs
        seeds () integer   how many of the seven have taught > plain
    """
    seeds, gains = rng.normal(0.0, 1.5, 7), rng.normal(rng.uniform(-0.3, 1.2), 0.5, 7)
    plain = rng.uniform(80.0, 95.0) + seeds
    return {"plain": np.round(plain, 2), "taught": np.round(plain + np.where(np.abs(gains) < 0.05, 0.1, gains), 2)}


def decoupled_parts(rng: np.random.Generator) -> Arrays:
    """Logits of a `student` and a `teacher`, (6, 5) float64 each, `labels` (6,) int64 and a `temperature` () T. With p the
    teacher's and q the student's softmax of logits / T, and y the label of an image. Answers, each (6,), the last three in nats:

        sure     p_y
        target   p_y · ln(p_y / q_y) + (1 − p_y) · ln((1 − p_y) / (1 − q_y))
        others   KL(p̂ ‖ q̂), p̂ and q̂ being p and q without entry y, scaled to sum to 1
        whole    KL(p ‖ q); it is target + (1 − sure) · others
    """
    labels = rng.integers(0, 5, 6)
    student, teacher = rng.normal(0.0, 2.0, (2, 6, 5))
    teacher[np.arange(6), labels] += rng.uniform(2.0, 5.0, 6)
    return {
        "student": np.round(student, 3),
        "teacher": np.round(teacher, 3),
        "labels": labels.astype(np.int64),
        "temperature": np.array(np.round(rng.uniform(1.5, 5.0), 1)),
    }


def attention_maps(rng: np.random.Generator) -> Arrays:
    """Features of two networks for the same 3 images: `student` (3, 4, 4, 5) and `teacher` (3, 4, 4, 9) float32, height and width
    being 4. The map of an image is the sum over the channels of the squared features, divided by the Euclidean length of its
    16 numbers. Answers:

        student_map, teacher_map (3, 4, 4)   the maps
        loss ()                              the mean over images and places of (student_map − teacher_map)²
    """
    place = rng.uniform(0.2, 2.0, (3, 4, 4, 1))
    student, teacher = (np.maximum(place * rng.normal(0.4, 1.0, (3, 4, 4, channels)), 0) for channels in (5, 9))
    return {"student": np.round(student, 4).astype(np.float32), "teacher": np.round(teacher, 4).astype(np.float32)}


INPUTS = {
    "soft_targets": soft_targets,
    "soft_loss": soft_loss,
    "paired_gain": paired_gain,
    "decoupled_parts": decoupled_parts,
    "attention_maps": attention_maps,
}
