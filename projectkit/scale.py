"""The one switch between a lab's two scales: PROJECTKIT_SCALE."""

import os

from projectkit.errors import DataError

SCALES = ("quick", "full")


def current() -> str:
    """ "quick" (embedded data, about a minute, the default) or "full" (standard data, the numbers that papers report).

    Raises DataError when PROJECTKIT_SCALE says anything else.
    """
    scale = os.environ.get("PROJECTKIT_SCALE", "quick")
    if scale not in SCALES:
        raise DataError(f"PROJECTKIT_SCALE is {scale!r}; expected {' or '.join(SCALES)}. Unset it for quick.")
    return scale
