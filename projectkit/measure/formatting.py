"""Numbers for people. Inside the project every value is in seconds, bytes, joules; here is the one place where it is not."""

import math

from projectkit.metrics import COUNT, METRICS, RATIO_SUFFIX, is_share

Scale = tuple[tuple[float, str], ...]

# (factor, unit), largest first. Latency stays in ms down to 0.1 ms, because that is how model latencies are quoted.
SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
JOULES = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"))
BITS = ((1.0, "bit"),)
CELSIUS = ((1.0, "°C"),)
HERTZ = ((1e9, "GHz"), (1e6, "MHz"))
COUNTS = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))

# What values are divided by, by the unit that they are stored in; counts have none.
SCALES = {"s": SECONDS, "B": BYTES, "J": JOULES, "bit": BITS, "°C": CELSIUS, "Hz": HERTZ}


def format_value(metric: str, value: float) -> str:
    """`value` (SI units) of `metric` for a person: "12.3 kB", "0.412 ms", "97.2 %", "0.43×"."""
    if metric.endswith(RATIO_SUFFIX):
        return f"{_digits(value, whole=False)}×"
    if is_share(metric):
        return f"{100 * value:.1f} %"
    if not (multiples := _multiples(metric)):
        return _digits(value)
    factor, unit = _scale(multiples, value)
    return f"{_digits(value / factor)} {unit}".strip()


def format_interval(metric: str, low: float, high: float) -> str:
    """An interval in the unit of its upper end: "0.398–0.431 ms"; a single value when both ends read the same."""
    upper = format_value(metric, high)
    if metric.endswith(RATIO_SUFFIX):
        lower = _digits(low, whole=False)
    elif is_share(metric):
        lower = f"{100 * low:.1f}"
    elif multiples := _multiples(metric):
        lower = _digits(low / _scale(multiples, high)[0])
    else:
        lower = _digits(low)
    return upper if upper.startswith((lower + " ", lower + "×")) or upper == lower else f"{lower}–{upper}"


def _multiples(metric: str) -> Scale:
    """The units that values of `metric` are shown in; none for what is shown as a plain number."""
    known = METRICS.get(metric)
    return COUNTS if known and known.shown == COUNT else SCALES.get(known.unit, ()) if known else ()


def _scale(multiples: Scale, value: float) -> tuple[float, str]:
    least = 0.1 if multiples is SECONDS else 1.0
    for factor, unit in multiples:
        # Half a last digit below the step, the value would round up to 1000 of the smaller unit.
        if abs(value) >= least * factor * 0.9995:
            return factor, unit
    return multiples[-1]


def _digits(value: float, *, whole: bool = True) -> str:
    """Three significant digits; with `whole`, whole numbers below a thousand as they are."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if whole and float(value).is_integer() and abs(value) < 1000:
        return str(int(value))
    rounded = abs(float(f"{value:.3g}"))  # 0.9996 has as many decimals as 1.00
    decimals = max(0, 2 - math.floor(math.log10(rounded)))
    return f"{value:.{min(decimals, 6)}f}"
