"""The roofline of a machine: how fast it computes at best, how fast it moves data at best, and for which of them a layer waits.

Samuel Williams, Andrew Waterman and David Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52(4), 2009. Work is counted in multiply-accumulates, not in floating-point operations,
so that one axis serves float32 and int8.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from projectkit.errors import MeasureError


@dataclass(frozen=True, slots=True)
class Roofline:
    """What bounds a layer's speed on a device.

    bandwidth  bytes per second between the memory and the processor
    peaks      multiply-accumulates per second, by the type that is multiplied: "float32", "int8", …
    overhead   seconds that every operator costs besides (starting a kernel, waiting for threads)

    Raises MeasureError when one of them is not a positive finite number (overhead: not negative) or when there is no peak.
    """

    name: str
    bandwidth: float
    peaks: Mapping[str, float]
    overhead: float = 0.0

    def __post_init__(self) -> None:
        rates = {"bandwidth": self.bandwidth, **{f"peak of {dtype}": peak for dtype, peak in self.peaks.items()}}
        wrong = {what: rate for what, rate in rates.items() if not (math.isfinite(rate) and rate > 0)}
        if wrong or not self.peaks or not (math.isfinite(self.overhead) and self.overhead >= 0):
            raise MeasureError(
                f"roofline {self.name}: got {wrong or {'peaks': dict(self.peaks), 'overhead': self.overhead}}; expected positive "
                "rates, at least one peak, and an overhead of 0 or more seconds."
            )


def seconds(roofline: Roofline, macs: float, moved_bytes: float, dtype: str) -> float:
    """The least time of one operator: max(macs / peak, moved_bytes / bandwidth) + overhead.

    moved_bytes: inputs, constants and outputs, each moved once. Raises MeasureError when there is something to multiply and the
    device has no peak for `dtype`.
    """
    computing = macs / peak(roofline, dtype) if macs else 0.0
    return max(computing, moved_bytes / roofline.bandwidth) + roofline.overhead


def ridge(roofline: Roofline, dtype: str) -> float:
    """The ridge point in multiply-accumulates per byte: below it a layer waits for memory, above it for arithmetic."""
    return peak(roofline, dtype) / roofline.bandwidth


def peak(roofline: Roofline, dtype: str) -> float:
    """Multiply-accumulates per second in `dtype`. Raises MeasureError when the device does not state it."""
    if dtype not in roofline.peaks:
        raise MeasureError(f"roofline {roofline.name}: no peak for {dtype!r}; known are {', '.join(roofline.peaks)}.")
    return roofline.peaks[dtype]
