"""Tensor ring: four small cores in a circle, one for each axis of the kernel."""

from dataclasses import dataclass

import numpy as np
from tf_keras import layers

from projectkit.lowrank.checks import checked, ranks_of
from projectkit.lowrank.factors import Place, Rank, Thin

AXES = ("ins", "rows", "columns", "outs")  # the order of the cores
SLACK = 1 + 1e-9  # of an error that must not be exceeded: rounding


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """cores[k]: (r_k, size of axis k, r_k+1), the last rank being the first one again; axes in the order of AXES."""

    cores: tuple[np.ndarray, ...]

    @property
    def rank(self) -> tuple[int, ...]:
        """(r₀, r₁, r₂, r₃): r₀ closes the circle, 1 is a tensor train."""
        return tuple(core.shape[0] for core in self.cores)

    @property
    def parameters(self) -> int:
        """Those of the cores."""
        return sum(core.size for core in self.cores)

    def kernel(self) -> np.ndarray:
        """(height, width, in, out)."""
        return np.einsum("asb,bhc,cwd,dta->hwst", *self.cores, optimize=True)

    def thin_layers(self, place: Place) -> list[Thin]:
        """As Factors: 1×1 to r₀·r₁ channels, a vertical and a horizontal convolution that r₀ groups share, 1×1 from r₀·r₃.

        A kernel of one column treats all columns alike, so the groups lie beside each other as more columns while the vertical
        convolution runs, and below each other as more rows while the horizontal one does.
        """
        ins, rows, columns, outs = self.cores
        closing, first, second, third = self.rank
        (height, width), (down, across) = place.size, place.strides
        tall = _length(height, rows.shape[1], down, place.dilation[0], place.padding)
        wide = _length(width, columns.shape[1], across, place.dilation[1], place.padding)
        into = ins.transpose(1, 0, 2).reshape(1, 1, ins.shape[1], closing * first)
        vertical = rows.transpose(1, 0, 2)[:, None]
        horizontal = columns.transpose(1, 0, 2)[None]
        out_of = outs.transpose(2, 0, 1).reshape(1, 1, closing * third, outs.shape[1])
        made = [_convolution(into, {})]
        if closing > 1:
            made.append(Thin(layers.Reshape, {"target_shape": (height, width * closing, first)}))
        made.append(_convolution(vertical, _along(0, down, place)))
        if closing > 1:
            made += [
                Thin(layers.Reshape, {"target_shape": (tall, width, closing, second)}),
                Thin(layers.Permute, {"dims": (3, 1, 2, 4)}),
                Thin(layers.Reshape, {"target_shape": (closing * tall, width, second)}),
            ]
        made.append(_convolution(horizontal, _along(1, across, place)))
        if closing > 1:
            made += [
                Thin(layers.Reshape, {"target_shape": (closing, tall, wide, third)}),
                Thin(layers.Permute, {"dims": (2, 3, 1, 4)}),
                Thin(layers.Reshape, {"target_shape": (tall, wide, closing * third)}),
            ]
        return [*made, _convolution(out_of, {})]


def tensor_ring(kernel: np.ndarray, rank: Rank) -> Ring:
    """The ring of the smallest storage that is as near to the kernel as the tensor train of these ranks.

    Every cyclic shift of the axes is tried as the beginning, and for each every divisor of the first rank as the rank that closes
    the circle (Gabor and Zdunek, "Reduced storage direct tensor ring decomposition for convolutional neural networks
    compression", 2024). The train, which is the ring with r₀ = 1, is among them: a ring never stores more than it.
    kernel: (height, width, in, out); rank: (r₁, r₂, r₃) of the train. Raises ModelError as `svd`.
    """
    kernel = checked(kernel, (4,), "tensor_ring")
    ranks = ranks_of(rank, most(kernel.shape), "tensor_ring")
    tensor = kernel.transpose(2, 0, 1, 3)
    train = _train(tensor, ranks)
    best = Ring(train)
    allowed = float(np.linalg.norm(kernel - best.kernel()))
    for shift in range(tensor.ndim):
        axes = [(shift + place) % tensor.ndim for place in range(tensor.ndim)]
        for cores in _rings(tensor.transpose(axes), allowed):
            one = Ring(tuple(cores[(axis - shift) % tensor.ndim] for axis in range(tensor.ndim)))
            if one.parameters < best.parameters and np.linalg.norm(kernel - one.kernel()) <= allowed * SLACK + 1e-12:
                best = one
    return Ring(tuple(np.ascontiguousarray(core, np.float32) for core in best.cores))


