"""The inputs of the exercises of l07_nas_distillation, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def latency_reward(rng: np.random.Generator) -> Arrays:
    """Twelve networks: `accuracy` (12,) float64, `latency` (12,) float64 in seconds; `target` () in seconds and `w` () = −0.07.

    MnasNet's rewards, accuracy · (latency / target)^exponent. Answers:

    soft (12,)               the exponent is w for all
    hard (12,)               the exponent is 0 where latency ≤ target, else −1
    best_soft () integer     the network of the highest soft reward
    best_hard () integer     the network of the highest hard reward
    """
    latency = np.round(np.sort(rng.uniform(1e-5, 2e-4, 12)), 7)
    accuracy = np.round(0.9 + 0.08 * (latency / 2e-4) ** 0.5 + rng.normal(0.0, 0.006, 12), 4)
    order = rng.permutation(12)
    target = np.round(np.median(latency), 7)
    return {
        "accuracy": accuracy[order],
        "latency": latency[order],
        "target": np.array(target),
        "w": np.array(-0.07),
    }


def kendall(rng: np.random.Generator) -> Arrays:
    """Does a cheap score know the outcome? `score` (14,), `outcome` (14,) float64 of 14 networks, no two values equal. Answers:

    concordant () integer   pairs of networks that both put in the same order, of 91
    tau ()                  (concordant − discordant) / 91
    top () integer          how many of the 4 networks of highest score are among the 4 of highest outcome
    """
    outcome = 0.85 + 0.1 * rng.permutation(14) / 14 + rng.uniform(0.0, 0.005, 14)
    score = np.argsort(np.argsort(outcome + rng.normal(0.0, 0.04, 14))) + rng.uniform(0.1, 0.9, 14)
    return {"score": np.round(score, 4), "outcome": np.round(outcome, 5)}


def distilled_objective(rng: np.random.Generator) -> Arrays:
    """Eight images: `student_logits` and `teacher_logits` (8, 5), `labels` (8,) int64; `student_features` (8, 4) and
    `teacher_features` (8, 6); `temperature` () and `alpha` (), float64.

    CKA of A and B, columns centred: ‖AᵀB‖² / (‖AᵀA‖ · ‖BᵀB‖) with Frobenius norms. Answers, each ():

    loss        (1 − α) · cross-entropy(labels) + α · T² · KL(softmax(teacher / T) ‖ softmax(student / T)), means over the images
    agreement   the share of images on which both have the same class of the highest logit
    cka         CKA of the two sets of features
    """
    labels = rng.integers(0, 5, 8)
    teacher = rng.normal(0.0, 1.0, (8, 5)) + 4 * np.eye(5)[labels]
    features = rng.normal(0.0, 1.0, (8, 6))
    return {
        "student_logits": np.round(0.5 * teacher + rng.normal(0.0, 1.2, (8, 5)), 3),
        "teacher_logits": np.round(teacher, 3),
        "labels": labels,
        "student_features": np.round(features[:, :4] @ rng.normal(0.0, 1.0, (4, 4)) + rng.normal(0.0, 1.0, (8, 4)), 3),
        "teacher_features": np.round(features, 3),
        "temperature": np.array(float(rng.integers(2, 7))),
        "alpha": np.array(np.round(rng.uniform(0.5, 0.95), 2)),
    }


INPUTS = {
    "latency_reward": latency_reward,
    "kendall": kendall,
    "distilled_objective": distilled_objective,
}
