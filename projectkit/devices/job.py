"""What travels to an agent and back, as plain bytes: model files with their checksums, inputs, numbers. No pickle."""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from projectkit.errors import ArtifactError, DeviceError, ProjectkitError
from projectkit.types import Artifact, Measurement, Profile, Split

HEADER, MODELS, INPUTS, LABELS = "job.json", "models", "x.npy", "y.npy"


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement of some files side by side.

    models     (name, sha256) of each
    baseline   which of them the others are compared with, as an index; it is the last then and not reported itself
    seconds    after which the device gives up
    versions   of the side that sends it
    """

    models: tuple[tuple[str, str], ...]
    threads: int
    budget: float
    baseline: int | None
    seconds: float
    versions: dict[str, str] = field(default_factory=dict)


def pack(job: Job, artifacts: Sequence[Artifact], x: np.ndarray, y: np.ndarray | None) -> bytes:
    """The job with its files and data. Raises ArtifactError when a file cannot be read or is not what it was."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(HEADER, json.dumps(asdict(job)))
        for index, artifact in enumerate(artifacts):
            archive.writestr(f"{MODELS}/{index}", _content(artifact))
        for name, array in ((INPUTS, x), (LABELS, y)):
            if array is not None:
                with archive.open(name, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def read_job(packed: bytes) -> Job:
    """What is to be done, without the files."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        fields = json.loads(archive.read(HEADER))
    return Job(**fields | {"models": tuple((name, sha256) for name, sha256 in fields["models"])})


def unpack(packed: bytes, folder: Path) -> tuple[Job, list[Artifact], Split | np.ndarray]:
    """(what is to be done, the files as written into `folder`, the data). Raises DeviceError when a file did not arrive whole."""
    job, artifacts = read_job(packed), []
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for index, (name, sha256) in enumerate(job.models):
            content = archive.read(f"{MODELS}/{index}")
            if hashlib.sha256(content).hexdigest() != sha256:
                raise DeviceError(f"{name}: did not arrive as it was sent (its checksum differs). Send it again.")
            path = folder / f"{index}{Path(name).suffix}"  # the name itself is the sender's
            path.write_bytes(content)
            artifacts.append(Artifact.of(path))
        x = _array(archive.read(INPUTS))
        y = _array(archive.read(LABELS)) if LABELS in archive.namelist() else None
    return job, artifacts, x if y is None else Split(x, y)


def answer(profiles: Sequence[Profile]) -> dict[str, Any]:
    """Profiles as JSON holds them."""
    return {
        "profiles": [
            {
                "device": profile.device,
                "values": [asdict(value) for value in profile.values.values()],
                "missing": dict(profile.missing),
            }
            for profile in profiles
        ]
    }


def failure(error: ProjectkitError) -> dict[str, Any]:
    """An error as JSON holds it."""
    return {"error": type(error).__name__, "message": str(error)}


def read_answer(text: str, artifacts: Sequence[Artifact]) -> list[Profile]:
    """The profiles of `artifacts` in the answer, or raises the error that it holds."""
    content = json.loads(text)
    if "error" in content:
        kinds = {kind.__name__: kind for kind in ProjectkitError.__subclasses__()}
        raise kinds.get(content["error"], DeviceError)(content["message"])
    return [
        Profile(artifact, raw["device"], {value["metric"]: Measurement(**value) for value in raw["values"]}, raw["missing"])
        for artifact, raw in zip(artifacts, content["profiles"], strict=True)
    ]


def _content(artifact: Artifact) -> bytes:
    try:
        content = Path(artifact.path).read_bytes()
    except OSError as error:
        raise ArtifactError(f"{artifact.path}: cannot be read ({error.strerror}).") from error
    if hashlib.sha256(content).hexdigest() != artifact.sha256:
        raise ArtifactError(f"{artifact.path}: has changed since it was first read. Take it with Artifact.of again.")
    return content


def _array(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)
