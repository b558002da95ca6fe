"""What was measured of each model, as rows for people: one a metric, one column a model, the ratio to the baseline beneath."""

from dataclasses import dataclass

from grading.defense.asked_quality import class_accuracies, class_losses
from grading.defense.claims import ratio_of, shown
from grading.defense.measured import MEASURED
from grading.defense.types import BASELINE, Work
from grading.types import Slot
from projectkit.measure import format_interval
from projectkit.metrics import METRICS, RATIO_SUFFIX


@dataclass(frozen=True, slots=True)
class Cell:
    """A number, its interval, and its ratio to the baseline; "" where there is none."""

    value: str
    interval: str = ""
    ratio: str = ""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: both accuracies, how many of its images the optimized model lost (negative: won), and its bar in percent."""

    name: str
    images: int
    before: str
    after: str
    lost: int
    bar: float


def metric_rows(work: Work) -> list[tuple[str, list[Cell]]]:
    """(label, a cell for each measured slot) of every metric that any of them has."""
    rows = []
    for metric in MEASURED:
        if any(metric in slot.profile.values for slot in work.slots.values()):
            label = "Accuracy on hidden images" if metric == "accuracy" else METRICS[metric].label
            rows.append((label, [_cell(name, slot, metric, work) for name, slot in work.slots.items()]))
    if any(slot.plain for slot in work.slots.values()):
        public = [_public_cell(name, slot, work.baseline) for name, slot in work.slots.items()]
        rows.insert(1, ("Accuracy on public test images", public))
    return rows


def _public_cell(name: str, slot: Slot, baseline: Slot | None) -> Cell:
    if slot.plain is None:
        return Cell("–")
    points = (
        f"{100 * (slot.plain.value - baseline.plain.value):+.1f} points"
        if name != BASELINE and baseline and baseline.plain
        else ""
    )
    interval = format_interval("accuracy", slot.plain.low, slot.plain.high)
    return Cell(shown("accuracy", slot.plain.value), interval, points)


def _cell(name: str, slot: Slot, metric: str, work: Work) -> Cell:
    measured = slot.profile.values.get(metric)
    if measured is None:
        return Cell("–")
    interval = "" if measured.low == measured.high else format_interval(metric, measured.low, measured.high)
    ratio = ratio_of(slot, metric, work.baseline) if name != BASELINE and METRICS[metric].ratio else None
    base = work.baseline.profile.values.get(metric) if work.baseline else None
    if metric == "accuracy" and ratio is not None and base is not None:
        points = 100 * (measured.value - base.value)
        return Cell(shown(metric, measured.value), interval, f"{points:+.1f} points")
    return Cell(shown(metric, measured.value), interval, shown(metric + RATIO_SUFFIX, ratio.value) if ratio else "")


def missing_reasons(work: Work) -> list[tuple[str, str]]:
    """(metric's label, why it was not measured), each once."""
    found: dict[tuple[str, str], None] = {}
    for slot in work.slots.values():
        for metric, reason in slot.profile.missing.items():
            if metric in MEASURED:
                found.setdefault((METRICS[metric].label, reason.rstrip(".") + "."), None)
    return list(found)


def measuring_remarks(work: Work) -> list[str]:
    """Sentences on how well models were measured, such as a timing that was disturbed."""
    return [f"{name}: {remark.rstrip('.')}." for name, slot in work.slots.items() for remark in slot.remarks]


def class_rows(work: Work) -> list[ClassRow]:
    """Classes by how many of their images were lost, most first; [] when accuracy by class is not known."""
    losses = dict(class_losses(work.baseline, work.optimized))
    most = max(map(abs, losses.values()), default=0) or 1
    rows = []
    for index, before, after in sorted(class_accuracies(work.baseline, work.optimized), key=lambda one: -losses[one[0]]):
        loss = losses[index]
        texts = (shown("accuracy", before.value), shown("accuracy", after.value))
        rows.append(ClassRow(str(index), before.n, *texts, round(loss), 100 * max(0.0, loss) / most))
    return rows
