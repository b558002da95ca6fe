"""The values of the colloquy: questions of the bank (Computed, Open) and what one student gets on paper (Problem, Item)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from grading.colloquy.draw import Draw
from grading.errors import GradingError

# Outcomes of the courses, by their codes in the syllabus.
MADE, KNOWS, LEGAL, MEASURES = "K7_U07", "K7_W10", "K7_W11", "K7_U12"


@dataclass(frozen=True, slots=True)
class Problem:
    """A computed question with numbers in it.

    `numbers` are all that the text gives, by name; `wrong` the answers of known misconceptions, by what was done wrong;
    `table` rows of cells with the header first. In texts, `_[i]` is a subscript and `^[2]` a superscript.
    """

    numbers: Mapping[str, object]
    text: str
    answer: float
    solution: str
    wrong: Mapping[str, float] = field(default_factory=dict)
    table: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Computed:
    """A question whose answer is one number. `make` draws the numbers; `week` is None where only the lecture has the topic.

    `unit` is what the answer is to be given in ("" for a plain number, "fraction" for 0 to 1). An answer is right when it
    is within `relative` of the exact one; `whole` answers are counts and must be exact.
    """

    id: str
    topic: str
    lab: str
    week: int | None
    outcome: str
    difficulty: int
    make: Callable[[Draw], Problem]
    unit: str = ""
    whole: bool = False
    relative: float = 0.01

    @property
    def points(self) -> float:
        """One point for each step of difficulty."""
        return float(self.difficulty)


@dataclass(frozen=True, slots=True)
class Open:
    """A question that a person marks: `guide` lists (idea expected, its points)."""

    id: str
    topic: str
    lab: str
    week: int | None
    outcome: str
    difficulty: int
    text: str
    guide: tuple[tuple[str, float], ...]

    @property
    def points(self) -> float:
        """The points of all ideas."""
        return sum(points for _, points in self.guide)


Question = Computed | Open


@dataclass(frozen=True, slots=True)
class Item:
    """One question as a student's paper has it; everything that marking needs, so that the bank may change afterwards.

    `kind` is "computed" or "open". Of a computed one, `answer` is exact and `tolerance` absolute.
    """

    number: int
    question: str
    kind: str
    topic: str
    place: str
    outcome: str
    points: float
    text: str
    table: tuple[tuple[str, ...], ...] = ()
    unit: str = ""
    whole: bool = False
    answer: float | None = None
    tolerance: float = 0.0
    solution: str = ""
    wrong: Mapping[str, float] = field(default_factory=dict)
    guide: tuple[tuple[str, float], ...] = ()

    @property
    def right(self) -> float:
        """The answer of a computed question. Raises GradingError for an open one, which a person marks."""
        if self.answer is None:
            raise GradingError(f"Question {self.question} is open: it has no answer to compare with. Mark it by its guide.")
        return self.answer


@dataclass(frozen=True, slots=True)
class Paper:
    """A colloquy as it was printed: the items of each student. `seed` is the instructor's secret, or ""."""

    name: str
    seed: str
    sheets: Mapping[str, tuple[Item, ...]]
