"""The values that travel between the rooms: frozen dataclasses over NumPy, which import nothing of ours but errors.

They serialize with `dataclasses.asdict`, so nothing in the project needs a pickle.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypedDict

import numpy as np

from projectkit.errors import ArtifactError, MeasureError

Z95 = 1.959963984540054  # the 97.5 % quantile of the standard normal: 95 % lie within as many deviations
Arrays = Mapping[str, np.ndarray]  # by name: the inputs of an exercise, or its answers
FORMATS = {".tflite": "litert", ".onnx": "onnx", ".supermask": "supermask"}


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Images and labels. x: (n, height, width, channels) float32 in [0, 1]; y: (n,) int64."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, count: int) -> "Split":
        """The first `count` examples."""
        return Split(self.x[:count], self.y[:count])


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A dataset in three splits. `digest` names its content; `parents[c]` is the super-class of class c, if there are any."""

    name: str
    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    digest: str
    superclasses: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image."""
        return self.train.x.shape[1:]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    The learning rate follows a cosine from `learning_rate` to 0; with `schedule` "steps" it falls to a tenth after half of the
    training and again after three quarters, with "constant" it stays. `augmentation` "crop_flip" shows each image moved by up
    to four pixels and mirrored half of the time (He et al., "Deep residual learning", 2015, section 4.2).
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    schedule: str = "cosine"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augmentation: str = "none"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model file: where it is, its format ("litert", "onnx" or "supermask"), its SHA-256 and its size in bytes."""

    path: str
    format: str
    sha256: str
    size: int

    @classmethod
    def of(cls, path: str | Path) -> "Artifact":
        """Describes the file at `path`. Raises ArtifactError when it is absent or its suffix is none of FORMATS."""
        path = Path(path)
        if path.suffix not in FORMATS:
            raise ArtifactError(
                f"{path.name}: a model file ends in .tflite or .onnx (or .supermask), this one in {path.suffix or 'nothing'!r}."
            )
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read ({error.strerror}). Give the path of a model file.") from error
        return cls(str(path), FORMATS[path.suffix], hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of a model file. Quantized when `scale` is not 0: real = scale · (stored − zero_point)."""

    name: str
    shape: tuple[int, ...]  # without the batch axis
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


class Session(Protocol):
    """An opened model file: floats in, floats out, whatever the file stores."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def run(self, x: np.ndarray, *, at_once: int = ...) -> np.ndarray:
        """x: (n, ...) float32 → the first output, (n, ...) float32. Sets, invokes and gets, chunk by chunk; at_once: examples a
        call, at most."""

    def set_input(self, x: np.ndarray) -> None:
        """Converts x (n, ...) float32 to what the file stores, and places it where the runtime reads it."""

    def invoke(self) -> None:
        """Computes the answers to the inputs that are set: what latency is measured of."""

    def get_output(self) -> np.ndarray:
        """The answers that the last `invoke` computed, (n, ...) float32."""

    def close(self) -> None:
        """Frees the runtime; the session cannot run afterwards."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured number with its 95 % interval [low, high] from n observations.

    An exact count has low == value == high and n == 1. Raises MeasureError on NaN, infinities, n < 1 or a value outside
    its own interval: such a number must not reach a report.
    """

    metric: str
    value: float
    low: float
    high: float
    n: int = 1

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.value, self.low, self.high)):
            raise MeasureError(f"{self.metric}: expected finite numbers, got {self.low} ≤ {self.value} ≤ {self.high}.")
        if not self.low <= self.value <= self.high:
            raise MeasureError(f"{self.metric}: the value {self.value} lies outside its interval [{self.low}, {self.high}].")
        if self.n < 1:
            raise MeasureError(f"{self.metric}: a measurement needs at least one observation, got n = {self.n}.")

    @classmethod
    def exact(cls, metric: str, value: float) -> "Measurement":
        """A number that was counted, not sampled."""
        return cls(metric, value, value, value)

    @classmethod
    def share(cls, metric: str, successes: int, trials: int) -> "Measurement":
        """A share of independent trials, with its 95 % Wilson score interval.

        It keeps its coverage near 0 and 1, where p ± 1.96 √(p(1−p)/n) does not (E. B. Wilson, "Probable inference, the law of
        succession, and statistical inference", JASA 22, 1927).
        """
        share = successes / trials
        shrink = 1 + Z95**2 / trials
        center = (share + Z95**2 / (2 * trials)) / shrink
        half = Z95 / shrink * math.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
        # The interval always contains the share; at 0 and 1 rounding could put it a last bit outside.
        return cls(metric, share, max(0.0, min(center - half, share)), min(1.0, max(center + half, share)), trials)


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything measured of one artifact on one device; `missing` says why a metric could not be measured there."""

    artifact: Artifact
    device: str
    values: Mapping[str, Measurement]
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """What a capstone project says of itself: its title, the name of its dataset, and its report as Markdown text."""

    title: str
    dataset: str
    report: str


class Block(TypedDict):
    """One block of an architecture, as a study states it."""

    filters: int
    kernel: int
    stride: int
    depthwise: bool
    activation: str
    skip: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial of an architecture search, as its study states it.

    `state`: "complete", "pruned", "fail", "running" or "waiting"; `values`: one number an objective, none where there are none;
    `blocks`: the fields of each block of the architecture, none where the trial ended too early to say.
    """

    number: int
    state: str
    values: tuple[float, ...]
    blocks: tuple[Block, ...]
    digest: str
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class Study:
    """An architecture search, as it was handed in: "maximize" or "minimize" for each objective, and its trials."""

    directions: tuple[str, ...]
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """What a student handed in. `artifacts` by slot, `answers[exercise][name]` arrays, `claims` never earn a point.

    `project` is None for a lab, `study` where no search was handed in.
    """

    student: str
    lab: str
    scale: str
    root: str
    artifacts: Mapping[str, Artifact]
    answers: Mapping[str, Mapping[str, np.ndarray]]
    claims: Mapping[str, float]
    digest: str
    project: Project | None = None
    study: Study | None = None
