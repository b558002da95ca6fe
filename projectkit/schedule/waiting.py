"""The requests of one process that wait, and which of them the next call answers. The simulator and the real process share
it."""

import math

import numpy as np


class Queue:
    """arrivals[i]: when the requests of the process's i-th model arrive, sorted; deadlines[i] and batches[i]: of that model."""

    def __init__(self, arrivals: list[np.ndarray], deadlines: list[float], batches: list[int], order: str):
        self._arrivals = [[*np.asarray(times, dtype=np.float64).tolist(), math.inf] for times in arrivals]
        self._batches = batches
        # A request of a model never overtakes an earlier one of the same model: only the heads of the queues compete.
        self._late = deadlines if order == "edf" else [0.0] * len(deadlines)
        self._next = [0] * len(arrivals)

    def next_arrival(self) -> float:
        """When the earliest request arrives that no call has taken yet; infinity when there is none."""
        return min(times[head] for times, head in zip(self._arrivals, self._next, strict=True))

    def take(self, now: float) -> tuple[int, list[float]] | None:
        """(model, arrivals of the requests) of the next call, or None when nobody waits.

        The model whose oldest request has the earliest deadline (edf) or arrival (fifo); as many requests as its batch if so
        many wait, else one.
        """
        best = None
        for model, (times, head) in enumerate(zip(self._arrivals, self._next, strict=True)):
            if times[head] <= now:
                key = times[head] + self._late[model]
                if best is None or key < best[0]:
                    best = (key, model)
        if best is None:
            return None
        model = best[1]
        times, head, batch = self._arrivals[model], self._next[model], self._batches[model]
        count = batch if head + batch < len(times) and times[head + batch - 1] <= now else 1
        self._next[model] = head + count
        return model, times[head : head + count]

    def left(self) -> list[tuple[int, float]]:
        """(model, arrival) of the requests that no call has taken."""
        return [
            (model, arrival)
            for model, (times, head) in enumerate(zip(self._arrivals, self._next, strict=True))
            for arrival in times[head:-1]
        ]
