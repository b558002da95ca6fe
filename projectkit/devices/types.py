"""A device as a value: this machine, one that an agent measures on, or one that is only estimated from its data sheet."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from projectkit.devices.roofline import Roofline
from projectkit.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of who may speak to a scheduler: the certificate of the authority, one's own certificate, its key."""

    ca_file: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Here:
    """This machine: measured by this process."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A machine where `projectkit agent` runs, reached through a Dask scheduler and measured there.

    scheduler: "tls://HOST:PORT", or "tcp://" to this machine itself; label: an agent's name or label, "" for any agent; tls:
    None takes the files that Dask's own configuration names.
    """

    scheduler: str
    label: str = ""
    tls: Tls | None = None

    def __str__(self) -> str:
        return f"{self.scheduler}/{self.label}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Estimated:
    """A device that is only calculated: a roofline from its public data.

    roofline   of one core at its best: bandwidth in bytes/s, peaks in MAC/s by the type that is multiplied
    memory     bytes for a model's activations and its weights
    storage    bytes of another memory that holds the weights (a microcontroller's flash); 0: there is none
    cores      how many such cores share the bandwidth; threads beyond them add nothing
    operators  kinds that it runs, in the words of both formats ("CONV_2D", "Conv"); None: every kind
    fallback   the device that runs what this one cannot, and where inputs and answers lie; None: nothing does
    link       bytes/s between the two; the shared memory's bandwidth where they share it
    crossing   seconds that handing over costs each time besides
    sources    where each number stands, by the field's name

    Raises DeviceError when a number is impossible.
    """

    roofline: Roofline
    memory: int
    storage: int = 0
    cores: int = 1
    operators: frozenset[str] | None = None
    fallback: "Estimated | None" = None
    link: float = math.inf
    crossing: float = 0.0
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = {"memory": self.memory, "cores": self.cores, "link": self.link}
        wrong = {name: value for name, value in limits.items() if not value > 0}
        if not _is_whole(self.cores):
            wrong["cores"] = self.cores
        if not (math.isfinite(self.crossing) and self.crossing >= 0):
            wrong["crossing"] = self.crossing
        if wrong:
            raise DeviceError(
                f"device {self.name}: got {wrong}; expected positive numbers (cores: whole, crossing: 0 or more). Correct them."
            )

    @property
    def name(self) -> str:
        return self.roofline.name


Device = Here | Remote | Estimated


def _is_whole(value: object) -> bool:
    """Whether a value, which may come from a file, is a whole number."""
    return isinstance(value, int)
