"""Waiting for what other processes do."""

import time
from collections.abc import Callable

PATIENCE = 90.0  # seconds: other tests may keep the machine busy


def wait_for(condition: Callable[[], object]) -> None:
    """Returns as soon as condition() is true. Raises TimeoutError when it does not become so within PATIENCE."""
    stop = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > stop:
            raise TimeoutError(f"nothing came of it within {PATIENCE:.0f} s")
        time.sleep(0.02)
