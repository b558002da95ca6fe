"""The values of a semester. Every number is an exact Fraction: a mark must not hang on how a computer stores 0.1."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

LABS, FILE = "labs", "file"  # where a component's scores come from


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the mark. `worth` is its percent of the mark or its points, by the scheme's unit; `threshold` is in percent
    of the component or in its points. Its items (labs, say) count alike; the `drop` lowest do not count. Empty `items`: those
    that anybody in the class has."""

    id: str
    title: str
    worth: Fraction
    threshold: Fraction = Fraction(0)
    source: str = FILE
    drop: int = 0
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """A mark and the least total, in the scheme's unit, that earns it."""

    mark: str
    least: Fraction


@dataclass(frozen=True, slots=True)
class Rounding:
    """To which multiple of `step` the total goes, and how: half_up, half_even, up or down."""

    step: Fraction = Fraction(1)
    how: str = "half_up"


@dataclass(frozen=True, slots=True)
class Extension:
    """More time for one student, in hours; for one item or component, or for all where `item` is empty."""

    student: str
    hours: Fraction
    item: str = ""


@dataclass(frozen=True, slots=True)
class Late:
    """What lateness costs: `per_day` percent of the earned points for each day begun, at most `cap`, nothing within `grace`
    hours."""

    per_day: Fraction = Fraction(0)
    cap: Fraction = Fraction(100)
    grace: Fraction = Fraction(0)
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a course makes marks. `points`: components are worth points, else percent of the mark. `least` is the total that
    passes; `bands` go from the lowest mark, which begins at 0, upwards."""

    title: str
    points: bool
    components: tuple[Component, ...]
    least: Fraction
    bands: tuple[Band, ...]
    rounding: Rounding = field(default_factory=Rounding)
    late: Late = field(default_factory=Late)

    @property
    def maximum(self) -> Fraction:
        """The highest total: 100 with percents."""
        return sum((component.worth for component in self.components), Fraction(0))


@dataclass(frozen=True, slots=True)
class Item:
    """What a student earned for one thing, out of `possible` > 0. `earned` is None when there is no score."""

    id: str
    earned: Fraction | None
    possible: Fraction
    submitted: datetime | None = None
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """Everything of one student: items by component, the absent ones included."""

    student: str
    components: Mapping[str, tuple[Item, ...]]


@dataclass(frozen=True, slots=True)
class Part:
    """What a component came to: `share` from 0 to 1 after penalties and best-of. `absent` items count as 0."""

    component: Component
    share: Fraction
    reached: bool
    absent: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def total(self) -> Fraction:
        """What the component adds to the total, in the scheme's unit."""
        return self.share * self.component.worth


@dataclass(frozen=True, slots=True)
class FinalMark:
    """A mark and the sentence that explains it. `total` is exact, `rounded` is what the bands are asked with."""

    student: str
    mark: str
    passed: bool
    total: Fraction
    rounded: Fraction
    parts: tuple[Part, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Source:
    """A list of scores as it was read: `items` in their order, `scores` by student key and item, `names` as students spell
    themselves, by key. `notes` are sentences for the instructor."""

    title: str
    items: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Item]]
    names: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspect:
    """Two spellings that no list has both of and that are near each other: perhaps one person. They are never merged."""

    first: str
    second: str
    first_in: tuple[str, ...]
    second_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """The marks of a class, and what a person has to look at: who lacks what, likely typing errors, other notes."""

    scheme: Scheme
    marks: tuple[FinalMark, ...]
    missing: tuple[tuple[str, tuple[str, ...]], ...]
    suspects: tuple[Suspect, ...]
    notes: tuple[str, ...]
