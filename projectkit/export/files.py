"""Putting a file in place whole or not at all."""

import contextlib
import os
from pathlib import Path

from projectkit.errors import ExportError
from projectkit.types import Artifact


def check_suffix(path: Path, suffix: str) -> None:
    """Raises ExportError unless `path` ends in `suffix`, by which every reader of the file will know its format."""
    if path.suffix != suffix:
        raise ExportError(f"{path.name}: this exporter writes {suffix} files, the path ends in {path.suffix or 'nothing'!r}.")


def write_whole(path: Path, content: bytes) -> Artifact:
    """Writes `content` to `path` by way of a temporary file beside it, which does not outlive a failure."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise ExportError(f"{path}: cannot be written ({error.strerror}). Give a path in a folder that is yours.") from error
    return Artifact.of(path)
