"""The nearest image that fools the model, by an optimizer."""

from collections.abc import Iterator

import numpy as np

from projectkit.robustness.answers import Model, gradient, margins
from projectkit.robustness.ball import checked, distances
from projectkit.robustness.losses import negative_margin
from projectkit.robustness.pgd import refuse_counts

INSIDE = 0.9999  # pixels of exactly 0 and 1 would be at infinity in tanh space


def carlini_wagner(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    *,
    steps: int = 200,
    searches: int = 9,
    rate: float = 0.1,
    confidence: float = 0.0,
    constant: float = 0.01,
) -> np.ndarray:
    """min over w of ‖x′ − x‖₂² + c · max(z_y − max_{i≠y} z_i, −confidence) with x′ = (tanh w + 1)/2, which lies in [0, 1].

    c starts at `constant`; it grows tenfold while the model is not fooled, and then is searched by halving for the smallest that
    does: `searches` times in all, each time by `steps` steps of Adam whose learning rate falls from `rate` to 0 (Carlini and
    Wagner, "Towards evaluating the robustness of neural networks", 2017, sections V and VI). Of each image the nearest that fools
    the model is returned, the image itself where none does; epsilon does not limit the search. Raises RobustnessError as
    `gradient` does.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(steps=steps, searches=searches)
    start = np.arctanh((2 * x.astype(np.float64) - 1) * INSIDE)
    best, nearest = x.copy(), np.full(len(x), np.inf)
    weights, low, high = np.full(len(x), constant), np.zeros(len(x)), np.full(len(x), np.inf)
    for _ in range(searches):
        found = np.zeros(len(x), bool)
        for step, (point, leads) in enumerate(_descend(model, x, y, start, weights, steps, rate, confidence)):
            fooled = leads < 0  # a tie could turn with the rounding of the next evaluation
            far = distances(point, x, "l2")
            better = fooled & (far < nearest)
            best[better], nearest[better] = point[better], far[better]
            if step >= steps // 2:  # before, Adam overshoots whatever the weight is
                found |= fooled & (leads <= -confidence)
        high, low = np.where(found, weights, high), np.where(found, low, weights)
        weights = np.where(np.isinf(high), 10 * weights, (low + np.where(np.isinf(high), low, high)) / 2)
    return best


def _descend(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    weights: np.ndarray,
    steps: int,
    rate: float,
    confidence: float,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Adam in tanh space: yields after every step the images and the label's lead in them."""
    w, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step in range(1, steps + 1):
        tanh = np.tanh(w)
        point = ((tanh + 1) / 2).astype(np.float32)
        slopes, _, answers = gradient(model, negative_margin, point, y)
        leads = margins(answers, y)
        yield point, leads
        pull = np.where(leads > -confidence, weights, 0.0)[:, None, None, None]
        uphill = (2 * (point.astype(np.float64) - x) - pull * slopes) * (1 - tanh**2) / 2
        mean, square = 0.9 * mean + 0.1 * uphill, 0.999 * square + 0.001 * uphill**2
        w -= rate * (1 - (step - 1) / steps) * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
