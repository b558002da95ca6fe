"""Measures on this machine: the profile of `measure`, with the conditions it was taken under."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from projectkit import measure
from projectkit.devices.conditions import NO_MODE, power_mode, read_conditions, summarize
from projectkit.metrics import DEVICE_METRICS
from projectkit.types import Artifact, Profile, Split

MEASURED = "it was measured; nothing was estimated"


def measure_here(
    artifacts: Sequence[Artifact],
    data: Split | np.ndarray,
    *,
    threads: int = 1,
    budget: float = 1.0,
    baseline: Artifact | None = None,
    name: str = "",
) -> list[Profile]:
    """`measure.compare` on this machine, whose `name` stands before its description, and its conditions before and after."""
    before = read_conditions()
    profiles = measure.compare(artifacts, data, threads=threads, budget=budget, baseline=baseline)
    conditions, missing = summarize([before, read_conditions()])
    mode = power_mode()
    missing |= {} if mode else {"power_mode": NO_MODE}
    missing |= {metric: MEASURED for metric in DEVICE_METRICS if metric.endswith("_estimate")}
    values = {value.metric: value for value in conditions}
    before_it, behind_it = (f"{name}: " if name else ""), (f", power mode {mode}" if mode else "")
    return [
        replace(
            profile,
            device=f"{before_it}{profile.device}{behind_it}",
            values={**profile.values, **values},
            missing={**profile.missing, **missing},
        )
        for profile in profiles
    ]
