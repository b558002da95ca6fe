"""Factors whose thin layers are convolutions in a row: SVD, CP, Tucker-2, HT-2 and the nonlinear factorization."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from tf_keras import layers

from projectkit.lowrank.factors import Place, Thin


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One thin convolution, (height, width, in, out); depthwise: (height, width, channels, 1); or a dense layer, (in, out).

    slopes: (out,) where a parametric ReLU follows, max(z, 0) + slope · min(z, 0) in each channel.
    """

    kernel: np.ndarray
    depthwise: bool = False
    slopes: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Stages one after the other. `whole`: how they make the kernel."""

    rank: tuple[int, ...]
    stages: tuple[Stage, ...]
    whole: Callable[[tuple[Stage, ...]], np.ndarray]

    @property
    def parameters(self) -> int:
        """Those of the kernels and of the slopes."""
        return sum(stage.kernel.size + (0 if stage.slopes is None else stage.slopes.size) for stage in self.stages)

    def kernel(self) -> np.ndarray:
        """The product of the stages; of nonlinear ones, without their nonlinearity."""
        return self.whole(self.stages)

    def thin_layers(self, place: Place) -> list[Thin]:
        """As Factors. A stride lies on the first stage that is as wide as the kernel along its axis."""
        made: list[Thin] = []
        if self.stages[0].kernel.ndim == 2:
            for stage in self.stages:
                options = {"units": stage.kernel.shape[-1], "use_bias": False}
                made += [Thin(layers.Dense, options, (stage.kernel,)), *_slopes(stage)]
            return made
        size = tuple(max(stage.kernel.shape[axis] for stage in self.stages) for axis in (0, 1))
        bearers = [next(n for n, stage in enumerate(self.stages) if stage.kernel.shape[axis] == size[axis]) for axis in (0, 1)]
        if any(stage.depthwise for stage in self.stages) and place.strides != (1, 1):
            return self._with_one_stride(place, (size[0], size[1]), bearers)
        for number, stage in enumerate(self.stages):
            own: dict[str, Any] = {"padding": place.padding}
            for option, given in (("strides", place.strides), ("dilation_rate", place.dilation)):
                own[option] = tuple(given[axis] if bearers[axis] == number else 1 for axis in (0, 1))
            made += [_convolution(stage, own), *_slopes(stage)]
        return made

    def _with_one_stride(self, place: Place, size: tuple[int, int], bearers: list[int]) -> list[Thin]:
        """Keras' depthwise convolutions want the same stride along both axes. So the zeros around the image are given explicitly,
        and the last stage that is wider than one pixel takes both strides; the one before it computes more than is used."""
        last, made = max(bearers), []
        for number, stage in enumerate(self.stages):
            if number == min(bearers) and place.padding == "same":
                zeros = [_padding(*of_axis) for of_axis in zip(place.size, size, place.strides, strict=True)]
                made.append(Thin(layers.ZeroPadding2D, {"padding": tuple(zeros)}))
            made.append(_convolution(stage, {"padding": "valid", "strides": place.strides if number == last else (1, 1)}))
        return made


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """The zeros before and after that TensorFlow's padding "same" adds along one axis."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _convolution(stage: Stage, options: dict[str, Any]) -> Thin:
    shape = stage.kernel.shape
    options = {"kernel_size": shape[:2], "use_bias": False, **options}
    if stage.depthwise:
        return Thin(layers.DepthwiseConv2D, options, (stage.kernel,))
    return Thin(layers.Conv2D, {"filters": shape[-1], **options}, (stage.kernel,))


def _slopes(stage: Stage) -> list[Thin]:
    if stage.slopes is None:
        return []
    shared = None if stage.kernel.ndim == 2 else (1, 2)
    slopes = stage.slopes if shared is None else stage.slopes.reshape(1, 1, -1)
    return [Thin(layers.PReLU, {"shared_axes": shared}, (slopes,))]


def product(stages: tuple[Stage, ...]) -> np.ndarray:
    """The kernel of stages of which no two are wider than one pixel along the same axis."""
    if stages[0].kernel.ndim == 2:
        return reduce(np.matmul, (stage.kernel for stage in stages))
    first, *others = (stage.kernel for stage in stages)
    whole = np.asarray(first)
    for stage, kernel in zip(stages[1:], others, strict=True):
        whole = (
            np.einsum("hwsr,ijr->hiwjsr", whole, kernel[..., 0])
            if stage.depthwise
            else np.einsum("hwsr,ijrt->hiwjst", whole, kernel)
        )
        height, i, width, j, ins, outs = whole.shape
        whole = whole.reshape(height * i, width * j, ins, outs)
    return whole
