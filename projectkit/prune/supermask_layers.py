"""Linear filter ensembles, one-shot, one hidden layer after the other: the front layer is scored and cut before the next one is.

When masks of all layers are drawn at once, a unit's share drowns in what the units of the other layers do. Here only one layer
wears random masks, on what the layers before it have become.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from projectkit.errors import ModelError
from projectkit.prune.lfe import draw, filter_shares
from projectkit.prune.supermask_cut import Found, cut
from projectkit.prune.supermask_scene import Scene, forward, judged, restrict
from projectkit.prune.supermask_scores import ROWS, Effort, Scores

KEEPS = (0.3, 0.5, 0.7)
GAINS = (0.0, 0.5, 1.0)  # 0: the success of a mask is its accuracy, not its loss


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """Layers that are scored and cut so far: what they leave, its accuracy on the validation images, and their scores."""

    scene: Scene
    accuracy: float
    scores: Scores


def front_to_back(
    scene: Scene,
    *,
    effort: Effort | None = None,
    keeps: Sequence[float] = KEEPS,
    gains: Sequence[float] = GAINS,
    beam: int = 8,
    seed: int = 0,
    steps: int = 20,
) -> Found:
    """Scores every hidden layer once, from the first to the last, and cuts it where the accuracy on validation images is best.

    keeps: with what probability a random mask keeps a unit; gains: what the logits are multiplied by in the loss that a mask is
    judged by, 0 for its accuracy instead. Both are chosen for each layer on the validation images: of all combinations the
    `beam` best go on to the next layer. In the end all layers are cut once more, together. `effort` says how many masks and
    images; its keep and gain are not used. steps: into how many shares a layer's cut is divided. Raises ModelError where there
    is nothing to choose from.
    """
    if not keeps or not gains or beam < 1:
        raise ModelError(f"There is no way to score a layer with keeps {keeps}, gains {gains}, beam {beam}. Give one of each.")
    rng, shares = np.random.default_rng(seed), np.arange(steps) / steps
    ways = [_Way(scene, 0.0, ())]
    for layer in range(len(scene.units)):
        tried = [
            _cut_one(way, layer, scores, shares)
            for way in ways
            for keep in keeps
            for scores in layer_shares(way.scene, layer, rng=rng, effort=replace(effort or Effort(), keep=keep), gains=gains)
        ]
        ways = sorted(tried, key=lambda way: -way.accuracy)[:beam]
    return cut(scene, ways[0].scores, list(product(shares, repeat=len(scene.units))))[0]


def _cut_one(way: _Way, layer: int, scores: np.ndarray, shares: np.ndarray) -> _Way:
    units = way.scene.units
    others = tuple(scores if place == layer else np.zeros(count) for place, count in enumerate(units))
    found, masks = cut(way.scene, others, [tuple(share * (place == layer) for place in range(len(units))) for share in shares])
    return _Way(restrict(way.scene, masks), found.accuracy, (*way.scores, scores))


def layer_shares(
    scene: Scene, layer: int, *, rng: np.random.Generator, effort: Effort, gains: Sequence[float]
) -> Iterator[np.ndarray]:
    """θ of `filter_shares` for the units of one hidden layer, (units,), while all other units that are left work; one for each
    of `gains`, from the same masks. Every few masks are judged on images of their own: more masks say more than more images."""
    behind = replace(scene, kernels=scene.kernels[layer:])
    whole = [np.ones(1, np.float32)] * (len(behind.kernels) - 1)
    units = scene.units[layer]
    drawn = draw(effort.masks * units, units, keep=effort.keep, seed=int(rng.integers(2**31)))
    worth: dict[float, list[np.ndarray]] = {gain: [] for gain in gains}
    for some in np.array_split(drawn, -(-len(drawn) * effort.images // ROWS)):
        chosen = rng.choice(len(scene.train.y), min(effort.images, len(scene.train.y)), replace=False)
        x, y = scene.train.first[chosen], scene.train.y[chosen]
        for kernel in scene.kernels[:layer]:
            x = np.maximum(scene.matmul(x, kernel), 0)
        logits = forward(behind, x[None] * some[:, None].astype(np.float32), whole)
        for gain, parts in worth.items():
            losses, hits = judged(logits, np.broadcast_to(y, logits.shape[:-1]), gain or 1.0)
            values = losses.mean(axis=1) if gain else -hits.mean(axis=1)
            parts.append(values - values.mean())  # how hard these images are is not the masks' doing
    return (filter_shares(drawn, np.concatenate(parts)) for parts in worth.values())
