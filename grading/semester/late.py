"""What handing in late costs."""

import math
from datetime import datetime
from fractions import Fraction

from grading.semester.names import key_of
from grading.semester.types import Late

DAY = 24 * 3600


def days_late(submitted: datetime, deadline: datetime, late: Late, extension: Fraction = Fraction(0)) -> int:
    """Days begun after the deadline, which an `extension` in hours moves; 0 up to the hours of grace."""
    lateness = submitted - deadline
    seconds = Fraction(lateness.days * DAY + lateness.seconds) + Fraction(lateness.microseconds, 10**6) - extension * 3600
    return 0 if seconds <= late.grace * 3600 else math.ceil(seconds / DAY)


def penalty(late: Late, days: int) -> Fraction:
    """The share of the earned points, from 0 to 1, that so many days cost."""
    return min(late.cap, late.per_day * days) / 100


def extension_of(late: Late, student: str, *items: str) -> Fraction:
    """The longest extension in hours that the student has for any of `items` or for all."""
    key = key_of(student)
    hours = [more.hours for more in late.extensions if more.student == key and more.item in ("", *items)]
    return max(hours, default=Fraction(0))
