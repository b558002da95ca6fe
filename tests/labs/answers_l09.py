"""Answers to the check cells of l09: right ones, and typical mistakes with the hint that each gets."""

import numpy as np

from checks import l09
from projectkit.devices.roofline import Roofline

B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]).T
G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]]).T
ROOF = Roofline("by hand", 1e9, {"float32": 2e9})


def folded(kernel, gamma, beta, mean, variance, epsilon, *, root=np.sqrt, shifted=True, axis=-1):
    s = gamma / root(variance + epsilon)
    scaled = kernel * s if axis == -1 else np.swapaxes(np.swapaxes(kernel, 2, 3) * s[:2], 2, 3)
    return scaled, beta - mean * s if shifted else beta


def changed(kernel, gamma, beta, mean, variance, epsilon):
    kernel *= gamma / np.sqrt(variance + epsilon)
    return kernel, beta


def merged(wide, narrow, same, *, place=(1, 1), identity=True, bias=True):
    kernel = wide[0].copy()
    kernel[place] += narrow[0][0, 0]
    if same and identity:
        kernel[1, 1] += np.eye(kernel.shape[2])
    return kernel, wide[1] + narrow[1] if bias else wide[1]


def in_place(wide, narrow, same):
    wide[0][1, 1] += narrow[0][0, 0]
    return wide


def costs(height, width, c, d, k, *, between=2, positions=True, halves=True):
    many = height * width
    full, pair = k * k * c * d, k * k * c + (c * d if halves else 0)
    each = many if positions else 1
    ends = many * (c + d)
    return (full, each * full, 4 * (ends + full)), (pair, each * pair, 4 * (ends + between * many * c + pair))


def columns(x, *, order=(0, 1, 2), by_column=False):
    height, width = x.shape[0] - 2, x.shape[1] - 2
    places = [(i, j) for j in range(width) for i in range(height)] if by_column else np.ndindex(height, width)
    return np.array([x[i : i + 3, j : j + 3].transpose(order).ravel() for i, j in places])


def strides(shape, order, *, size=4, sorted_as_order=False):
    found, step = {}, size
    for axis in reversed(order):
        found[axis], step = step, step * shape[axis]
    return [found[axis] for axis in (order if sorted_as_order else range(len(shape)))]


def bound(macs, moved, peak, bandwidth, *, combine=max, turned=False):
    computing, moving = macs / peak, moved / bandwidth
    return combine(computing, moving), (moving > computing) != turned


RIGHT = [
    (l09.fold, (folded,)),
    (l09.merge, (merged,)),
    (l09.costs, (costs,)),
    (l09.im2col, (columns,)),
    (l09.winograd_tile, (lambda tile, kernel: A.T @ ((G @ kernel @ G.T) * (B.T @ tile @ B)) @ A,)),
    (l09.strides, (strides,)),
    (l09.least_seconds, (bound,)),
]

WRONG = [
    (l09.fold, (lambda *a: folded(*a, root=np.abs),), "√"),
    (l09.fold, (lambda *a: folded(*a, shifted=False),), "mean"),
    (l09.fold, (lambda *a: folded(*a, axis=2),), "channels out"),
    (l09.fold, (changed,), "return a new one"),
    (l09.merge, (lambda *a: merged(*a, place=(0, 0)),), "the middle"),
    (l09.merge, (lambda *a: merged(*a, identity=False),), "same=True"),
    (l09.merge, (lambda *a: merged(*a, bias=False),), "biases add up"),
    (l09.merge, (in_place,), "work on a copy"),
    (l09.costs, (lambda *a: costs(*a, between=0),), "between"),
    (l09.costs, (lambda *a: costs(*a, positions=False),), "positions"),
    (l09.costs, (lambda *a: costs(*a, halves=False),), "k²·c"),
    (l09.costs, (lambda *a: costs(*a)[0],), "two triples"),
    (l09.im2col, (lambda x: columns(x, order=(2, 0, 1)),), "row, column, channel"),
    (l09.im2col, (lambda x: columns(x, by_column=True),), "along the rows"),
    (l09.im2col, (lambda x: columns(x)[:, :9],), r"expected \(6, 18\)"),
    (l09.winograd_tile, (lambda tile, kernel: A.T @ ((G @ kernel @ G.T) @ (B.T @ tile @ B)) @ A,), "element by element"),
    (l09.strides, (lambda *a: strides(*a, size=1),), "4 bytes"),
    (l09.strides, (lambda *a: strides(*a, sorted_as_order=True),), "in the order of `shape`"),
    (l09.least_seconds, (lambda *a: bound(*a, combine=lambda one, other: one + other),), "larger"),
    (l09.least_seconds, (lambda *a: bound(*a, turned=True),), "waits for"),
]
