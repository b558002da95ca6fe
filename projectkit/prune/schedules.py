"""When channels go: all at once, layer by layer, as many as validation allows, a few a round, or softly while the network trains.

After every removal the statistics of batch normalization are estimated anew (`recalibrate`); then comes the fine-tuning, if any.

pruned = layer_by_layer(model, SCORES["lfe"], 0.5, dataset, Recipe(epochs=1))
pruned.model, pruned.steps
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tf_keras as keras

from projectkit import models, train
from projectkit.errors import ModelError
from projectkit.models.cost import macs, parameters
from projectkit.prune.group_scores import chosen_ratios, free_groups, group_scores
from projectkit.prune.groups import groups
from projectkit.prune.magnitude import l2
from projectkit.prune.masks import Evaluator, evaluator
from projectkit.prune.recalibration import recalibrate
from projectkit.prune.scores import Score, deepest_cut
from projectkit.prune.surgery import keep_best, remove, silence
from projectkit.prune.types import Place
from projectkit.types import Dataset, Recipe, Split

SCORE_IMAGES = (
    512  # of the training data: a score may look at the network's answers on them, and statistics are estimated on them
)

Ratios = float | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Step:
    """The network after one removal.

    channels: left in the groups it touched, by group; macs: of one image. Accuracies in [0, 1] on the validation data:
    accuracy_cut right after the removal, accuracy_recalibrated with statistics of batch normalization that fit what is left, and
    accuracy after fine-tuning (that before where there was none).
    """

    channels: Mapping[str, int]
    macs: int
    parameters: int
    accuracy_cut: float
    accuracy_recalibrated: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """A smaller model and how it came about."""

    model: keras.Model
    steps: tuple[Step, ...]


def one_shot(
    model: keras.Model, score: Score, ratios: Ratios, dataset: Dataset, recipe: Recipe | None = None, *, seed: int = 0
) -> Pruned:
    """Scores all groups of the whole model, removes at once, recalibrates, fine-tunes once.

    ratios: the share of channels to remove, one number for all `free_groups` or a number for each named group; recipe: of the
    fine-tuning, none without it. `model` stays as it was. Raises ModelError for bad ratios, groups and scores.
    """
    data = dataset.train.take(SCORE_IMAGES)
    keep = _chosen(model, score, chosen_ratios(model, ratios), data, seed)
    smaller, step = _step(model, keep, dataset, recipe)
    return Pruned(smaller, (step,))


def layer_by_layer(
    model: keras.Model, score: Score, ratios: Ratios, dataset: Dataset, recipe: Recipe | None = None, *, seed: int = 0
) -> Pruned:
    """From the first group to the last: scores it in the network as it has become, removes, recalibrates, fine-tunes (Li et al.,
    "Pruning filters for efficient ConvNets", 2017, section 3.4).

    Arguments and errors as `one_shot`; `recipe` is that of every step.
    """
    ratios = chosen_ratios(model, ratios)
    data, smaller, steps = dataset.train.take(SCORE_IMAGES), model, []
    for name in [group.name for group in groups(model) if group.name in ratios]:
        keep = _chosen(smaller, score, {name: ratios[name]}, data, seed)
        smaller, step = _step(smaller, keep, dataset, recipe)
        steps.append(step)
    return Pruned(smaller, tuple(steps))


def by_validation(
    model: keras.Model,
    score: Score,
    dataset: Dataset,
    recipe: Recipe | None = None,
    *,
    tolerance: float = 0.01,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> Pruned:
    """From the first group to the last: scores it in the network as it has become, removes as many of its least important
    channels as validation allows, recalibrates, fine-tunes. So LFE and PGBP choose each layer's cut (Sándor et al., "Pruning CNNs
    with linear filter ensembles", ECAI 2020, and VISAPP 2022; the tolerance that they use is not in what we could read).

    tolerance: the accuracy on `dataset.val`, in [0, 1], that a group may cost, below that of the network as it has become; it is
    measured with masks, before recalibration and fine-tuning, so that these gain some of it back. names: of the groups, all
    `free_groups` unless told; the sum of a residual network is masked as a whole. How much work is left is not chosen here: to
    compare scores at an equal cut, take another schedule. The last step has the accuracy on the images that chose the cuts:
    report one on others. Other arguments and errors as `one_shot`.
    """
    if names is None:
        names = tuple(chosen_ratios(model, 0.0))
    chosen_ratios(model, dict.fromkeys(names, 0.0))  # refuses what cannot be pruned
    data, smaller, steps = dataset.train.take(SCORE_IMAGES), model, []
    for name in [group.name for group in groups(model) if group.name in names]:
        (group,) = (group for group in groups(smaller) if group.name == name)
        scores = group_scores(score, smaller, group, data, seed=seed)
        place = group.producers[0]
        judge = partial(_accuracy_under, evaluator(smaller, place.layer, dataset.val), place)
        smaller, step = _step(smaller, {name: deepest_cut(scores, judge, tolerance)}, dataset, recipe)
        steps.append(step)
    return Pruned(smaller, tuple(steps))


def iterative(
    model: keras.Model,
    score: Score,
    ratios: Ratios,
    dataset: Dataset,
    recipe: Recipe | None = None,
    *,
    rounds: int = 4,
    seed: int = 0,
) -> Pruned:
    """`rounds` times: scores all groups again, removes the same share of what is left, recalibrates, fine-tunes.

    After round k of n a group has (1 − ratio)^(k/n) of its channels. Arguments and errors as `one_shot`; no rounds are an
    error too.
    """
    if rounds < 1:
        raise ModelError(f"Received {rounds} rounds; expected at least one.")
    ratios = chosen_ratios(model, ratios)
    whole = {group.name: group.channels for group in groups(model)}
    data, smaller, steps = dataset.train.take(SCORE_IMAGES), model, []
    for done in range(1, rounds + 1):
        now = {group.name: group.channels for group in groups(smaller)}
        left = {name: max(1, int(whole[name] * (1 - ratio) ** (done / rounds) + 1e-9)) for name, ratio in ratios.items()}
        keep = _chosen(smaller, score, {name: 1 - left[name] / now[name] for name in ratios}, data, seed)
        smaller, step = _step(smaller, keep, dataset, recipe)
        steps.append(step)
    return Pruned(smaller, tuple(steps))


def soft(model: keras.Model, ratios: Ratios, dataset: Dataset, recipe: Recipe, *, score: Score = l2, seed: int = 0) -> Pruned:
    """Soft filter pruning (He et al., "Soft filter pruning", IJCAI 2018): trains on, and after every epoch silences the channels
    of the lowest scores, from where they may grow again; those that are silent after the last epoch are removed.

    Silent is more than in the paper, which sets filters to zero and leaves batch normalization's β: the channel answers 0 on
    every image, so that its removal changes no answer (`surgery.silence`, also for where that holds). The optimizer's momentum is
    what lets it grow again. Arguments and errors as `one_shot`; `recipe` is that of the training.
    """
    ratios = chosen_ratios(model, ratios)
    data, growing = dataset.train.take(SCORE_IMAGES), models.copy(model)
    keep: dict[str, np.ndarray] = {}

    def silence_lowest(network: keras.Model) -> None:
        keep.update(_chosen(network, score, ratios, data, seed))
        silence(network, keep)

    train.fit(growing, dataset, recipe, progress=False, after_epoch=silence_lowest)
    smaller, step = _step(growing, keep, dataset, None)
    return Pruned(smaller, (step,))


def ratio_for_macs(model: keras.Model, cut: float, *, tolerance: float = 0.005) -> float:
    """The smallest ratio, equal in all `free_groups`, that removes the share `cut` of the model's multiply-accumulates, found to
    `tolerance` by halving. It does not depend on the score: only the number of channels counts.

    Raises ModelError for a cut outside [0, 1) and for one that these groups cannot give.
    """
    if not 0 <= cut < 1:
        raise ModelError(f"Received the cut {cut}; expected the share of multiply-accumulates to remove, in [0, 1).")
    if cut == 0:
        return 0.0
    whole, free = macs(model), free_groups(model)

    def cut_by(ratio: float) -> float:
        keep = {group.name: keep_best(np.arange(group.channels), ratio) for group in free}
        return 1 - macs(remove(model, keep)) / whole

    low, high = 0.0, 0.999
    if cut_by(high) < cut:
        raise ModelError(
            f"{model.name}: one channel in each of its {len(free)} free groups still leaves {1 - cut_by(high):.1%} of the work; "
            f"a cut of {cut:.1%} is out of reach. Cut less, or name the residual groups too."
        )
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (low, middle) if cut_by(middle) >= cut else (middle, high)
    return high


def _chosen(model: keras.Model, score: Score, ratios: Mapping[str, float], data: Split, seed: int) -> dict[str, np.ndarray]:
    return {
        group.name: keep_best(group_scores(score, model, group, data, seed=seed), ratios[group.name])
        for group in groups(model)
        if group.name in ratios
    }


def _accuracy_under(evaluate: Evaluator, place: Place, masks: np.ndarray) -> np.ndarray:
    """Accuracy under masks (masks, channels) of a group that has `place` in the layer of `evaluate`: (masks,)."""
    of_layer = np.ones((len(masks), evaluate.channels), bool)
    of_layer[:, place.positions] = masks[:, :, None]
    return evaluate(of_layer).accuracy


def _step(
    model: keras.Model, keep: Mapping[str, np.ndarray], dataset: Dataset, recipe: Recipe | None
) -> tuple[keras.Model, Step]:
    smaller = remove(model, keep)
    cut = train.accuracy(smaller, dataset.val)
    smaller = recalibrate(smaller, dataset.train.x[:SCORE_IMAGES])
    recalibrated = after = train.accuracy(smaller, dataset.val)
    if recipe is not None:
        train.fit(smaller, dataset, recipe, progress=False)
        after = train.accuracy(smaller, dataset.val)
    channels = {name: int(mask.sum()) for name, mask in keep.items()}
    return smaller, Step(channels, macs(smaller), parameters(smaller), cut, recalibrated, after)
