"""Reads what a person has written in TOML."""

import tomllib
from pathlib import Path
from typing import Any

from projectkit.errors import ProjectkitError


def read_toml(path: Path, refusal: type[ProjectkitError], *, advice: str) -> dict[str, Any]:
    """The content of a TOML file. Raises `refusal` where there is none or it is not TOML; the sentence ends with `advice`."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise refusal(f"{path}: cannot be read ({error.strerror}). {advice}") from error
    except ValueError as error:  # also text that is not UTF-8
        raise refusal(f"{path}: is not TOML ({error}). {advice}") from error
