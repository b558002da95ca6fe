"""The one switch between the scales of a lab: PROJECTKIT_SCALE."""

import os

from projectkit.errors import DataError

SCALES = ("quick", "full", "smoke")


def current() -> str:
    """ "quick" (embedded data, about a minute, the default) or "full" (standard data, the numbers that papers report).

    A third, "smoke", is for the tests of the notebooks: every cell runs in seconds, the numbers mean nothing, and the grader
    takes no submission of that scale. Raises DataError when PROJECTKIT_SCALE says anything else.
    """
    scale = os.environ.get("PROJECTKIT_SCALE", "quick")
    if scale not in SCALES:
        raise DataError(f"PROJECTKIT_SCALE is {scale!r}; expected quick or full. Unset it for quick.")
    return scale
