"""Puts a file in place whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

PART = ".part-"  # how the names of unfinished files begin; a killed process leaves such a file


@contextlib.contextmanager
def written_whole(path: str | Path, *, suffix: str = "") -> Iterator[Path]:
    """A path in the same folder, to write to: it becomes `path` when the block ends, and is removed when the block fails.

    Readers see the old file or the new one. Of two processes that write at once, the later one's file stays. suffix: how the path
    ends, for a library that goes by it; without one, nobody who looks for "*.json" finds a half file. The folder must be there.
    """
    path = Path(path)
    # Not from `random`, whose seed trainings set: two processes would get one name. Not by mkstemp: its files are private (0600),
    # and a shared folder of results or data could not be read by others.
    part = path.with_name(f"{PART}{secrets.token_hex(8)}{suffix}")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write_whole(path: str | Path, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all. Raises OSError where that cannot be done."""
    with written_whole(path) as part:
        part.write_bytes(content)
