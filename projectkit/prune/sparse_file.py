"""What zeros are worth in a file."""

import gzip
from pathlib import Path

from projectkit.errors import ArtifactError


def compressed_size(path: str | Path) -> int:
    """Bytes of the file after gzip at its best: a zero takes as much room in a file as any other weight, and compression is
    what makes it cheap to send. Raises ArtifactError when the file cannot be read."""
    try:
        return len(gzip.compress(Path(path).read_bytes(), compresslevel=9))
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}). Give the path of a model file.") from error
