"""Holds every claim against what was measured: confirmed, not confirmed, or not measurable here.

A claim is named "slot/metric", or "slot/metric_ratio" for the ratio to the student's own baseline. What is better than claimed is
confirmed too. Accuracy is judged on the images that the student had; times belong to a machine that the jury does not have.
TOLERANCES says what is allowed beyond the measurement, and the dossier prints it.
"""

from collections.abc import Mapping
from dataclasses import replace

from grading.defense.types import BASELINE, CONFIRMED, REFUTED, UNMEASURABLE, Judged, Work
from grading.types import Slot
from projectkit.measure import format_interval, format_value
from projectkit.metrics import METRICS, PROFILE_METRICS, RATIO_SUFFIX, is_share
from projectkit.types import Measurement

OF_THE_MACHINE = ("s", "J")  # times and energies belong to the machine that measured them
SAME_IMAGES = 0.005  # of accuracy, for rounding and another processor: the jury has the test images that the student had
COUNTED, COUNTED_POINTS = 0.02, 0.01  # room for a number that was rounded to two digits
MEMORY = 0.25
TIME_RATIO = 0.10
MACHINES = 4.0  # how much faster than this one a student's machine may be

TOLERANCES = (
    (
        "Accuracy",
        "0.5 points, on the public test images, which the student had too. Beside it stands what is left of it on the hidden "
        "ones.",
    ),
    ("Size, parameters, work, bits", "2 % (sparsity: 1 point): these are counted, so only rounding is allowed."),
    ("Ratios of time and energy", "10 % beyond the interval: both models ran in turn on one machine, which cancels out."),
    (
        "Time and energy themselves",
        "They belong to the student's machine. As good or better here is confirmed. Otherwise the ratio of the claim to the "
        "same claim for the baseline is judged, where there is one; more than 4× off is not confirmed on any account; what lies "
        "between cannot be decided here.",
    ),
    ("Peak memory", "25 %: another version of a runtime allocates otherwise."),
)


def judge_claims(work: Work) -> tuple[Judged, ...]:
    """Every claim of the project in the order of names, the refuted ones first."""
    judged = [_judge(name, claimed, work) for name, claimed in sorted(work.claims.items())]
    order = (REFUTED, UNMEASURABLE, CONFIRMED)
    return tuple(sorted(judged, key=lambda one: (order.index(one.verdict), one.name)))


def shown(metric: str, value: float) -> str:
    """A claimed number for a person, however absurd it is."""
    return f"{value:.3g}" if abs(value) >= 1e15 or 0 < abs(value) < 1e-12 else format_value(metric, value)


def with_interval(metric: str, measured: Measurement) -> str:
    """The measured value, its interval behind it where it has one."""
    value = shown(metric, measured.value)
    return value if measured.low == measured.high else f"{value} [{format_interval(metric, measured.low, measured.high)}]"


def ratio_of(slot: Slot, metric: str, baseline: Slot | None) -> Measurement | None:
    """`metric` of the slot over the baseline's; of latencies the one from timing both in turn, where there is one."""
    if metric in slot.ratios:
        return replace(slot.ratios[metric], metric=metric + RATIO_SUFFIX)
    value, base = measured_of(slot, metric), measured_of(baseline, metric) if baseline else None
    if value is None or base is None or base.low <= 0:
        return None
    return Measurement(metric + RATIO_SUFFIX, value.value / base.value, value.low / base.high, value.high / base.low, value.n)


def measured_of(slot: Slot, metric: str) -> Measurement | None:
    """What a claim is held against: for accuracy, what was found on the public test images, where there are any."""
    found = slot.profile.values.get(metric)
    return slot.plain or found if metric == "accuracy" else found


def _judge(name: str, claimed: float, work: Work) -> Judged:
    slot_name, _, full = name.rpartition("/")
    full = "latency_p50_ratio" if full == "latency_ratio" else full
    metric = full.removesuffix(RATIO_SUFFIX)
    if metric not in PROFILE_METRICS or not slot_name or metric == "latency_ratio":
        known = "this is no metric of the course: the student has to show how it was measured"
        return Judged(name, "", claimed, UNMEASURABLE, f"Claimed {shown('', claimed)}; {known}.")
    plain = Judged(name, full, claimed, UNMEASURABLE, "")
    if slot_name not in work.slots:
        reason = work.problems.get(slot_name) or f"no model was handed in as {slot_name}."
        return replace(plain, sentence=f"Claimed {shown(full, claimed)}; {reason}")
    slot = work.slots[slot_name]
    measured = ratio_of(slot, metric, work.baseline) if full != metric else measured_of(slot, metric)
    if measured is None:
        return replace(plain, sentence=f"Claimed {shown(full, claimed)}; {_reason(slot, metric, full, work)}")
    if is_share(metric) and full == metric and 1 < claimed <= 100:
        plain = replace(plain, claimed=claimed / 100)
    if METRICS[metric].unit in OF_THE_MACHINE and full == metric:
        return _judge_time(plain, slot_name, measured, work)
    judged = _compare(plain, measured)
    if full != "accuracy" or slot.plain is None:
        return judged
    return replace(judged, sentence=f"{judged.sentence} {_on_hidden(slot, slot.plain, work.baseline)}")


