"""The metrics: one record each, from which every table of them follows (how a value is shown, what a rubric may ask for, …).

A new metric is a record here and the function that measures it: an attribute of what `measure` reads from a file
(`measure.READERS`), a meter (`measure.METERS`), or a function of the answers to labelled images (`grading.measuring.quality`).
`tests/contracts/test_metrics.py` runs over all of them.
"""

from dataclasses import dataclass

PROFILE, QUALITY, DEVICE = "profile", "quality", "device"
PERCENT, COUNT, NUMBER = "percent", "count", "number"
RATIO_SUFFIX = "_ratio"  # of the name of a metric divided by the same metric of a baseline


@dataclass(frozen=True, slots=True)
class Metric:
    """What a number means, and all that others need to know of it.

    unit             the SI unit of stored values, "" for none; values are shown in its decimal multiples
    label            its name in a sentence or a row
    heading          its name above a column, where the label is too long
    kind             PROFILE: measured of every file; QUALITY: of the answers to labelled images, where a rubric asks for it;
                     DEVICE: of, or estimated for, the device that runs the file
    shown            how a value without a unit is shown: PERCENT of a share, COUNT in k, M and G, or as a NUMBER
    ratio            whether the quotient of two models' values means something
    claim_tolerance  by how much a student's claim may differ from what was measured before an instructor is told; None: by a
                     factor of two
    probe            the table of a rubric that says how it is measured: "attack", "corruption", "ood"; "" where none is needed
    column           whether a page of profiles has a column for it
    """

    unit: str
    label: str
    heading: str = ""
    kind: str = PROFILE
    less_is_better: bool = True
    shown: str = NUMBER
    ratio: bool = True
    claim_tolerance: float | None = None
    probe: str = ""
    column: bool = True


def _share(
    label: str,
    heading: str = "",
    *,
    kind: str = PROFILE,
    ratio: bool = True,
    claim_tolerance: float | None = None,
    probe: str = "",
    column: bool = True,
) -> Metric:
    """A share of something, of which more is better."""
    return Metric("", label, heading, kind, False, PERCENT, ratio, claim_tolerance, probe, column)


def _count(label: str, heading: str = "", *, ratio: bool = True, column: bool = True) -> Metric:
    return Metric("", label, heading, shown=COUNT, ratio=ratio, column=column)


# In the order in which they are shown.
METRICS = {
    "accuracy": _share("Accuracy", claim_tolerance=0.15),
    "size": Metric("B", "File size", "Size"),
    "compressed_size": Metric("B", "File size after gzip", "Gzipped", column=False),
    "parameters": _count("Parameters"),
    "nonzero_parameters": _count("Non-zero parameters", "Non-zero", column=False),
    # The quotient of two sparsities means nothing: 99 % instead of 98 % is half the weights.
    "sparsity": _share("Sparsity", ratio=False, column=False),
    "weight_bits": Metric("bit", "Stored bits per weight", "Weights", column=False),
    "two_of_four": _share("Weights in the 2:4 pattern", "2:4 weights", ratio=False, column=False),
    "distinct_weights": _count("Different weights in a filter, at most", "Values a filter", ratio=False, column=False),
    "macs": _count("Multiply-accumulates per inference", "MACs"),
    "operator_count": _count("Operators in the graph", "Operators", column=False),
    "latency_estimate": Metric("s", "Latency, an estimate", "Latency estimate", kind=DEVICE),
    "latency_p50": Metric("s", "Latency, median", "Latency p50"),
    "latency_p90": Metric("s", "Latency, 90th percentile", "Latency p90", ratio=False),
    "latency_ratio": Metric("", "Latency, relative to the baseline", "Latency ratio", ratio=False),
    "io_time": Metric("s", "Time to convert input and output", "Input and output", column=False),
    "peak_memory": Metric("B", "Peak memory of the runtime", "Memory"),
    "peak_activations": Metric("B", "Peak memory of the activations", "Activations", column=False),
    "arena": Metric("B", "Arena on a microcontroller", "Arena (micro)", column=False),
    "symmetric_int8": _share("Weights in symmetric int8", "Symmetric int8", ratio=False, column=False),
    "memory_estimate": Metric("B", "Memory needed, an estimate", "Memory estimate", kind=DEVICE),
    "memory_fits_estimate": Metric(
        "", "Fits into the memory, by that estimate", "Fits (estimate)", kind=DEVICE, less_is_better=False, ratio=False
    ),
    "energy": Metric("J", "Energy per inference", "Energy"),
    "temperature": Metric("°C", "Hottest sensor", kind=DEVICE, ratio=False),
    "clock": Metric("Hz", "Clock of the processor", "Clock", kind=DEVICE, ratio=False),
    "nll": Metric("", "Negative log-likelihood", "NLL", kind=QUALITY),
    "ece_debiased": Metric("", "Calibration error, debiased", kind=QUALITY, shown=PERCENT, claim_tolerance=0.15),
    "brier": Metric("", "Brier score", kind=QUALITY),
    "corrupted_accuracy": _share("Accuracy on corrupted images", kind=QUALITY, claim_tolerance=0.15, probe="corruption"),
    "corrupted_nll": Metric(
        "", "Negative log-likelihood on corrupted images", "NLL, corrupted", kind=QUALITY, probe="corruption"
    ),
    # Chance is one half, so the quotient of two areas means nothing.
    "ood_auroc": _share("Out-of-distribution detection (AUROC)", kind=QUALITY, ratio=False, claim_tolerance=0.15, probe="ood"),
    # From −1 to 1: the quotient of two correlations means nothing.
    "fidelity": Metric(
        "", "Fidelity to the start network", kind=QUALITY, less_is_better=False, ratio=False, claim_tolerance=0.15
    ),
    "table_likeness": Metric("", "Likeness to a table of public images", kind=QUALITY, ratio=False, claim_tolerance=0.15),
    "robust_accuracy": _share(
        "Accuracy under a black-box attack", kind=QUALITY, ratio=False, claim_tolerance=0.15, probe="attack"
    ),
}


def _of(kind: str) -> dict[str, Metric]:
    return {name: metric for name, metric in METRICS.items() if metric.kind == kind}


PROFILE_METRICS, QUALITY_METRICS, DEVICE_METRICS = _of(PROFILE), _of(QUALITY), _of(DEVICE)


def is_share(name: str) -> bool:
    """Whether values of this metric are shown in percent, and differences between them in points."""
    return name in METRICS and METRICS[name].shown == PERCENT
