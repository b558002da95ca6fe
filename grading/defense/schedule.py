"""Slots of a defense: one after another, breaks left free, on to the next day when a day is full."""

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from grading.defense.types import Appointment
from grading.errors import GradingError
from grading.results.cells import harmless

COLUMNS = ("number", "student", "title", "date", "start", "end")
_BREAK = re.compile(r"(\d{1,2}:\d{2})-(\d{1,2}:\d{2})")


@dataclass(frozen=True, slots=True)
class Plan:
    """When defenses are: from `start`, `minutes` each, every day from that hour until `end`, but not within `breaks`."""

    start: datetime
    minutes: int = 20
    end: time = time(17, 0)
    breaks: tuple[tuple[time, time], ...] = ()


def plan_of(start: str, minutes: int, end: str, breaks: Sequence[str]) -> Plan:
    """The plan from what was typed. Raises GradingError when it is no time, or when no slot fits into a day."""
    try:
        begin = datetime.fromisoformat(start).replace(second=0, microsecond=0)
    except ValueError as error:
        raise GradingError(f"--start: got {start!r}, expected a time such as '2027-01-25 09:00'. Correct it.") from error
    if begin.tzinfo is not None:
        raise GradingError(f"--start: got {start!r} with a time zone, expected the room's local time. Leave the zone out.")
    pauses = []
    for text in breaks:
        match = _BREAK.fullmatch(text.replace("–", "-").replace(" ", ""))
        if not match:
            raise GradingError(f"--break: got {text!r}, expected two times such as 10:30-10:45. Correct it.")
        pause = (_time(match[1], "--break"), _time(match[2], "--break"))
        if pause[0] >= pause[1]:
            raise GradingError(f"--break: {text} ends before it begins, expected the earlier time first. Swap them.")
        pauses.append(pause)
    plan = Plan(begin, minutes, _time(end, "--until"), tuple(sorted(pauses)))
    if minutes < 1 or _next(plan, begin) is None:
        raise GradingError(
            f"--minutes {minutes}: no slot fits between {begin:%H:%M} and {end}, expected at least one a day. "
            "Begin earlier, end later or shorten the slots."
        )
    return plan


def schedule(people: Sequence[tuple[str, str]], plan: Plan) -> tuple[Appointment, ...]:
    """An appointment for each (student, title), in their order."""
    made, now = [], plan.start
    for number, (student, title) in enumerate(people, 1):
        while (begin := _next(plan, now)) is None:  # the day is over, and one slot at least fits into the next
            now = datetime.combine(now.date() + timedelta(days=1), plan.start.time())
        now = begin + timedelta(minutes=plan.minutes)
        made.append(Appointment(number, student, title, begin, now))
    return tuple(made)


def _next(plan: Plan, now: datetime) -> datetime | None:
    """The earliest slot of the day that begins at `now` or later; None when the day is over."""
    close = datetime.combine(now.date(), plan.end)
    for first, last in plan.breaks:
        begin, end = datetime.combine(now.date(), first), datetime.combine(now.date(), last)
        if now < end and now + timedelta(minutes=plan.minutes) > begin:
            now = end
    return now if now + timedelta(minutes=plan.minutes) <= close else None


def _time(text: str, option: str) -> time:
    try:
        hour, _, minute = text.strip().partition(":")
        return time(int(hour), int(minute))
    except ValueError as error:
        raise GradingError(f"{option}: got {text!r}, expected a time of day such as 17:00. Correct it.") from error


def schedule_table(appointments: Sequence[Appointment]) -> str:
    """The schedule as a CSV that a spreadsheet opens and cannot be made to run."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for one in appointments:
        day = (one.start.strftime("%Y-%m-%d"), one.start.strftime("%H:%M"), one.end.strftime("%H:%M"))
        writer.writerow([one.number, harmless(one.student), harmless(one.title), *day])
    return stream.getvalue()


def calendar(appointments: Sequence[Appointment], plan: Plan) -> str:
    """The schedule as iCalendar (RFC 5545), in floating local time. The same plan gives the same bytes, so that importing it
    again changes events and does not double them."""
    stamp = plan.start.strftime("%Y%m%dT%H%M%SZ")
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//projectkit//defense//EN"]
    for one in appointments:
        identity = hashlib.sha256(f"{plan.start.isoformat()}\0{one.student}".encode()).hexdigest()[:24]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{identity}@projectkit",
            f"DTSTAMP:{stamp}",
            f"DTSTART:{one.start:%Y%m%dT%H%M%S}",
            f"DTEND:{one.end:%Y%m%dT%H%M%S}",
            f"SUMMARY:{_text(f'Defense: {one.student}')}",
            f"DESCRIPTION:{_text(one.title)}",
            "END:VEVENT",
        ]
    return "".join(_folded(line) + "\r\n" for line in [*lines, "END:VCALENDAR"])


def _text(value: str) -> str:
    """TEXT of RFC 5545, 3.3.11; a name with a line break in it must not begin a property of its own."""
    plain = "".join(letter if letter.isprintable() else " " for letter in value)
    return re.sub(r"([\\;,])", r"\\\1", plain)


def _folded(line: str) -> str:
    """At most 75 bytes a line, never cutting a character in two; what follows begins with a space."""
    parts: list[str] = []
    current = b""
    for letter in line:
        code = letter.encode("utf-8", "replace")
        if len(current) + len(code) > (75 if not parts else 74):
            parts.append(current.decode())
            current = b""
        current += code
    return "\r\n ".join([*parts, current.decode()])
