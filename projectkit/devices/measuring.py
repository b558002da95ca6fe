"""One measurement for every kind of device."""

from collections.abc import Sequence

import numpy as np

from projectkit.devices.estimate import profile_estimate
from projectkit.devices.here import measure_here
from projectkit.devices.remote import LIMIT, measure_remote
from projectkit.devices.types import Device, Estimated, Here
from projectkit.types import Artifact, Profile, Split


def measure_on(
    device: Device,
    artifact: Artifact,
    data: Split | np.ndarray,
    *,
    threads: int = 1,
    budget: float = 1.0,
    baseline: Artifact | None = None,
    limit: float = LIMIT,
) -> Profile:
    """The profile of `artifact` on `device`. Every metric of `PROFILE_METRICS` and `DEVICE_METRICS` is in its `values`, or in
    `missing` with the reason, whatever the kind: of an estimated device only the estimates and the counts are in `values`.

    data: a split, or inputs (n, ...) alone; budget: seconds of timing; baseline: a file that is timed in turn with it
    (latency_ratio); limit: seconds after which a remote device gives up. Raises what `measure.compare` raises, and DeviceError as
    `measure_remote` and `estimate` do.
    """
    return compare_on(device, [artifact], data, threads=threads, budget=budget, baseline=baseline, limit=limit)[0]


def compare_on(
    device: Device,
    artifacts: Sequence[Artifact],
    data: Split | np.ndarray,
    *,
    threads: int = 1,
    budget: float = 1.0,
    baseline: Artifact | None = None,
    limit: float = LIMIT,
) -> list[Profile]:
    """`measure_on` for several files, timed in turn by one process on one device."""
    if isinstance(device, Estimated):
        return [profile_estimate(device, artifact, threads=threads) for artifact in artifacts]
    if isinstance(device, Here):
        return measure_here(artifacts, data, threads=threads, budget=budget, baseline=baseline)
    return measure_remote(device, artifacts, data, threads=threads, budget=budget, baseline=baseline, limit=limit)
