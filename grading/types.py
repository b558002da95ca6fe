"""The values of grading: what is asked (Check, Rubric), what was found (Slot, Answer) and what it is worth (Verdict, Grade)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from grading.errors import GradingError
from projectkit.measure import Constant
from projectkit.types import Measurement, Profile

FULL, PARTIAL, FAIL, ERROR, GATED = "full", "partial", "fail", "error", "gated"
HELD, CONTRADICTED, FAILED = "held", "contradicted", "failed"  # what came of training trials again
STUDY = "study"  # the metric of a check that speaks of the search behind a model


@dataclass(frozen=True, slots=True)
class Limits:
    """What one submission may use: seconds of wall clock a slot, bytes of address space, bytes a written file, processes.

    `budget` is the time in seconds that is spent on timing one model: for a small one, eight openings of a hundred calls each.
    More calls would say little, because openings differ by more than calls do, and everybody else waits meanwhile.
    """

    seconds: float = 60.0
    memory: int = 4 * 1024**3
    file_bytes: int = 256 * 1024**2
    processes: int = 64
    budget: float = 0.03


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a rubric: no points at `floor`, all at `target`, linear between; the direction falls out of their order.

    Either a `metric` of the model in `slot`, or metric "answer" of an `exercise`, or metric "study": a `claim` of the search that
    has found the model in `slot` (see grading.points.study). `relative` compares with the baseline.
    When a `gate` check earns nothing, no other check of its slot earns anything; a gate of 0 points closes below its target.
    """

    id: str
    title: str
    metric: str
    floor: float
    target: float
    points: float
    slot: str = ""
    exercise: str = ""
    claim: str = ""
    relative: bool = False
    gate: bool = False

    @property
    def is_condition(self) -> bool:
        """Whether it earns nothing itself and closes the slot below its target, whatever its floor."""
        return self.gate and not self.points


@dataclass(frozen=True, slots=True)
class Attack:
    """The black box behind robust_accuracy: on the first `images` hidden images, changes of at most `epsilon` of each pixel, by
    two searches of `queries` forward passes an image each."""

    epsilon: float
    queries: int
    images: int = 200


@dataclass(frozen=True, slots=True)
class Corruption:
    """The hidden corruptions: `images` hidden images, each under one of `kinds` (names of CORRUPTIONS) at one of `severities`."""

    kinds: tuple[str, ...]
    severities: tuple[int, ...]
    images: int = 500


@dataclass(frozen=True, slots=True)
class Ood:
    """Images out of distribution: `images` of the test split of another `dataset`, made to fit."""

    dataset: str
    images: int = 500


@dataclass(frozen=True, slots=True)
class Rubric:
    """The checks of a lab at one scale. `digest` names the content of the file; `baseline` is what `relative` compares with,
    `formats` the format that a slot asks for (a value of FORMATS), where it asks for one; `attack`, `corruption` and `ood` say
    how the metrics are measured that need them; `layers` by which rule the model of a slot is built, where it is by one
    (grading.measuring.layers)."""

    lab: str
    title: str
    scale: str
    dataset: str
    checks: tuple[Check, ...]
    limits: Limits
    digest: str
    baseline: Path | None = None
    formats: Mapping[str, str] = field(default_factory=dict)
    attack: Attack | None = None
    corruption: Corruption | None = None
    ood: Ood | None = None
    layers: Mapping[str, str] = field(default_factory=dict)

    @property
    def baseline_file(self) -> Path:
        """The baseline. Raises GradingError when the rubric has none."""
        if self.baseline is None:
            raise GradingError(f"{self.lab}: its rubric has no baseline at the scale {self.scale}, expected a model. Name one.")
        return self.baseline

    @property
    def black_box(self) -> Attack:
        """The attack. Raises GradingError when the rubric has none."""
        if self.attack is None:
            raise GradingError(f"{self.lab}: its rubric has no attack at the scale {self.scale}, expected a table. Write one.")
        return self.attack

    def metrics(self, slot: str) -> tuple[str, ...]:
        """The metrics that the checks of `slot` need, sorted."""
        metrics = {check.metric for check in self.checks if check.slot == slot}
        if STUDY in metrics:
            metrics = metrics - {STUDY} | {"accuracy", "parameters", "macs"}
        return tuple(sorted(metrics))

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots in the order of their first check."""
        return tuple(dict.fromkeys(check.slot for check in self.checks if check.slot))

    @property
    def exercises(self) -> tuple[str, ...]:
        """The exercises in the order of their first check."""
        return tuple(dict.fromkeys(check.exercise for check in self.checks if check.exercise))


@dataclass(frozen=True, slots=True)
class Layers:
    """What a child told of a model's layers: see projectkit.measure.structure. `kernels`: (filters, positions, input channels)
    each; `problem`: why nothing can be told of them."""

    kernels: tuple[tuple[int, int, int], ...] = ()
    operators: tuple[str, ...] = ()
    computed: int = 0
    kinship: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """What was measured of one model.

    `ratios` to the baseline by metric; `classes`: its accuracy in each class (None for one without images); `plain`: its
    accuracy on a part of the public test split; `weights` name what its constants store, but for those that are the baseline's;
    `as_started`: whether all of them are the baseline's, to the last bit;
    `remarks`: how well it was measured;
    `known`: how much better than validation images it knows the "hidden" and the public "test" ones (grading.measuring.known);
    `looked_up`: how alike its answers are to those of a table of public images (grading.measuring.likeness);
    `layers`: of what it is built; `unfit`: why it is no answer to what the slot asks for, "" when it is one
    (grading.measuring.layers).
    """

    profile: Profile
    ratios: Mapping[str, Measurement] = field(default_factory=dict)
    classes: tuple[Measurement | None, ...] = ()
    plain: Measurement | None = None
    weights: tuple[Constant, ...] = ()
    remarks: tuple[str, ...] = ()
    known: Mapping[str, Measurement] = field(default_factory=dict)
    layers: Layers | None = None
    unfit: str = ""
    looked_up: Mapping[str, Measurement] = field(default_factory=dict)
    as_started: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """How much of an exercise's answer is right, from 0 to 1, and what is wrong with the rest in one sentence."""

    fraction: float
    sentence: str


