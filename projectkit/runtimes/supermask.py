"""Runs a .supermask file: an untrained network that anyone can draw again, and which of its hidden units take part.

The file holds no weights. It says how large the network is, which seed it is drawn from, and one bit for each hidden unit, so
that nobody can train it: all there is to choose is the seed and the bits. The network is a stack of dense layers without biases,
ReLU between them. Anyone can draw it with NumPy:

    rng = np.random.default_rng(seed)                 # PCG64
    for inputs, outputs in the layers, from the first to the last:
        rng.standard_normal((inputs, outputs), dtype=np.float32) * np.float32(np.sqrt(2 / inputs))     # He et al., 2015

Behind the mark and the version, all integers little-endian: height, width, channels (2 bytes each), seed (2), classes (2), the
number of hidden layers (1), the units of each (2); then for each hidden layer its bits, first unit first, from the highest bit
of a byte to the lowest, the last byte filled up with zeros. Nothing else.
"""

import contextlib
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from projectkit.errors import ArtifactError
from projectkit.runtimes.session import RuntimeSession
from projectkit.types import Artifact, Tensor

MARK, VERSION = b"SMSK", 1
SEEDS = range(10)  # few, because among millions of seeds one could be found that needs no masks
HIDDEN_AT_MOST, UNITS_AT_MOST, CLASSES_AT_MOST = 4, 4096, 100
WEIGHTS_AT_MOST = 2**23  # of the whole network; as float32 32 MiB, drawn in a tenth of a second
_HEADER = struct.Struct("<4sB5HB")


@dataclass(frozen=True, slots=True, eq=False)
class Supermask:
    """An untrained network and its masks. shape: (height, width, channels) of an image; masks: (units,) bool of each hidden
    layer, True where a unit takes part. Raises ArtifactError for what a file cannot hold."""

    shape: tuple[int, int, int]
    seed: int
    masks: tuple[np.ndarray, ...]
    classes: int = 10

    def __post_init__(self) -> None:
        hidden = tuple(len(mask) for mask in self.masks)
        _check_sizes(self.shape, hidden, self.classes, self.seed)
        for number, mask in enumerate(self.masks, 1):
            if np.asarray(mask).dtype != bool or np.ndim(mask) != 1 or not np.any(mask):
                raise ArtifactError(
                    f"hidden layer {number}: the mask is {np.asarray(mask).dtype} of shape {np.shape(mask)} and keeps "
                    f"{np.count_nonzero(mask)} units; expected bool of shape (units,) that keeps at least one."
                )

    @property
    def units(self) -> tuple[int, ...]:
        """The widths of all layers, inputs and classes included, before anything is removed."""
        return (int(np.prod(self.shape)), *(len(mask) for mask in self.masks), self.classes)

    @property
    def kept(self) -> tuple[int, ...]:
        """The widths of all layers of the dense sub-network."""
        return (self.units[0], *(int(np.count_nonzero(mask)) for mask in self.masks), self.classes)

    @property
    def parameters(self) -> int:
        """The weights of the dense sub-network, which are also its multiply-accumulates."""
        return sum(inputs * outputs for inputs, outputs in pairwise(self.kept))

    @property
    def removed(self) -> float:
        """The share of the whole network's weights that is gone."""
        return 1 - self.parameters / sum(inputs * outputs for inputs, outputs in pairwise(self.units))


def draw(units: tuple[int, ...], seed: int) -> Iterator[np.ndarray]:
    """The kernels of the untrained network whose layers are `units` wide: (inputs, outputs) float32 each, first layer first."""
    rng = np.random.default_rng(seed)
    for inputs, outputs in pairwise(units):
        yield rng.standard_normal((inputs, outputs), dtype=np.float32) * np.float32(np.sqrt(2 / inputs))


def kept_kernels(supermask: Supermask) -> list[np.ndarray]:
    """The kernels of the dense sub-network: the rows and columns of the units that take part."""
    ends = [np.ones(supermask.units[0], bool), *supermask.masks, np.ones(supermask.classes, bool)]
    kernels = draw(supermask.units, supermask.seed)
    return [
        np.ascontiguousarray(kernel[rows][:, columns]) for kernel, (rows, columns) in zip(kernels, pairwise(ends), strict=True)
    ]


def logits(kernels: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """x: (n, ...) float32 → (n, classes) float32: dense layers, ReLU between them."""
    x = x.reshape(len(x), -1)
    for kernel in kernels[:-1]:
        x = np.maximum(x @ kernel, 0)
    return x @ kernels[-1]


def write_supermask(supermask: Supermask, path: str | Path) -> Artifact:
    """Writes the file. Raises ArtifactError when `path` does not end in .supermask."""
    path = Path(path)
    if path.suffix != ".supermask":
        raise ArtifactError(f"{path.name}: a supermask's file ends in .supermask, this one in {path.suffix or 'nothing'!r}.")
    hidden = [len(mask) for mask in supermask.masks]
    header = _HEADER.pack(MARK, VERSION, *supermask.shape, supermask.seed, supermask.classes, len(hidden))
    bits = b"".join(np.packbits(mask).tobytes() for mask in supermask.masks)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + struct.pack(f"<{len(hidden)}H", *hidden) + bits)
    return Artifact.of(path)


