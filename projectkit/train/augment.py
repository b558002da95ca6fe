"""Random changes of the training images that leave their classes as they are: (images, rng) -> images of the same shape."""

from collections.abc import Callable

import numpy as np

MARGIN = 4  # pixels


def none(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The images as they are."""
    return x


def crop_flip(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image moved by up to four pixels each way, zeros coming in, and mirrored left to right half of the time.

    x: (n, height, width, channels). He et al., "Deep residual learning", 2015, section 4.2.
    """
    count, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)))
    down, right = rng.integers(0, 2 * MARGIN + 1, (2, count))
    mirrored = np.less(rng.random(count), 0.5)
    moved = np.empty_like(x)
    for index in range(count):
        view = padded[index, down[index] : down[index] + height, right[index] : right[index] + width]
        moved[index] = view[:, ::-1] if mirrored[index] else view
    return moved


AUGMENTATIONS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {"none": none, "crop_flip": crop_flip}
