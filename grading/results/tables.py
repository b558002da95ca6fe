"""Reads CSV files as spreadsheets write them: with a comma, a semicolon or a tab, with or without a byte order mark."""

import csv
import io
from collections.abc import Collection
from pathlib import Path

from grading.errors import GradingError


def read_table(
    path: Path, needed: Collection[str], known: Collection[str] | None
) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The columns in lower case, and (the line's number, cell by column) of each row that holds any text.

    Raises GradingError for what cannot be read, lacks a column of `needed`, or has one that is not `known` (None: any).
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise GradingError(f"{path}: cannot be read ({error.strerror}), expected a CSV file. Check the path.") from error
    except UnicodeDecodeError as error:
        raise GradingError(f"{path.name}: not in UTF-8, expected a CSV file in it. Save it as “CSV UTF-8”.") from error
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        columns = [cell.strip().casefold() for cell in next(reader, [])]
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise GradingError(f"{path.name}, line {reader.line_num}: not readable as CSV ({error}). Correct the line.") from error
    unknown = known is not None and not set(columns) <= set(known)
    if not set(needed) <= set(columns) or len(set(columns)) < len(columns) or unknown:
        more = f" and nothing but {', '.join(sorted(known))}" if known else ""
        raise GradingError(
            f"{path.name}: the columns are {', '.join(columns)[:200] or 'none'}, expected {', '.join(sorted(needed))}{more}, "
            "each once. Correct the first line."
        )
    for line, cells in lines:
        if len(cells) != len(columns):
            raise GradingError(f"{path.name}, line {line}: {len(cells)} cells, expected {len(columns)}. Correct the line.")
    return columns, [(line, dict(zip(columns, cells, strict=True))) for line, cells in lines]
