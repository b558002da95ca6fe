"""What a model would take on a device that is not here: a roofline for every layer. Always an estimate, and an optimistic one.

seconds of a layer = max(macs / peak, moved bytes / bandwidth) + overhead, and for a layer that another device has to run, the
seconds until its inputs are over there. (S. Williams, A. Waterman and D. Patterson, "Roofline", CACM 52(4), 2009.)
"""

from dataclasses import dataclass, replace

from projectkit.devices.conditions import READINGS
from projectkit.devices.roofline import Roofline, seconds
from projectkit.devices.types import Estimated
from projectkit.errors import ArtifactError, DeviceError
from projectkit.measure.lifetimes import read_lifetimes
from projectkit.measure.operators import Operator, read_operators
from projectkit.measure.profiling import counts
from projectkit.metrics import PROFILE_METRICS
from projectkit.types import Artifact, Measurement, Profile

# What a device computes in where it has no such type: the narrowest of these that it has.
WIDENED = {"float16": ("float32",), "int16": ("float32",), "int8": ("float32",)}
ONLY = "it is only estimated"


@dataclass(frozen=True, slots=True)
class LayerEstimate:
    """One operator on one device.

    device   its name: the estimated one's, or its fallback's
    seconds  transfer included
    transfer seconds until the inputs are on that device, 0 where they are there already
    bound    what it waits for: "compute", "memory" or "transfer"
    """

    name: str
    kind: str
    device: str
    macs: int
    moved_bytes: int
    dtype: str
    seconds: float
    transfer: float
    bound: str


def estimate(device: Estimated, artifact: Artifact, *, threads: int = 1) -> tuple[LayerEstimate, ...]:
    """Every operator of `artifact` on `device` with `threads` of its cores; one example.

    Inputs and answers lie with the fallback, if there is one. All activations that an operator reads are counted as handed over
    when the operator before it ran elsewhere. Raises ArtifactError when the file cannot be read, DeviceError when nothing of the
    device runs an operator.
    """
    if threads < 1:
        raise DeviceError(f"device {device.name}: got {threads} threads, expected at least 1. Give threads=1.")
    layers, before = [], device.fallback or device
    operators = read_operators(artifact)
    for operator in operators:
        target = _who_runs(device, operator)
        transfer = 0.0 if target is before else device.crossing + operator.read_bytes / device.link
        layers.append(_layer(target, operator, threads, transfer))
        before = target
    if device.fallback is not None and layers and before is device:
        back = device.crossing + operators[-1].written_bytes / device.link
        layers[-1] = replace(layers[-1], seconds=layers[-1].seconds + back, transfer=layers[-1].transfer + back)
    return tuple(layers)


def profile_estimate(device: Estimated, artifact: Artifact, *, threads: int = 1) -> Profile:
    """The profile of an estimated device: latency_estimate, memory_estimate (the activations that are alive at once, at most, and
    the file where both share a memory), memory_fits_estimate (1 or 0), and what can be counted in the file. Everything else is
    missing."""
    counted, missing = counts(artifact)
    latency = sum(layer.seconds for layer in estimate(device, artifact, threads=threads))
    values = [*counted, Measurement.exact("latency_estimate", latency)]
    try:
        activations = read_lifetimes(artifact).peak_activations
    except ArtifactError as error:
        missing |= dict.fromkeys(("memory_estimate", "memory_fits_estimate"), str(error))
    else:
        needed = activations if device.storage else activations + artifact.size
        fits = needed <= device.memory and (not device.storage or artifact.size <= device.storage)
        values += [Measurement.exact("memory_estimate", needed), Measurement.exact("memory_fits_estimate", int(fits))]
    known = {value.metric: value for value in values}
    reason = f"{device.name} is not here: {ONLY}"
    missing |= {
        metric: reason for metric in (*PROFILE_METRICS, *READINGS, "power_mode") if metric not in known and metric not in missing
    }
    return Profile(artifact, f"{device.name} (an estimate from public data)", known, missing)


def _who_runs(device: Estimated, operator: Operator) -> Estimated:
    """The device itself, its fallback, that one's, …"""
    candidate: Estimated | None = device
    while candidate is not None:
        kind_fits = candidate.operators is None or operator.kind in candidate.operators
        if kind_fits and _computed_in(candidate, operator):
            return candidate
        candidate = candidate.fallback
    raise DeviceError(
        f"device {device.name}: nothing of it runs {operator.kind} in {operator.dtype} ({operator.name}). Export the model in a "
        "type that it has, or give the device a fallback."
    )


def _computed_in(device: Estimated, operator: Operator) -> str:
    """The type that `device` computes this in; "" when it cannot. What multiplies nothing only moves bytes, on a device for all
    kinds of operators in any type."""
    peaks = device.roofline.peaks
    found = next((dtype for dtype in (operator.dtype, *WIDENED.get(operator.dtype, ())) if dtype in peaks), "")
    return found or (next(iter(peaks)) if not operator.macs and device.operators is None else "")


def _layer(device: Estimated, operator: Operator, threads: int, transfer: float) -> LayerEstimate:
    dtype = _computed_in(device, operator)
    roofline = _of_cores(device, threads)
    own = seconds(roofline, operator.macs, operator.moved_bytes, dtype)
    waits = {
        "compute": operator.macs / roofline.peaks[dtype],
        "memory": operator.moved_bytes / roofline.bandwidth,
        "transfer": transfer,
    }
    return LayerEstimate(
        name=operator.name,
        kind=operator.kind,
        device=device.name,
        macs=operator.macs,
        moved_bytes=operator.moved_bytes,
        dtype=dtype,
        seconds=own + transfer,
        transfer=transfer,
        bound=max(waits, key=waits.__getitem__),
    )


def _of_cores(device: Estimated, threads: int) -> Roofline:
    """The roofline of several cores: their peaks add up, the bandwidth is one for all."""
    used = min(threads, device.cores)
    return replace(device.roofline, peaks={dtype: used * peak for dtype, peak in device.roofline.peaks.items()})
