"""What a handed-in search claims, held against the model that it says it has found, and against its own architectures.

A study is a text that anyone can write, so it earns points only for what can be counted again: work and parameters follow from an
architecture, those of the model are read from its file, and its accuracy is measured. Written from the definitions, apart from
projectkit.nas, which made the study.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grading.hidden.data import Hidden
from grading.types import CONTRADICTED, STUDY, ClaimFinding, Recheck, Rubric, Slot
from projectkit.types import Block, Study, Trial

# A claim, and what is found about it: a count, or a share from 0 to 1. The last two are worth less in a study of few trials.
CLAIMS = {
    "trials": "different architectures with a finished trial, each counted once",
    "consistent": "the share of trials whose digest, parameters and multiply-accumulates are those of their architecture",
    "best": "1 when the model's file has the parameters and the work of a trial that no other beats, else 0",
    "accuracy": "1 when that trial's first value is an accuracy that the file can have, on hidden or public images, else 0",
}
ACTIVATIONS = ("relu", "relu6", "swish")  # of a block: what projectkit.nas can build
RESTING = ("trials", "best")  # the claims that rest on what trials state that are not handed in
Shape = tuple[int, int, int]
Z = 3.290526731491896  # 99.9 %: the best of many was lucky on the validation images


@dataclass(frozen=True, slots=True)
class Counts:
    """What an architecture costs: numbers that training finds, numbers that a file stores (batch normalization is folded into one
    bias a channel), and multiply-accumulates for one image."""

    parameters: int
    stored: int
    macs: int


def study_findings(study: Study | None, rubric: Rubric, slots: Mapping[str, Slot], hidden: Hidden) -> dict[str, ClaimFinding]:
    """What is found about each claim that the rubric asks for, by claim; nothing without a study or without its model."""
    asked = {check.claim: check.slot for check in rubric.checks if check.metric == STUDY}
    if study is None:
        return {}
    shape, classes = tuple(hidden.split.x.shape[1:]), hidden.classes
    finished = _finished(study, shape, classes)
    best = _unbeaten(finished, study.directions)
    findings = {}
    for claim, slot in asked.items():
        if claim == "trials":
            findings[claim] = _trials(study, finished)
        elif claim == "consistent":
            findings[claim] = _consistent(study, shape, classes)
        elif slot in slots:
            own = [trial for trial in best if _is_of(trial, slots[slot], shape, classes)]
            wanted = counts(best[0].blocks, shape, classes) if best else None
            found = _accuracy(own, slots[slot]) if claim == "accuracy" else _best(own, best, wanted, slots[slot])
            findings[claim] = _among(found, finished, rubric)
    return findings


def eligible(study: Study, rubric: Rubric, slots: Mapping[str, Slot], shape: Shape, classes: int) -> list[Trial]:
    """The sound, finished trials that may be trained again: all but the best one that the file may be of, which is measured
    anyway. Others of its cost may be drawn, or nobody could be asked who states one network in many disguises."""
    finished = _finished(study, shape, classes)
    models = [slots[check.slot] for check in rubric.checks if check.metric == STUDY and check.slot in slots]
    own = [
        trial for trial in _unbeaten(finished, study.directions) if any(_is_of(trial, model, shape, classes) for model in models)
    ]
    best = max(own, key=lambda trial: trial.values[0]).digest if own else None
    return [trial for trial in finished if trial.digest != best]


def rechecked(findings: Mapping[str, ClaimFinding], found: Recheck) -> dict[str, ClaimFinding]:
    """The findings after trials were trained again: where that contradicts the study, nothing that rests on what its other trials
    state holds. Whatever else came of it changes nothing."""
    if found.status != CONTRADICTED:
        return dict(findings)
    sentence = f"Trained again, a trial contradicts the study: {found.sentence}"
    return {claim: ClaimFinding(0.0, sentence) if claim in RESTING else finding for claim, finding in findings.items()}


def _finished(study: Study, shape: Shape, classes: int) -> list[Trial]:
    return [
        trial
        for trial in study.trials
        if trial.state == "complete" and trial.blocks and _wrong(trial, study, shape, classes) is None
    ]


def _among(found: ClaimFinding, finished: Sequence[Trial], rubric: Rubric) -> ClaimFinding:
    """One network that somebody has drawn is no search, whatever is true of it: what is said of the model's own trial is whole
    where as many architectures were tried as earn all points for trials, and worth nothing where it is the only one."""
    wanted = next((check.target for check in rubric.checks if check.claim == "trials"), 2.0)
    different = len({trial.digest for trial in finished})
    share = min(1.0, max(0.0, (different - 1) / max(1.0, wanted - 1)))
    few = f", in a study of {different} finished architecture{'s' if different != 1 else ''}; {wanted:g} make the claim whole"
    return ClaimFinding(found.value * share, found.sentence + (few if found.value and share < 1 else ""))


def counts(blocks: Sequence[Block], shape: Shape, classes: int) -> Counts | None:
    """What the network of these blocks costs on images of `shape` (height, width, channels).

    None when a block has a gene without effect there (a stride or a wide kernel on one pixel, a skip between different shapes):
    then it is no canonical form, and could be counted twice.
    """
    height, width, channels = shape
    parameters = stored = macs = 0
    for block in blocks:
        kernel, stride, filters = block["kernel"], block["stride"], block["filters"]
        side = max(height, width)
        idle_skip = block["skip"] and (stride > 1 or filters != channels)
        if (side == 1 and stride > 1) or kernel > 2 * side - 1 or idle_skip:
            return None
        height, width = -(-height // stride), -(-width // stride)
        area = kernel * kernel * channels
        convolutions = [(area, channels), (channels * filters, filters)] if block["depthwise"] else [(area * filters, filters)]
        for weights, made in convolutions:
            parameters += weights + 2 * made
            stored += weights + made
            macs += weights * height * width
        channels = filters
    head = channels * classes
    return Counts(parameters + head + classes, stored + head + classes, macs + head)


def _wrong(trial: Trial, study: Study, shape: Shape, classes: int) -> str | None:
    """What a trial states that is not so, in words; None when all is."""
    if trial.state == "complete" and not (trial.blocks and trial.values):
        return "is complete without an architecture or a value"
    if not trial.blocks:
        return None
    unknown = [block["activation"] for block in trial.blocks if block["activation"] not in ACTIVATIONS]
    if unknown:
        return f"has the activation {unknown[0]!a}, expected one of {', '.join(ACTIVATIONS)}"
    own = counts(trial.blocks, shape, classes)
    if own is None:
        return "has an architecture with a gene that has no effect"
    if trial.digest != hashlib.sha256(json.dumps({"blocks": list(trial.blocks)}, sort_keys=True).encode()).hexdigest()[:16]:
        return "has a digest that is not its architecture's"
    if (trial.parameters, trial.macs) != (own.parameters, own.macs):
        stated = f"{trial.parameters:,} parameters and {trial.macs:,} multiply-accumulates"
        return f"states {stated}, its architecture has {own.parameters:,} and {own.macs:,}"
    if trial.values and study.directions[0] == "maximize" and not 0 <= trial.values[0] <= 1:
        return f"has the first value {trial.values[0]:g}, which is no accuracy"
    return None


def _trials(study: Study, finished: Sequence[Trial]) -> ClaimFinding:
    different = len({trial.digest for trial in finished})
    states = Counter(trial.state for trial in study.trials)
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    return ClaimFinding(float(different), f"{different} different architectures with a finished trial (trials: {told})")


def _consistent(study: Study, shape: Shape, classes: int) -> ClaimFinding:
    stating = [trial for trial in study.trials if trial.blocks or trial.state == "complete"]
    if not stating:
        return ClaimFinding(0.0, "There is no trial that states anything")
    numbers, wrong = Counter(trial.number for trial in study.trials), []
    for trial in stating:
        reason = "is there twice" if numbers[trial.number] > 1 else _wrong(trial, study, shape, classes)
        if reason:
            wrong.append(f"trial {trial.number} {reason}")
    share = 1 - len(wrong) / len(stating)
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return ClaimFinding(share, f"{100 * share:.0f} % of the trials state what is so" + (f" ({wrong[0]}{more})" if wrong else ""))


def _unbeaten(finished: Sequence[Trial], directions: Sequence[str]) -> list[Trial]:
    """The trials than which no other is at least as good in every value and better in one."""
    signs = [-1.0 if direction == "maximize" else 1.0 for direction in directions]
    scores = sorted({tuple(sign * value for sign, value in zip(signs, trial.values, strict=True)) for trial in finished})
    front: list[tuple[float, ...]] = []
    for score in scores:  # in this order, only an earlier one can beat a later one
        if not any(all(a <= b for a, b in zip(other, score, strict=True)) for other in front):
            front.append(score)
    kept = set(front)
    return [t for t in finished if tuple(sign * value for sign, value in zip(signs, t.values, strict=True)) in kept]


def _is_of(trial: Trial, slot: Slot, shape: Shape, classes: int) -> bool:
    """Whether the file has exactly the numbers and the work of the trial's architecture."""
    own, values = counts(trial.blocks, shape, classes), slot.profile.values
    return own is not None and all(
        metric in values and values[metric].value == number for metric, number in (("parameters", own.stored), ("macs", own.macs))
    )


