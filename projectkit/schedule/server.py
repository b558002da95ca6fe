"""One process of a plan: `python -m projectkit.schedule.server`. Reads commands and prints answers, one JSON object a line.

Opens models on the cores that it is told to stay on, times them, or answers a stream of requests. The clock is
`time.perf_counter`, which all processes of a machine share.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from projectkit import runtimes
from projectkit.errors import ProjectkitError
from projectkit.schedule.waiting import Queue
from projectkit.types import Artifact, Session

WARM_UP = 3  # calls; the first ones allocate


@dataclass(frozen=True, slots=True)
class Opened:
    """The sessions of one model by the number of requests that a call answers, and an input for each."""

    sessions: dict[int, Session]
    inputs: dict[int, np.ndarray]

    def call(self, count: int) -> None:
        self.sessions[count].run(self.inputs[count])


def open_models(models: list[Opened], *, files: list[dict[str, Any]], cores: list[int]) -> dict[str, Any]:
    """files: {"path", "threads", "batches"} each. Bytes that the process has before, and that each model's sessions add, by
    batch."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)  # before the runtimes start their threads, which inherit it
    before = last = resident()
    added = []
    rng = np.random.default_rng(0)
    for file in files:
        sessions, inputs, bytes_of = {}, {}, {}
        for batch in file["batches"]:
            session = runtimes.open(Artifact.of(file["path"]), threads=file["threads"])
            shape = [size if size > 0 else 1 for size in session.inputs[0].shape]
            sessions[batch], inputs[batch] = session, rng.random((batch, *shape), dtype=np.float32)
            for _ in range(WARM_UP):
                session.run(inputs[batch])
            now = resident()
            bytes_of[str(batch)], last = now - last, now
        models.append(Opened(sessions, inputs))
        added.append(bytes_of)
    return {"process": before, "added": added}


def time_calls(models: list[Opened], *, calls: list[tuple[int, int]], start: float, seconds: float, least: int) -> dict[str, Any]:
    """Seconds of each of `calls` (model, batch), called in turn from `start` on for `seconds`, at least `least` times each."""
    samples: list[list[float]] = [[] for _ in calls]
    sleep_until(start)
    while len(samples[0]) < least or time.perf_counter() < start + seconds:
        for (model, batch), mine in zip(calls, samples, strict=True):
            before = time.perf_counter()
            models[model].call(batch)
            mine.append(time.perf_counter() - before)
    return {"samples": samples}


def serve(
    models: list[Opened],
    *,
    arrivals: list[list[float]],
    deadlines: list[float],
    batches: list[int],
    order: str,
    start: float,
    limit: float,
) -> dict[str, Any]:
    """Answers the requests; times are in seconds from `start`. Stops `limit` seconds after it, whoever waits.

    rows: [model, arrival, begin, end] of each request, begin None for one that was never answered; memory: bytes at the end.
    """
    queue = Queue([np.array(times) for times in arrivals], deadlines, batches, order)
    rows: list[list[float | None]] = []
    while (comes := queue.next_arrival()) < limit:
        sleep_until(start + comes)
        begin = max(comes, time.perf_counter() - start)  # rounding must not make it begin before it came
        if begin >= limit:
            break
        call = queue.take(begin)
        if call is None:  # nobody waits yet
            continue
        model, taken = call
        models[model].call(len(taken))
        end = time.perf_counter() - start
        rows += [[model, arrival, begin, end] for arrival in taken]
    now = max(limit, time.perf_counter() - start)
    rows += [[model, arrival, None, now] for model, arrival in queue.left()]
    return {"rows": rows, "memory": resident()}


def sleep_until(moment: float) -> None:
    while (left := moment - time.perf_counter()) > 0:
        time.sleep(left)


def resident() -> int:
    """Bytes of this process that are in memory."""
    import psutil

    return psutil.Process().memory_info().rss


COMMANDS: Mapping[str, Callable[..., dict[str, Any]]] = {"open": open_models, "time": time_calls, "serve": serve}


def main() -> None:
    models: list[Opened] = []
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = COMMANDS[command.pop("do")](models, **command)
        except ProjectkitError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
