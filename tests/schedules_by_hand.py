"""Workloads and costs of the tests' own, with round numbers."""

import numpy as np

from projectkit.schedule import Choice, Costs, Plan, Task, Workload


def workload(*tasks: tuple[float, float], cores: int = 1, **options) -> Workload:
    """One model a (rate, deadline)."""
    return Workload(tuple(Task(f"m{place}", ("m.onnx",), *numbers) for place, numbers in enumerate(tasks)), cores, **options)


def costs(*seconds: float, cores: int = 1, batches: tuple[int, ...] = (1,), together: float = 2.0) -> Costs:
    """One file a model; n threads are n times as fast as one; a batch takes as long as a single request."""
    calls = {
        (place, 0, threads, batch): one / threads
        for place, one in enumerate(seconds)
        for threads in range(1, cores + 1)
        for batch in batches
    }
    return Costs.known(calls, tasks=len(seconds), together=together)


def one_queue(count: int, order: str = "fifo", batch: int = 1) -> Plan:
    """All models in one process on core 0."""
    return Plan((Choice(batch=batch),) * count, order)


def own_cores(count: int) -> Plan:
    """A core for each model."""
    return Plan(tuple(Choice(cores=(place,), process=place) for place in range(count)))


def times(*columns) -> tuple[np.ndarray, ...]:
    return tuple(np.array(column, dtype=float) for column in columns)