def _best(own: Sequence[Trial], best: Sequence[Trial], wanted: Counts | None, slot: Slot) -> ClaimFinding:
    if own:
        return ClaimFinding(1.0, f"The file has the parameters and the work of trial {own[0].number}, which no other trial beats")
    if wanted is None:
        return ClaimFinding(0.0, "No finished trial is sound, so that none can be the best")
    values = slot.profile.values
    found = [f"{values[metric].value:,.0f}" if metric in values else "?" for metric in ("parameters", "macs")]
    others = f", nor is it another of the {len(best)} best" if len(best) > 1 else ""
    return ClaimFinding(
        0.0,
        f"The file stores {found[0]} parameters and needs {found[1]} multiply-accumulates; the best trial, {best[0].number}, "
        f"would store {wanted.stored:,} and need {wanted.macs:,}{others}",
    )


def _accuracy(own: Sequence[Trial], slot: Slot) -> ClaimFinding:
    if not own:
        return ClaimFinding(0.0, "The file is of none of the best trials, so that no accuracy was claimed for it")
    hidden = slot.profile.values.get("accuracy")
    if slot.plain is None or hidden is None:
        return ClaimFinding(0.0, "The accuracy of the file was not measured")
    # The hidden images may be harder than those that the claim was made on, the first public ones may be easier. The claim was
    # made on the validation images, of which there are about as many as public ones.
    bounds = [bound for found in (slot.plain, hidden) for bound in _not_told_apart(found.value, found.n, slot.plain.n)]
    low, high = min(bounds), max(bounds)
    holds = [trial for trial in own if low <= trial.values[0] <= high]
    trial = (holds or own)[0]
    sentence = (
        f"Trial {trial.number} claims {100 * trial.values[0]:.1f} %; the file has {100 * slot.plain.value:.1f} % on "
        f"{slot.plain.n} public and {100 * hidden.value:.1f} % on the hidden images, which allows {100 * low:.1f} to "
        f"{100 * high:.1f} %"
    )
    return ClaimFinding(float(bool(holds)), sentence)


def _not_told_apart(share: float, count: int, others: int) -> tuple[float, float]:
    """The least and the largest share of `others` images that a test of two proportions, with pooled variance, does not tell from
    `share` of `count` at the 99.9 % level: both are samples."""
    possible = np.arange(others + 1) / others
    pooled = (share * count + possible * others) / (count + others)
    allowed = Z * np.sqrt(pooled * (1 - pooled) * (1 / count + 1 / others))
    holds = possible[np.abs(possible - share) <= allowed]
    return float(min(holds.min(initial=share), share)), float(max(holds.max(initial=share), share))
