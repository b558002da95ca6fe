"""The inputs of the exercises of l06_nas, and what is to be answered."""

import numpy as np

from projectkit.types import Arrays


def pareto(rng: np.random.Generator) -> Arrays:
    """Networks in two numbers, of which less is better: `points` (20, 2) float64 in [0, 1], columns error and cost.

    Point a dominates b when it is at most as large in both columns and smaller in one. Answers:

    front (k,) integer         the points that no other dominates, counted from 0, in the order of their numbers
    dominators (20,) integer   how many points dominate each
    hypervolume ()             the area of all (x, y) with x ≤ 1, y ≤ 1 that some point is at most as large as, in both
    """
    cost = rng.permutation(np.linspace(0.05, 0.9, 20))
    error = 0.15 + 0.5 * (1 - cost) ** 2 + rng.uniform(-0.12, 0.25, 20)
    points = np.round(np.clip(np.column_stack([error, cost]), 0.01, 0.99), 2)
    points[rng.integers(10)] = points[10 + rng.integers(10)]  # equal points do not dominate each other
    return {"points": points}


def acceptance(rng: np.random.Generator) -> Arrays:
    """Twelve proposals of simulated annealing: `worse` (12,) float64, by how much the proposal's error is above the present one
    (negative: better), `step` (12,) int64, `luck` (12,) float64 uniform in [0, 1); `start` () and `cooling` () float64.

    The temperature at step k is start · cooling^k. A better or equal proposal is accepted with probability 1, a worse one with
    exp(−worse / temperature). Answers:

    probability (12,)        of being accepted
    accepted (12,) integer   1 where luck < probability, else 0
    """
    worse = np.round(np.abs(rng.normal(0.0, 0.03, 12)) + 0.001, 4)
    worse[rng.choice(12, 3, replace=False)] *= -1
    return {
        "worse": worse,
        "step": rng.integers(0, 60, 12),
        "luck": np.round(rng.random(12), 3),
        "start": np.array(np.round(rng.uniform(0.03, 0.08), 4)),
        "cooling": np.array(np.round(rng.uniform(0.93, 0.98), 3)),
    }


def tournament(rng: np.random.Generator) -> Arrays:
    """Regularized evolution, played: `scores` (8,) float64 of the members 0 … 7, the oldest first, higher is better; `draws`
    (6, 3) int64: places in the population, 0 is the oldest alive; `children` (6,) float64: the scores of the members 8 … 13.

    Each round the best of the drawn places is the parent of the next child; the child joins, and the oldest member dies. Answers:

    parents (6,) integer     the member that is the parent in each round
    survivors (8,) integer   the members that are alive in the end, the oldest first
    best_alive ()            the highest score among them
    best_ever ()             the highest score of all members that lived
    """
    scores = np.round(rng.permutation(np.linspace(0.80, 0.93, 14)) + rng.uniform(-0.004, 0.004, 14), 4)
    first = int(np.argmax(scores))
    scores[[first, 0]] = scores[[0, first]]  # the best of all is the first to die
    return {
        "scores": scores[:8],
        "draws": np.array([rng.choice(8, 3, replace=False) for _ in range(6)], dtype=np.int64),
        "children": scores[8:],
    }


def simple_regret(rng: np.random.Generator) -> Arrays:
    """Six searches: `accuracy` (6, 20) float64 of their networks in the order of evaluation; `best` (), that of the best network
    there is. Answers:

    regret (6, 20)   best − the highest accuracy so far
    mean (20,)       the mean of the six
    interval (2,)    low and high of the 95 % interval of the mean after 20 evaluations: mean ∓ 2.571 · s / √6, s with n − 1
    """
    accuracy = np.round(0.97 - np.abs(rng.normal(0.0, 0.05, (6, 20))) - 0.001, 4)
    return {"accuracy": accuracy, "best": np.array(0.97)}


def policy_gradient(rng: np.random.Generator) -> Arrays:
    """A controller with a softmax for each of 3 genes: `logits` (3, 4) float64; 6 networks that it drew, `choices` (6, 3) int64;
    `rewards` (6,) float64. Answers:

    probabilities (3, 4)   softmax of each row of logits
    gradient (3, 4)        the mean over the networks of (reward − mean reward) · Σ over genes of ∇ log p(choice), by logits
    stepped (3, 4)         logits + 0.5 · gradient
    entropy (3,)           −Σ p log p of each gene, in nats
    """
    logits = np.round(rng.normal(0.0, 1.0, (3, 4)), 3)
    return {
        "logits": logits,
        "choices": rng.integers(0, 4, (6, 3)),
        "rewards": np.round(rng.uniform(0.7, 0.98, 6), 4),
    }


INPUTS = {
    "pareto": pareto,
    "acceptance": acceptance,
    "tournament": tournament,
    "simple_regret": simple_regret,
    "policy_gradient": policy_gradient,
}
