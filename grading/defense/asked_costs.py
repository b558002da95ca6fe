"""Questions about what a model costs: size, work, time, memory, energy. Each function looks at the numbers and returns a question
when one of them is remarkable, else None."""

from grading.defense.claims import ratio_of, shown, with_interval
from grading.defense.types import BASELINE, OPTIMIZED, Asked, Work

OWN = "your numbers"
MORE, FASTER = 1.5, 1.3  # from here on a saving is worth a question


def smaller_not_faster(work: Work) -> Asked | None:
    size, time = _saved(work, "size"), _saved(work, "latency_p50")
    if not size or not time or size < MORE or size / time < FASTER:
        return None
    return Asked(
        "smaller_not_faster",
        f"Size fell {size:.1f}× but latency only {time:.2f}×{_slower(time)}: where does the time go?",
        (
            "names what the runtime does besides moving weights: operators without a faster kernel, conversions, overhead a call",
            "knows whether the model is bound by memory or by arithmetic here",
            "would look at a profile by operator, or has done so",
        ),
        OWN,
        min(3.0, size / time - 0.5),
    )


def slower_than_before(work: Work) -> Asked | None:
    time = _saved(work, "latency_p50")
    if not time or time > 1 / 1.05:
        return None
    return Asked(
        "slower_than_before",
        f"The optimized model takes {1 / time:.2f}× as long as your baseline here. Is it still optimized, and for what?",
        (
            "names the goal that it does serve (size, energy, another device), with its number",
            "explains the slowdown: kernels, conversions between types, threads, this processor",
            "says how to find out on the device that the project is for",
        ),
        OWN,
        min(3.0, 1 / time),
    )


def less_work_not_faster(work: Work) -> Asked | None:
    macs, time = _saved(work, "macs"), _saved(work, "latency_p50")
    if not macs or not time or macs < MORE or macs / time < FASTER:
        return None
    return Asked(
        "less_work_not_faster",
        f"Multiply-accumulates fell {macs:.1f}×, latency {time:.2f}×{_slower(time)}. Why are they not proportional?",
        (
            "arithmetic intensity: small or depthwise layers wait for memory",
            "parts that were not shrunk, and what a call costs (Amdahl's law)",
            "MACs are a proxy; names what a better one for this device would be",
        ),
        OWN,
        min(3.0, macs / time - 0.5),
    )


def sparse_not_faster(work: Work) -> Asked | None:
    sparsity, time = _value(work, OPTIMIZED, "sparsity"), _saved(work, "latency_p50")
    if sparsity is None or sparsity < 0.3 or (time and time > 1 + sparsity / 2):
        return None
    found = f"and it runs {time:.2f}× as fast as the baseline" if time else "and its speed-up could not be measured"
    return Asked(
        "sparse_not_faster",
        f"{shown('sparsity', sparsity)} of the optimized model's weights are zero, {found}. What would turn zeros into speed?",
        (
            "dense kernels multiply zeros like any other number",
            "sparse kernels or formats and the sparsity from which they pay, or structured pruning that removes whole channels",
            "what the zeros do bring: a smaller compressed file",
        ),
        OWN,
        0.8 + sparsity,
    )


def sparse_not_smaller(work: Work) -> Asked | None:
    sparsity, size = _value(work, OPTIMIZED, "sparsity"), _saved(work, "size")
    if sparsity is None or size is None or sparsity < 0.3 or size >= 1 / (1 - min(sparsity, 0.99)) * 0.8:
        return None
    return Asked(
        "sparse_not_smaller",
        f"With {shown('sparsity', sparsity)} zeros one might expect a file {1 / (1 - min(sparsity, 0.99)):.1f}× smaller; yours "
        f"is {size:.1f}× smaller. Where are the zeros kept?",
        (
            "the file stores zeros densely; a sparse format stores an index with each value",
            "compression (gzip, entropy coding) gets them back; has compared it or knows how",
        ),
        OWN,
        0.6 + sparsity,
    )


def file_larger_than_weights(work: Work) -> Asked | None:
    size, parameters, bits = (_value(work, OPTIMIZED, name) for name in ("size", "parameters", "weight_bits"))
    if not size or not parameters or not bits or size / (parameters * bits / 8) < 1.25:
        return None
    weights = parameters * bits / 8
    return Asked(
        "file_larger_than_weights",
        f"{shown('parameters', parameters)} weights of {bits:.3g} bit make {shown('size', weights)}; the file has "
        f"{shown('size', size)}. What is the rest, and would it matter on your device?",
        (
            "the graph itself, scales and zero points (by channel), biases in int32 or float, metadata, alignment",
            "fixed costs weigh much in a small model and little in a large one",
        ),
        OWN,
        min(2.5, size / weights - 0.8),
    )


