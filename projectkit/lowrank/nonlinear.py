"""A factorization with a nonlinearity between its two factors."""

import numpy as np

from projectkit.errors import ModelError
from projectkit.lowrank.chain import Chain, Stage, product
from projectkit.lowrank.checks import checked
from projectkit.lowrank.factors import Rank
from projectkit.lowrank.svd import svd

STEPS, RATE = 300, 3e-3
DRAWN = 2000  # inputs, where none are given


def nonlinear(kernel: np.ndarray, rank: Rank, *, inputs: np.ndarray | None = None, seed: int = 0) -> Chain:
    """B · φ(A · x) in place of W · x, with φ(z) = max(z, 0) + a · min(z, 0) and a slope a of its own for each of the `rank`
    channels (He et al., "Delving deep into rectifiers", 2015).

    It begins as the truncated SVD with all slopes 1, which is linear, and descends ‖W x − B φ(A x)‖² over `inputs` by Adam. Every
    fifth input is kept aside: what is returned has the least error on those, of the start and of every tenth step. So it is never
    worse than the SVD of the same rank there. With white Gaussian inputs nothing can be gained, as the best guess of W x from
    A x is linear; what a layer really reads is neither white nor Gaussian.

    kernel: (in, out) or (height, width, in, out); inputs: (n, height · width · in), what the kernel is laid on, n of five or
    more; without them, white noise. Raises ModelError as `svd`, and for inputs that do not fit.
    """
    start = svd(kernel, rank)
    whole = checked(kernel, (2, 4), "nonlinear")
    matrix = whole.reshape(-1, whole.shape[-1])
    first, second = (stage.kernel.astype(np.float64) for stage in start.stages)
    a, b = first.reshape(matrix.shape[0], -1), second.reshape(-1, matrix.shape[1])
    x = _inputs(inputs, matrix.shape[0], seed)
    a, b, slopes = _descended(a, b, x, x @ matrix)
    stages = (
        Stage(a.reshape(first.shape).astype(np.float32), slopes=slopes.astype(np.float32)),
        Stage(b.reshape(second.shape).astype(np.float32)),
    )
    return Chain(start.rank, stages, product)


def output_error(factors: Chain, kernel: np.ndarray, inputs: np.ndarray) -> float:
    """‖W x − B φ(A x)‖ / ‖W x‖ over inputs (n, in), of a chain of two stages with or without slopes between them."""
    first, second = (stage.kernel.reshape(-1, stage.kernel.shape[-1]) for stage in factors.stages)
    slopes = factors.stages[0].slopes
    wanted = inputs @ kernel.reshape(-1, kernel.shape[-1])
    answered = _bent(inputs @ first, np.ones(first.shape[1]) if slopes is None else slopes) @ second
    return float(np.linalg.norm(wanted - answered) / np.linalg.norm(wanted))


def _inputs(inputs: np.ndarray | None, size: int, seed: int) -> np.ndarray:
    if inputs is None:
        return np.random.default_rng(seed).normal(size=(DRAWN, size))
    inputs = np.asarray(inputs, np.float64)
    if inputs.ndim != 2 or inputs.shape[1] != size or len(inputs) < 5 or not np.isfinite(inputs).all():
        raise ModelError(
            f"nonlinear: received inputs of shape {inputs.shape}; expected (n, {size}) finite numbers with n of five or more: "
            "what the kernel is laid on, one row each."
        )
    return inputs


def _bent(z: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0) + slopes * np.minimum(z, 0)


def _descended(a: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, B and the slopes of the least error on every fifth input, descended on the others by Adam (Kingma and Ba, 2015)."""
    aside = np.arange(len(x)) % 5 == 0
    kept_x, kept_y, x, y = x[aside], y[aside], x[~aside], y[~aside]
    scale = 1 / max(float(np.sum(y**2)), 1e-30)
    parts = [a.copy(), b.copy(), np.ones(a.shape[1])]
    sizes = [max(float(np.abs(part).mean()), 1e-12) for part in parts]
    means, squares = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
    best, least = [part.copy() for part in parts], np.inf
    for step in range(STEPS + 1):
        a, b, slopes = parts
        if step % 10 == 0:
            error = float(np.sum((kept_y - _bent(kept_x @ a, slopes) @ b) ** 2))
            if error < least:
                best, least = [part.copy() for part in parts], error
        z = x @ a
        bent = _bent(z, slopes)
        wrong = (bent @ b - y) * scale
        back = wrong @ b.T
        gradients = (x.T @ (back * np.where(z > 0, 1, slopes)), bent.T @ wrong, np.sum(back * np.minimum(z, 0), axis=0))
        for place, gradient in enumerate(gradients):
            means[place] = 0.9 * means[place] + 0.1 * gradient
            squares[place] = 0.999 * squares[place] + 0.001 * gradient**2
            moved = means[place] / (1 - 0.9 ** (step + 1))
            size = np.sqrt(squares[place] / (1 - 0.999 ** (step + 1))) + 1e-12
            rate = RATE * sizes[place] * (1 - step / (STEPS + 1))
            parts[place] = parts[place] - rate * moved / size
    return best[0], best[1], best[2]
