"""Numbers for people. Inside the project every value is in seconds, bytes, joules; here is the one place where it is not."""

import math

# (factor, unit), largest first. Latency stays in ms down to 0.1 ms, because that is how model latencies are quoted.
SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
JOULES = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"), (1e-9, "nJ"))
BITS = ((1.0, "bit"),)
CELSIUS = ((1.0, "°C"),)
HERTZ = ((1e9, "GHz"), (1e6, "MHz"))
COUNTS = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))

SCALES = {
    "size": BYTES,
    "compressed_size": BYTES,
    "peak_memory": BYTES,
    "peak_activations": BYTES,
    "arena": BYTES,
    "parameters": COUNTS,
    "nonzero_parameters": COUNTS,
    "weight_bits": BITS,
    "distinct_weights": COUNTS,
    "macs": COUNTS,
    "operator_count": COUNTS,
    "latency_p50": SECONDS,
    "latency_p90": SECONDS,
    "latency_estimate": SECONDS,
    "memory_estimate": BYTES,
    "temperature": CELSIUS,
    "clock": HERTZ,
    "energy": JOULES,
}
PERCENT = (
    *("accuracy", "sparsity", "two_of_four", "symmetric_int8"),
    *("ece", "corrupted_accuracy", "ood_auroc", "robust_accuracy"),
)
RATIO_SUFFIX = "_ratio"


def format_value(metric: str, value: float) -> str:
    """`value` (SI units) of `metric` for a person: "12.3 kB", "0.412 ms", "97.2 %", "0.43×"."""
    if metric.endswith(RATIO_SUFFIX):
        return f"{_digits(value, whole=False)}×"
    if metric in PERCENT:
        return f"{100 * value:.1f} %"
    if metric not in SCALES:
        return _digits(value)
    factor, unit = _scale(metric, value)
    return f"{_digits(value / factor)} {unit}".strip()


def format_interval(metric: str, low: float, high: float) -> str:
    """An interval in the unit of its upper end: "0.398–0.431 ms"; a single value when both ends read the same."""
    upper = format_value(metric, high)
    if metric.endswith(RATIO_SUFFIX):
        lower = _digits(low, whole=False)
    elif metric in PERCENT:
        lower = f"{100 * low:.1f}"
    elif metric in SCALES:
        lower = _digits(low / _scale(metric, high)[0])
    else:
        lower = _digits(low)
    return upper if upper.startswith((lower + " ", lower + "×")) or upper == lower else f"{lower}–{upper}"


def _scale(metric: str, value: float) -> tuple[float, str]:
    scale = SCALES[metric]
    least = 0.1 if scale is SECONDS else 1.0
    for factor, unit in scale:
        # Half a last digit below the step, the value would round up to 1000 of the smaller unit.
        if abs(value) >= least * factor * 0.9995:
            return factor, unit
    return scale[-1]


def _digits(value: float, *, whole: bool = True) -> str:
    """Three significant digits; with `whole`, whole numbers below a thousand as they are."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if whole and float(value).is_integer() and abs(value) < 1000:
        return str(int(value))
    rounded = abs(float(f"{value:.3g}"))  # 0.9996 has as many decimals as 1.00
    decimals = max(0, 2 - math.floor(math.log10(rounded)))
    return f"{value:.{min(decimals, 6)}f}"
