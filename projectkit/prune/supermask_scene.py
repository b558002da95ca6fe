"""An untrained network under masks: the scene in which supermasks are searched.

The first hidden layer does not depend on any mask: what it makes of the images is computed once and kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from projectkit.prune.masks import Outcomes
from projectkit.runtimes.supermask import Supermask, draw
from projectkit.types import Dataset

# Nothing gives the logits of an untrained network their size. Times this, a loss tells a wide margin from a narrow one.
GAIN = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """Images as the first hidden layer sees them, (n, units) float32 behind its ReLU, and their labels."""

    first: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An untrained network, the units that are left of it, and images. Scores see `train`, cuts are chosen on `val`.

    kernels: of the layers behind the first hidden one, restricted to what is left; entering: the weights that enter each hidden
    layer's units; left: the masks so far. `matmul` multiplies the big matrices of the search, and may be coarser than float32.
    """

    shape: tuple[int, int, int]
    seed: int
    kernels: tuple[np.ndarray, ...]
    entering: tuple[np.ndarray, ...]
    left: tuple[np.ndarray, ...]
    train: Judges
    val: Judges
    matmul: Callable[[np.ndarray, np.ndarray], np.ndarray] = np.matmul

    @property
    def units(self) -> tuple[int, ...]:
        """How many units of each hidden layer are left."""
        return tuple(kernel.shape[0] for kernel in self.kernels)


def prepare(
    dataset: Dataset, hidden: Sequence[int], *, seed: int = 0, matmul: Callable[[np.ndarray, np.ndarray], np.ndarray] = np.matmul
) -> Scene:
    """The untrained network with layers of `hidden` units, drawn from `seed`, and the training and validation images."""
    full = Supermask(dataset.shape, seed, tuple(np.ones(units, bool) for units in hidden), len(dataset.classes))
    kernels = list(draw(full.units, seed))
    train, val = (
        Judges(np.maximum(split.x.reshape(len(split), -1) @ kernels[0], 0), split.y) for split in (dataset.train, dataset.val)
    )
    return Scene(dataset.shape, seed, tuple(kernels[1:]), tuple(kernels[:-1]), full.masks, train, val, matmul)


def left_after(scene: Scene, masks: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The masks of the whole network, after removing more of what is left: masks, (units left,) bool of each hidden layer."""
    left = tuple(whole.copy() for whole in scene.left)
    for whole, mask in zip(left, masks, strict=True):
        whole[whole] = mask
    return left


def restrict(scene: Scene, masks: Sequence[np.ndarray]) -> Scene:
    """The scene after removing more of its units: masks, (units left,) bool of each hidden layer."""
    ends = [*masks, np.ones(scene.kernels[-1].shape[1], bool)]
    inputs = [np.ones(scene.entering[0].shape[0], bool), *masks]
    return replace(
        scene,
        kernels=tuple(kernel[rows][:, columns] for kernel, (rows, columns) in zip(scene.kernels, pairwise(ends), strict=True)),
        entering=tuple(
            kernel[rows][:, columns] for kernel, (rows, columns) in zip(scene.entering, pairwise(inputs), strict=True)
        ),
        left=left_after(scene, masks),
        train=Judges(scene.train.first[:, masks[0]], scene.train.y),
        val=Judges(scene.val.first[:, masks[0]], scene.val.y),
    )


def judge(scene: Scene, judges: Judges, masks: Sequence[np.ndarray]) -> Outcomes:
    """Loss and accuracy under one mask a layer, over all of `judges`. A silenced unit is left out of the products."""
    x = judges.first[:, masks[0]]
    for kernel, (rows, columns) in zip(scene.kernels, pairwise(masks), strict=False):
        x = np.maximum(x @ kernel[rows][:, columns], 0)
    losses, hits = judged(x @ scene.kernels[-1][masks[-1]], judges.y)
    return Outcomes(losses.mean(), hits.mean())


def forward(scene: Scene, x: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Logits (..., classes) of x: (..., units) behind the first hidden layer; masks: of the layers behind it, for each row."""
    for kernel, mask in zip(scene.kernels, masks, strict=False):
        x = scene.matmul(x.reshape(-1, x.shape[-1]), kernel).reshape(*x.shape[:-1], -1)
        x = np.maximum(x, 0, out=x)
        x *= mask
    return (x.reshape(-1, x.shape[-1]) @ scene.kernels[-1]).reshape(*x.shape[:-1], -1)


def judged(logits: np.ndarray, y: np.ndarray, gain: float = GAIN) -> tuple[np.ndarray, np.ndarray]:
    """logits: (..., classes), y: (...) → the cross-entropy of gain · logits and whether the answer is right, both (...)."""
    largest = logits.max(axis=-1)
    own = np.take_along_axis(logits, y[..., None], axis=-1)[..., 0]
    losses = np.log(np.exp(gain * (logits - largest[..., None])).sum(axis=-1)) + gain * (largest - own)
    return losses, logits.argmax(axis=-1) == y
