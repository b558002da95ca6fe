"""PGD without a step size to choose: it halves itself where the loss no longer rises."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.robustness.answers import Model, gradient, logits, margins, probable_others
from projectkit.robustness.ball import checked, project
from projectkit.robustness.losses import cross_entropy, targeted_difference_of_logits_ratio
from projectkit.robustness.pgd import refuse_counts

if TYPE_CHECKING:
    import tensorflow as tf

Attempt = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # indices → points, and whether they fool

MOMENTUM = 0.75  # the share of the new step; the rest goes on in the direction of the last one
RISING = 0.75  # of the steps between two checkpoints that must have raised the loss


def apgd_ce(
    model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, steps: int = 100, restarts: int = 1, seed: int = 0
) -> np.ndarray:
    """Auto-PGD on the cross-entropy, in L∞ from a random start (Croce and Hein, "Reliable evaluation of adversarial robustness
    with an ensemble of diverse parameter-free attacks", 2020, algorithm 1). A restart goes on with the images not fooled yet.

    Raises RobustnessError as `gradient` does, and for no steps or restarts.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps, restarts=restarts)
    rng = np.random.default_rng(seed)
    return _in_turn(x, [lambda left: _ascend(model, x[left], epsilon, steps, cross_entropy, (y[left],), rng)] * restarts)


def apgd_targeted(
    model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, steps: int = 100, targets: int = 9, seed: int = 0
) -> np.ndarray:
    """Auto-PGD towards one other class after the other, from the most probable one on, by the targeted difference-of-logits
    ratio, which no scale of the logits can flatten (there, section 4.2).

    targets: classes to try, at most. Raises RobustnessError as `gradient` does, and for a model of fewer than four classes.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps, targets=targets)
    rng, answers = np.random.default_rng(seed), logits(model, x)
    if answers.shape[1] < 4:
        raise RobustnessError(f"Received a model of {answers.shape[1]} classes; expected at least 4 for this loss. Use apgd_ce.")

    def towards(target: np.ndarray) -> Attempt:
        return lambda left: _ascend(
            model, x[left], epsilon, steps, targeted_difference_of_logits_ratio, (y[left], target[left]), rng
        )

    return _in_turn(x, [towards(target) for target in probable_others(answers, y, targets).T])


def _in_turn(x: np.ndarray, attempts: list[Attempt]) -> np.ndarray:
    """Each attempt (indices -> points and whether they fool) on the images that none before it fooled."""
    best, left = x.copy(), np.arange(len(x))
    for attempt in attempts:
        if not len(left):
            break
        best[left], fooled = attempt(left)
        left = left[~fooled]
    return best


def _ascend(
    model: Model,
    x: np.ndarray,
    epsilon: float,
    steps: int,
    loss: Callable[..., "tf.Tensor"],
    labels: tuple[np.ndarray, ...],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """(of each image the point of the largest loss, or the first that fools the model; whether it does)."""
    marks = _checkpoints(steps)
    start = x + rng.uniform(-epsilon, epsilon, x.shape).astype(np.float32)
    point = before = project(start, x, epsilon, "linf")
    slopes, losses, answers = gradient(model, loss, point, *labels)
    result, fooled = point.copy(), margins(answers, labels[0]) <= 0
    best, best_slopes, highest = point.copy(), slopes.copy(), losses.copy()
    step = np.full((len(x), 1, 1, 1), 2 * epsilon, np.float32)
    risen, halved, highest_at_mark, mark = np.zeros(len(x), int), np.ones(len(x), bool), highest.copy(), 0
    for taken in range(1, steps + 1):
        if fooled.all():
            break
        ahead = project(point + step * np.sign(slopes), x, epsilon, "linf")
        share = MOMENTUM if taken > 1 else 1.0
        moved = project(point + share * (ahead - point) + (1 - share) * (point - before), x, epsilon, "linf")
        before, point, last = point, moved, losses
        slopes, losses, answers = gradient(model, loss, point, *labels)
        risen += losses > last
        better = losses > highest
        best[better], best_slopes[better], highest[better] = point[better], slopes[better], losses[better]
        now = ~fooled & (margins(answers, labels[0]) <= 0)
        result[now], fooled = point[now], fooled | now
        if taken in marks:
            stuck = (risen < RISING * (taken - mark)) | (~halved & (highest == highest_at_mark))
            step[stuck] /= 2
            for there, top in ((point, best), (before, best), (slopes, best_slopes), (losses, highest)):
                there[stuck] = top[stuck]  # those go on from the best point so far, standing
            risen[:], halved, highest_at_mark, mark = 0, stuck, highest.copy(), taken
    result[~fooled] = best[~fooled]
    return result, fooled


def _checkpoints(steps: int) -> set[int]:
    """The steps after which the step size is looked at: 22 % of all, then ever closer, down to 6 % apart (there, section 3.2)."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return {int(np.ceil(share * steps)) for share in shares[1:] if share <= 1}