@dataclass(frozen=True, slots=True)
class ClaimFinding:
    """What was found about one claim of a study: how many of a count, or from 0 to 1 how much of the claim holds; and why."""

    value: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Recheck:
    """What came of training two trials of a study again: HELD, CONTRADICTED or FAILED, and a sentence without its end."""

    status: str
    sentence: str


class StoredMeasurement(TypedDict):
    """A Measurement as JSON."""

    metric: str
    value: float
    low: float
    high: float
    n: int


class StoredArtifact(TypedDict):
    """An Artifact as JSON."""

    path: str
    format: str
    sha256: str
    size: int


class StoredProfile(TypedDict):
    """A Profile as JSON."""

    artifact: StoredArtifact
    device: str
    values: dict[str, StoredMeasurement]
    missing: dict[str, str]


class StoredConstant(TypedDict):
    """A Constant as JSON."""

    values: int
    exact: str
    near: str


class StoredSlot(TypedDict):
    """A Slot as JSON."""

    profile: StoredProfile
    ratios: dict[str, StoredMeasurement]
    classes: list[StoredMeasurement | None]
    plain: StoredMeasurement | None
    weights: list[StoredConstant]
    remarks: list[str]
    known: dict[str, StoredMeasurement]
    layers: dict[str, object] | None
    unfit: str
    looked_up: dict[str, StoredMeasurement]
    as_started: bool


class Stored(TypedDict, total=False):
    """The measurements of a submission as JSON: all that they depend on, the slots, why others have none, where, when, and how
    many seconds it took. Empty where nothing was measured."""

    key: dict[str, object]
    slots: dict[str, StoredSlot]
    problems: dict[str, str]
    device: str
    protections: list[str]
    seconds: dict[str, float]
    when: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check earned and why: status is full, partial, fail, error or gated; `measured` is None when nothing was."""

    check: Check
    status: str
    points: float
    measured: Measurement | None
    message: str


@dataclass(frozen=True, slots=True)
class Grade:
    """What became of one file. `digests` name all that the grade was made from: submission, rubric, hidden data, baseline.

    `error` is why the whole file earned nothing, and `ours` whether that was the grader's fault. `measured` holds the JSON
    of the measurements, `answers` the scored exercises, `study` what was found about each claim of a study, `problems` what
    spoilt a slot, an answer or the study, `changed` when the file was last changed (seconds since 1970), `recheck` what came of
    training trials again where that was asked for, `conditions` how the models were probed beside the hidden images, in
    sentences.
    """

    file: str
    name: str  # of the result's files, safe on every file system
    student: str = ""
    lab: str = ""
    title: str = ""
    scale: str = ""
    verdicts: tuple[Verdict, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    measured: Stored = field(default_factory=Stored)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    study: Mapping[str, ClaimFinding] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    ours: bool = False
    changed: float = 0.0
    recheck: Recheck | None = None

    def measured_of(self, slot: str, metric: str) -> StoredMeasurement | None:
        """What was measured, None when nothing was."""
        found = self.measured.get("slots", {}).get(slot)
        return None if found is None else found["profile"]["values"].get(metric)

    @property
    def score(self) -> float:
        """The points earned."""
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def possible(self) -> float:
        """The points that could have been earned; 0 when it is not even known which lab this is."""
        return sum(verdict.check.points for verdict in self.verdicts)
