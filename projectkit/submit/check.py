"""What intake will say about a submission, before it is handed in."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from projectkit.errors import SubmissionError
from projectkit.submit.exercises import INPUTS
from projectkit.submit.project import unknown_dataset, unmeasurable_claim
from projectkit.submit.read import Intake, read
from projectkit.submit.slots import OPTIONAL, SLOTS, STUDIES, wrong_format
from projectkit.types import Submission

ACCEPTED, ABSENT, REFUSED = "✓", "–", "✗"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about a submission, and whether the grader accepts what it speaks of, misses it or refuses it."""

    mark: str
    sentence: str

    @property
    def good(self) -> bool:
        """False when the grader would refuse what this speaks of."""
        return self.mark != REFUSED

    def __str__(self) -> str:
        return f"{self.mark} {self.sentence}"


def check(path: str | Path) -> list[Finding]:
    """Everything that the grader's intake would refuse in the zip at `path`, what it would accept and what is absent.

    It reads the zip with the same reader as the grader. Models are not run: that they open and answer is seen by measuring
    them (`projectkit measure`).
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            intake = read(path, scratch)
        except SubmissionError as error:
            return [Finding(REFUSED, str(error))]
        if intake.submission.lab not in SLOTS:
            sentence = f"lab {intake.submission.lab}: there is no such lab, expected one of {', '.join(SLOTS)}. Pack again."
            return [Finding(REFUSED, sentence)]
        return _refused(intake) + _accepted(intake) + _absent(intake)


def _refused(intake: Intake) -> list[Finding]:
    wrong = [
        wrong_format(slot, artifact, SLOTS[intake.submission.lab].get(slot))
        for slot, artifact in intake.submission.artifacts.items()
    ]
    return [Finding(REFUSED, sentence) for sentence in (*intake.problems.values(), *wrong) if sentence]


def _accepted(intake: Intake) -> list[Finding]:
    submission, wanted = intake.submission, SLOTS[intake.submission.lab]
    sentences = [f"{submission.student} hands in {submission.lab} at scale {submission.scale}."]
    if project := submission.project:
        sentences.append(f"“{project.title}”, measured on {project.dataset}.")
        sentences += [f"report.md: {len(project.report.split()):,} words."] if project.report else []
    for slot, artifact in submission.artifacts.items():
        if wrong_format(slot, artifact, wanted.get(slot)):
            continue
        unasked = "" if slot in wanted else f"; no check asks for it (slots: {', '.join(wanted)})"
        sentences.append(f"{slot}: {Path(artifact.path).name}, {artifact.size} bytes, SHA-256 {artifact.sha256[:12]}…{unasked}")
    for exercise, arrays in submission.answers.items():
        sentences.append(f"answers to {exercise}: {', '.join(sorted(arrays))}.")
    if study := submission.study:
        finished = sum(trial.state == "complete" for trial in study.trials)
        sentences.append(
            f"study.json: {len(study.trials)} trials, {finished} of them finished; the grader holds them against the model."
        )
    if count := len(submission.claims):
        use = "the jury measures each again" if submission.project else "shown in the report, worth no points"
        sentences.append(f"{count} claimed number{'s' if count > 1 else ''}: {use}.")
    return [Finding(ACCEPTED, sentence) for sentence in sentences]


def _absent(intake: Intake) -> list[Finding]:
    submission = intake.submission
    slots = [slot for slot in SLOTS[submission.lab] if slot not in submission.artifacts and slot not in intake.problems]
    optional = [slot for slot in slots if slot in OPTIONAL.get(submission.lab, ())]
    spoilt = {place.removeprefix("answers/") for place in intake.problems}
    exercises = set(INPUTS.get(submission.lab, {}))  # a project has none
    answers = [] if "answers" in spoilt else sorted(exercises - set(submission.answers) - spoilt)
    loss = "the jury misses it" if submission.project else "nothing to earn there"
    findings = [
        Finding(ABSENT, f"No {what} {', '.join(names)}: {note}.")
        for what, names, note in (
            ("model for", [slot for slot in slots if slot not in optional], loss),
            ("model for", optional, "optional, more points of the trade-off"),
            ("answers to", answers, loss),
        )
        if names
    ]
    if submission.lab in STUDIES and submission.study is None and "study" not in intake.problems:
        findings.append(Finding(ABSENT, f"No study (study.json): {loss}."))
    unknown = [unknown_dataset(submission.project.dataset)] if submission.project else []
    return findings + [Finding(ABSENT, sentence) for sentence in (*unknown, *_claims_of_nothing(submission)) if sentence]


def _claims_of_nothing(submission: Submission) -> list[str]:
    """Why claims of a project will stay unconfirmed. A lab's claims are free text."""
    if submission.project is None:
        return []
    sentences = [unmeasurable_claim(name, submission.artifacts) for name in submission.claims]
    return [sentence for sentence in sentences if sentence]
