"""The roofline of this machine, measured: what it copies and what it multiplies at best."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from projectkit.devices.products import litert_product, onnx_product
from projectkit.devices.roofline import Roofline
from projectkit.errors import MeasureError
from projectkit.measure import device, quantile_interval
from projectkit.types import Measurement

CACHE_UNKNOWN = 32 * 2**20  # bytes, where the system does not say how large its last-level cache is
BUFFER_MOST = 256 * 2**20
PIECE = 2**21  # bytes that one sample of the bandwidth copies; large buffers are copied piece by piece
REPEATED = 2**18  # bytes that a sample copies at least, so that the timer resolves it
SHAPES = ((64, 256, 256), (256, 256, 256), (196, 576, 64), (512, 512, 512))  # (rows, inner, columns)
ROUNDS_LEAST = 20


@dataclass(frozen=True, slots=True)
class MeasuredRoofline:
    """A roofline and the measurements behind it: bandwidth in bytes per second, peaks in multiply-accumulates per second."""

    roofline: Roofline
    bandwidth: Measurement
    peaks: Mapping[str, Measurement]


def measure_roofline(*, threads: int = 1, budget: float = 6.0, buffer: int | None = None) -> MeasuredRoofline:
    """Measures this machine's roofline on `threads` threads, for about `budget` seconds.

    bandwidth  of copying arrays of `buffer` bytes, each byte counted once read and once written. Without `buffer` they are far
               larger than the last-level cache: the bandwidth of the memory. With a `buffer` that fits into a cache it is that
               cache's; the layers of a small model find their tensors there and may stay above the memory's roof.
    peaks      of the fastest of several matrix products in ONNX Runtime and in LiteRT, float32 and int8.

    Each value is the median of its rounds with the interval of `quantile_interval`: what the machine sustains, not its best
    moment.
    """
    if threads < 1 or not budget > 0 or (buffer is not None and buffer < 1024):
        raise MeasureError(
            f"measure_roofline: got threads={threads}, budget={budget}, buffer={buffer}; expected 1, above 0, 1024."
        )
    bandwidth = _bandwidth(threads, budget / 3, buffer or buffer_beyond_caches())
    peaks = {dtype: _peak(dtype, threads, budget / 3) for dtype in ("float32", "int8")}
    rates = {dtype: measured.value for dtype, measured in peaks.items()}
    return MeasuredRoofline(Roofline(f"{device()}, {threads} threads", bandwidth.value, rates), bandwidth, peaks)


def buffer_beyond_caches() -> int:
    """Bytes of an array that no cache of this machine holds: four times the last-level cache, at most 256 MiB."""
    sizes = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = file.read_text(encoding="ascii").strip()
        number, unit = text.rstrip("KMG"), text.lstrip("0123456789")
        sizes.append(int(number) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[unit])
    return min(4 * max(sizes, default=CACHE_UNKNOWN), BUFFER_MOST)


def _bandwidth(threads: int, budget: float, buffer: int) -> Measurement:
    """Bytes per second that all threads together copy, each within its own part of the buffers."""
    elements = max(buffer // 8 // threads, 128)
    with ThreadPoolExecutor(threads) as pool:
        rates = list(pool.map(_copy_rate, [elements] * threads, [budget] * threads))
    low, value, high = (sum(getattr(rate, end) for rate in rates) for end in ("low", "value", "high"))
    return Measurement("bandwidth", value, low, high, min(rate.n for rate in rates))


def _copy_rate(elements: int, budget: float) -> Measurement:
    """Bytes per second of copying an array of `elements` float64, piece after piece.

    A sample is one piece, so short that it is rarely interrupted; when its turn comes again, the others have passed through the
    caches.
    """
    target, source = np.zeros(elements), np.ones(elements)
    length = min(elements, PIECE // 8)
    pieces = [slice(start, start + length) for start in range(0, elements - length + 1, length)]
    repeats = max(1, REPEATED // (8 * length)) if len(pieces) == 1 else 1
    np.copyto(target, source)
    seconds: list[float] = []
    stop = time.perf_counter() + budget
    while len(seconds) < ROUNDS_LEAST or time.perf_counter() < stop:
        for piece in pieces:
            to, of = target[piece], source[piece]
            start = time.perf_counter_ns()
            for _ in range(repeats):
                np.copyto(to, of)
            seconds.append((time.perf_counter_ns() - start) * 1e-9)
    return _rate("bandwidth", 2 * 8 * length * repeats, np.array(seconds))


def _peak(dtype: str, threads: int, budget: float) -> Measurement:
    """Multiply-accumulates per second of the matrix product that is fastest here."""
    products = [product(dtype, shape, threads) for shape in SHAPES for product in (onnx_product, litert_product)]
    works = [math.prod(shape) for shape in SHAPES for _ in range(2)]
    samples = _in_turn(products, budget)
    best = max(range(len(works)), key=lambda index: works[index] / np.median(samples[index]))
    return _rate(f"peak_{dtype}", works[best], samples[best])


def _in_turn(calls: Sequence[Callable[[], object]], budget: float) -> list[np.ndarray]:
    """Seconds of every call, (rounds,) each: one round times each of them once."""
    for call in calls:
        call()
        call()
    samples: list[list[float]] = []
    stop = time.perf_counter() + budget
    while len(samples) < ROUNDS_LEAST or time.perf_counter() < stop:
        samples.append([_seconds(call) for call in calls])
    return list(np.array(samples).T)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) * 1e-9


def _rate(metric: str, work: float, seconds: np.ndarray) -> Measurement:
    low, high = quantile_interval(seconds, 0.5)
    return Measurement(metric, work / float(np.median(seconds)), work / high, work / low, len(seconds))
