"""What a hidden unit of an untrained network is worth: (scene, *, rng, effort, start) -> scores, (units,) a hidden layer.

`start`: the scores of the round before, where there was one. None of them sees a weight change; no weight does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from projectkit.errors import ModelError
from projectkit.prune.lfe import draw as draw_masks
from projectkit.prune.lfe import filter_shares
from projectkit.prune.masks import Outcomes
from projectkit.prune.pgbp import LIMIT, accuracy_score, exponential_score, loss_score
from projectkit.prune.supermask_scene import Scene, forward, judged

MOMENTUM, MEMORY = 0.9, 0.99  # of the step, and of the running size that it is divided by
LEVELS = 2**16  # random masks are compared with 16 random bits: few, and still fine enough for a probability of σ(−6)
ROWS = 2**14  # of images times masks that are multiplied at once

Scores = tuple[np.ndarray, ...]  # one array (units,) a hidden layer
Score = Callable[..., Scores]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work goes into one scoring.

    Linear ensembles: `masks` random masks for each unit, kept with probability `keep`, judged on `images` images by a loss of
    logits times `gain`. Far from the whole network (`keep` 0.5) a small gain ranks best, because a few masks with huge logits
    would drown the rest; near what is left (0.9), a large one.

    Gradient: `steps` steps; in each, `groups` groups of images are judged under `samples` masks of their own each; `rate` is how
    far the first step moves θ, falling to a tenth of it.
    """

    masks: int = 16
    keep: float = 0.5
    images: int = 1000
    gain: float = 1.0
    steps: int = 400
    groups: int = 256
    samples: int = 4
    rate: float = 0.05


def random(scene: Scene, *, rng: np.random.Generator, effort: Effort, start: Scores | None = None) -> Scores:
    """What knows nothing: the yardstick."""
    return tuple(rng.random(units) for units in scene.units)


def l1(scene: Scene, *, rng: np.random.Generator, effort: Effort, start: Scores | None = None) -> Scores:
    """Σ|w| over the weights that enter a unit."""
    return tuple(np.abs(kernel).sum(axis=0) for kernel in scene.entering)


def l2(scene: Scene, *, rng: np.random.Generator, effort: Effort, start: Scores | None = None) -> Scores:
    """√Σw² over the weights that enter a unit."""
    return tuple(np.sqrt(np.square(kernel).sum(axis=0)) for kernel in scene.entering)


def lfe(scene: Scene, *, rng: np.random.Generator, effort: Effort, start: Scores | None = None) -> Scores:
    """Linear filter ensembles over the units of all hidden layers at once: θ of `filter_shares`."""
    chosen = rng.choice(len(scene.train.y), min(effort.images, len(scene.train.y)), replace=False)
    x, y = scene.train.first[chosen], scene.train.y[chosen]
    count = effort.masks * sum(scene.units)
    drawn = draw_masks(count, sum(scene.units), keep=effort.keep, seed=int(rng.integers(2**31)))
    losses = []
    for some in np.array_split(drawn, -(-count * len(y) // ROWS)):
        layers = np.split(some[:, None].astype(np.float32), np.cumsum(scene.units)[:-1], axis=-1)
        logits = forward(scene, x[None] * layers[0], layers[1:])
        losses.append(judged(logits, np.broadcast_to(y, logits.shape[:-1]), effort.gain)[0].mean(axis=1))
    return _by_layer(scene, filter_shares(drawn, np.concatenate(losses)))


def pgbp(
    scene: Scene,
    *,
    rng: np.random.Generator,
    effort: Effort,
    start: Scores | None = None,
    score: Callable[[Outcomes], np.ndarray] = loss_score,
    images: int = 1,
) -> Scores:
    """Log-odds θ of keeping each unit, climbing the expected score over the units of all hidden layers at once.

    The gradient is that of projectkit.prune.pgbp, the mean of (z − σ(θ))·s, with three changes that spare masks: fresh images in
    every step, a few masks of its own for every group of `images` images, and as the baseline of a mask the mean score of the
    other masks on the same images (Kool et al., "Buy 4 REINFORCE samples, get a baseline for free!", 2019). Where a score is a
    mean over images (loss, accuracy), groups of one give the same expectation and the most masks.
    """
    if effort.samples < 2 or effort.steps < 1 or effort.groups < 1:
        raise ModelError(f"A climb needs a step, a group and two masks a group; got {effort}.")
    theta = np.concatenate(start) if start is not None else np.zeros(sum(scene.units))
    step, size = np.zeros_like(theta), 0.0
    for count in range(1, effort.steps + 1):
        gradient = _gradient(scene, theta, rng, effort, score, images)
        step = MOMENTUM * step + (1 - MOMENTUM) * gradient
        size = MEMORY * size + (1 - MEMORY) * np.mean(gradient**2)
        rate = effort.rate * (1 - 0.9 * count / effort.steps)
        scale = np.sqrt(size / (1 - MEMORY**count)) * (1 - MOMENTUM**count)
        theta = np.clip(theta + rate * step / (scale + 1e-12), -LIMIT, LIMIT)
    return _by_layer(scene, theta)


def _gradient(
    scene: Scene, theta: np.ndarray, rng: np.random.Generator, effort: Effort, score: Callable[..., np.ndarray], images: int
) -> np.ndarray:
    """(units of all layers,): the estimate from groups × samples masks."""
    groups, samples = effort.groups, effort.samples
    chosen = rng.integers(0, len(scene.train.y), (groups, images))
    limit = np.round(LEVELS / (1 + np.exp(-theta))).astype(np.uint16)
    bits = np.frombuffer(rng.bytes(2 * groups * samples * len(theta)), np.uint16).reshape(groups, samples, 1, -1)
    masks = (bits < limit).astype(np.float32)
    layers = np.split(masks, np.cumsum(scene.units)[:-1], axis=-1)
    logits = forward(scene, scene.train.first[chosen][:, None] * layers[0], layers[1:])  # (groups, samples, images, classes)
    losses, hits = judged(logits, np.broadcast_to(scene.train.y[chosen][:, None], logits.shape[:-1]))
    scores = score(Outcomes(losses.mean(axis=-1), hits.mean(axis=-1)))  # (groups, samples)
    advantage = (scores - scores.mean(axis=1, keepdims=True)) * (samples / (samples - 1))
    # The advantages of a group sum to 0, so that the −σ(θ) in (z − σ(θ)) cancels.
    return advantage.astype(np.float32).reshape(-1) @ masks.reshape(groups * samples, -1) / advantage.size


pgbp_loss = pgbp
pgbp_accuracy = partial(pgbp, score=accuracy_score)
pgbp_exponential = partial(pgbp, score=exponential_score, images=64)

SCORES: dict[str, Score] = {
    "random": random,
    "l1": l1,
    "l2": l2,
    "lfe": lfe,
    "pgbp_loss": pgbp_loss,
    "pgbp_accuracy": pgbp_accuracy,
    "pgbp_exponential": pgbp_exponential,
}


def _by_layer(scene: Scene, values: np.ndarray) -> Scores:
    """What stands in one row for all hidden layers, layer by layer."""
    return tuple(np.split(values, np.cumsum(scene.units)[:-1]))
