"""Final marks: a pure function of a scheme and one student's scores, in exact arithmetic."""

import math
from fractions import Fraction

from grading.errors import GradingError
from grading.semester.late import days_late, extension_of, penalty
from grading.semester.types import Component, FinalMark, Item, Part, Rounding, Scheme, Scores


def final_mark(scheme: Scheme, scores: Scores) -> FinalMark:
    """The mark and its sentence. More points never give a worse mark.

    A component is the mean of its items' shares, each after its lateness, without the `drop` lowest; a missing score is 0.
    Thresholds are asked with exact shares, the bands with the rounded total; a missed threshold gives the lowest mark.
    Raises GradingError when best-of would drop every item.
    """
    parts = tuple(_part(scheme, component, scores) for component in scheme.components)
    total = sum((part.total for part in parts), Fraction(0))
    rounded = min(round_to(total, scheme.rounding), scheme.maximum)
    reached = all(part.reached for part in parts)
    passed = reached and rounded >= scheme.least
    band = max((band for band in scheme.bands if band.least <= rounded), key=lambda band: band.least)
    mark = band.mark if reached else scheme.bands[0].mark
    return FinalMark(scores.student, mark, passed, total, rounded, parts, _sentence(scheme, parts, total, rounded, mark, passed))


def round_to(value: Fraction, rounding: Rounding) -> Fraction:
    """The multiple of `rounding.step` that `value` goes to."""
    steps = value / rounding.step
    below = math.floor(steps)
    rest = steps - below
    up = {
        "half_up": rest >= Fraction(1, 2),
        "half_even": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1),
        "up": rest > 0,
        "down": False,
    }[rounding.how]
    return (below + up) * rounding.step


def _part(scheme: Scheme, component: Component, scores: Scores) -> Part:
    items = scores.components.get(component.id, ())
    if items and component.drop >= len(items):
        raise GradingError(
            f"component {component.id}: the {component.drop} lowest are dropped, but there are only {len(items)} items, "
            "expected more. Lower `drop` in the scheme."
        )
    shares, remarks = {}, []
    for item in items:
        shares[item.id], remark = _share(scheme, component, scores.student, item)
        remarks += [remark] if remark else []
    lowest = sorted(shares, key=lambda name: shares[name])[: component.drop]
    kept = [share for name, share in shares.items() if name not in lowest]
    share = sum(kept, Fraction(0)) / len(kept) if kept else Fraction(0)
    absent = tuple(item.id for item in items if item.earned is None and item.id not in lowest)
    if all(item.earned is None for item in items):
        lowest, absent = [], (component.id,)
    if lowest:
        remarks.append(f"without the lowest, {' and '.join(lowest)}")
    if absent and absent != (component.id,):
        remarks.append(f"no score for {', '.join(absent)}, counted as 0")
    reached = share * (component.worth if scheme.points else 100) >= component.threshold
    return Part(component, share, reached, absent, tuple(remarks))


def _share(scheme: Scheme, component: Component, student: str, item: Item) -> tuple[Fraction, str]:
    """What of the item is earned, from 0 to 1, and a remark when lateness cost something."""
    if item.earned is None:
        return Fraction(0), ""
    share = item.earned / item.possible
    if item.submitted is None or item.deadline is None:
        return share, ""
    extension = extension_of(scheme.late, student, item.id, component.id)
    days = days_late(item.submitted, item.deadline, scheme.late, extension)
    off = penalty(scheme.late, days)
    name = "" if item.id == component.id else f"{item.id} "
    remark = f"{name}{days} day{'s' if days > 1 else ''} late, {plain(off * 100)} % off" if off else ""
    return share * (1 - off), remark


def _sentence(scheme: Scheme, parts: tuple[Part, ...], total: Fraction, rounded: Fraction, mark: str, passed: bool) -> str:
    unit = "points" if scheme.points else "%"
    described = [_describe(scheme, part) for part in parts]
    described[1:] = [text[:1].lower() + text[1:] for text in described[1:]]
    in_sum = f"in sum {plain(total, rounded)} {unit}"
    in_sum += f", rounded to {plain(rounded)}" if plain(total, rounded) != plain(rounded) else ""
    in_sum += f" – below the {plain(scheme.least)} that pass" if rounded < scheme.least else ""
    return f"{', '.join(described)}; {in_sum}: {'passed' if passed else 'not passed'}, {mark}."


def _describe(scheme: Scheme, part: Part) -> str:
    component = part.component
    if scheme.points:
        text = f"{component.title} {plain(part.total, component.threshold)} of {plain(component.worth)} points"
        limit, brackets = f"{plain(component.threshold)} points", list(part.remarks)
    else:
        text = f"{component.title} {plain(part.share * 100, component.threshold)} %"
        limit, brackets = f"{plain(component.threshold)} %", [f"{plain(component.worth)} % of the mark", *part.remarks]
    if part.absent == (component.id,):
        text = f"{component.title} without a score, counted as 0"
    text += f" ({'; '.join(brackets)})" if brackets else ""
    return text if part.reached else f"{text} – below its {limit}"


def plain(value: Fraction, limit: Fraction | None = None) -> str:
    """The number for people, with at most one decimal; with more where that would hide on which side of `limit` it is."""
    for digits in range(1, 12):
        text = f"{float(round(value, digits)):.{digits}f}".rstrip("0").removesuffix(".")
        if limit is None or ((Fraction(text) >= limit) == (value >= limit) and (Fraction(text) == limit) == (value == limit)):
            break
    return text
