"""Probabilistic gradient-based pruning: which channels a random mask should keep, learned by Monte Carlo gradient ascent.

Masks are Bernoulli, P(z_j = 1) = σ(θ_j), but never without any channel: a layer that lets nothing through says nothing about its
channels, and its loss would drown the others'. θ climbs the expected score E[s(z)]. For these masks ∇θ log P(z) = z − E[z], with
E[z] = σ(θ) / (1 − Π(1 − σ(θ))), so g = mean over the samples of (z − E[z])·s (Sándor et al., VISAPP 2022, whose masks may be
empty, so that E[z] = σ(θ); the estimator is that of Williams, "Simple statistical gradient-following algorithms", 1992).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.prune.masks import Outcomes, evaluator
from projectkit.types import Split

LIMIT = 6.0  # of |θ|: σ(±6) is 0.25 % from certainty, beyond it no sample would ever disagree
MEMORY = 0.9  # of the moving averages
SHARPNESS = 10.0  # of the exponential score


@dataclass(frozen=True, slots=True)
class Climb:
    """How θ is found: steps of gradient ascent, masks a step, step size. `variance_reduction` subtracts the moving average of
    the score and divides by its moving standard deviation."""

    iterations: int = 300
    samples: int = 10
    learning_rate: float = 1.0
    variance_reduction: bool = True


def loss_score(outcomes: Outcomes) -> np.ndarray:
    """−loss: (masks,)."""
    return -outcomes.loss


def accuracy_score(outcomes: Outcomes) -> np.ndarray:
    """Accuracy: (masks,)."""
    return outcomes.accuracy


def exponential_score(outcomes: Outcomes) -> np.ndarray:
    """exp(10 · accuracy): (masks,). The best masks outweigh the many middling ones."""
    return np.exp(SHARPNESS * outcomes.accuracy)


def pgbp(
    model: keras.Model,
    layer_name: str,
    data: Split,
    *,
    seed: int = 0,
    score: Callable[[Outcomes], np.ndarray] = loss_score,
    climb: Climb | None = None,
    fixed: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """The log-odds θ of keeping each channel: (channels,) in [−6, 6]. `fixed` are masks that other layers wear all the while.

    Nothing in E[s] asks for few channels: one that neither helps nor harms stays near θ = 0, so rank by θ rather than cut at 0.
    Raises ModelError for a layer that cannot be masked, for a climb that makes no sense and for scores that are not finite.
    """
    evaluate = evaluator(model, layer_name, data, fixed=fixed)
    return ascend(lambda masks: score(evaluate(masks)), evaluate.channels, seed=seed, climb=climb or Climb())


pgbp_loss = partial(pgbp, score=loss_score)
pgbp_accuracy = partial(pgbp, score=accuracy_score)
pgbp_exponential = partial(pgbp, score=exponential_score)


def ascend(score: Callable[[np.ndarray], np.ndarray], channels: int, *, seed: int = 0, climb: Climb | None = None) -> np.ndarray:
    """θ after climbing E[score(z)] from θ = 0: (channels,). score: masks (samples, channels) bool → (samples,)."""
    climb = climb or Climb()
    if climb.iterations < 1 or climb.samples < 2 or not 0 < climb.learning_rate < np.inf:
        raise ModelError(f"A climb needs an iteration, two samples and a positive, finite learning rate; got {climb}.")
    rng = np.random.default_rng(seed)
    theta = np.zeros(channels)
    mean = variance = None
    for _ in range(climb.iterations):
        probability = 1 / (1 + np.exp(-theta))
        masks = never_empty(rng.random((climb.samples, channels)) < probability, probability, rng)
        scores = np.asarray(score(masks), np.float64)
        if scores.shape != (climb.samples,) or not np.isfinite(scores).all():
            raise ModelError(
                f"The score of {climb.samples} masks came as {scores}; expected one finite number for each. "
                "Look for weights with NaN or very large values, or take the accuracy as the score."
            )
        if climb.variance_reduction:
            mean = scores.mean() if mean is None else MEMORY * mean + (1 - MEMORY) * scores.mean()
            spread = np.mean((scores - mean) ** 2)
            variance = spread if variance is None else MEMORY * variance + (1 - MEMORY) * spread
            scores = (scores - mean) / (np.sqrt(variance) + 1e-8)
        expected = probability / (1 - np.prod(1 - probability))
        step = (masks - expected).T @ scores / climb.samples
        theta = np.clip(theta + climb.learning_rate * step, -LIMIT, LIMIT)
    return theta


def never_empty(masks: np.ndarray, probability: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`masks` (samples, channels) bool with those that keep nothing drawn anew, from what masks of these probabilities are when
    they keep something. Draws nothing where none is empty."""
    empty = np.flatnonzero(~masks.any(axis=1))
    if len(empty):
        nothing_before = np.concatenate([[1.0], np.cumprod(1 - probability)[:-1]])
        first_kept = nothing_before * probability
        first = rng.choice(len(probability), len(empty), p=first_kept / first_kept.sum())
        anew = rng.random((len(empty), len(probability))) < probability
        places = np.arange(len(probability))
        masks[empty] = (places == first[:, None]) | (anew & (places > first[:, None]))
    return masks
