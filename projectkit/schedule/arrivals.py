"""When requests arrive. The stream does not wait for answers (open loop), so that a slow server cannot slow its own load."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from projectkit.errors import ScheduleError
from projectkit.schedule.types import Workload


def periodic(rate: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """One request every 1 / rate seconds from a drawn phase on, as a camera gives frames: (n,) seconds below `seconds`."""
    return np.arange(rng.uniform(0, 1 / rate), seconds, 1 / rate)


def poisson(rate: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Requests that do not know of each other: exponential gaps with mean 1 / rate. (n,) seconds below `seconds`."""
    count = int(rate * seconds + 10 * (rate * seconds) ** 0.5 + 10)  # ten standard deviations more than expected
    times = np.cumsum(rng.exponential(1 / rate, count))
    return times[times < seconds]


class Arrivals(Protocol):
    """When requests arrive: (n,) seconds, sorted, from 0 to below `seconds`, `rate` a second on average."""

    def __call__(self, rate: float, seconds: float, rng: np.random.Generator, /) -> np.ndarray: ...


ARRIVALS: Mapping[str, Arrivals] = {"poisson": poisson, "periodic": periodic}


def draw_arrivals(workload: Workload, seconds: float, *, seed: int) -> tuple[np.ndarray, ...]:
    """The arrivals of each model's requests within `seconds`, sorted; a model's stream depends on the seed and its own place
    only.

    Raises ScheduleError for a kind that is none of ARRIVALS.
    """
    streams = np.random.SeedSequence(seed).spawn(len(workload.tasks))
    for task in workload.tasks:
        if task.arrivals not in ARRIVALS:
            raise ScheduleError(f"{task.name}: arrivals are {task.arrivals!r}, expected one of {', '.join(ARRIVALS)}.")
    return tuple(
        ARRIVALS[task.arrivals](task.rate, seconds, np.random.default_rng(stream))
        for task, stream in zip(workload.tasks, streams, strict=True)
    )
