"""Search along rays: an attack that sees only which class a model names, so that nothing done to the logits holds it up."""

from collections.abc import Generator

import numpy as np

from projectkit.robustness.answers import Model, logits, margins
from projectkit.robustness.ball import checked
from projectkit.robustness.pgd import refuse_counts
from projectkit.robustness.square import answered

WIDTH = 0.05  # of the radius: how exactly the border on a ray is found

Queries = Generator[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]


def rays(model: Model, x: np.ndarray, y: np.ndarray, epsilon: float, *, queries: int = 1000, seed: int = 0) -> np.ndarray:
    """The RayS attack in L∞ on a model at hand: `ray_queries`, answered by the model.

    queries: forward passes an image at most. Raises RobustnessError as `logits` does, and for a query count below 1.
    """
    asked = ray_queries(x, y, epsilon, queries, np.random.default_rng(seed))
    return answered(asked, lambda batch: logits(model, batch))[0]


def ray_queries(
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    queries: int,
    rng: np.random.Generator,
    *,
    start: np.ndarray | None = None,
) -> Queries:
    """The RayS attack as questions, driven as `square_queries` is; returns (x_adv like x, robust (n,) bool).

    From each image a ray goes out to a corner of the cube (each pixel up or down) and is followed back to the border of the
    class: its radius. Then the signs of all, a half, a quarter … of the pixels are turned, in an order drawn by rng; a ray that
    has left the class at that radius becomes the new one, with its smaller radius. An image whose radius comes down to epsilon is
    fooled. Chen and Gu, "RayS: a ray searching method for hard-label adversarial attack", 2020, algorithms 1 and 3.

    start: images like x, whose directions the first rays take (x_adv of another attack); else all pixels go up.
    A tie of the largest logits is no answer, as in `square_queries`.
    """
    x, y = checked(x, y, epsilon)
    refuse_counts(queries=queries)
    answers = yield x
    robust = margins(answers, y) > 0
    search = _Rays(x, epsilon, rng, start)
    for _ in range(queries - 1):
        left = np.flatnonzero(robust)
        if not len(left) or epsilon == 0:
            break
        answers = yield search.questions(left)
        robust[left] = ~search.learn(left, margins(answers, y[left]) <= 0)
    return search.best, robust


class _Rays:
    """Where the search of each image stands: its ray, how far the border is on it, and what is tried next."""

    def __init__(self, x: np.ndarray, epsilon: float, rng: np.random.Generator, start: np.ndarray | None):
        pixels = int(np.prod(x.shape[1:]))
        self.x, self.epsilon, self.best = x, epsilon, x.copy()
        self.signs = np.ones((len(x), pixels), np.float32)
        if start is not None:
            self.signs[(start < x).reshape(len(x), -1)] = -1
        self.radius = np.ones(len(x))  # where the ray is known to leave the class; before that, the whole range of a pixel
        self.blocks, self.turns = _blocks(pixels, rng), np.zeros(len(x), int)
        self.tried = self.signs.copy()
        # On the tried ray, the class is held at `near` and left at `far`; 0: not seen yet.
        self.near, self.far = np.zeros(len(x)), np.zeros(len(x))

    def questions(self, left: np.ndarray) -> np.ndarray:
        """The images to ask about: a new ray at the best radius; once it leaves the class there, at epsilon, then halfway."""
        near, far = self.near[left], self.far[left]
        self.at = np.where(far == 0, self.radius[left], np.where(near == 0, self.epsilon, (near + far) / 2))
        change = self.at.astype(np.float32)[:, None] * self.tried[left]
        self.asked = np.clip(self.x[left] + change.reshape(len(left), *self.x.shape[1:]), 0.0, 1.0)
        return self.asked

    def learn(self, left: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Takes in which of the questions left their class; gives which images are fooled."""
        hit, missed = left[out], left[~out & (self.far[left] > 0)]
        self.near[missed] = self.at[~out & (self.far[left] > 0)]
        self.far[hit] = self.radius[hit] = self.at[out]
        self.signs[hit] = self.tried[hit]
        fooled = out & (self.at <= self.epsilon)
        self.best[left[fooled]] = self.asked[fooled]
        near, far = self.near[left], self.far[left]
        self._turn(left[(far == 0) | ((near > 0) & (far - near < WIDTH * far))])
        return fooled

    def _turn(self, images: np.ndarray) -> None:
        """From the best ray of each image to a new one: the next block of its signs is turned."""
        begin, end = self.blocks[self.turns[images] % len(self.blocks)].T[:, :, None]
        pixels = np.arange(self.signs.shape[1])
        self.tried[images] = np.where((pixels >= begin) & (pixels < end), -self.signs[images], self.signs[images])
        self.near[images] = self.far[images] = 0.0
        self.turns[images] += 1


def _blocks(pixels: int, rng: np.random.Generator) -> np.ndarray:
    """(begin, end) of the whole, of its halves, its quarters, … and of single pixels, those of one size in random order."""
    levels, parts = [], 1
    while True:
        edges = np.linspace(0, pixels, min(parts, pixels) + 1).astype(int)
        levels.append(rng.permutation(np.stack([edges[:-1], edges[1:]], axis=1)))
        if parts >= pixels:
            return np.concatenate(levels)
        parts *= 2
