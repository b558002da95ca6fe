"""Dense supermasks: hidden units to silence in a network that was never trained, until what is left recognizes something.

The network is the one of a .supermask file (projectkit.runtimes.supermask): dense layers, no biases, drawn from a seed. No weight
changes. A score says what each hidden unit is worth; a schedule scores once and cuts, or removes a few units a round and scores
the rest again (Sándor et al. on dense supermasks, ICAI 2020). Everything here is NumPy.

scene = prepare(dataset, (300, 100), seed=0)
rounds = iterative(scene, pgbp_loss)
write_supermask(best(rounds).supermask(scene), "found.supermask")
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product

import numpy as np

from projectkit.errors import ModelError
from projectkit.prune.lfe import draw as draw_masks
from projectkit.prune.lfe import filter_shares
from projectkit.prune.masks import Outcomes
from projectkit.prune.pgbp import LIMIT, accuracy_score, exponential_score, loss_score
from projectkit.runtimes.supermask import Supermask, draw
from projectkit.types import Dataset

# Nothing gives the logits of an untrained network their size. Times this, a loss tells a wide margin from a narrow one.
GAIN, SMALL_GAIN = 6.0, 1.0
MOMENTUM, MEMORY = 0.9, 0.99  # of the step, and of the running size that it is divided by
LEVELS = 2**16  # random masks are compared with 16 random bits: the coarsest that a probability of σ(−6) can do with

ROWS = 2**14  # of images times masks that are multiplied at once

Scores = tuple[np.ndarray, ...]  # one array (units,) a hidden layer


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """Images as the first hidden layer sees them, (n, units) float32 behind its ReLU, and their labels."""

    first: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An untrained network, the units that are left of it, and images. Scores see `train`, cuts are chosen on `val`.

    kernels: of the layers behind the first hidden one, restricted to what is left; entering: the weights that enter each hidden
    layer's units; left: the masks so far. `matmul` multiplies the big matrices of the search, and may be coarser than float32.
    """

    shape: tuple[int, int, int]
    seed: int
    kernels: tuple[np.ndarray, ...]
    entering: tuple[np.ndarray, ...]
    left: tuple[np.ndarray, ...]
    train: Judges
    val: Judges
    matmul: Callable[[np.ndarray, np.ndarray], np.ndarray] = np.matmul

    @property
    def units(self) -> tuple[int, ...]:
        """How many units of each hidden layer are left."""
        return tuple(kernel.shape[0] for kernel in self.kernels)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work goes into one scoring.

    Linear ensembles: `masks` random masks for each unit, kept with probability `keep`, judged on `images` images. Gradient:
    `steps` steps; in each, `groups` groups of images are judged under `samples` masks of their own each; `rate` is how far the
    first step moves θ, falling to a tenth of it.
    """

    masks: int = 16
    keep: float = 0.5
    images: int = 1000
    steps: int = 400
    groups: int = 256
    samples: int = 4
    rate: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Masks of the whole network, the accuracy of what they leave on the validation images, and the share of weights removed."""

    masks: tuple[np.ndarray, ...]
    accuracy: float
    removed: float

    def supermask(self, scene: Scene) -> Supermask:
        """What goes into a file."""
        return Supermask(scene.shape, scene.seed, self.masks, scene.kernels[-1].shape[1])


Score = Callable[..., Scores]  # (scene, *, rng, effort, start) -> Scores; start: the scores of the round before, or None


def prepare(dataset: Dataset, hidden: Sequence[int], *, seed: int = 0, matmul=np.matmul) -> Scene:
    """The untrained network with layers of `hidden` units, drawn from `seed`, and the training and validation images."""
    full = Supermask(dataset.shape, seed, tuple(np.ones(units, bool) for units in hidden), len(dataset.classes))
    kernels = list(draw(full.units, seed))
    train, val = (
        Judges(np.maximum(split.x.reshape(len(split), -1) @ kernels[0], 0), split.y) for split in (dataset.train, dataset.val)
    )
    return Scene(dataset.shape, seed, tuple(kernels[1:]), tuple(kernels[:-1]), full.masks, train, val, matmul)