def bits_and_size(work: Work) -> Asked | None:
    """Bits and size should fall together; asks when they do not, or when the bits did not fall at all."""
    before, after, size = _value(work, BASELINE, "weight_bits"), _value(work, OPTIMIZED, "weight_bits"), _saved(work, "size")
    if not before or not after or not size or before / after < MORE or 0.8 < (before / after) / size < 1.25:
        return None
    return Asked(
        "bits_and_size",
        f"Bits a weight fell {before / after:.1f}× and the file {size:.1f}×. What accounts for the difference?",
        (
            "parameters added or removed besides, or tensors that stayed in float",
            "can name the layers that kept their type",
        ),
        OWN,
        1.0,
    )


def long_tail(work: Work) -> Asked | None:
    median, late = _value(work, OPTIMIZED, "latency_p50"), _value(work, OPTIMIZED, "latency_p90")
    if not median or not late or late / median < 1.15:
        return None
    return Asked(
        "long_tail",
        f"One run in ten of your model takes {late / median:.2f}× the median or longer ({shown('latency_p90', late)} against "
        f"{shown('latency_p50', median)}). Which of the two numbers belongs in the report, and why?",
        (
            "depends on the use: deadlines ask for the tail, throughput for the mean",
            "causes: other processes, frequency scaling, cold caches; how to measure with warm-up and many repetitions",
        ),
        OWN,
        min(2.0, late / median - 0.6),
    )


def memory_beyond_file(work: Work) -> Asked | None:
    size, memory = _value(work, OPTIMIZED, "size"), _value(work, OPTIMIZED, "peak_memory")
    if not size or not memory or memory / size < 5:
        return None
    return Asked(
        "memory_beyond_file",
        f"The model's file has {shown('size', size)}, running it took {shown('peak_memory', memory)} of memory. What fills it, "
        "and what would you do if the device had a tenth of that?",
        (
            "activations of the largest layers, the runtime's arena and packed copies of weights, the runtime itself",
            "smaller inputs or early down-sampling, in-place and memory planning, a runtime for microcontrollers",
        ),
        OWN,
        min(1.4, 0.6 + memory / size / 1000),
    )


def energy_unmeasured(work: Work) -> Asked | None:
    slot = work.optimized
    if slot is None or "energy" in slot.profile.values:
        return None
    claimed = next((number for name, number in sorted(work.claims.items()) if name.endswith("/energy")), None)
    asks = (
        f"You claim {shown('energy', claimed)} an inference, and there is no meter on this machine. How did you measure it, and "
        "what does that include?"
        if claimed is not None
        else "Energy could not be measured here. How would you measure the energy of one inference of your model, and what would "
        "you subtract?"
    )
    guide = (
        "names a meter and what it covers (RAPL: the package, NVML: the card, a shunt: the board)",
        "idle power, many repetitions, joules = watts × seconds; not time or MACs called energy",
    )
    return Asked("energy_unmeasured", asks, guide, OWN, 1.6 if claimed is not None else 0.4)


def energy_and_time(work: Work) -> Asked | None:
    slot, time = work.optimized, _saved(work, "latency_p50")
    ratio = ratio_of(slot, "energy", work.baseline) if slot else None
    if ratio is None or not time or 0.9 < ratio.value * time < 1.1:
        return None
    return Asked(
        "energy_and_time",
        f"Energy came to {with_interval('energy_ratio', ratio)} the baseline's, time to {1 / time:.2f}×. Why do they differ?",
        (
            "power is not constant: vector units, memory traffic, frequency",
            "a memory access costs more than a multiplication",
        ),
        OWN,
        1.3,
    )


def _value(work: Work, slot: str, metric: str) -> float | None:
    found = work.slots[slot].profile.values.get(metric) if slot in work.slots else None
    return found.value if found else None


def _saved(work: Work, metric: str) -> float | None:
    """By how much the optimized model is better than the baseline: 2 means half as much."""
    ratio = ratio_of(work.optimized, metric, work.baseline) if work.optimized else None
    return 1 / ratio.value if ratio and ratio.value > 0 else None


def _slower(saved: float) -> str:
    return " (it rose)" if saved < 1 else ""


TEMPLATES = (
    smaller_not_faster, slower_than_before, less_work_not_faster, sparse_not_faster, sparse_not_smaller, file_larger_than_weights,
    bits_and_size, long_tail, memory_beyond_file, energy_unmeasured, energy_and_time,
)  # fmt: skip
