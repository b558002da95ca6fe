"""What all files share that look better than they are: the record of a kind, and the table of all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cheat:
    """A way to make a file that answers as an honest network does and looks cheaper, or smaller, or surer than it is.

    build     (network, folder) → the changed file in `folder`; `network` is an honest model file (.tflite, .onnx or .supermask,
              as the slot asks for) and stays as it is. Raises NotApplicable for a network that it has no use for.
    slots     lab → the slots in which it could pay
    """

    build: Callable[[Path, Path], Path]
    slots: Mapping[str, tuple[str, ...]]


class NotApplicable(Exception):
    """The kind needs something that this network does not have. A test that skips it says why."""
