"""Questions about how good a model is, and about what was chosen and claimed. As in asked_costs.py, None where nothing sticks
out."""

from grading.defense.claims import judge_claims, shown, with_interval
from grading.defense.types import BASELINE, OPTIMIZED, REFUTED, UNMEASURABLE, Asked, Work
from grading.types import Slot
from projectkit.types import Measurement

OWN = "your numbers"
WORTH_ASKING = 0.005  # of accuracy


def loss_in_few_classes(work: Work) -> Asked | None:
    """Of all that was lost by class, the share of the two classes that lost most."""
    lost = class_losses(work.baseline, work.optimized)
    total = sum(loss for _, loss in lost if loss > 0)
    drop = _drop(work)
    if drop is None or drop < WORTH_ASKING or len(lost) < 4 or total <= 0:
        return None
    worst = sorted(lost, key=lambda one: -one[1])[:2]
    share = sum(loss for _, loss in worst if loss > 0) / total
    if share < 0.4:
        return None
    names = " and ".join(str(index) for index, _ in worst)
    return Asked(
        "loss_in_few_classes",
        f"Your optimized model lost {100 * drop:.1f} points, and {100 * share:.0f} % of what was lost in two classes "
        f"({names}): why those?",
        (
            "looks at the confusions: classes that lie close together lose their margin first",
            "rare or unrepresented classes in the calibration or fine-tuning data",
            "would test it: calibrate or distil with those classes, keep the last layer in higher precision",
        ),
        OWN,
        1.0 + share + min(1.0, 20 * drop),
    )


def accuracy_lost(work: Work) -> Asked | None:
    drop = _drop(work)
    if drop is None or drop < 0.015:
        return None
    return Asked(
        "accuracy_lost",
        f"The optimized model is {100 * drop:.1f} points less accurate than your baseline on the hidden data. Which step of "
        "yours costs most of that, and how do you know?",
        (
            "has an ablation, or measured after each step",
            "names a remedy: fine-tuning, distillation, mixed precision",
        ),
        OWN,
        min(3.0, 0.8 + 25 * drop),
    )


def accuracy_rose(work: Work) -> Asked | None:
    drop = _drop(work)
    if drop is None or drop > -0.004:
        return None
    return Asked(
        "accuracy_rose",
        f"Your optimized model is {-100 * drop:.1f} points better than the baseline that it was made from. Luck, regularization "
        "or an unfair baseline?",
        (
            "compares with the intervals: is the difference larger than chance?",
            "more training for the optimized model than for the baseline is not a merit of the method",
            "would train the baseline as long, or with several seeds",
        ),
        OWN,
        min(2.5, 0.9 - 20 * drop),
    )


def within_chance(work: Work) -> Asked | None:
    both = _accuracies(work)
    if both is None or both[0].value == both[1].value:
        return None
    one, two = both
    drop = one.value - two.value
    if one.low > two.high or two.low > one.high:
        return None
    return Asked(
        "within_chance",
        f"Baseline {with_interval('accuracy', one)}, optimized {with_interval('accuracy', two)} on {one.n} images: are the two "
        "models different?",
        (
            "the intervals overlap, yet both saw the same images: a paired test (McNemar) counts where they disagree",
            f"can estimate how many images a difference of {100 * abs(drop):.1f} points would need",
        ),
        OWN,
        0.7,
    )


def better_variant(work: Work) -> Asked | None:
    """A variant that is as good in accuracy, size and latency, and better in one, was not put forward."""
    chosen = work.optimized
    for name, slot in work.slots.items():
        if name in (OPTIMIZED, BASELINE) or chosen is None:
            continue
        gains = [_gain(slot, chosen, metric) for metric in ("accuracy", "size", "latency_p50")]
        better = [gain for gain in gains if gain is not None]
        if len(better) < len(gains) or min(better) < 1 or max(better) < 1.05:
            continue
        return Asked(
            "better_variant",
            f"Your {name} is no worse than the model that you put forward ({_brief(slot)} against {_brief(chosen)}). Why did you "
            "not choose it?",
            ("names a criterion that it fails (another device, memory, energy, training cost), or sees the point",),
            OWN,
            2.2,
        )
    return None


def variants_compared(work: Work) -> Asked | None:
    variants = [name for name in work.slots if name not in (OPTIMIZED, BASELINE)]
    if not variants or work.optimized is None:
        return None
    found = "; ".join(f"{name}: {_brief(work.slots[name])}" for name in (OPTIMIZED, *variants))
    return Asked(
        "variants_compared",
        f"{found}. For which device or limit would each of these be the one to ship?",
        ("reads the trade-off as a Pareto front", "gives a use with numbers for each: flash, deadline, least accuracy"),
        OWN,
        0.8,
    )


