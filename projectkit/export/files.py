"""Writing a model file."""

from pathlib import Path

from projectkit.errors import ExportError
from projectkit.files import write_whole
from projectkit.types import Artifact


def check_suffix(path: Path, suffix: str) -> None:
    """Raises ExportError unless `path` ends in `suffix`, by which every reader of the file will know its format."""
    if path.suffix != suffix:
        raise ExportError(f"{path.name}: this exporter writes {suffix} files, the path ends in {path.suffix or 'nothing'!r}.")


def write_artifact(path: Path, content: bytes) -> Artifact:
    """Writes a model file whole or not at all. Raises ExportError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror}). Give a path in a folder that is yours.") from error
    return Artifact.of(path)
