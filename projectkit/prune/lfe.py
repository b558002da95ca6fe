"""Linear filter ensembles (Sándor et al., "Pruning CNNs with linear filter ensembles", ECAI 2020).

Random masks of a layer, the loss under each; the share of a filter in a mask's success is found by least squares.
"""

from collections.abc import Mapping

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.prune.masks import evaluator
from projectkit.types import Split

MASKS_PER_CHANNEL = 16


def lfe(
    model: keras.Model,
    layer_name: str,
    data: Split,
    *,
    seed: int = 0,
    masks: int | None = None,
    keep: float = 0.5,
    fixed: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """θ of `filter_shares` for `masks` random masks (16 a channel unless told) that keep each channel with probability
    `keep`: (channels,). `fixed` are masks that other layers wear all the while.

    In a trained, tight network `keep` 0.9 ranks better than 0.5, in an untrained or very wide one 0.5 does.
    Raises ModelError for a layer that cannot be masked for `keep` outside (0, 1) and for no masks.
    """
    evaluate = evaluator(model, layer_name, data, fixed=fixed)
    count = MASKS_PER_CHANNEL * evaluate.channels if masks is None else masks
    drawn = draw(count, evaluate.channels, keep=keep, seed=seed)
    return filter_shares(drawn, evaluate(drawn).loss)


def draw(masks: int, channels: int, *, keep: float = 0.5, seed: int = 0) -> np.ndarray:
    """Random masks (masks, channels) bool, each channel kept with probability `keep`, at least one in every mask."""
    if not 0 < keep < 1 or masks < 1:
        raise ModelError(f"Masks are drawn with 0 < keep < 1 and at least one mask; got keep {keep}, {masks} masks.")
    rng = np.random.default_rng(seed)
    drawn = rng.random((masks, channels)) < keep
    empty = np.flatnonzero(~drawn.any(axis=1))
    drawn[empty, rng.integers(0, channels, len(empty))] = True  # a layer without channels says nothing about any of them
    return drawn


def success(losses: np.ndarray) -> np.ndarray:
    """s = 1 − (L − Lmin) / (Lmax − Lmin): (masks,), 1 for the best mask and 0 for the worst. All 1 when no mask matters."""
    losses = np.asarray(losses, np.float64)
    if not np.isfinite(losses).all():
        raise ModelError(
            f"{int(np.sum(~np.isfinite(losses)))} of {len(losses)} masks have a loss that is not finite; all must be. "
            "Look for weights or images with NaN or very large values."
        )
    span = losses.max() - losses.min()
    return 1 - (losses - losses.min()) / span if span > 0 else np.ones_like(losses)


def filter_shares(masks: np.ndarray, losses: np.ndarray, *, intercept: bool = True, ridge: float = 1e-3) -> np.ndarray:
    """θ with Z·θ ≈ s in the least-squares sense: (channels,).

    masks: Z, (masks, channels) of 0 and 1; losses: (masks,). With `intercept`, a constant that no filter earns is set apart;
    without it, the equation of the paper. `ridge` times the number of masks keeps θ finite where masks are few.
    """
    z, s = np.asarray(masks, np.float64), success(losses)
    if intercept:
        z, s = z - z.mean(axis=0), s - s.mean()  # the same θ as with a column of ones that no ridge holds back
    return np.linalg.solve(z.T @ z + ridge * len(z) * np.eye(z.shape[1]), z.T @ s)
