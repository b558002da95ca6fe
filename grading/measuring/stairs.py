"""Does a model round its input? A file that does looks robust, because most small changes are gone before it looks.

A part of an image is given one grey value after another, from black to white. The logits of a network follow in many small steps;
behind rounded pixels they stay, and jump a few times. Kept apart from the attack's own search, which such a file holds up.
"""

from collections.abc import Generator

import numpy as np

from projectkit.errors import MeasureError

GREYS = 33
STEEPEST = 5  # of the 32 steps between the grey values
# Of all that the logits change by, in the median image; 5/32 = 0.16 if all steps were equal. Networks of the labs: 0.17 to 0.27,
# in int8, pruned and adversarially trained too. Pixels rounded to 2 to 9 values: 0.7 to 1; with half of the way sloped: 0.38.
MOST = 0.36
IMAGES = 30


def refuse_stairs(x: np.ndarray, rng: np.random.Generator) -> Generator[np.ndarray, np.ndarray, None]:
    """Asks about images (n, height, width, channels) of `x` with a part in one grey, at most as many at a time as `x` has, and is
    sent their logits. Raises MeasureError for a model whose answers jump."""
    images = greyed(x, rng)
    answers = []
    for start in range(0, len(images), len(x)):
        answers.append((yield images[start : start + len(x)]))
    found = steepness(np.concatenate(answers))
    if found > MOST:
        raise MeasureError(
            f"{100 * found:.0f} % of what its answers change by, as a part of an image goes from black to white, lies in "
            f"{STEEPEST} of {GREYS - 1} steps, expected {100 * MOST:.0f} % or less: it rounds its input, which hides what an "
            "attack needs. Export the model without softmax, argmax or a large factor behind its last layer and without "
            "rounding before the first; train it on attacked images instead"
        )


def questions(images: int) -> int:
    """How many questions there are at most, of `images` images each."""
    return -(-IMAGES * GREYS // max(1, images))


def greyed(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(IMAGES · GREYS, height, width, channels): each image with a square in it, of an eighth of its side, in every grey. The
    square lies in the inner half, where something is to be seen."""
    height, width = x.shape[1:3]
    side = max(1, height // 8)
    chosen = x[rng.integers(len(x), size=IMAGES)].repeat(GREYS, axis=0).reshape(IMAGES, GREYS, *x.shape[1:])
    greys = np.linspace(0, 1, GREYS, dtype=x.dtype)[:, None, None, None]
    for image in chosen:
        top, left = (int(rng.integers(size // 4, max(size // 4 + 1, 3 * size // 4 - side + 1))) for size in (height, width))
        image[:, top : top + side, left : left + side] = greys
    return chosen.reshape(-1, *x.shape[1:])


def steepness(logits: np.ndarray) -> float:
    """The share of all changes that lies in the steepest steps, in the median image that changes at all; logits (IMAGES · GREYS,
    classes). 0 when none does."""
    steps = np.abs(np.diff(logits.reshape(-1, GREYS, logits.shape[1]).astype(np.float64), axis=1)).sum(axis=2)
    steps = steps[steps.sum(axis=1) > 0]
    if not len(steps):
        return 0.0
    return float(np.median(np.sort(steps, axis=1)[:, -STEEPEST:].sum(axis=1) / steps.sum(axis=1)))
