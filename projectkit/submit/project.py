"""What a capstone project hands in beyond models: a title, the dataset, a report; and how its claims must be named.

A project is judged by a jury that measures every claim again, so a claim names what to measure: "optimized/accuracy",
"optimized/latency_p50" (SI units: seconds, bytes, joules), or "optimized/size_ratio", the optimized value over the baseline's.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from projectkit.errors import SubmissionError
from projectkit.metrics import PROFILE_METRICS, RATIO_SUFFIX
from projectkit.submit.fields import FileEntry, check_fields, check_file, check_text, show
from projectkit.submit.limits import LIMITS

PROJECT = "project"  # the only lab that has a report, and no rubric
REPORT = "report.md"
# The members of projectkit.data's LOADERS, whose data the jury has too. A test holds the two together.
DATASETS = ("digits", "shapes", "mnist", "fashion_mnist", "cifar10", "cifar100")
_DATASET = re.compile(r"[a-z][a-z0-9_]{0,39}")
_BASELINE = "baseline"
# Invisible, but of use in a text: soft hyphen, and the joiners that some scripts and emoji need.
_JOINERS = "\u00ad\u200c\u200d"


@dataclass(frozen=True, slots=True)
class ProjectEntry:
    """What the manifest says of a project. Its report is a file of the zip."""

    title: str
    dataset: str
    report: FileEntry


def dump_project(project: ProjectEntry | None) -> dict[str, object] | None:
    """The manifest's field `project`: null for a lab."""
    if project is None:
        return None
    report = {"file": REPORT, "sha256": project.report.sha256, "size": project.report.size}
    return {"title": project.title, "dataset": project.dataset, "report": report}


def parse_project(value: object, lab: str) -> ProjectEntry | None:
    """The field `project` of a manifest. Raises SubmissionError when a lab has one or a project has none, or it is wrong."""
    if lab != PROJECT:
        if value is not None:
            raise SubmissionError(f"manifest: project is {show(value)} in {lab}, expected null. Only the project has one.")
        return None
    if value is None:
        raise SubmissionError(
            "manifest: project is null, expected a title, a dataset and a report. Pack it with `projectkit pack project`."
        )
    fields = check_fields(value, {"title", "dataset", "report"}, "project")
    return ProjectEntry(
        check_text(fields["title"], "project.title", slashes=True),
        _check_dataset_name(fields["dataset"]),
        check_file(fields["report"], REPORT, "project.report"),
    )


def check_report(content: bytes) -> str:
    """The text of a report from its bytes, with "\\n" as its line ends.

    Raises SubmissionError when it is empty, too long, not UTF-8, or holds characters that a reader cannot see or that turn the
    reading direction round: what the jury reads must be what the file says.
    """
    if len(content) > LIMITS.report_bytes:
        raise SubmissionError(f"{REPORT}: {len(content)} bytes, expected at most {LIMITS.report_bytes}. Shorten it.")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise SubmissionError(f"{REPORT}: byte {error.start} is not UTF-8, expected a UTF-8 text. Save it as UTF-8.") from error
    if not text.strip():
        raise SubmissionError(f"{REPORT}: it is empty, expected the report of the project. Write it and pack again.")
    for number, line in enumerate(text.split("\n"), 1):
        for character in line:
            if not _visible(character):
                raise SubmissionError(
                    f"{REPORT}: line {number} holds the character U+{ord(character):04X}, expected printable text, tabs and "
                    "line breaks. Delete the character."
                )
    return text


def unknown_dataset(name: str) -> str | None:
    """A sentence when the jury does not have the dataset of this name, else None. A project may have data of its own."""
    if name in DATASETS:
        return None
    return (
        f"project: {show(name)} is not one of the course's datasets ({', '.join(DATASETS)}). If it is your own, give the jury "
        f"its .npz, which it needs to measure anything (grading defend --data {name}=FILE.npz)."
    )


def unmeasurable_claim(name: str, slots: Collection[str]) -> str | None:
    """A sentence when no measurement of the models in `slots` can confirm the claim `name`, else None."""
    slot, _, metric = name.partition("/")
    ratio = metric.endswith(RATIO_SUFFIX)
    if metric not in PROFILE_METRICS and not (
        ratio and metric.removesuffix(RATIO_SUFFIX) in set(PROFILE_METRICS) - {"latency_ratio"}
    ):
        return (
            f"claim {show(name)}: names nothing that is measured, expected SLOT/METRIC or SLOT/METRIC_ratio with a metric of "
            f"{', '.join(PROFILE_METRICS)}. Rename or drop it."
        )
    needed = {slot, _BASELINE} if ratio else {slot}
    if needed - set(slots):
        return (
            f"claim {show(name)}: needs a model for {' and '.join(sorted(needed))}, handed in: {', '.join(slots) or 'none'}. "
            "Hand the model in or drop the claim."
        )
    return None


def _check_dataset_name(name: object) -> str:
    if not isinstance(name, str) or not _DATASET.fullmatch(name):
        raise SubmissionError(
            f"manifest: project.dataset is {show(name)}, expected a name like digits or cifar10. "
            "Use one of `projectkit data list`."
        )
    return name


def _visible(character: str) -> bool:
    return character.isprintable() or character in "\t" + _JOINERS or unicodedata.category(character) == "Zs"
