"""Linear filter ensembles, one-shot, one hidden layer after the other: the front layer is scored and cut before the next one is.

When masks of all layers are drawn at once, a unit's share drowns in what the units of the other layers do. Here only one layer
wears random masks, on what the layers before it have become.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from projectkit.errors import ModelError
from projectkit.prune.lfe import draw, filter_shares
from projectkit.prune.supermask_cut import Found, cut
from projectkit.prune.supermask_scene import Scene, forward, judged, restrict
from projectkit.prune.supermask_scores import ROWS, Effort, Scores

KEEPS = (0.3, 0.5, 0.7)
GAINS = (0.0, 0.5, 1.0)  # 0: the success of a mask is its accuracy, not its loss


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
    rng, shares, layers = np.random.default_rng(seed), np.arange(steps) / steps, len(scene.units)
    ways: list[tuple[Scene, Scores]] = [(scene, ())]  # what the layers cut so far leave, and these layers' scores
    for layer in range(layers):
        tried = []
        for before, scores in ways:
            choices = [tuple(share * (place == layer) for place in range(layers)) for share in shares]
            for keep in keeps:
                work = replace(effort or Effort(), keep=keep)
                for own in layer_shares(before, layer, rng=rng, effort=work, gains=gains):
                    of_all = tuple(own if place == layer else np.zeros(units) for place, units in enumerate(before.units))
                    found, masks = cut(before, of_all, choices)
                    tried.append((found.accuracy, before, masks, (*scores, own)))
        best = sorted(tried, key=lambda one: -one[0])[:beam]
        ways = [(restrict(before, masks), scores) for _, before, masks, scores in best]
    return cut(scene, ways[0][1], list(product(shares, repeat=layers)))[0]


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