def claim_refuted(work: Work) -> Asked | None:
    refuted = [one for one in judge_claims(work) if one.verdict == REFUTED]
    if not refuted:
        return None
    worst = max(refuted, key=lambda one: one.off)
    more = f" ({len(refuted) - 1} more of your claims did not hold either.)" if len(refuted) > 1 else ""
    return Asked(
        "claim_refuted",
        f"{worst.name[:80]}: {_brief_claim(worst.sentence)} How did you measure it, and what explains the difference?{more}",
        (
            "can say on which data, machine, threads and repetitions the number was measured",
            "names a plausible cause: the test data used for choosing, another file than the one handed in, one run only",
            "owns the error when there is one",
        ),
        OWN,
        2.0 + min(1.0, worst.off),
    )


def claim_unknown(work: Work) -> Asked | None:
    unknown = [one for one in judge_claims(work) if one.verdict == UNMEASURABLE and not one.metric]
    if not unknown:
        return None
    return Asked(
        "claim_unknown",
        f"You claim {shown('', unknown[0].claimed)} for “{unknown[0].name[:80]}”. What is that, and how could the jury check it?",
        ("defines the quantity and its unit", "gives the steps by which somebody else would get the same number"),
        OWN,
        1.2,
    )


def nothing_claimed(work: Work) -> Asked | None:
    if work.claims:
        return None
    return Asked(
        "nothing_claimed",
        "Your project claims no number. Which one number should it be judged by, and what is it?",
        ("ties the number to the goal of the project", "knows its value and how sure it is"),
        OWN,
        1.5,
    )


def hidden_data_gap(work: Work) -> Asked | None:
    slot = work.optimized
    if slot is None:
        return None
    found = slot.profile.values.get("accuracy")
    known = slot.plain.value if slot.plain else work.claims.get(f"{OPTIMIZED}/accuracy")
    if known is None or found is None or not 0.01 < known - found.value < 1:
        return None
    return Asked(
        "hidden_data_gap",
        f"Your model reaches {shown('accuracy', known)} on the public test images and {with_interval('accuracy', found)} on the "
        "hidden ones. What does the difference say about it?",
        (
            "where the hidden images are altered test images: sensitivity to small shifts, augmentation as the remedy",
            "a test split used for choosing models gives a number that is too good",
        ),
        OWN,
        min(2.5, 0.6 + 20 * (known - found.value)),
    )


def model_refused(work: Work) -> Asked | None:
    if not work.problems:
        return None
    slot, reason = sorted(work.problems.items())[0]
    return Asked(
        "model_refused",
        f"Your {slot[:40]} could not be measured: {_brief_claim(reason)} What would you change so that somebody else can run it?",
        ("understands the reason given", "knows how to export and check a file outside of the notebook that made it"),
        OWN,
        1.8,
    )


def class_losses(baseline: Slot | None, optimized: Slot | None) -> list[tuple[int, float]]:
    """(class, images of it that were lost) for each class, from both models' accuracy by class; negative where some were won."""
    return [(index, (one.value - two.value) * one.n) for index, one, two in class_accuracies(baseline, optimized)]


def class_accuracies(baseline: Slot | None, optimized: Slot | None) -> list[tuple[int, Measurement, Measurement]]:
    """(class, the baseline's accuracy in it, the optimized model's) for each class in which both are known."""
    if baseline is None or optimized is None or len(baseline.classes) != len(optimized.classes):
        return []
    pairs = zip(baseline.classes, optimized.classes, strict=True)
    return [(index, one, two) for index, (one, two) in enumerate(pairs) if one and two]


def _accuracies(work: Work) -> tuple[Measurement, Measurement] | None:
    """The accuracies of the baseline and of the optimized model on the hidden images, where both are known."""
    found = [slot.profile.values.get("accuracy") if slot else None for slot in (work.baseline, work.optimized)]
    return (found[0], found[1]) if found[0] and found[1] else None


def _drop(work: Work) -> float | None:
    both = _accuracies(work)
    return None if both is None else both[0].value - both[1].value


def _gain(slot: Slot, chosen: Slot, metric: str) -> float | None:
    """How much better the slot is than the chosen one: above 1 is better."""
    one, two = slot.profile.values.get(metric), chosen.profile.values.get(metric)
    if one is None or two is None or min(one.value, two.value) <= 0:
        return None
    return one.value / two.value if metric == "accuracy" else two.value / one.value


def _brief(slot: Slot) -> str:
    values = slot.profile.values
    return ", ".join(shown(metric, values[metric].value) for metric in ("accuracy", "size", "latency_p50") if metric in values)


def _brief_claim(sentence: str) -> str:
    text = sentence[:260]
    return text if text.endswith(".") else text.rstrip() + "."


TEMPLATES = (
    loss_in_few_classes, accuracy_lost, accuracy_rose, within_chance, better_variant, variants_compared, claim_refuted,
    claim_unknown, nothing_claimed, hidden_data_gap, model_refused,
)  # fmt: skip