def _on_hidden(slot: Slot, plain: Measurement, baseline: Slot | None) -> str:
    """What is left of the accuracy `plain` on the hidden images, and of the baseline's, which may lose something there, too."""
    found = with_interval("accuracy", slot.profile.values["accuracy"])
    if baseline is None or baseline is slot or baseline.plain is None:
        return f"On the hidden images: {found}."
    pairs = ((plain, slot), (baseline.plain, baseline))
    costs = [100 * (public.value - one.profile.values["accuracy"].value) for public, one in pairs]
    return f"On the hidden images: {found}, {costs[0]:.1f} points less; the baseline loses {costs[1]:.1f} there."


def _reason(slot: Slot, metric: str, full: str, work: Work) -> str:
    if full != metric and work.baseline is None:
        return f"a ratio needs the baseline. {work.problems.get(BASELINE, 'No model was handed in as baseline.')}"
    lacking = slot if metric not in slot.profile.values or work.baseline is None else work.baseline
    return f"{METRICS[metric].label.lower()}: {lacking.profile.missing.get(metric, 'it was not measured').rstrip('.')}."


def _compare(claim: Judged, measured: Measurement) -> Judged:
    """Confirmed when the claim is no better than the better end of the interval, with the tolerance added."""
    metric = claim.metric.removesuffix(RATIO_SUFFIX)
    less = METRICS[metric].less_is_better
    best, words = _allowed(claim.metric, measured, less)
    good = claim.claimed >= best if less else claim.claimed <= best
    found = with_interval(claim.metric, measured)
    if good:
        better = claim.claimed > measured.high if less else claim.claimed < measured.low
        sentence = f"Claimed {shown(claim.metric, claim.claimed)}, measured {found}{': better than claimed' if better else ''}."
        return replace(claim, verdict=CONFIRMED, sentence=sentence, measured=measured, tolerance=words)
    sentence = f"Claimed {shown(claim.metric, claim.claimed)}, measured {found}: {_difference(claim, measured)}."
    return replace(claim, verdict=REFUTED, sentence=sentence, measured=measured, tolerance=words, off=_share(best, claim.claimed))


def _allowed(full: str, measured: Measurement, less: bool) -> tuple[float, str]:
    """The best claim that is still confirmed, and the allowance in words: beyond the interval, but for accuracy, which was
    measured on the very same images."""
    metric = full.removesuffix(RATIO_SUFFIX)
    if metric == "accuracy":
        return measured.value + SAME_IMAGES, "0.5 points"
    if metric == "sparsity":
        return measured.high + COUNTED_POINTS, "1 point beyond the interval"
    share = TIME_RATIO if METRICS[metric].unit in OF_THE_MACHINE else MEMORY if metric == "peak_memory" else COUNTED
    end = measured.low if less else measured.high
    return end / (1 + share) if less else end * (1 + share), f"{100 * share:.0f} % beyond the interval"


def _difference(claim: Judged, measured: Measurement) -> str:
    """How far off and to which side, as seen from the claim."""
    if is_share(claim.metric):
        points = 100 * abs(claim.claimed - measured.value)
        return f"{points:.1f} points {'less' if measured.value < claim.claimed else 'more'} than claimed"
    if claim.claimed <= 0 or measured.value <= 0:
        return f"{'less' if measured.value < claim.claimed else 'more'} than claimed"
    factor = measured.value / claim.claimed
    if 0.5 < factor < 2:
        return f"{100 * abs(factor - 1):.3g} % {'less' if factor < 1 else 'more'} than claimed"
    factor = max(factor, 1 / factor)
    times = format_value("_ratio", factor) if factor < 100 else f"{factor:.0f}×"
    return f"{times} {'as much as' if measured.value > claim.claimed else 'less than'} claimed"


def _share(best: float, claimed: float) -> float:
    return min(10.0, abs(claimed - best) / max(abs(best), 1e-12))


def _judge_time(claim: Judged, slot_name: str, measured: Measurement, work: Work) -> Judged:
    """Absolute time or energy: on another machine only the ratio to the baseline can be held against the student."""
    if claim.claimed >= measured.low:
        return _compare(claim, measured)
    found = (
        f"Claimed {shown(claim.metric, claim.claimed)} for the student's machine, {with_interval(claim.metric, measured)} here"
    )
    base = work.claims.get(f"{BASELINE}/{claim.metric}", 0.0)
    ratio = ratio_of(work.slots[slot_name], claim.metric, work.baseline) if slot_name != BASELINE else None
    if base > 0 and ratio is not None:
        cancelled = _compare(replace(claim, metric=claim.metric + RATIO_SUFFIX, claimed=claim.claimed / base), ratio)
        sentence = f"{found}; over the baseline, which makes machines cancel: {_lower(cancelled.sentence)}"
        return replace(cancelled, metric=claim.metric, claimed=claim.claimed, measured=measured, sentence=sentence)
    if claim.claimed <= 0 or measured.low > MACHINES * claim.claimed:
        far = f"{found}: {_difference(claim, measured)}, more than machines of a course differ."
        off = _share(measured.low / MACHINES, claim.claimed)
        return replace(claim, verdict=REFUTED, sentence=far, measured=measured, tolerance=f"{MACHINES:g}×", off=off)
    why = "another machine may be that much faster. Ask for the ratio to the baseline"
    return replace(claim, sentence=f"{found}: {why}.", measured=measured, tolerance=f"{MACHINES:g}×")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def counts(judged: tuple[Judged, ...]) -> Mapping[str, int]:
    """How many claims got each verdict."""
    return {verdict: sum(one.verdict == verdict for one in judged) for verdict in (CONFIRMED, REFUTED, UNMEASURABLE)}
