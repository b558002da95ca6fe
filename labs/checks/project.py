"""Checks of the capstone project: not whether it is right, but whether a jury could be convinced by it."""

import math
from collections.abc import Mapping, Sequence

from checks import right
from projectkit.metrics import PROFILE_METRICS
from projectkit.submit import LIMITS, unmeasurable_claim
from projectkit.types import Dataset, Measurement, Profile

SECTIONS = (
    "Question and state of the art",
    "Model and data",
    "Methods",
    "Environment",
    "Experiments",
    "Conclusions",
    "Presentation",
)
PAPERS, WORDS = 3, 15  # at least: lines of the table, words of a section


def state_of_the_art(papers: Sequence[tuple[str, str, str, str]]) -> None:
    """papers: (paper, method, figures, what we take), a row each."""
    assert len(papers) >= PAPERS, (
        f"Your table has {len(papers)} papers, expected at least {PAPERS}. Who has measured this before?"
    )
    for row in papers:
        assert len(row) == 4 and all(cell.strip() for cell in row), (
            f"The line of {row[0]!r} needs four filled cells: paper, method, figures, what you take from it."
        )
        assert any(character.isdigit() for character in row[2]), (
            f"The figures of {row[0]!r} hold no number. Quote one, with the model and the data that it was measured on."
        )
    assert len({row[0] for row in papers}) == len(papers), "A paper stands in two lines. Put both into one."
    right(f"{len(papers)} papers, each with figures and what you take from it.")


def no_leak(dataset: Dataset) -> None:
    """No image of the test split may be among those that are trained on or looked at."""
    seen = {image.tobytes() for split in (dataset.train, dataset.val) for image in split.x}
    both = sum(image.tobytes() in seen for image in dataset.test.x)
    share = both / len(dataset.test)
    assert share <= 0.001, (
        f"{both} of the {len(dataset.test)} test images ({share:.1%}) are also in train or val: the accuracy would be too high. "
        "Remove them from train and val."
    )
    right(f"{both or 'none'} of the {len(dataset.test):,} test images {'is' if both < 2 else 'are'} in train or val.")


def enough_images(count: int, smallest: float, expected: float = 0.97) -> None:
    """Whether `count` test images can show a difference of `smallest` percentage points near the accuracy `expected`."""
    half_width = 196 * math.sqrt(expected * (1 - expected) / count)
    needed = math.ceil(expected * (1 - expected) * (196 / smallest) ** 2)
    assert half_width <= smallest, (
        f"With {count} test images the 95 % interval is ±{half_width:.1f} points, and you want to see {smallest}. "
        f"Take {needed:,} images or more, or claim less."
    )
    right(f"{count:,} test images: ±{half_width:.1f} points near {expected:.0%}, and {smallest} is what you want to see.")


def comparable(profiles: Mapping[str, Profile]) -> None:
    """profiles by slot: both models are there, measured on one device and timed in turn."""
    for slot in ("baseline", "optimized"):
        assert slot in profiles, f"There is no model {slot!r}; the jury compares baseline and optimized."
    devices = {profile.device for profile in profiles.values()}
    assert len(devices) == 1, f"Your figures come from {len(devices)} devices: {'; '.join(sorted(devices))}. Measure all on one."
    untimed = [slot for slot, profile in profiles.items() if "latency_ratio" not in profile.values]
    assert not untimed, (
        f"{', '.join(untimed)}: no latency relative to the baseline. Give all files to one measure.compare(…, baseline=…), "
        "so that they take turns."
    )
    own = profiles["baseline"].values["latency_ratio"].value
    assert 0.7 <= own <= 1.4, (
        f"The baseline takes {own:.2f} times as long as the file you compare with. Pass the baseline's own artifact as baseline=."
    )
    right(f"{len(profiles)} models on one device, timed in turn.")


def claims(claimed: Mapping[str, float], profiles: Mapping[str, Profile]) -> None:
    """Every claim has a measurement behind it and is not better than that. profiles by slot."""
    assert claimed, "You claim nothing, so the jury has nothing to confirm. Claim at least an accuracy and a size."
    for name, number in claimed.items():
        if sentence := unmeasurable_claim(name, profiles):
            raise AssertionError(sentence)
        slot, _, metric = name.partition("/")
        measured = _measured(slot, metric, profiles)
        base = metric if metric in PROFILE_METRICS else metric.removesuffix("_ratio")
        reason = profiles[slot].missing.get(base, "it is not among your measurements")
        assert measured is not None, f"You claim {name}, but did not measure it: {reason}. Drop the claim."
        known = PROFILE_METRICS[base]
        slack = 1e-9 * abs(measured.value)
        too_good = number < measured.low - slack if known.less_is_better else number > measured.high + slack
        assert not too_good, (
            f"You claim {name} = {number:g}; measured was {measured.value:.4g} ({measured.low:.4g} to {measured.high:.4g}). "
            f"Round to the worse side: {'up' if known.less_is_better else 'down'}."
        )
    right(f"{len(claimed)} claims, none better than what you measured.")


def report(text: str) -> None:
    """The report has every section, with something in it, and fits into the zip."""
    bodies = _sections(text)
    absent = [section for section in SECTIONS if section not in bodies]
    assert not absent, f"The report lacks the sections {', '.join(absent)}. Run the cells that write them."
    short = [section for section in SECTIONS if len(bodies[section].split()) < WORDS]
    assert not short, f"Fewer than {WORDS} words in {', '.join(short)}. Say what you did, and why."
    size = len(text.encode())
    assert size <= LIMITS.report_bytes, f"The report has {size:,} bytes, expected at most {LIMITS.report_bytes:,}. Shorten it."
    right(f"{len(text.split()):,} words in {len(SECTIONS)} sections.")


def _measured(slot: str, metric: str, profiles: Mapping[str, Profile]) -> Measurement | None:
    """The measurement behind a claim; of a ratio with the interval that the two intervals allow."""
    if metric in PROFILE_METRICS:
        return profiles[slot].values.get(metric)
    metric = metric.removesuffix("_ratio")
    one, other = (profiles[name].values.get(metric) for name in (slot, "baseline"))
    if one is None or other is None or other.low <= 0:
        return None
    return Measurement(f"{metric}_ratio", one.value / other.value, one.low / other.high, one.high / other.low)


def _sections(text: str) -> dict[str, str]:
    """What stands under each heading of the second level."""
    parts = ("\n" + text).split("\n## ")[1:]
    return {head.strip(): body for head, _, body in (part.partition("\n") for part in parts)}