def restrict(scene: Scene, masks: Sequence[np.ndarray]) -> Scene:
    """The scene after removing more of its units: masks, (units left,) bool of each hidden layer."""
    ends = [*masks, np.ones(scene.kernels[-1].shape[1], bool)]
    left = tuple(whole.copy() for whole in scene.left)
    for whole, mask in zip(left, masks, strict=True):
        whole[whole] = mask
    inputs = [np.ones(scene.entering[0].shape[0], bool), *masks]
    return replace(
        scene,
        kernels=tuple(kernel[rows][:, columns] for kernel, (rows, columns) in zip(scene.kernels, pairwise(ends), strict=True)),
        entering=tuple(
            kernel[rows][:, columns] for kernel, (rows, columns) in zip(scene.entering, pairwise(inputs), strict=True)
        ),
        left=left,
        train=Judges(scene.train.first[:, masks[0]], scene.train.y),
        val=Judges(scene.val.first[:, masks[0]], scene.val.y),
    )


def judge(scene: Scene, judges: Judges, masks: Sequence[np.ndarray]) -> Outcomes:
    """Loss and accuracy under one mask a layer, over all of `judges`. A silenced unit is left out of the products."""
    x = judges.first[:, masks[0]]
    for kernel, (rows, columns) in zip(scene.kernels, pairwise(masks), strict=False):
        x = np.maximum(x @ kernel[rows][:, columns], 0)
    losses, hits = _judged(x @ scene.kernels[-1][masks[-1]], judges.y)
    return Outcomes(losses.mean(), hits.mean())


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
    """Linear filter ensembles over the units of all hidden layers at once: θ of `filter_shares`.

    The gain is small, so that the loss is nearly linear in the logits: a few masks with huge logits would drown the rest.
    """
    chosen = rng.choice(len(scene.train.y), min(effort.images, len(scene.train.y)), replace=False)
    x, y = scene.train.first[chosen], scene.train.y[chosen]
    count = effort.masks * sum(scene.units)
    drawn = draw_masks(count, sum(scene.units), keep=effort.keep, seed=int(rng.integers(2**31)))
    losses = []
    for some in np.array_split(drawn, -(-count * len(y) // ROWS)):
        layers = np.split(some[:, None].astype(np.float32), np.cumsum(scene.units)[:-1], axis=-1)
        logits = _forward(scene, x[None] * layers[0], layers[1:])
        losses.append(_judged(logits, np.broadcast_to(y, logits.shape[:-1]), SMALL_GAIN)[0].mean(axis=1))
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


def _gradient(scene: Scene, theta: np.ndarray, rng, effort: Effort, score, images: int) -> np.ndarray:
    """(units of all layers,): the estimate from groups × samples masks."""
    groups, samples = effort.groups, effort.samples
    chosen = rng.integers(0, len(scene.train.y), (groups, images))
    limit = np.round(LEVELS / (1 + np.exp(-theta))).astype(np.uint16)
    bits = np.frombuffer(rng.bytes(2 * groups * samples * len(theta)), np.uint16).reshape(groups, samples, 1, -1)
    masks = (bits < limit).astype(np.float32)
    layers = np.split(masks, np.cumsum(scene.units)[:-1], axis=-1)
    logits = _forward(scene, scene.train.first[chosen][:, None] * layers[0], layers[1:])  # (groups, samples, images, classes)
    losses, hits = _judged(logits, np.broadcast_to(scene.train.y[chosen][:, None], logits.shape[:-1]))
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


def one_shot(scene: Scene, score: Score, *, effort: Effort | None = None, seed: int = 0, steps: int = 20) -> Found:
    """Scores all units once and cuts each hidden layer where the accuracy on the validation images is best."""
    scores = score(scene, rng=np.random.default_rng(seed), effort=effort or Effort(), start=None)
    return cut(scene, scores, list(product(np.arange(steps) / steps, repeat=len(scores))))[0]


def cut(scene: Scene, scores: Scores, choices: Sequence[Sequence[float]]) -> tuple[Found, tuple[np.ndarray, ...]]:
    """Removes the lowest of each layer, by that of `choices`, shares of each layer, which leaves the best accuracy.

    The result, and its masks over the units that were left. A share above 0 removes at least one unit, and one stays.
    """
    orders = [np.argsort(-np.asarray(values), kind="stable") for values in scores]
    best = None
    for choice in choices:
        masks = [np.zeros(len(order), bool) for order in orders]
        for mask, order, share in zip(masks, orders, choice, strict=True):
            mask[order[: max(1, int(len(order) * (1 - share)))]] = True
        accuracy = float(judge(scene, scene.val, masks).accuracy)
        if best is None or accuracy > best[0]:
            best = accuracy, tuple(masks)
    accuracy, masks = best
    left = restrict(scene, masks).left
    whole = Supermask(scene.shape, scene.seed, left, scene.kernels[-1].shape[1])
    return Found(left, accuracy, whole.removed), masks


def iterative(
    scene: Scene,
    score: Score,
    *,
    effort: Effort | None = None,
    first: Effort | None = None,
    share: float = 0.2,
    seed: int = 0,
    least: float = 0.02,
) -> list[Found]:
    """Round after round: scores what is left, removes at most `share` of each layer, where the accuracy is best.

    Ends when less than `least` of the weights is left. `first`: the effort of the first round, if another. A scoring begins
    where the one before ended. Raises ModelError for a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise ModelError(f"A round removes a share between 0 and 1 of each layer, got {share}. Give 0.2, for example.")
    rng, rounds, scores = np.random.default_rng(seed), [], None
    # The full share goes from one layer at least, so that the number of rounds is bounded.
    choices = [choice for choice in product((0.0, share / 2, share), repeat=len(scene.units)) if share in choice]
    while max(scene.units) > 1 and (not rounds or rounds[-1].removed < 1 - least):
        work = first if first and not rounds else effort or Effort()
        scores = score(scene, rng=rng, effort=work, start=scores)
        found, masks = cut(scene, scores, [choice for choice in choices if _removes(scene, choice)])
        rounds.append(found)
        scene = restrict(scene, masks)
        scores = tuple(values[mask] for values, mask in zip(scores, masks, strict=True))
    return rounds


def best(rounds: Sequence[Found], *, removed: float = 0.0) -> Found:
    """The round with the best accuracy among those that removed at least the share `removed` of the weights."""
    enough = [found for found in rounds if found.removed >= removed]
    if not enough:
        most = max((found.removed for found in rounds), default=0.0)
        raise ModelError(f"No round removed {removed:.0%} of the weights, the last one {most:.0%}. Go on with a smaller `least`.")
    return max(enough, key=lambda found: found.accuracy)


def _forward(scene: Scene, x: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Logits (..., classes) of x: (..., units) behind the first hidden layer; masks: of the layers behind it, for each row."""
    for kernel, mask in zip(scene.kernels, masks, strict=False):
        x = scene.matmul(x.reshape(-1, x.shape[-1]), kernel).reshape(*x.shape[:-1], -1)
        x = np.maximum(x, 0, out=x)
        x *= mask
    return (x.reshape(-1, x.shape[-1]) @ scene.kernels[-1]).reshape(*x.shape[:-1], -1)


def _removes(scene: Scene, choice: Sequence[float]) -> bool:
    """Whether a layer that can spare a unit loses one."""
    return any(units > 1 and share > 0 for units, share in zip(scene.units, choice, strict=True))


def _by_layer(scene: Scene, values: np.ndarray) -> Scores:
    """What stands in one row for all hidden layers, layer by layer."""
    return tuple(np.split(values, np.cumsum(scene.units)[:-1]))


def _judged(logits: np.ndarray, y: np.ndarray, gain: float = GAIN) -> tuple[np.ndarray, np.ndarray]:
    """logits: (..., classes), y: (...) → the cross-entropy of gain · logits and whether the answer is right, both (...)."""
    largest = logits.max(axis=-1)
    own = np.take_along_axis(logits, y[..., None], axis=-1)[..., 0]
    losses = np.log(np.exp(gain * (logits - largest[..., None])).sum(axis=-1)) + gain * (largest - own)
    return losses, logits.argmax(axis=-1) == y
