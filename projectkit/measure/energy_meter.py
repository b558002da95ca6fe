"""Energy per inference, read from the machine's own meters; where there are none, the reason and no number."""

import time
from collections.abc import Sequence
from contextlib import closing
from statistics import median

import numpy as np

from projectkit.errors import NotHere
from projectkit.measure.energy_readers import Reader, joules, readers
from projectkit.runtimes import open as open_model
from projectkit.types import Artifact, Measurement, Session

BLOCKS = 5
BLOCK_SECONDS = 1.0  # the meters count in steps of a millisecond or so: over a second a step is below 1 %


def energy(artifact: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 1.0) -> tuple[Measurement]:
    """(energy,) in joules per inference of one example: median, least and most of five blocks.

    A block runs the examples of x (n, ...) one at a time for `budget` seconds, but at least one. What is counted is
    everything that the meter covers (processor packages, or on a Jetson the whole board) over that time, its idle power
    included: compare numbers from one idle machine only. The runtimes here run on the CPU, so that a GPU's meter says nothing
    of the model. Raises NotHere with what this machine lacks.
    """
    found, absent = readers()
    sources = _covering_cpu(found)
    if not sources:
        gpu = ["the GPU's meter does not see the CPU that runs this model"] if found else []
        raise NotHere("this machine has no energy meter for its CPU: " + "; ".join([*absent, *gpu]))
    with closing(open_model(artifact, threads=threads)) as session:
        return (energy_of(session, x, sources, seconds=max(BLOCK_SECONDS, budget)),)


def energy_of(session: Session, x: np.ndarray, sources: Sequence[Reader], *, seconds: float) -> Measurement:
    """Energy per inference of an opened model, as `energy`, seen by `sources`. Raises NotHere when they stand still."""
    session.run(x[:1])
    values = []
    for _ in range(BLOCKS):
        inferences = 0

        def work() -> None:
            nonlocal inferences
            stop = time.perf_counter() + seconds
            while not inferences or time.perf_counter() < stop:
                start = inferences % len(x)
                session.run(x[start : start + 1])
                inferences += 1

        used = joules(sources, work)
        if used <= 0:
            raise NotHere(f"{', '.join(source.name for source in sources)}: the counter stood still for {seconds:g} s")
        values.append(used / inferences)
    return Measurement("energy", median(values), min(values), max(values), BLOCKS)


def _covering_cpu(found: Sequence[Reader]) -> list[Reader]:
    """A board's meter contains the processor's, so that only one kind may be used."""
    board = [reader for reader in found if reader.covers == "board"]
    return board or [reader for reader in found if reader.covers == "cpu"]
