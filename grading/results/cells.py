"""Text of strangers in a table that a spreadsheet will open."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(cell: str) -> str:
    """A spreadsheet takes a cell that begins with = + - @ for a formula and may run it; an apostrophe makes it text."""
    return "'" + cell if is_formula(cell) else cell


def restored(cell: str) -> str:
    """The text before `harmless` put its apostrophe there."""
    return cell[1:] if cell.startswith("'") and is_formula(cell[1:]) else cell


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may run it, spaces before it or not."""
    return cell.lstrip(" ").startswith(FORMULA)
