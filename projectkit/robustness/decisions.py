"""What attacks share that see nothing of a model but the class it names."""

import numpy as np

from projectkit.robustness.answers import Model, logits, refuse_labels

HALVINGS = 16  # to 1/65 000 of the way: finer than the radius, 1/pixels of it, in which normals are estimated there


def fooled(model: Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether the model names another class than y: (n,) bool."""
    answers = logits(model, x)
    refuse_labels(y, answers.shape[1])
    return answers.argmax(axis=1) != y


def starting_points(
    model: Model, x: np.ndarray, y: np.ndarray, rng: np.random.Generator, *, tries: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """For each image a point that fools the model, like x, and whether one was found.

    First uniform noise, drawn up to `tries` times; then the others of these images, in an order drawn at random.
    """
    points, found = x.copy(), fooled(model, x, y)
    order = rng.permutation(len(x))
    for attempt in range(2 * tries):
        left = np.flatnonzero(~found)
        if not len(left):
            break
        noise = rng.uniform(0, 1, x.shape).astype(np.float32)
        tried = noise[left] if attempt < tries else x[order[(left + attempt) % len(x)]]
        hit = fooled(model, tried, y[left])
        points[left[hit]], found[left[hit]] = tried[hit], True
    return points, found


def to_border(model: Model, x: np.ndarray, y: np.ndarray, points: np.ndarray) -> np.ndarray:
    """On the straight line from each image to its point, which fools the model, the nearest place found by halving that does."""
    near, far = np.zeros(len(x), np.float32), np.ones(len(x), np.float32)
    best = points.copy()
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        tried = x + middle[:, None, None, None] * (points - x)
        hit = fooled(model, tried, y)
        best[hit] = tried[hit]
        near, far = np.where(hit, near, middle), np.where(hit, middle, far)
    return best
