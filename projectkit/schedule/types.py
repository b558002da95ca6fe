"""What is to run (Workload), how it is run (Plan), what that costs (Costs), and what came of it (Trace)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from projectkit.errors import ScheduleError

ORDERS = ("edf", "fifo")


@dataclass(frozen=True, slots=True)
class Task:
    """One model and the requests that it gets.

    files: its variants, such as the same network in float32 and in int8; any of them will do. rate: requests a second.
    deadline: seconds from a request's arrival within which it must be answered. arrivals: a name of `ARRIVALS`. weight: how
    much a missed deadline counts beside those of the other models.
    Raises ScheduleError for a rate, deadline or weight that is not a positive number, and where there is no file.
    """

    name: str
    files: tuple[str, ...]
    rate: float
    deadline: float
    arrivals: str = "poisson"
    weight: float = 1.0

    def __post_init__(self) -> None:
        for what in ("rate", "deadline", "weight"):
            value = getattr(self, what)
            if not (math.isfinite(value) and value > 0):
                raise ScheduleError(f"{self.name}: {what} is {value}, expected a positive number. Give for example {what} = 1.0.")
        if not self.files:
            raise ScheduleError(
                f"{self.name}: there is no file, expected at least one model. Give the path of a .tflite or .onnx."
            )


@dataclass(frozen=True, slots=True)
class Workload:
    """The models that share a device of `cores` cores, and the bytes that all their processes together may occupy (None: any).

    batches: how many requests one call may answer together. Raises ScheduleError where two models have one name, and for
    numbers below 1.
    """

    tasks: tuple[Task, ...]
    cores: int
    memory_cap: float | None = None
    batches: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks]
        if not names or len(set(names)) < len(names):
            raise ScheduleError(f"The models are {', '.join(names) or 'none'}; expected at least one, each name once.")
        if self.cores < 1:
            raise ScheduleError(f"The number of cores is {self.cores}, expected at least 1. Give for example cores = 2.")
        if 1 not in self.batches or min(self.batches) < 1:
            raise ScheduleError(
                f"The batches are {list(self.batches)}; expected 1 and, if you like, larger ones: batches = [1, 4]."
            )
        if self.memory_cap is not None and not self.memory_cap > 0:
            raise ScheduleError(f"The memory cap is {self.memory_cap} bytes; expected more than 0, or none.")


@dataclass(frozen=True, slots=True)
class Choice:
    """How one model is run: which of its files, on how many threads, how many waiting requests a call answers together, on
    which cores, and in which process (a number; models with the same number share the process and its queue)."""

    variant: int = 0
    threads: int = 1
    batch: int = 1
    cores: tuple[int, ...] = (0,)
    process: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A choice for every model, and which of the waiting requests a process takes next: "edf" (earliest deadline first) or
    "fifo" (first in, first out). A process answers one call after the other and interrupts none.

    Raises ScheduleError for an unknown order, for models of one process on different cores, and for more than one thread a
    core.
    """

    choices: tuple[Choice, ...]
    order: str = "edf"

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ScheduleError(f"The order is {self.order!r}, expected one of {', '.join(ORDERS)}.")
        for choice in self.choices:
            if not 1 <= choice.threads <= len(choice.cores) or len(set(choice.cores)) < len(choice.cores):
                raise ScheduleError(
                    f"{choice.threads} threads on cores {choice.cores}: expected at most one a core, each core once."
                )
        for number, tasks in self.processes().items():
            if len({self.choices[task].cores for task in tasks}) > 1:
                raise ScheduleError(f"The models of process {number} are on different cores; a process has one set of cores.")

    def processes(self) -> dict[int, tuple[int, ...]]:
        """The models of each process, as places in `choices`."""
        numbers = sorted({choice.process for choice in self.choices})
        return {number: tuple(task for task, choice in enumerate(self.choices) if choice.process == number) for number in numbers}


Call = tuple[int, int, int, int]  # (task, variant, threads, batch)


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What calls cost when they run alone, and how models slow each other.

    seconds[call]: of one call that answers `batch` requests; memory[call]: bytes that its sessions add to a process; process:
    bytes of a process without models. apart[i, j] > 0: how many times slower model i is while j runs on other cores,
    together[i, j]: on the same cores (also where they share only some: an approximation). missing: what could not be measured,
    and why.
    """

    seconds: Mapping[Call, float]
    memory: Mapping[Call, float]
    process: float
    apart: np.ndarray
    together: np.ndarray
    missing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def known(cls, seconds: Mapping[Call, float], *, tasks: int, together: float = 2.0) -> "Costs":
        """Costs that nobody measured: calls of these durations, no memory, models on other cores do not disturb each other, and
        two on the same cores slow each other `together` times."""
        apart = np.ones((tasks, tasks))
        return cls(seconds, dict.fromkeys(seconds, 0.0), 0.0, apart, np.where(np.eye(tasks, dtype=bool), 1.0, together))

    def fastest_threads(self, task: int, variant: int, batch: int, most: int) -> int:
        """With how many threads, at most `most`, this call is shortest; of equal ones the fewest."""
        known = [call for call in self.seconds if call[:2] == (task, variant) and call[3] == batch and call[2] <= most]
        return min(known, key=lambda call: (self.seconds[call], call[2]))[2]

    def slowdowns(self, plan: Plan) -> np.ndarray:
        """(tasks, tasks): how many times slower a call of model i is while one of j runs, by whether they share a core; 1 on the
        diagonal."""
        cores = [set(choice.cores) for choice in plan.choices]
        shared = np.array([[bool(mine & other) for other in cores] for mine in cores])
        return np.where(np.eye(len(cores), dtype=bool), 1.0, np.where(shared, self.together, self.apart))

    def memory_of(self, plan: Plan) -> float:
        """Bytes of all processes of the plan together, by what was measured of each part."""
        calls = [(task, choice.variant, choice.threads, choice.batch) for task, choice in enumerate(plan.choices)]
        return self.process * len(plan.processes()) + sum(self.memory[call] for call in calls)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Every request of one run, in the order of the answers: the model's place in the workload (n,) int64, and when the request
    arrived, when its call began and when it was answered (n,) float64 in seconds from the start; NaN for a call that never
    came. memory: bytes of all processes together at the end. span: seconds during which requests arrived."""

    task: np.ndarray
    arrival: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    memory: float
    span: float
