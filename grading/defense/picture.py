"""Accuracy against latency, size and energy: one inline SVG a cost, in the colours of the page around it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from grading.defense.types import Point
from projectkit.measure import format_value
from projectkit.metrics import METRICS

COSTS = ("latency_p50", "size", "energy")
WIDTH, HEIGHT = 300, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 24, 14, 40
LOGARITHMIC_FROM = 5.0  # largest / smallest cost
APART = 12  # pixels between two labels


@dataclass(frozen=True, slots=True)
class Axis:
    """Turns a value into a pixel. On a logarithmic axis `low` and `high` are logarithms."""

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """The pixel of `value`; what lies beyond the axis is put at its end."""
        at = math.log10(value) if self.logarithmic else value
        share = min(1.0, max(0.0, (at - self.low) / (self.high - self.low)))
        return self.first + share * (self.last - self.first)


def panels(points: Sequence[Point]) -> list[tuple[str, str]]:
    """(title, SVG) for each cost; the SVG is "" where none of the student's own models has that cost."""
    return [(f"Accuracy against {METRICS[cost].label.lower()}", panel(points, cost)) for cost in COSTS]


def panel(points: Sequence[Point], cost: str) -> str:
    """One plot; "" when no model of the student's own has both numbers. Up and to the left is better."""
    shown = [point for point in points if {"accuracy", cost} <= point.values.keys() and point.values[cost].value > 0]
    if not any(point.kind != "class" for point in shown):
        return ""
    x, y = _axes(shown, cost)
    order = ("class", "baseline", "own")
    drawn = "".join(_marker(point, cost, x, y) for point in sorted(shown, key=lambda point: order.index(point.kind)))
    label = f"Accuracy against {METRICS[cost].label.lower()}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}" font-size="10.5" fill="var(--text)">'
        f"{_grid(x, y, cost)}{drawn}{_labels(shown, cost, x, y)}</svg>"
    )


def _axes(shown: Sequence[Point], cost: str) -> tuple[Axis, Axis]:
    costs = [point.values[cost].value for point in shown]
    logarithmic = max(costs) / min(costs) > LOGARITHMIC_FROM
    low, high = (math.log10(min(costs)), math.log10(max(costs))) if logarithmic else (min(costs), max(costs))
    margin = 0.16 * (high - low) or abs(low) * 0.2 or 0.2
    x = Axis(low - margin, high + margin, LEFT, WIDTH - RIGHT, logarithmic)
    ends = [end for p in shown if p.kind != "class" for end in (p.values["accuracy"].low, p.values["accuracy"].high)]
    ends += [point.values["accuracy"].value for point in shown]
    margin = 0.08 * (max(ends) - min(ends)) or 0.02
    return x, Axis(max(0.0, min(ends) - margin), min(1.01, max(ends) + margin), HEIGHT - BOTTOM, TOP)


def _grid(x: Axis, y: Axis, cost: str) -> str:
    parts = []
    for value in _ticks(y):
        at = y.place(value)
        parts.append(_line(LEFT, at, WIDTH - RIGHT, at, "var(--line)", 1))
        parts.append(_text(LEFT - 5, at + 3.5, f"{100 * value:g} %", "end", soft=True))
    for value in _ticks(x):
        at = x.place(value)
        parts.append(_line(at, TOP, at, HEIGHT - BOTTOM, "var(--line)", 1))
        parts.append(_text(at, HEIGHT - BOTTOM + 14, format_value(cost, value), "middle", soft=True))
    title = METRICS[cost].label + (", logarithmic" if x.logarithmic else "")
    return "".join(parts) + _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, title, "middle")


def _ticks(axis: Axis) -> list[float]:
    """Three to five round values within the axis."""
    if axis.logarithmic:
        exponents = range(math.floor(axis.low) - 1, math.ceil(axis.high) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**power for power in exponents for step in steps]
            found = [value for value in found if axis.low <= math.log10(value) <= axis.high]
            if len(found) <= 5:
                return found
        return found[:: -(-len(found) // 5)]
    raw = (axis.high - axis.low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
    first = math.ceil(axis.low / step - 1e-9)
    # A share that is written in percent must not read 90.00000000000001 %.
    ticks = [round(number * step, 12) for number in range(first, math.floor(axis.high / step + 1e-9) + 1)]
    return [value for value in ticks if value > 0 or axis.low < 0] or ticks


def _marker(point: Point, cost: str, x: Axis, y: Axis) -> str:
    across, up = point.values[cost], point.values["accuracy"]
    at, high = x.place(across.value), y.place(up.value)
    if point.kind == "class":
        return f'<circle cx="{at:.1f}" cy="{high:.1f}" r="3.2" fill="var(--gated)" fill-opacity=".45"/>'
    color = "var(--text)" if point.kind == "baseline" else "var(--full)"
    bars = _line(at, y.place(up.low), at, y.place(up.high), color, 1.2)
    bars += _line(x.place(max(across.low, across.value / 1e3)), high, x.place(across.high), high, color, 1.2)
    if point.kind == "baseline":
        return (
            bars + f'<path d="M{at:.1f} {high - 6:.1f}l6 6l-6 6l-6 -6z" fill="var(--card)" stroke="{color}" stroke-width="1.8"/>'
        )
    return bars + f'<circle cx="{at:.1f}" cy="{high:.1f}" r="5" fill="{color}"/>'


def _labels(shown: Sequence[Point], cost: str, x: Axis, y: Axis) -> str:
    """Names beside the markers, pushed down where two would touch."""
    named = sorted((p for p in shown if p.name), key=lambda p: -p.values["accuracy"].value)
    parts: list[str] = []
    taken: list[float] = []
    for point in named:
        at = x.place(point.values[cost].value)
        left = at > LEFT + 0.6 * (WIDTH - LEFT - RIGHT)
        level = y.place(point.values["accuracy"].value) - 6
        while any(abs(level - other) < APART for other in taken):
            level += 1
        taken.append(level)
        parts.append(_text(at + (-9 if left else 9), level, point.name, "end" if left else "start"))
    return "".join(parts)


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, anchor: str, *, soft: bool = False) -> str:
    color = ' fill="var(--soft)"' if soft else ""
    # The pale outline keeps a name readable where it lies on points or lines.
    halo = 'paint-order="stroke" stroke="var(--card)" stroke-width="3" stroke-linejoin="round"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {halo}{color}>{escape(text[:40])}</text>'
