"""Changes of the image before the network sees it, as a defense: (x, rng) -> x. All of them fall to an attacker who knows them.

shielded = defended(model, TRANSFORMATIONS["median"])      # a function x -> logits: has no gradients, as many a defense

Each takes (n, height, width, channels) floats in [0, 1] and gives such images of the same shape; rng matters to the random ones.
Guo et al., "Countering adversarial images using input transformations", 2018; that they hide the gradient rather than the
weakness is shown by Athalye et al., "Obfuscated gradients give a false sense of security", 2018.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from projectkit.errors import RobustnessError
from projectkit.robustness import corruptions
from projectkit.robustness.answers import Model, logits
from projectkit.robustness.corruptions.sampling import grid, sample


class Transformation(Protocol):
    """Changes images before a model sees them: x (n, height, width, channels) floats in [0, 1] → the same shape; by the chances
    of rng only. Further options have a default."""

    def __call__(self, x: np.ndarray, rng: np.random.Generator, /) -> np.ndarray: ...


def bit_depth(x: np.ndarray, rng: np.random.Generator, *, bits: int = 2) -> np.ndarray:
    """2^bits levels of each value, the nearest one (Xu et al., "Feature squeezing", 2018, section III.A)."""
    if bits not in range(1, 9):
        raise RobustnessError(f"Received {bits} bits; expected a whole number from 1 to 8. Give 1 for black and white.")
    steps = 2**bits - 1
    return np.rint(x * steps).astype(np.float32) / np.float32(steps)


def median(x: np.ndarray, rng: np.random.Generator, *, size: int = 2) -> np.ndarray:
    """The median of size×size pixels around each, of each channel (Xu et al. 2018, section III.B)."""
    from scipy.ndimage import median_filter

    if size < 1:
        raise RobustnessError(f"Received a window of {size} pixels; expected at least 1. Give 2 or 3.")
    return median_filter(x, (1, size, size, 1), mode="nearest").astype(np.float32)


def jpeg(x: np.ndarray, rng: np.random.Generator, *, severity: int = 1) -> np.ndarray:
    """What JPEG leaves of the image; severity 1 is quality 25, as of the corruption of that name (Guo et al. 2018)."""
    return corruptions.CORRUPTIONS["jpeg"](x, severity, rng)


def resize_and_pad(x: np.ndarray, rng: np.random.Generator, *, least: float = 0.8) -> np.ndarray:
    """Each image shrunk to a random share of its size, from `least` to 1, and put somewhere on black.

    Xie et al., "Mitigating adversarial effects through randomization", 2018, who enlarge the canvas where we shrink the image.
    """
    if not 0 < least <= 1:
        raise RobustnessError(f"Received a least share {least}; expected one in (0, 1]. Give 0.8.")
    scale = rng.uniform(least, 1.0, (len(x), 1, 1))
    rows, columns = grid(x)
    down, across = (rng.uniform(-0.5, 0.5, scale.shape) * (1 - scale) * side for side in x.shape[1:3])
    moved = sample(x, (rows - down) / scale, (columns - across) / scale, black=True)
    return np.clip(moved, 0.0, 1.0).astype(np.float32)


def defended(model: Model, transformation: Transformation, *, seed: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    """A function x -> logits (n, classes): the model's answers to the transformed images.

    It may be attacked as any model is, by what needs forward passes only. Random answers lead such attacks astray too, and still
    let pass what was made for the bare model. What is random in the transformation is drawn anew by every call, from one
    generator: the same calls in the same order give the same answers. Raises RobustnessError when the transformation's result
    is not finite images of the same shape.
    """
    rng = np.random.default_rng(seed)

    def answer(x: np.ndarray) -> np.ndarray:
        changed = np.asarray(transformation(x, rng), np.float32)
        if changed.shape != x.shape or not np.isfinite(changed).all():
            raise RobustnessError(
                f"Received images of shape {changed.shape} from the transformation; expected finite ones of shape {x.shape}. "
                "Return one image for each that was given."
            )
        return logits(model, changed)

    return answer
