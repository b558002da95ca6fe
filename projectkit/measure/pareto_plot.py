"""Accuracy against a cost, drawn as an SVG that takes its colours from the page around it."""

import io
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from projectkit.measure.formatting import format_value
from projectkit.measure.pareto import pareto
from projectkit.metrics import METRICS
from projectkit.types import Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

# Placeholders that matplotlib accepts as colours; the finished SVG gets the page's own instead, light or dark.
INK, FAINT, ACCENT, MUTED = "#010203", "#010204", "#010205", "#010206"
PAGE_COLORS = {INK: "var(--ink)", FAINT: "var(--line)", ACCENT: "var(--accent)", MUTED: "var(--muted)"}
# In points from the marker. Below first: the joining line rises to the right.
LABEL_PLACES = ((7, -8), (7, 8), (-7, 8), (-7, -8), (0, -13), (0, 13), (7, -20), (7, 20), (-7, 20), (-7, -20))
LOGARITHMIC_FROM = 6.0  # largest / smallest cost


def pareto_svg(profiles: Sequence[Profile], cost: str, *, width: float = 5.6, height: float = 3.9) -> str:
    """An inline <svg>: one point a profile with both intervals; the Pareto-optimal ones are joined, in colour and named.

    `cost`: a metric such as "size". The others bear their number among `profiles` (from 1), because names of a dozen points
    cover each other. Profiles without `cost` or accuracy are left out; "" when fewer than two are left.
    """
    shown = [number for number, profile in enumerate(profiles) if {"accuracy", cost} <= profile.values.keys()]
    if len(shown) < 2:
        return ""
    points = [profiles[number] for number in shown]
    optimal = _optimal(points, cost)
    names = [
        Path(profiles[number].artifact.path).name if index in optimal else str(number + 1) for index, number in enumerate(shown)
    ]
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Text stays text (selectable, in the page's font); the salt keeps the ids of two plots on a page apart.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": cost, "font.size": 9.5}):
        figure = Figure(figsize=(width, height), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _style(axes, points, cost)
        _draw(axes, points, optimal, cost)
        canvas.draw()
        _label(canvas, axes, points, names, cost)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(written.getvalue(), f"Accuracy against {METRICS[cost].label.lower()}")


def _style(axes: "Axes", points: Sequence[Profile], cost: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator

    values = [profile.values[cost].value for profile in points]
    if min(values) > 0 and max(values) / min(values) > LOGARITHMIC_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    for metric, axis in ((cost, axes.xaxis), ("accuracy", axes.yaxis)):
        axis.set_major_formatter(partial(_tick, metric))
    axes.minorticks_off()
    axes.set_xlabel(METRICS[cost].label, color=INK)
    axes.set_ylabel("Accuracy", color=INK)
    axes.tick_params(color=FAINT, labelcolor=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(0.16, 0.14)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)


def _tick(metric: str, value: float, position: int | None) -> str:
    """What matplotlib writes at a tick; it tells the tick's position, too."""
    return format_value(metric, value)


def _draw(axes: "Axes", points: Sequence[Profile], optimal: Sequence[int], cost: str) -> None:
    joined = [(points[index].values[cost].value, points[index].values["accuracy"].value) for index in optimal]
    axes.plot(*zip(*joined, strict=True), color=ACCENT, linewidth=1.6, zorder=2)
    for index, profile in enumerate(points):
        x, y = profile.values[cost], profile.values["accuracy"]
        color = ACCENT if index in optimal else MUTED
        axes.errorbar(
            x.value,
            y.value,
            xerr=[[x.value - x.low], [x.high - x.value]],
            yerr=[[y.value - y.low], [y.high - y.value]],
            fmt="o" if index in optimal else "s",
            color=color,
            markersize=6 if index in optimal else 5,
            elinewidth=0.8,
            capsize=2,
            alpha=0.95,
            zorder=3,
        )


def _label(canvas: "FigureCanvasAgg", axes: "Axes", points: Sequence[Profile], names: Sequence[str], cost: str) -> None:
    """Puts each point's name beside it, in the first place where it covers no other name and no point."""
    renderer, whole = canvas.get_renderer(), canvas.figure.bbox
    data = [(profile.values[cost].value, profile.values["accuracy"].value) for profile in points]
    pixels = [axes.transData.transform(point) for point in data]
    taken: list[Bbox] = []
    for index in sorted(range(len(points)), key=lambda index: -len(names[index])):  # a long name is the hardest to place
        tried: list[tuple[int, int, Annotation, Bbox]] = []
        for place in LABEL_PLACES:
            text = _annotate(axes, names[index], data[index], place)
            box = text.get_window_extent(renderer)
            clashes = sum(box.overlaps(other) for other in taken) + sum(box.contains(*point) for point in pixels)
            outside = box.x0 < 0 or box.x1 > whole.width or box.y0 < 0 or box.y1 > whole.height
            tried.append((clashes + 10 * outside, len(tried), text, box))
            text.remove()
        _, _, text, box = min(tried, key=lambda one: one[:2])
        axes.add_artist(text)
        taken.append(box)


def _annotate(axes: "Axes", name: str, point: tuple[float, float], place: tuple[int, int]) -> "Annotation":
    side = "left" if place[0] > 0 else "right" if place[0] < 0 else "center"
    # parse_math: a file's name may hold a dollar sign
    return axes.annotate(
        name,
        point,
        xytext=place,
        textcoords="offset points",
        fontsize=8.5,
        color=INK,
        parse_math=False,
        ha=side,
        va="center",
    )


def _optimal(points: Sequence[Profile], cost: str) -> list[int]:
    return pareto([p.values[cost].value for p in points], [p.values["accuracy"].value for p in points])


def _inline(svg: str, description: str) -> str:
    """Without the XML head and the groups' ids (two plots would share them), in the page's colours and at its width."""
    svg = svg[svg.index("<svg") :]
    head, rest = svg[: svg.index(">")], svg[svg.index(">") :]
    head = re.sub(r'(width|height)="[^"]*pt" ?', "", head)
    svg = head + re.sub(r'<g id="[^"]*">', "<g>", rest)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)
    for placeholder, color in PAGE_COLORS.items():
        svg = svg.replace(placeholder, color)
    return re.sub(r"font: ?([\d.]+)px [^;\"]*", r"font-size: \1px; font-family: inherit", svg)
