"""Twenty 2-10-1 networks on XOR, trained side by side in NumPy and shrunk one hidden unit at a time."""

import numpy as np

from projectkit.prune.lfe import draw

NETWORKS, HIDDEN, POINTS, NOISE = 20, 10, 400, 0.2
FIRST_STEPS, NEXT_STEPS, RATE = 600, 300, 0.02
MASKS, KEEP, TOLERANCE = 160, 0.5, 0.01


def clouds(rng) -> tuple[np.ndarray, np.ndarray]:
    """Noisy corners of a square and whether their signs differ: x (networks, points, 2), y (networks, points)."""
    corners = rng.choice([-1.0, 1.0], size=(NETWORKS, POINTS, 2))
    return corners + NOISE * rng.normal(size=corners.shape), (corners.prod(axis=2) < 0).astype(float)


def hidden(weights, x):
    w, b, *_ = weights
    return np.maximum(x @ w + b[:, None], 0)


def answers(weights, x, alive):
    """Logits (networks, points). alive: (networks, hidden)."""
    *_, v, c = weights
    return ((hidden(weights, x) * alive[:, None]) @ v[..., None])[..., 0] + c[:, None]


def accuracy(weights, points, alive):
    x, y = points
    return np.mean((answers(weights, x, alive) > 0) == y, axis=1)


def fit(weights, points, alive, steps):
    """Adam on the mean cross-entropy, all networks at once."""
    x, y = points
    weights = [array.copy() for array in weights]
    first, second = [np.zeros_like(a) for a in weights], [np.zeros_like(a) for a in weights]
    for step in range(1, steps + 1):
        h = hidden(weights, x) * alive[:, None]
        error = (1 / (1 + np.exp(-answers(weights, x, alive))) - y) / POINTS
        back = error[..., None] * weights[2][:, None] * (h > 0)
        slopes = [np.swapaxes(x, 1, 2) @ back, back.sum(1), (np.swapaxes(h, 1, 2) @ error[..., None])[..., 0], error.sum(1)]
        for a, m, v, g in zip(weights, first, second, slopes, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            a -= RATE * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return weights


def shrink(score) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """score: (masks, losses, rng) -> one number a living unit. Returns, for each network, how many units remain and the
    accuracy on unseen points before and after."""
    rng = np.random.default_rng(0)
    training, validation, test = clouds(rng), clouds(rng), clouds(rng)
    shapes = [(2, HIDDEN), (HIDDEN,), (HIDDEN,), ()]
    scales = [1.0, 0.0, np.sqrt(2 / HIDDEN), 0.0]
    weights = [scale * rng.normal(size=(NETWORKS, *shape)) for scale, shape in zip(scales, shapes, strict=True)]
    alive = np.ones((NETWORKS, HIDDEN))
    weights = fit(weights, training, alive, FIRST_STEPS)
    before, base = accuracy(weights, test, alive), accuracy(weights, validation, alive)
    going = np.ones(NETWORKS, bool)
    while going.any():
        fewer = alive.copy()
        for network in np.flatnonzero(going):
            units = np.flatnonzero(alive[network])
            masks = draw(MASKS, len(units), keep=KEEP, seed=int(rng.integers(2**31)))
            fewer[network, units[np.argmin(score(masks, _losses(weights, training, network, units, masks), rng))]] = 0
        tried = fit(weights, training, fewer, NEXT_STEPS)
        going &= accuracy(tried, validation, fewer) >= base - TOLERANCE
        alive[going] = fewer[going]
        for old, new in zip(weights, tried, strict=True):
            old[going] = new[going]
        going &= alive.sum(axis=1) > 1
    return alive.sum(axis=1), before, accuracy(weights, test, alive)


def _losses(weights, points, network, units, masks):
    """The cross-entropy of one network under each mask of its living units: (masks,)."""
    x, y = points[0][network], points[1][network]
    w, b, v, c = (array[network] for array in weights)
    h = np.maximum(x @ w[:, units] + b[units], 0)
    logits = (masks[:, None] * h) @ v[units] + c
    return np.mean(np.logaddexp(0, logits) - y * logits, axis=1)
