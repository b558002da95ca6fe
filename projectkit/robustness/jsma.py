"""As few pixels as possible, changed as much as possible."""

import numpy as np

from projectkit.robustness.answers import Model, gradient, logits, probable_others
from projectkit.robustness.ball import checked
from projectkit.robustness.losses import logit
from projectkit.robustness.pgd import refuse_counts


def jsma(model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, targets: int = 3) -> np.ndarray:
    """Turns one pixel after the other fully on or off, each time the one that to first order brings a target's logit nearest to
    the label's, until the model is fooled or ⌊epsilon · pixels⌋ pixels have changed, each with all its channels; the norm is L0.

    The saliency map of Papernot et al., "The limitations of deep learning in adversarial settings", 2016, algorithm 3, with three
    changes that make it stronger: a derivative counts times the way that the pixel has left, up or down; the target gains on the
    label and not on the sum of all other classes; and pixels go one by one, not in pairs. targets: classes to try one after the
    other, from the most probable other one on. Raises RobustnessError as `gradient` does.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(targets=targets)
    pixels = int(min(epsilon, 1) * x.shape[1] * x.shape[2])
    answers = logits(model, x)
    best, left = x.copy(), np.flatnonzero(answers.argmax(axis=1) == y)
    for target in probable_others(answers, y, targets).T:
        if not len(left):
            break
        best[left] = _towards(model, x[left], y[left], target[left], pixels)
        left = left[logits(model, best[left]).argmax(axis=1) == y[left]]
    return best


def _towards(model: Model, x: np.ndarray, y: np.ndarray, target: np.ndarray, pixels: int) -> np.ndarray:
    """x with at most `pixels` pixels changed, fewer where the model is fooled earlier."""
    point, unused = x.copy(), np.ones((len(x), x.shape[1] * x.shape[2]), bool)
    left = np.arange(len(x))
    for _ in range(pixels):
        if not len(left):
            break
        gained, lost = (gradient(model, logit, point[left], labels[left])[0] for labels in (target, y))
        change = _best_change(gained - lost, point[left], unused[left])
        row, column = np.divmod(change // 2, x.shape[2])
        point[left, row, column] = (1 - change % 2)[:, None]
        unused[left, change // 2] = False
        left = left[logits(model, point[left]).argmax(axis=1) == y[left]]
    return point


def _best_change(slopes: np.ndarray, x: np.ndarray, unused: np.ndarray) -> np.ndarray:
    """Of each image the change with the largest effect: 2p turns pixel p on, 2p + 1 turns it off."""
    effects = np.stack([(slopes * way).sum(axis=3).reshape(len(x), -1) for way in (1 - x, -x)], axis=2)
    return np.where(unused[:, :, None], effects, -np.inf).reshape(len(x), -1).argmax(axis=1)
