"""Corruptions: (x, severity, rng) -> x, of images (n, height, width, channels) in [0, 1], severity 0 (unchanged) to 5.

changed = CORRUPTIONS["fog"](x, 3, np.random.default_rng(0))
"""

from collections.abc import Mapping

from projectkit.robustness.corruptions.blur import defocus_blur, glass_blur, motion_blur, zoom_blur
from projectkit.robustness.corruptions.contract import SEVERITIES, Corruption
from projectkit.robustness.corruptions.digital import contrast, elastic, jpeg, pixelate
from projectkit.robustness.corruptions.mce import mean_corruption_error
from projectkit.robustness.corruptions.mnist import (
    canny_edges,
    dotted_line,
    rotate,
    scale,
    shear,
    spatter,
    stripe,
    translate,
    zigzag,
)
from projectkit.robustness.corruptions.noise import gaussian_noise, impulse_noise, shot_noise
from projectkit.robustness.corruptions.weather import brightness, fog, frost, snow

__all__ = ["COMMON", "CORRUPTIONS", "MNIST_C", "SEVERITIES", "Corruption", "mean_corruption_error"]

CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic": elastic,
    "pixelate": pixelate,
    "jpeg": jpeg,
    "shear": shear,
    "scale": scale,
    "rotate": rotate,
    "translate": translate,
    "stripe": stripe,
    "spatter": spatter,
    "dotted_line": dotted_line,
    "zigzag": zigzag,
    "canny_edges": canny_edges,
}

COMMON = tuple(CORRUPTIONS)[:15]  # Hendrycks and Dietterich's, in their order
MNIST_C = (  # Mu and Gilmer's, in theirs
    *("shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate", "brightness"),
    *("translate", "stripe", "fog", "spatter", "dotted_line", "zigzag", "canny_edges"),
)