def most(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The largest ranks of the train: between inputs and rows, rows and columns, columns and outputs."""
    height, width, ins, outs = shape
    return min(ins, height * width * outs), min(ins * height, width * outs), min(outs, height * width * ins)


def unfoldings(kernel: np.ndarray) -> tuple[np.ndarray, ...]:
    """The matrices that the train's ranks are those of: the axes in, height, width, out, cut behind each of the first three."""
    tensor = kernel.transpose(2, 0, 1, 3)
    return tuple(tensor.reshape(int(np.prod(tensor.shape[:cut])), -1) for cut in (1, 2, 3))


def _train(tensor: np.ndarray, ranks: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    from tensorly.decomposition import tensor_train

    return tuple(np.asarray(core) for core in tensor_train(tensor, [1, *ranks, 1]).factors)


def _rings(tensor: np.ndarray, allowed: float) -> list[list[np.ndarray]]:
    """A ring that begins with the first axis of `tensor` for every divisor of its rank; together about as wrong as `allowed`."""
    budget = allowed / np.sqrt(tensor.ndim - 1)
    left, values, right = np.linalg.svd(tensor.reshape(tensor.shape[0], -1), full_matrices=False)
    first = _rank_for(values, budget)
    rings = []
    for closing in (divisor for divisor in range(1, first + 1) if first % divisor == 0):
        second = first // closing
        core = left[:, :first].reshape(tensor.shape[0], closing, second).transpose(1, 0, 2)
        rest = (values[:first, None] * right[:first]).reshape(closing, second, -1)
        rest = np.moveaxis(rest, 0, -1)  # (r₁, the other axes …, r₀)
        cores = [core]
        for size in tensor.shape[1:-1]:
            rows = cores[-1].shape[-1] * size
            u, s, v = np.linalg.svd(rest.reshape(rows, -1), full_matrices=False)
            count = _rank_for(s, budget)
            cores.append(u[:, :count].reshape(-1, size, count))
            rest = s[:count, None] * v[:count]
        cores.append(rest.reshape(-1, tensor.shape[-1], closing))
        rings.append(cores)
    return rings


def _rank_for(values: np.ndarray, budget: float) -> int:
    """The fewest singular values without which no more than `budget` is missing, in the Frobenius norm."""
    missing = np.sqrt(np.cumsum(values[::-1] ** 2))[::-1]  # without the values from k on
    return max(1, int(np.sum(missing > budget * SLACK + 1e-12 * (values[0] if len(values) else 0))))


def _length(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    return -(-size // stride) if padding == "same" else (size - (kernel - 1) * dilation - 1) // stride + 1


def _along(axis: int, stride: int, place: Place) -> dict[str, object]:
    one = [1, 1]
    strides, dilation = one.copy(), one.copy()
    strides[axis], dilation[axis] = stride, place.dilation[axis]
    return {"strides": tuple(strides), "dilation_rate": tuple(dilation), "padding": place.padding}


def _convolution(kernel: np.ndarray, options: dict[str, object]) -> Thin:
    options = {"filters": kernel.shape[-1], "kernel_size": kernel.shape[:2], "use_bias": False, **options}
    return Thin(layers.Conv2D, options, (np.ascontiguousarray(kernel),))
