"""Answers to the check cells of l16: right ones, and typical mistakes with the hint that each gets."""

from functools import partial

import numpy as np
from scipy import stats

from checks import l16
from projectkit import robustness
from projectkit.robustness import losses


def stepped(point, slopes, x, step, epsilon, *, sign=np.sign, way=1, around=None, whole=True):
    moved = point + way * step * sign(slopes)
    center = x if around is None else around(point, x)
    moved = np.clip(moved, center - epsilon, center + epsilon)
    return np.clip(moved, 0, 1) if whole else moved


def rounded(point, slopes, x, step, radius, *, axes=(1, 2, 3), clipped=True, ball=True):
    moved = point + step * slopes / np.sqrt((slopes**2).sum(axis=axes, keepdims=True))
    change = (np.clip(moved, 0, 1) if clipped else moved) - x
    length = np.sqrt((change**2).sum(axis=(1, 2, 3), keepdims=True))
    return x + change * (np.minimum(1, radius / length) if ball else 1)


def climbed(model, x, y, epsilon, steps=20, *, way=1, stay=False, forget=False, size=2.5):
    point = x
    for _ in range(steps):
        slopes, _, _ = robustness.gradient(model, losses.cross_entropy, x if stay else point, y)
        point = stepped(point, way * slopes, point if forget else x, size * epsilon / steps, epsilon)
    return point


def told(logits, labels, *, sign=-1, shift=True, third=-3, best=True):
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True) if shift else logits
    entropy = np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]
    others = logits.copy()
    if best:
        others[rows, labels] = -np.inf
    lead = logits[rows, labels] - others.max(axis=1)
    ordered = np.sort(logits, axis=1)
    return entropy, lead, sign * lead / (ordered[:, -1] - ordered[:, third])


def bounded(hits, n, sigma, alpha, *, sure=True, least=0.5):
    bound = stats.beta.ppf(alpha, hits, n - hits + 1) if sure else np.minimum(hits / n, 1 - 1e-9)
    return bound, np.where(bound > least, sigma * stats.norm.ppf(bound), 0.0)


def divided(errors, reference, *, percent=100, late=False):
    return percent * ((errors / reference).mean(axis=1) if late else errors.sum(axis=1) / reference.sum(axis=1))


RIGHT = [
    (l16.step_linf, (stepped,)),
    (l16.step_l2, (rounded,)),
    (l16.of_logits, (told,)),
    (l16.proven, (bounded,)),
    (l16.corruption_error, (divided,)),
    (l16.robust_accuracy, (lambda before, after: (before & after).mean(axis=-1),)),
    (l16.robust_files, ({"robust": (0.97, 0.85), "robust_small": (0.95, 0.8)},)),
]

WRONG = [
    (l16.step_linf, (partial(stepped, sign=lambda s: s),), "gradient itself"),
    (l16.step_linf, (partial(stepped, way=-1),), "downhill"),
    (l16.step_linf, (partial(stepped, around=lambda point, x: point),), "farther than epsilon"),
    (l16.step_linf, (partial(stepped, whole=False),), r"has left \[0, 1\]"),
    (l16.step_l2, (partial(rounded, axes=None),), "by its own length"),
    (l16.step_l2, (partial(rounded, ball=False),), "all its pixels alike"),
    (l16.step_l2, (partial(rounded, clipped=False),), "before you measure the length"),
    (l16.of_logits, (partial(told, sign=1),), "other sign"),
    (l16.of_logits, (partial(told, shift=False),), "subtract each row's largest"),
    (l16.of_logits, (partial(told, third=-2),), "third largest"),
    (l16.of_logits, (partial(told, best=False),), "largest other logit"),
    (l16.proven, (partial(bounded, sure=False),), "too good"),
    (l16.proven, (partial(bounded, least=0.0),), "nothing is proven"),
    (l16.corruption_error, (partial(divided, percent=1),), "In per cent"),
    (l16.corruption_error, (partial(divided, late=True),), "average ratios"),
    (l16.corruption_error, (lambda errors, reference: 100.0,), r"shape \(2,\)"),
    (l16.robust_accuracy, (lambda before, after: after.mean(axis=-1),), "right by luck"),
    (l16.robust_accuracy, (lambda before, after: (before & after).mean(),), "last axis|shape"),
    (l16.robust_files, ({"robust": (0.8, 0.7), "robust_small": (0.95, 0.7)},), "without any attack"),
    (l16.robust_files, ({"robust": (0.99, 0.2), "robust_small": (0.95, 0.7)},), "robust keeps 20.0%"),
]
