"""How wrong such estimates are: the same calculation for this machine, by its measured roofline, beside measured latencies."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from projectkit import measure
from projectkit.devices.estimate import estimate
from projectkit.devices.roofline import Roofline
from projectkit.devices.types import Estimated
from projectkit.errors import DeviceError
from projectkit.types import Artifact, Measurement

ANY_MEMORY = 2**62  # the files run here


@dataclass(frozen=True, slots=True)
class Comparison:
    """One file: the estimated seconds and the measured median."""

    artifact: Artifact
    estimate: float
    measured: Measurement

    @property
    def error(self) -> float:
        """estimate / measured − 1: −0.5 where the device takes twice as long as estimated."""
        return self.estimate / self.measured.value - 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """The comparisons of several files on one machine."""

    comparisons: tuple[Comparison, ...]

    @property
    def error(self) -> Measurement:
        """The median of |estimate / measured − 1| over the files ("estimate_error"), from the least to the greatest."""
        errors = [abs(one.error) for one in self.comparisons]
        return Measurement("estimate_error", median(errors), min(errors), max(errors), len(errors))

    @property
    def factor(self) -> Measurement:
        """The median of measured / estimate ("measured_over_estimate"), from the least to the greatest. Another device whose
        software is as far from its roofline takes about so many times its estimate."""
        ratios = [one.measured.value / one.estimate for one in self.comparisons]
        return Measurement("measured_over_estimate", median(ratios), min(ratios), max(ratios), len(ratios))


def calibrate(
    roofline: Roofline, artifacts: Sequence[Artifact], inputs: Sequence[np.ndarray], *, threads: int = 1, budget: float = 1.0
) -> Calibration:
    """Compares the estimates of `artifacts` by the roofline of this machine (that of as many `threads`, from `measure_roofline`)
    with their latencies here. inputs[i]: (n, ...) float32 for artifacts[i]. Raises DeviceError without a file, what `estimate`
    and `measure.latency` raise."""
    if not artifacts:
        raise DeviceError("calibration: got no file to compare an estimate with, expected at least one. Give some model files.")
    machine = Estimated(roofline, ANY_MEMORY)  # the roofline is that of all threads together
    return Calibration(
        tuple(
            Comparison(
                artifact,
                sum(layer.seconds for layer in estimate(machine, artifact)),
                measure.latency(artifact, x, threads=threads, budget=budget)[0],
            )
            for artifact, x in zip(artifacts, inputs, strict=True)
        )
    )
