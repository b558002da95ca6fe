"""The files of a batch of submissions: which they are, in which order, and how their names are shown."""

import re
from pathlib import Path

from grading.errors import GradingError


def files_of(given: Path) -> list[Path]:
    """The zip `given`, or every file of the folder `given` but hidden ones, in natural order. Raises GradingError for neither."""
    if given.is_file():
        return [given]
    if not given.is_dir():
        raise GradingError(f"{given}: no such file or folder, expected a zip or a folder of zips. Check the path.")
    files = sorted((path for path in given.iterdir() if path.is_file() and not path.name.startswith(".")), key=_natural)
    if not files:
        raise GradingError(f"{given}: the folder holds no files, expected submissions. Check the path.")
    return files


def shown(path: Path) -> str:
    """The file's name as text that can be written as UTF-8, whatever bytes the file system holds."""
    return path.name.encode("utf-8", "replace").decode()


def _natural(path: Path) -> list[str | int]:
    """Sorts anna_2 before anna_10."""
    parts = re.split(r"([0-9]+)", path.name)  # texts and numbers in turn
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]
