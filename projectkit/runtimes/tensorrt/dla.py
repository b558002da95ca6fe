"""NVIDIA's Deep Learning Accelerator (DLA): where there is one, and which layers of a network really run on it.

A layer that the DLA cannot run goes to the GPU without a word when fallback is on. What the builder decided stands in its log,
which trtexec prints with --verbose, and what came of it in the engine inspector.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from projectkit.errors import ArtifactError

DOCS = "https://docs.nvidia.com/deeplearning/tensorrt"
MIGRATION = f"{DOCS}/11.4.1/api/migration/tensorrt-10x-to-11x-jetson.html"
WORKING = f"{DOCS}/11.4.1/inference-library/work-with-dla.html"
NANO = "NVIDIA, Jetson Orin Nano Series data sheet"
MIGRATION_11_3 = f"{DOCS}/11.3.0/api/migration/tensorrt-10x-to-11x-jetson.html"


@dataclass(frozen=True, slots=True)
class Support:
    """One row of the table: on `platform` with versions [first, last] of TensorRT there is a DLA to build for, or not.

    typing: "weak" (precision flags) or "strong" (the precision stands in the graph), "" without a DLA.
    """

    platform: str
    software: str
    first: tuple[int, ...]
    last: tuple[int, ...]
    dla: bool
    typing: str
    note: str
    source: str


END = (99,)
SUPPORT = (
    Support("Jetson Orin", "JetPack 6", (10,), (10, 7, END[0]), True, "weak", "fp16 or int8 flags, calibration or Q/DQ", WORKING),
    Support("Jetson Orin", "JetPack 6", (10, 8), (10, END[0]), False, "", "10.7 was the last 10.x with DLA", WORKING),
    Support("Jetson Orin", "JetPack 6", (11,), END, False, "", "stay on the 10.x of your JetPack", MIGRATION),
    Support("Jetson AGX Orin", "JetPack 7.2.2", (11, 4, 1), END, True, "strong", "Linux SBSA package; GPU fallback", MIGRATION),
    Support("Jetson AGX Orin", "JetPack 7.2.2", (11,), (11, 4, 0), False, "", "11.0 to 11.4.0 have no DLA here", WORKING),
    Support("Jetson Orin", "JetPack 7 before 7.2.2", (10,), END, False, "", "upgrade to JetPack 7.2.2", MIGRATION_11_3),
    Support("Jetson Orin Nano", "any", (10,), END, False, "", "the module has no DLA", NANO),
    Support("Jetson Thor", "any", (10,), END, False, "", "the chip has no DLA", WORKING),
    Support("Windows on ARM", "any", (11, 4, 0), END, True, "strong", "beta: no fallback, batch 1, fewer layers", WORKING),
    Support("x86-64", "any", (10,), END, False, "", "the machine has no DLA", WORKING),
)


ORIN = {"Jetson AGX Orin": "Jetson Orin", "Jetson Orin NX": "Jetson Orin"}  # boards that the rows of "Jetson Orin" speak of


def support(platform: str, software: str, version: str) -> Support:
    """The row for a platform, its software and a version of TensorRT such as "11.4.1". Raises ArtifactError without one."""
    try:
        numbers = tuple(int(part) for part in version.split(".")[:3])
    except ValueError as error:
        raise ArtifactError(f"TensorRT {version!r} is no version, expected one such as 11.4.1.") from error
    for row in SUPPORT:
        fits = row.platform in (platform, ORIN.get(platform)) and row.software in (software, "any")
        if fits and row.first <= numbers <= row.last:
            return row
    known = ", ".join(sorted({f"{row.platform} ({row.software})" for row in SUPPORT}))
    raise ArtifactError(f"nothing is known of TensorRT {version} on {platform} with {software}; known are {known}.")


@dataclass(frozen=True, slots=True)
class Placement:
    """What the builder's log says of one group of layers. `layers`: their names in the graph, where the log gives them all;
    `first` and `last` are the ends of a group that the log abbreviates."""

    device: str
    first: str
    last: str
    layers: tuple[str, ...]


_HEADING = re.compile(r"-+ Layers [Rr]unning on (DLA|GPU) -+")
_LINE = re.compile(r"\[(Dla|Gpu)Layer\] (.+)$")
_FALLBACK = re.compile(r"Layer '(.+)' \(\w+\): Unsupported on DLA")
_RANGE = re.compile(r"\{ForeignNode\[(.+)\]\}")


def placements(log: str) -> tuple[Placement, ...]:
    """The groups of layers under "Layers Running on DLA" and "… on GPU" of a builder's log, and the layers that its warnings call
    unsupported on the DLA, in its order; () without such lines."""
    found, on = [], None
    for line in log.splitlines():
        if heading := _HEADING.search(line):
            on = heading[1]
        elif fallen := _FALLBACK.search(line):
            found.append(Placement("GPU", fallen[1], fallen[1], (fallen[1],)))
        elif on and (entry := _LINE.search(line)):
            found.append(_placement(entry[1].upper(), entry[2].strip()))
    return tuple(found)


def _placement(device: str, text: str) -> Placement:
    whole = _RANGE.search(text)
    if whole:
        first, dots, last = whole[1].partition("...")
        return Placement(device, first, last if dots else first, () if dots else (first,))
    names = tuple(part.strip() for part in text.split(": ", 1)[-1].split(" + "))  # "CONVOLUTION: a + b"
    return Placement(device, names[0], names[-1], names)


def report(nodes: Sequence[str], found: Sequence[Placement]) -> tuple[tuple[str, str], ...]:
    """(layer, "DLA", "GPU" or "unknown") for every layer of `nodes`, the graph's order of names.

    A name in the log counts for itself. A group that the log abbreviates to its ends counts for the layers between them that
    are not named elsewhere: the graph's order is the builder's, but it may have left out or renamed layers, so that this is a
    reading of the log and not a measurement.
    """
    where = {}
    places = {name: place for place, name in enumerate(nodes)}
    for group in sorted(found, key=lambda group: bool(group.layers)):  # groups first: single names correct them
        for name in group.layers:
            where[name] = group.device
        if not group.layers and group.first in places and group.last in places:
            for name in nodes[places[group.first] : places[group.last] + 1]:
                where[name] = group.device
    return tuple((name, where.get(name, "unknown")) for name in nodes)
