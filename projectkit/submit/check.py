"""What intake will say about a submission, before it is handed in."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from projectkit.errors import SubmissionError
from projectkit.submit.exercises import INPUTS
from projectkit.submit.read import Intake, read


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a submission; `good` is False when the grader would refuse what it speaks of."""

    good: bool
    sentence: str

    def __str__(self) -> str:
        return f"{'✓' if self.good else '✗'} {self.sentence}"


def check(path: str | Path) -> list[Finding]:
    """Everything that the grader's intake would refuse in the zip at `path`, and what it would accept.

    It reads the zip with the same reader as the grader. Models are not run: that they open and answer is seen by measuring
    them (`projectkit measure`).
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            intake = read(path, scratch)
        except SubmissionError as error:
            return [Finding(False, str(error))]
        return [Finding(False, sentence) for sentence in intake.problems.values()] + _accepted(intake)


def _accepted(intake: Intake) -> list[Finding]:
    submission = intake.submission
    sentences = [f"{submission.student} hands in {submission.lab} at scale {submission.scale}."]
    for slot, artifact in submission.artifacts.items():
        sentences.append(f"{slot}: {Path(artifact.path).name}, {artifact.size} bytes, SHA-256 {artifact.sha256[:12]}…")
    known = INPUTS.get(submission.lab, {})
    for exercise, arrays in submission.answers.items():
        sentences.append(f"answers to {exercise}: {', '.join(sorted(arrays))}.")
    absent = sorted(set(known) - set(submission.answers) - {p.removeprefix("answers/") for p in intake.problems})
    if absent:
        sentences.append(f"No answers to {', '.join(absent)}.")
    if submission.claims:
        sentences.append(f"{len(submission.claims)} claimed numbers, shown in the report, worth no points.")
    return [Finding(True, sentence) for sentence in sentences]
