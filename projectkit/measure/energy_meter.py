"""Energy per inference, read from the machine's own meters; where there are none, the reason and no number."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

import numpy as np

from projectkit.errors import NotHere
from projectkit.measure.energy_readers import Reader, joules, readers
from projectkit.measure.intervals import student_interval
from projectkit.runtimes import open as open_model
from projectkit.types import Artifact, Measurement, Session

BLOCKS = 6  # even: A B B A B A …, every file comes first as often as last
BLOCK_SECONDS = 1.0  # the meters count in steps of a millisecond or so: over a second a step is below 1 %
IDLE_SECONDS = 0.5
CALLS_AN_INPUT = 16  # before the next input is set, so that setting it weighs little


def energy(artifact: Artifact, x: np.ndarray, *, threads: int = 1, budget: float = 1.0) -> tuple[Measurement]:
    """(energy,) in joules per inference of one example, as `compare_energy`."""
    return (compare_energy([artifact], x, threads=threads, budget=budget)[0],)


def compare_energy(artifacts: Sequence[Artifact], x: np.ndarray, *, threads: int = 1, budget: float = 1.0) -> list[Measurement]:
    """The energy of each file in joules per inference of one example: mean over BLOCKS blocks with its 95 % interval.

    The files take turns, A B, B A, …, and a block opens its file anew and runs the examples of x (n, ...) one at a time for
    `budget` seconds, but at least BLOCK_SECONDS. What is counted is everything that the meter covers (processor packages, or on
    a Jetson the whole board) over that time, less the power of the idle machine just before the block times its seconds. The
    runtimes here run on the CPU, so that a GPU's meter says nothing of the model. Raises NotHere with what this machine lacks.
    """
    found, absent = readers()
    sources = _covering_cpu(found)
    if not sources:
        gpu = ["the GPU's meter does not see the CPU that runs this model"] if found else []
        raise NotHere("this machine has no energy meter for its CPU: " + "; ".join([*absent, *gpu]))
    opened = [partial(open_model, artifact, threads=threads) for artifact in artifacts]
    return energy_of(opened, x, sources, seconds=max(BLOCK_SECONDS, budget))


def energy_of(
    opened: Sequence[Callable[[], Session]],
    x: np.ndarray,
    sources: Sequence[Reader],
    *,
    seconds: float,
    idle: float = IDLE_SECONDS,
) -> list[Measurement]:
    """Energy per inference of files, each given by a function that opens it, as `compare_energy`, seen by `sources`.

    seconds: of a block; idle: seconds for which the idle machine is watched before it. Raises NotHere when the meters stand
    still, or when running a model takes no more than the idle machine.
    """
    values: list[list[float]] = [[] for _ in opened]
    for block in range(BLOCKS):
        order = range(len(opened)) if block % 2 == 0 else reversed(range(len(opened)))
        for which in order:
            watts = joules(sources, partial(time.sleep, idle)) / idle
            with closing(opened[which]()) as session:
                values[which].append(_block(session, x, sources, seconds, watts))
    found = []
    for own in values:
        mean, low, high = student_interval(own)
        if mean <= 0:
            raise NotHere(f"{_names(sources)}: running the model takes no more power than the idle machine")
        found.append(Measurement("energy", mean, low, high, len(own)))
    return found


def _block(session: Session, x: np.ndarray, sources: Sequence[Reader], seconds: float, watts: float) -> float:
    """Joules per inference over `seconds`, less the idle machine's `watts`."""
    session.run(x[:1])
    inferences, took = 0, 0.0

    def work() -> None:
        nonlocal inferences, took
        start = time.perf_counter()
        while not inferences or time.perf_counter() < start + seconds:
            example = (inferences // CALLS_AN_INPUT) % len(x)
            session.set_input(x[example : example + 1])
            for _ in range(CALLS_AN_INPUT):
                session.invoke()
            inferences += CALLS_AN_INPUT
        took = time.perf_counter() - start

    used = joules(sources, work)
    if used <= 0:
        raise NotHere(f"{_names(sources)}: the counter stood still for {seconds:g} s")
    return (used - watts * took) / inferences


def _names(sources: Sequence[Reader]) -> str:
    return ", ".join(source.name for source in sources)


def _covering_cpu(found: Sequence[Reader]) -> list[Reader]:
    """A board's meter contains the processor's, so that only one kind may be used."""
    board = [reader for reader in found if reader.covers == "board"]
    return board or [reader for reader in found if reader.covers == "cpu"]
