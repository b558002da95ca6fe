"""Parses model files from strangers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from projectkit.errors import ArtifactError
from projectkit.types import Artifact

Found = TypeVar("Found")


def parse_file(artifact: Artifact, readers: Mapping[str, Callable[[bytes], Found]]) -> Found:
    """What the reader of the artifact's format makes of its bytes.

    A parser can meet anything in a file from a stranger, so that whatever it raises becomes an ArtifactError with the file's
    name, as does a format without a reader.
    """
    if artifact.format not in readers:
        raise ArtifactError(f"{artifact.path}: format {artifact.format!r} has no reader; known are {', '.join(readers)}.")
    try:
        return readers[artifact.format](Path(artifact.path).read_bytes())
    except ArtifactError as error:
        raise ArtifactError(f"{artifact.path}: {error}") from error
    except OSError as error:
        raise ArtifactError(f"{artifact.path}: cannot be read ({error.strerror}).") from error
    except Exception as error:
        raise ArtifactError(
            f"{artifact.path}: is no intact {artifact.format} file ({type(error).__name__}). Export it again."
        ) from error
