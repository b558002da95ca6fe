"""The reference solutions of the exercises of l16_robustness, from the definitions of their inputs in projectkit.submit."""

import math
from statistics import NormalDist

import numpy as np

from projectkit.types import Arrays


def _attack_steps(inputs: Arrays) -> Arrays:
    x, point, gradient = (inputs[name].astype(np.float64) for name in ("x", "point", "gradient"))
    epsilon, step, radius = (float(inputs[name]) for name in ("epsilon", "step", "radius"))

    def length(images: np.ndarray) -> np.ndarray:
        return np.sqrt((images**2).sum(axis=(1, 2), keepdims=True))

    moved = np.clip(point + step * gradient / length(gradient), 0.0, 1.0)
    return {
        "fgsm": np.clip(x + epsilon * np.sign(gradient), 0.0, 1.0),
        "pgd": np.clip(np.clip(point + step * np.sign(gradient), x - epsilon, x + epsilon), 0.0, 1.0),
        "l2": x + (moved - x) * np.minimum(1.0, radius / length(moved - x)),
    }


def _attack_losses(inputs: Arrays) -> Arrays:
    logits, labels = inputs["logits"].astype(np.float64), inputs["labels"]
    images = np.arange(len(labels))
    others = logits.copy()
    others[images, labels] = -np.inf
    lead = logits[images, labels] - others.max(axis=1)
    ordered = np.sort(logits, axis=1)
    ratio = -lead / (ordered[:, -1] - ordered[:, -3])
    highest = logits.max(axis=1)
    total = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    return {
        "cross_entropy": total - logits[images, labels],
        "lead": lead,
        "ratio": ratio,
        "fooled": np.array(int((lead < 0).sum())),
        "scaled": ratio,  # numerator and denominator grow alike
    }


def _lower_bound(hits: int, n: int, alpha: float) -> float:
    """The p at which hits or more of n have the probability alpha, by bisection."""
    if hits == 0:
        return 0.0
    ways = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(hits, n + 1)]

    def at_least(p: float) -> float:
        terms = [way + k * math.log(p) + (n - k) * math.log1p(-p) for k, way in enumerate(ways, hits)]
        return math.fsum(map(math.exp, terms))

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at_least(middle) < alpha else (low, middle)
    return (low + high) / 2


def _certificates(inputs: Arrays) -> Arrays:
    n, sigma, alpha = int(inputs["n"]), float(inputs["sigma"]), float(inputs["alpha"])

    def radius(bound: float) -> float:
        return sigma * NormalDist().inv_cdf(bound) if bound > 0.5 else 0.0

    bounds = [_lower_bound(hits, n, alpha) for hits in inputs["hits"].tolist()]
    radii = np.array([radius(bound) for bound in bounds])
    proven = (inputs["correct"] == 1) & (radii > float(inputs["asked"]))
    return {
        "bound": np.array(bounds),
        "radius": radii,
        "certified": np.array(proven.mean()),
        "most": np.array(radius(alpha ** (1 / n))),
    }


def _corruption_errors(inputs: Arrays) -> Arrays:
    errors, reference = inputs["errors"].astype(np.float64), inputs["reference"].astype(np.float64)
    ce = 100 * errors.sum(axis=1) / reference.sum(axis=1)
    added = (errors - float(inputs["clean"])).sum(axis=1)
    relative = 100 * added / (reference - float(inputs["clean_reference"])).sum(axis=1)
    return {
        "ce": ce,
        "mce": np.array(ce.mean()),
        "relative": relative,
        "relative_mce": np.array(relative.mean()),
        "worst": np.array(int(ce.argmax())),
    }


def _transferred(inputs: Arrays) -> Arrays:
    clean, attacked = inputs["clean"] == 1, inputs["attacked"] == 1
    stands = attacked & clean[None]
    matrix = stands.mean(axis=2)
    of_others = matrix + 2.0 * np.eye(4)  # a network's own images do not compete
    return {
        "matrix": matrix,
        "together": stands.all(axis=0).mean(axis=1),
        "source": of_others.argmin(axis=0),
        "masked": np.array(int((of_others.min(axis=0) - np.diag(matrix)).argmin())),
    }


SOLUTIONS = {
    "attack_steps": _attack_steps,
    "attack_losses": _attack_losses,
    "certificates": _certificates,
    "corruption_errors": _corruption_errors,
    "transferred": _transferred,
}
