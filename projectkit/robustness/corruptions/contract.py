"""What every corruption keeps to, and where it is held: (x, severity, rng) -> x."""

import functools
from collections.abc import Callable
from typing import Protocol

import numpy as np

from projectkit.errors import RobustnessError

SEVERITIES = (1, 2, 3, 4, 5)
LEAST_SIDE = 8
CHUNK = 500  # images at a time; bounds the memory of displacement fields


class Corruption(Protocol):
    """Corrupts images: x (n, height, width, channels) floats in [0, 1], severity 0 (unchanged) to 5 → new float32 images of that
    shape, by the chances of rng only. Raises RobustnessError for other images and severities."""

    def __call__(self, x: np.ndarray, severity: int, rng: np.random.Generator, /) -> np.ndarray: ...


def corruption(change: Callable[[np.ndarray, int, np.random.Generator], np.ndarray]) -> Corruption:
    """`change`, which gets float64 images and an index 0 … 4 of its strengths, as a corruption.

    The corruption takes x (n, height, width, channels) of floats in [0, 1], of at least 8×8 pixels, with one or three channels; a
    severity from 0 (x as it is) to 5, and a generator; it gives new float32 images in [0, 1] and leaves x alone. Each image is
    changed on its own; equal generators give equal images. Raises RobustnessError for other images and severities.
    """

    @functools.wraps(change)
    def corrupted(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
        _refuse(x, severity)
        if severity == 0 or not len(x):
            return x.astype(np.float32)
        parts = (x[start : start + CHUNK].astype(np.float64) for start in range(0, len(x), CHUNK))
        changed = np.concatenate([change(part, severity - 1, rng) for part in parts])
        return np.clip(changed, 0.0, 1.0).astype(np.float32)

    return corrupted


def _refuse(x: np.ndarray, severity: int) -> None:
    shape, kind = getattr(x, "shape", None), getattr(getattr(x, "dtype", None), "kind", None)
    if kind != "f" or shape is None or len(shape) != 4 or min(shape[1:3]) < LEAST_SIDE or shape[3] not in (1, 3):
        raise RobustnessError(
            f"Received images of shape {shape} and type {getattr(x, 'dtype', type(x).__name__)}; expected (n, height, width, "
            f"channels) floats of at least {LEAST_SIDE}×{LEAST_SIDE} pixels, channels being 1 or 3. Give the images of a Split."
        )
    if x.size and not (x.min() >= 0 and x.max() <= 1):  # NaN is not
        raise RobustnessError(f"Received pixels from {x.min()} to {x.max()}; expected [0, 1]. Divide bytes by 255.")
    if isinstance(severity, bool) or severity not in (0, *SEVERITIES):
        raise RobustnessError(f"Received severity {severity!r}; expected 0 (unchanged) or 1 to 5. Give one of these.")
