"""Text of questions for people: numbers with few digits, and sub- and superscripts in HTML."""

import html
import math
import re
from collections.abc import Sequence


def show(value: float) -> str:
    """A number with four significant digits; whole numbers with all of theirs."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    exponent = math.floor(math.log10(abs(value)))
    if not -4 <= exponent < 9:
        return f"{value:.3e}"
    text = f"{value:.{max(0, 3 - exponent)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def listed(values: Sequence[object]) -> str:
    """(1, 2, 3) as text."""
    return "(" + ", ".join(str(value) for value in values) + ")"


def to_html(text: str) -> str:
    """The text as HTML: escaped, then `_[i]` lowered and `^[2]` raised, with real minus signs; a line break stays one."""
    escaped = re.sub(r"(?<![\w-])-(?=\d)", "−", html.escape(text))
    escaped = re.sub(r"_\[([^\]]*)\]", r"<sub>\1</sub>", escaped)
    escaped = re.sub(r"\^\[([^\]]*)\]", r"<sup>\1</sup>", escaped)
    return escaped.replace("\n", "<br>")


def to_text(text: str) -> str:
    """The text without marks of sub- and superscripts: x_i, 2^8."""
    return re.sub(r"([_^])\[([^\]]*)\]", r"\1\2", text)
