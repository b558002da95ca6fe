"""Hardware in the loop: what an architecture takes on the device it is for, which need not be the one that trains it."""

import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from optuna.trial import Trial

from projectkit import devices
from projectkit.errors import DeviceError, SearchError
from projectkit.nas.latency import write_untrained
from projectkit.nas.types import Architecture
from projectkit.types import Artifact, Measurement, Profile

MEMORY = "memory"  # the constraint's name in Optuna


def measure_architecture(
    architecture: Architecture,
    device: devices.Device,
    reference: Artifact,
    images: np.ndarray,
    classes: int,
    *,
    precision: str = "float32",
    budget: float = 0.3,
    threads: int = 1,
) -> Profile:
    """The profile of the exported, untrained architecture on `device`: latency_p50, latency_ratio to the file `reference`, timed
    in turn there, peak_memory, and whatever else can be measured or counted.

    images: (n, height, width, channels) float32; in "int8" they calibrate it as well. What the weights are matters neither for
    the time nor for the memory. Raises ExportError when the architecture cannot be exported, DeviceError as `measure_on` does,
    and for a device that is only estimated.
    """
    if isinstance(device, devices.Estimated):
        raise DeviceError(
            f"{device.name} is only estimated, and a search with hardware in the loop measures. Give here, or an agent's address."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{architecture.digest}{Path(reference.path).suffix}"
        artifact = write_untrained(architecture, path, images, classes, precision=precision)
        return devices.measure_on(device, artifact, images, threads=threads, budget=budget, baseline=reference)


def note_measured(trial: Trial, profile: Profile, *, most_memory: int | None = None) -> dict[str, float]:
    """{"latency": latency_ratio, "memory": peak_memory in bytes} of the profile, which stand beside the trial with their
    intervals and the `device` from now on.

    most_memory: bytes. The trial gets a constraint of Optuna's: beyond the budget it is never among the best, and the strategies
    nsga2 and tpe learn to keep away from there. Raises SearchError where the device cannot measure its memory.
    """
    values = {metric: _measured(profile, metric) for metric in ("latency_ratio", "peak_memory")}
    for metric, value in values.items():
        trial.set_user_attr(metric, asdict(value))
    trial.set_user_attr("device", profile.device)
    if most_memory is not None:
        trial.set_constraint(MEMORY, values["peak_memory"].value - most_memory)
    return {"latency": values["latency_ratio"].value, "memory": values["peak_memory"].value}


def _measured(profile: Profile, metric: str) -> Measurement:
    if metric not in profile.values:
        raise SearchError(f"{profile.device}: {metric} cannot be measured there ({profile.missing.get(metric, 'no reason')}).")
    return profile.values[metric]
