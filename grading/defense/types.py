"""The values of a defense: what was claimed and found (Judged), asked (Asked), planned (Appointment) and scored (ScoreSheet)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from grading.types import Slot
from projectkit.types import Measurement

CONFIRMED, REFUTED, UNMEASURABLE = "confirmed", "not confirmed", "not measurable here"
BASELINE, OPTIMIZED = "baseline", "optimized"
SLOTS = (BASELINE, OPTIMIZED, "variant_a", "variant_b")


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim held against the measurement. `tolerance` says what was allowed beyond the measurement; `off` is how far
    beyond even that the claim lies, as a share of what was measured (0 unless refuted)."""

    name: str
    metric: str  # the metric's own name, with _ratio where the claim is a ratio; "" when it is none that we know
    claimed: float
    verdict: str
    sentence: str
    measured: Measurement | None = None
    tolerance: str = ""
    off: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """A project as it was handed in and measured. `slots` were measured, `problems` say why others could not be, by slot;
    `digest` names the zip, `hidden` the hidden data ("" when there were none)."""

    file: str
    name: str  # of its pages, safe on every file system
    student: str
    title: str
    dataset: str
    report: str
    claims: Mapping[str, float]
    slots: Mapping[str, Slot]
    problems: Mapping[str, str]
    digest: str
    hidden: str = ""
    device: str = ""
    protections: tuple[str, ...] = ()

    @property
    def baseline(self) -> Slot | None:
        """The student's own baseline, when it could be measured."""
        return self.slots.get(BASELINE)

    @property
    def optimized(self) -> Slot | None:
        """The model that the project puts forward, when it could be measured."""
        return self.slots.get(OPTIMIZED)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for the student and, for the jury alone, what a good answer holds. `remarkable` says how much the number behind
    it sticks out (about 0 to 3); `origin` is "your numbers" or the outcome that a question of the bank checks."""

    id: str
    text: str
    guide: tuple[str, ...]
    origin: str
    remarkable: float = 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """A model in the pictures. `kind` is "own", "baseline" or "class"; only the student's own models bear a name."""

    kind: str
    name: str
    values: Mapping[str, Measurement]
    device: str = ""


@dataclass(frozen=True, slots=True)
class Appointment:
    """When one student defends; local time of the room, so without a time zone."""

    number: int
    student: str
    title: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of a score sheet: the outcome it belongs to, what earns all of `points` and what earns few."""

    id: str
    outcome: str
    title: str
    good: str
    weak: str
    points: Fraction


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """How a jury scores. Jurors who differ by more than `disagreement` percent of what is possible are pointed out."""

    title: str
    scheme: str
    component: str
    disagreement: Fraction
    criteria: tuple[Criterion, ...]
    outcomes: Mapping[str, str] = field(default_factory=dict)

    @property
    def possible(self) -> Fraction:
        """The points of all criteria."""
        return sum((criterion.points for criterion in self.criteria), Fraction(0))
