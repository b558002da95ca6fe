"""Reads a number as students write it. The rules are printed on every paper:

- comma and point are both decimal marks; in answers that are counts, a mark before exactly three digits groups thousands
  (589,824), and so does a space or an apostrophe;
- 1.2e-3, 1.2·10^-3 and 3/8 are numbers;
- the unit may be left out; another unit of the same kind is converted (0.5 s where ms are asked); "%" means hundredths, so
  that 25 % and 0.25 are the same, and 25 is not;
- what cannot be read so is no wrong answer: a person looks at it.
"""

import math
import re

_KINDS: dict[str, dict[str, float]] = {
    "share": {"fraction": 1, "%": 0.01, "percent": 0.01},
    "time": {"s": 1, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "min": 60, "h": 3600, "hours": 3600, "hour": 3600, "days": 86400},
    "energy": {"J": 1, "mJ": 1e-3, "µJ": 1e-6, "kJ": 1e3, "MJ": 1e6, "Wh": 3600, "kWh": 3.6e6},
    "power": {"W": 1, "mW": 1e-3, "kW": 1e3, "J/s": 1},
    "size": {"bytes": 1, "byte": 1, "B": 1, "kB": 1e3, "KB": 1e3, "KiB": 1024, "MB": 1e6, "MiB": 1024**2, "GB": 1e9},
    "width": {"bits": 1, "bit": 1},
    "work": {"MAC": 1, "MACs": 1, "kMAC": 1e3, "kMACs": 1e3, "MMAC": 1e6, "MMACs": 1e6, "GMAC": 1e9, "GMACs": 1e9},
    "epochs": {"epochs": 1, "epoch": 1},
}
_PLAIN = {"x", "×", "times", "px", "pixels", "parameters", "weights", "biases", "nats", "steps", "images", "frames", "fps", "1/s"}
_PLAIN |= {"images/s", "frames/s", "architectures", "models", "million", "·10^6"}
_NUMBER = r"[+-]?(?:\d[\d.,]*|[.,]\d+)"
_SHAPE = re.compile(
    rf"(?P<number>{_NUMBER})(?:(?:[eE]|\s*[·×x*]\s*10\s*(?:\^|\*\*))\s*[(\[{{]?(?P<exponent>[+-]?\d+)[)\]}}]?|\s*/\s*(?P<over>{_NUMBER}))?"
    r"\s*(?P<unit>\D.*)?"
)


def read_number(text: str, unit: str = "", whole: bool = False) -> float:
    """The value in `unit` of an answer as it was written. Raises ValueError with a sentence when a person has to read it."""
    cleaned = re.split("[=≈]", text.replace("−", "-").replace("–", "-").strip().lstrip("'"))[-1].strip()
    cleaned = re.sub(r"(?<=\d)[\s'’](?=\d{3}(?!\d))", "", cleaned)
    found = _SHAPE.fullmatch(cleaned)
    if not found:
        raise ValueError(f"{text[:40]!r} is not one number.")
    factor = _factor((found["unit"] or "").strip().rstrip("."), unit)
    grouped = whole and not found["exponent"] and factor == 1  # 1.555·10^6 and 1.555 MMAC are no 1555
    value = _plain(found["number"], grouped) * 10.0 ** min(300, int(found["exponent"] or 0))
    if found["over"]:
        divisor = _plain(found["over"], grouped)
        if divisor == 0:
            raise ValueError(f"{text[:40]!r} divides by zero.")
        value /= divisor
    if not math.isfinite(value * factor):
        raise ValueError(f"{text[:40]!r} is too large.")
    return value * factor


def _plain(digits: str, grouped: bool) -> float:
    """The number without exponent and unit; with `grouped`, one mark before three digits groups thousands."""
    marks = re.sub(r"\d|[+-]", "", digits)
    if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:  # 1.234,5 or 1,234.5: the last one is the decimal mark
        digits = digits.replace(marks[0], "")
    elif len(marks) > 1 or (grouped and marks):
        if re.fullmatch(r"[+-]?\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*", digits):
            digits = digits.replace(marks[0], "")
        elif len(marks) > 1:
            raise ValueError(f"{digits!r} has too many decimal marks.")
    return float(digits.replace(",", "."))


def _factor(written: str, asked: str) -> float:
    """What to multiply with so that a value in the unit `written` is in the unit `asked`."""
    if written in ("", asked):
        return 1.0
    if asked == "":
        if written.casefold() in _PLAIN:
            return 1.0
        if written in ("%", "percent"):
            return 0.01
    for units in _KINDS.values():
        if asked in units:
            known = units if written in units else {name.casefold(): factor for name, factor in units.items()}
            name = written if written in units else written.casefold()
            if name in known and sum(other.casefold() == name for other in units) <= 1:
                return known[name] / units[asked]
    raise ValueError(f"Unit {written[:20]!r} where {asked or 'a plain number'} was asked.")
