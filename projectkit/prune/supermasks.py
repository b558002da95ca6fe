"""Dense supermasks: hidden units to silence in a network that was never trained, until what is left recognizes something.

The network is the one of a .supermask file (projectkit.runtimes.supermask): dense layers, no biases, drawn from a seed. No weight
changes. A score says what each hidden unit is worth; a schedule scores once and cuts, or removes a few units a round and scores
the rest again (Sándor et al. on dense supermasks, ICAI 2020). Everything here is NumPy.

scene = prepare(dataset, (300, 100), seed=0)
rounds = iterative(scene, SCORES["pgbp_loss"])
write_supermask(best(rounds).supermask(scene), "found.supermask")
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from projectkit.errors import ModelError
from projectkit.prune.supermask_cut import Found, cut
from projectkit.prune.supermask_layers import front_to_back
from projectkit.prune.supermask_scene import Judges, Scene, judge, prepare, restrict
from projectkit.prune.supermask_scores import SCORES, Effort, Score, pgbp

__all__ = [
    "SCORES",
    "Effort",
    "Found",
    "Judges",
    "Scene",
    "best",
    "cut",
    "front_to_back",
    "iterative",
    "judge",
    "one_shot",
    "pgbp",
    "prepare",
    "restrict",
]


def one_shot(scene: Scene, score: Score, *, effort: Effort | None = None, seed: int = 0, steps: int = 20) -> Found:
    """Scores all units once and cuts each hidden layer where the accuracy on the validation images is best."""
    scores = score(scene, rng=np.random.default_rng(seed), effort=effort or Effort(), start=None)
    return cut(scene, scores, list(product(np.arange(steps) / steps, repeat=len(scores))))[0]


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
    rng, scores = np.random.default_rng(seed), None
    rounds: list[Found] = []
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


def _removes(scene: Scene, choice: Sequence[float]) -> bool:
    """Whether a layer that can spare a unit loses one."""
    return any(units > 1 and share > 0 for units, share in zip(scene.units, choice, strict=True))
