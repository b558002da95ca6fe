"""The outlines of `shapes` as signed distances: negative inside, positive outside, in units of the shape's own radius.

Each outline takes the coordinates (u, v) of many pixels in the shape's own frame (v points down, as in images) and returns one
distance a pixel. Only +, −, ×, ÷, square root, minimum, maximum and comparisons are used: IEEE 754 fixes their results to the
last bit, so that the images are the same on every platform, which sine or a matrix product would not be.
Distances: Inigo Quilez, "2D distance functions", iquilezles.org/articles/distfunctions2d.
"""

from collections.abc import Callable

import numpy as np

Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]
Corners = tuple[tuple[float, float], ...]

TRIANGLE = ((0.0, -1.1), (0.95, 0.65), (-0.95, 0.65))
SQUARE = ((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8))
RECTANGLE = ((-1.15, -0.5), (1.15, -0.5), (1.15, 0.5), (-1.15, 0.5))
TRAPEZOID = ((-0.4, -0.65), (0.4, -0.65), (1.15, 0.65), (-1.15, 0.65))
LETTER_H = (
    *((-0.8, -1.0), (-0.35, -1.0), (-0.35, -0.23), (0.35, -0.23), (0.35, -1.0), (0.8, -1.0)),
    *((0.8, 1.0), (0.35, 1.0), (0.35, 0.23), (-0.35, 0.23), (-0.35, 1.0), (-0.8, 1.0)),
)
LETTER_L = ((-0.7, -1.0), (-0.2, -1.0), (-0.2, 0.55), (0.75, 0.55), (0.75, 1.0), (-0.7, 1.0))
LETTER_T = ((-0.9, -1.0), (0.9, -1.0), (0.9, -0.52), (0.25, -0.52), (0.25, 1.0), (-0.25, 1.0), (-0.25, -0.52), (-0.9, -0.52))
LETTER_X = (
    *((-0.95, -0.6), (-0.6, -0.95), (0.0, -0.35), (0.6, -0.95), (0.95, -0.6), (0.35, 0.0)),
    *((0.95, 0.6), (0.6, 0.95), (0.0, 0.35), (-0.6, 0.95), (-0.95, 0.6), (-0.35, 0.0)),
)
ARROW = ((0.0, -1.1), (0.85, -0.1), (0.3, -0.1), (0.3, 1.0), (-0.3, 1.0), (-0.3, -0.1), (-0.85, -0.1))
STAR = (
    *((0.0, -1.15), (0.282, -0.388), (1.094, -0.355), (0.457, 0.148), (0.676, 0.930)),
    *((0.0, 0.48), (-0.676, 0.930), (-0.457, 0.148), (-1.094, -0.355), (-0.282, -0.388)),
)
HEART_TIP = ((-0.93, 0.08), (0.0, -0.3), (0.93, 0.08), (0.0, 1.05))
DROP_TIP = ((-0.6, 0.16), (0.0, -1.2), (0.6, 0.16))


def polygon(corners: Corners) -> Outline:
    """The outline of a closed polygon, convex or not: distance to its nearest edge, sign by counting crossings."""
    edges = tuple(zip(corners, corners[1:] + corners[:1], strict=True))

    def outline(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        nearest = np.full(u.shape, np.inf, u.dtype)
        inside = np.zeros(u.shape, bool)
        for (ax, ay), (bx, by) in edges:
            ex, ey = bx - ax, by - ay
            pu, pv = u - ax, v - ay
            along = np.clip((pu * ex + pv * ey) / (ex * ex + ey * ey), 0, 1)
            du, dv = pu - along * ex, pv - along * ey
            np.minimum(nearest, du * du + dv * dv, out=nearest)
            if ey:
                inside ^= ((v >= ay) != (v >= by)) & (pu < pv * (ex / ey))
        distance = np.sqrt(nearest)
        return np.where(inside, -distance, distance)

    return outline


def circle(u: np.ndarray, v: np.ndarray, radius: float) -> np.ndarray:
    """Distance to a circle around the origin."""
    return np.sqrt(u * u + v * v) - radius


def disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return circle(u, v, 0.92)


def oval(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    # A squeezed circle: exact on the outline, and near it within the width that anti-aliasing looks at.
    return circle(u, v / 0.48, 1.1) * 0.6


def ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.abs(circle(u, v, 0.78)) - 0.22


def crescent(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(circle(u, v, 1.0), -circle(u - 0.48, v, 0.82))


def heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    lobes = circle(np.abs(u) - 0.5, v + 0.3, 0.56)
    return np.minimum(lobes, _heart_tip(u, v))


def drop(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(circle(u, v - 0.4, 0.65), _drop_tip(u, v))


_heart_tip = polygon(HEART_TIP)
_drop_tip = polygon(DROP_TIP)

# The class hierarchy: super-class → class → outline. No class is another one turned.
OUTLINES: dict[str, dict[str, Outline]] = {
    "polygon": {
        "triangle": polygon(TRIANGLE),
        "square": polygon(SQUARE),
        "rectangle": polygon(RECTANGLE),
        "trapezoid": polygon(TRAPEZOID),
    },
    "round": {"disc": disc, "oval": oval, "ring": ring, "crescent": crescent},
    "letter": {"H": polygon(LETTER_H), "L": polygon(LETTER_L), "T": polygon(LETTER_T), "X": polygon(LETTER_X)},
    "symbol": {"arrow": polygon(ARROW), "star": polygon(STAR), "heart": heart, "drop": drop},
}
