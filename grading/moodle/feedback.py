"""The zip of feedback files that Moodle hands out to the students it was made for."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.errors import GradingError
from grading.moodle.names import feedback_folder, printable
from grading.moodle.outcome import Outcome

REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Feedback:
    """The zip's bytes, how many reports are in it, and a sentence for each person without one."""

    content: bytes
    reports: int
    remarks: tuple[str, ...]


def pack_feedback(out: str | Path, found: Sequence[Outcome]) -> Feedback:
    """Each person's page of `out`/results, under the folder that brings it to them and to nobody else; the same bytes for the
    same pages. Raises GradingError when a page is missing."""
    results = Path(out) / "results"
    remarks, pages = [], {}
    for one in found:
        if one.grade is None or not one.row.identifier:
            why = one.reason if one.grade is None else "no participant's number; give `moodle in` the grading worksheet."
            remarks.append(f"{printable(one.row.name)}: no report. {why}")
            continue
        page = results / f"{one.grade.name}.html"
        try:
            pages[f"{feedback_folder(one.row.name, one.row.identifier)}/{REPORT}"] = page.read_bytes()
        except OSError as error:
            raise GradingError(f"{page}: cannot be read ({error.strerror}), expected a report. Grade again.") from error
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(pages.items()):
            member = zipfile.ZipInfo(name)  # its default date is fixed
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(member, content)
    return Feedback(stream.getvalue(), len(pages), tuple(remarks))
