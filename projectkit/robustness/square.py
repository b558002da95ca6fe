"""Random squares of ±ε: an attack that needs forward passes only, so no gradient can be hidden from it."""

from collections.abc import Callable, Generator

import numpy as np

from projectkit.robustness.answers import Model, logits, margins, others
from projectkit.robustness.ball import checked
from projectkit.robustness.pgd import refuse_counts

# Out of 10 000 queries, from which on the squares' area is halved once more (Andriushchenko et al., section 5).
HALVINGS = (10, 50, 200, 1000, 2000, 4000, 6000, 8000)

Queries = Generator[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]


def square(
    model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, queries: int = 1000, area: float = 0.8, seed: int = 0
) -> np.ndarray:
    """The Square attack in L∞ on a model at hand: `square_queries`, answered by the model.

    queries: forward passes an image at most. Raises RobustnessError as `logits` does, and for a query count below 1.
    """
    asked = square_queries(x, y, epsilon, queries, np.random.default_rng(seed), area=area)
    return answered(asked, lambda batch: logits(model, batch))[0]


def square_queries(
    x: np.ndarray, y: np.ndarray, epsilon: float, queries: int, rng: np.random.Generator, *, area: float = 0.8
) -> Queries:
    """The Square attack as questions: yields images (m, height, width, channels), is sent their logits (m, classes), and returns
    (x_adv like x, robust (n,) bool: answered rightly and never fooled).

    Whoever drives it decides where the model is: in this process, or beyond a pipe. The first batch are the images themselves;
    there are at most `queries` batches, each of the images that are still answered rightly. area: the share of an image
    that the first squares cover. Each image's squares depend on rng and its place alone, not on the fate of the others.

    Starts from stripes of ±ε and keeps a square when the label's lead over the other logits does not grow (Andriushchenko et
    al., "Square attack: a query-efficient black-box adversarial attack via random search", 2020, algorithms 1 and 2). Where
    leads are equal, as those of saturated outputs are, the other logit decides, and at last the newer image is kept: a model that
    is blind to small changes is searched at random.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(queries=queries)
    answers = yield x
    lead, other = margins(answers, y), others(answers, y).max(axis=1)
    best, signs = x.copy(), np.zeros_like(x)
    for query in range(1, queries):
        proposed = _stripes(x.shape, rng) if query == 1 else _with_square(signs, _side(x.shape, area, query, queries), rng)
        left = np.flatnonzero(lead > 0)
        if not len(left) or epsilon == 0:
            break
        tried = np.clip(x[left] + np.float32(epsilon) * proposed[left], 0.0, 1.0)
        answers = yield tried
        new_lead, new_other = margins(answers, y[left]), others(answers, y[left]).max(axis=1)
        kept = (new_lead < lead[left]) | ((new_lead == lead[left]) & (new_other >= other[left])) | (query == 1)
        chosen = left[kept]
        best[chosen], signs[chosen] = tried[kept], proposed[chosen]
        lead[chosen], other[chosen] = new_lead[kept], new_other[kept]
    return best, lead > 0


def answered(asked: Queries, answer: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What `asked` returns when `answer` (images -> logits) is given every one of its questions."""
    try:
        batch = next(asked)
        while True:
            batch = asked.send(answer(batch))
    except StopIteration as end:
        return end.value


def _side(shape: tuple[int, ...], area: float, query: int, queries: int) -> int:
    """The side of the squares of this query, in pixels."""
    halved = sum(query * 10_000 >= limit * queries for limit in HALVINGS)
    return max(1, round((area / 2**halved * shape[1] * shape[2]) ** 0.5))


def _stripes(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """±1 by image, column and channel."""
    n, _, width, channels = shape
    drawn = rng.integers(0, 2, (n, 1, width, channels), dtype=np.int8)
    return np.broadcast_to(2 * drawn.astype(np.float32) - 1, shape).copy()


def _with_square(signs: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """`signs`, each image with one square set to +1 or −1 by channel, so that something changes."""
    n, height, width, channels = signs.shape
    side = min(side, height, width)
    top, left = rng.integers(0, height - side + 1, n), rng.integers(0, width - side + 1, n)
    drawn = 2 * rng.integers(0, 2, (n, 1, 1, channels), dtype=np.int8).astype(np.float32) - 1
    rows, columns = np.arange(height) - top[:, None], np.arange(width) - left[:, None]
    inside = ((rows >= 0) & (rows < side))[:, :, None, None] & ((columns >= 0) & (columns < side))[:, None, :, None]
    same = (~inside | (signs == drawn)).all(axis=(1, 2, 3), keepdims=True)
    return np.where(inside, np.where(same, -drawn, drawn), signs)