def parse_supermask(content: bytes) -> Supermask:
    """Reads the bytes of a file. Raises ArtifactError when they are none, are cut off or ask for more than is allowed."""
    if content[:4] != MARK or len(content) < _HEADER.size:
        raise ArtifactError("is no .supermask file: the mark SMSK is missing, or it is cut off. Write it again.")
    _, version, *shape, seed, classes, count = _HEADER.unpack_from(content)
    if version != VERSION or count > HIDDEN_AT_MOST:
        raise ArtifactError(f"has version {version} and {count} hidden layers; expected {VERSION} and 1 to {HIDDEN_AT_MOST}.")
    start = _HEADER.size + 2 * count
    if len(content) < start:
        raise ArtifactError("is cut off before the sizes of its layers. Write it again.")
    hidden = struct.unpack_from(f"<{count}H", content, _HEADER.size)
    _check_sizes(tuple(shape), hidden, classes, seed)
    lengths = [-(-units // 8) for units in hidden]
    if len(content) != start + sum(lengths):
        raise ArtifactError(f"has {len(content)} bytes, expected {start + sum(lengths)} for layers of {hidden}. Write it again.")
    masks = []
    for units, length in zip(hidden, lengths, strict=True):
        bits = np.unpackbits(np.frombuffer(content, np.uint8, length, start)).astype(bool)
        if bits[units:].any():
            raise ArtifactError("has bits set behind the last unit of a layer, expected zeros there. Write it again.")
        masks.append(bits[:units])
        start += length
    return Supermask(tuple(shape), seed, tuple(masks), classes)


def _check_sizes(shape: tuple[int, ...], hidden: tuple[int, ...], classes: int, seed: int) -> None:
    """Raises ArtifactError for a network that is out of bounds; nothing is drawn before."""
    if (
        len(shape) != 3
        or not all(1 <= size <= 1024 for size in shape)
        or seed not in SEEDS
        or not 2 <= classes <= CLASSES_AT_MOST
    ):
        raise ArtifactError(
            f"says images of {shape}, seed {seed}, {classes} classes; expected (height, width, channels), a seed from "
            f"{SEEDS[0]} to {SEEDS[-1]} and 2 to {CLASSES_AT_MOST} classes."
        )
    if not 1 <= len(hidden) <= HIDDEN_AT_MOST or not all(1 <= units <= UNITS_AT_MOST for units in hidden):
        raise ArtifactError(
            f"has hidden layers of {hidden} units; expected 1 to {HIDDEN_AT_MOST} layers of 1 to {UNITS_AT_MOST} units."
        )
    weights = sum(inputs * outputs for inputs, outputs in pairwise((int(np.prod(shape)), *hidden, classes)))
    if weights > WEIGHTS_AT_MOST:
        raise ArtifactError(f"draws {weights:,} weights, expected at most {WEIGHTS_AT_MOST:,}. Take fewer hidden units.")


class SupermaskSession(RuntimeSession):
    """A loaded .supermask file: the dense sub-network, drawn from its seed."""

    def __init__(self, artifact: Artifact, threads: int):
        self._path = artifact.path
        supermask = read_supermask(artifact)
        self.inputs: tuple[Tensor, ...] = (Tensor("image", supermask.shape, "float32"),)
        self.outputs: tuple[Tensor, ...] = (Tensor("logits", (supermask.classes,), "float32"),)
        self._kernels = kept_kernels(supermask)
        self._threads = _limit(threads)

    def _set(self, stored: np.ndarray) -> None:
        self._stored = stored

    def _invoke(self) -> None:
        with self._threads():
            self._logits = logits(self._kernels, self._stored)

    def _get(self) -> np.ndarray:
        return self._logits

    def _free(self) -> None:
        self._kernels = []


def open_supermask(artifact: Artifact, *, threads: int = 1) -> SupermaskSession:
    """Opens a .supermask file. Raises ArtifactError when it is none or asks for more than is allowed."""
    return SupermaskSession(artifact, threads)


def read_supermask(artifact: Artifact) -> Supermask:
    """Reads the file of `artifact`. Raises ArtifactError with its name."""
    try:
        return parse_supermask(Path(artifact.path).read_bytes())
    except OSError as error:
        raise ArtifactError(f"{artifact.path}: cannot be read ({error.strerror}). Give the path of a .supermask file.") from error
    except ArtifactError as error:
        raise ArtifactError(f"{artifact.path}: {error}") from error


def _limit(threads: int) -> Callable[[], AbstractContextManager[object]]:
    """A context that holds NumPy's matrix products to `threads`. Without threadpoolctl, the environment's OMP_NUM_THREADS
    decides, as it does for all of NumPy."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return contextlib.nullcontext
    controller = ThreadpoolController().select(user_api="blas")
    if all(library["num_threads"] == threads for library in controller.info()):
        return contextlib.nullcontext
    return lambda: controller.limit(limits=threads)
