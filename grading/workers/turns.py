"""Who may work and who may time: many work at once, but a timing runs while no other worker of this machine does anything.

By locks on two files in the folder `locks`, which every grader of one installation has: so it holds across threads and processes,
ends with a killed run, and leaves nothing behind.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":  # which has no such locks: timings there may be disturbed by the other workers
    import fcntl

KEPT = sys.platform != "win32"
LOCKS = Path(__file__).parent / "locks"
GATE, TURN = LOCKS / "gate", LOCKS / "turn"
_thread = threading.local()


def waited() -> float:
    """Seconds that this thread has waited for its turns so far."""
    return getattr(_thread, "waited", 0.0)


@contextmanager
def working() -> Iterator[Callable[[bool], None]]:
    """While any work is done but timing. Gives a function that changes the turn: to timing alone (True), and back (False)."""
    if sys.platform == "win32":
        yield lambda timing: None
        return
    with _opened(GATE) as gate, _opened(TURN) as turn:

        def change(timing: bool) -> None:
            start = time.perf_counter()
            fcntl.flock(turn, fcntl.LOCK_UN)
            # Whoever waits for a timing keeps the gate shut, else work would always find room before it.
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(turn, fcntl.LOCK_EX if timing else fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)
            _thread.waited = waited() + time.perf_counter() - start

        change(False)
        yield change


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
