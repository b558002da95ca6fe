"""Test-time augmentation: the same network looks at an image several times, each time a little changed."""

from collections.abc import Callable, Sequence

import numpy as np

from projectkit.errors import UncertaintyError
from projectkit.uncertainty.forward import Model, images
from projectkit.uncertainty.plain import plain

Transformation = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # (x, rng) -> x of the same shape


def moved(down: int, right: int) -> Transformation:
    """Moves images by whole pixels; what comes in at an edge repeats it."""

    def move(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows = np.clip(np.arange(x.shape[1]) - down, 0, x.shape[1] - 1)
        columns = np.clip(np.arange(x.shape[2]) - right, 0, x.shape[2] - 1)
        return x[:, rows][:, :, columns]

    return move


# The image itself and the four that lie a pixel beside it, which hardly any task tells apart.
SHIFTS: tuple[Transformation, ...] = tuple(moved(down, right) for down, right in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)))


def augmented(model: Model, x: np.ndarray, *, transformations: Sequence[Transformation] = SHIFTS, seed: int = 0) -> np.ndarray:
    """The answers to each transformation of x: (transformations, n, classes).

    Each is `(x, rng) -> x` and must leave the class as it is: a mirrored 2 is no digit, a mirrored car is a car (Ayhan and
    Berens, "Test-time data augmentation for estimation of heteroscedastic aleatoric uncertainty", 2018). Raises UncertaintyError
    when there is none or one changes the shape, and for NaN logits.
    """
    x, rng = images(x), np.random.default_rng(seed)
    if not transformations:
        raise UncertaintyError("Received no transformations; expected at least one (x, rng) -> x. Give SHIFTS.")
    found = []
    for transformation in transformations:
        changed = np.asarray(transformation(x.copy(), rng))
        if changed.shape != x.shape:
            raise UncertaintyError(
                f"Received images of shape {changed.shape} from a transformation; expected {x.shape}. Keep their size."
            )
        found.append(plain(model, changed))
    return np.concatenate(found)
