"""Trains two trials of a handed-in search again and compares them with what the study states, where an instructor asks for it.

Which trials is decided by the salt and the submission's digest, so that nobody can prepare two of many. A study does not say how
it was trained, and a short training is as honest as a long one. So a stated accuracy is contradicted only when it lies below what
the network reaches after a quarter of the lab's own training, or above what it reaches at any later epoch, in two trainings
with different seeds, each by more than TOLERANCE.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grading.points.study import counts, eligible
from grading.results.store import digest_of, dump, write_atomically
from grading.types import CONTRADICTED, FAILED, HELD, Recheck, Rubric, Slot
from grading.workers import turns
from projectkit.types import Study, Trial

DRAWN = 2
SEEDS = (0, 1)
# The standard deviation from seed to seed of the validation accuracy, pooled over 14 architectures of lab 6's space, each trained
# three times on digits by the recipe below; 3.3 of them are exceeded by chance once in a thousand trainings.
SPREAD = 0.0234
TOLERANCE = 3.3 * SPREAD
MOST_MACS = 20_000_000  # of a trial that is trained here: a study may state networks that take hours
FIELDS = ("epochs", "batch_size", "learning_rate")
ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Training:
    """How the trials of a scale are trained again, and the seconds after which that is given up."""

    images: int
    epochs: int
    batch_size: int
    learning_rate: float
    seconds: float


TRAININGS: Mapping[str, Training] = {
    "quick": Training(1077, 12, 32, 0.01, 300),
    "full": Training(12_000, 4, 32, 0.01, 1800),
}


def recheck(
    study: Study, rubric: Rubric, slots: Mapping[str, Slot], shape: tuple[int, int, int], classes: int, key: str, out: Path
) -> Recheck:
    """What comes of it. `key` chooses the trials; what was found before is read from the folder `out` again.

    A training that fails, for whatever reason, is told and costs nothing.
    """
    training = TRAININGS.get(rubric.scale)
    if study.directions[0] != "maximize" or training is None:
        return Recheck(FAILED, "the first value of a trial is no accuracy, so that there is nothing to compare")
    able = [trial for trial in eligible(study, rubric, slots, shape, classes) if trial.macs <= MOST_MACS]
    if not able:
        return Recheck(FAILED, "no other trial than the handed-in one is sound and small enough to be trained here")
    drawn = draw(able, key)
    task: dict[str, Any] = {
        "dataset": rubric.dataset,
        "images": training.images,
        **{name: getattr(training, name) for name in FIELDS},
        "seeds": list(SEEDS),
        "architectures": [list(trial.blocks) for trial in drawn],
    }
    try:
        found = _kept(task, training.seconds, out)
        return judge(drawn, found, shape, classes)
    except (OSError, ValueError, LookupError, TypeError, subprocess.SubprocessError) as error:
        return Recheck(FAILED, f"training failed ({str(error)[-200:] or type(error).__name__})")


def draw(trials: Sequence[Trial], key: str) -> list[Trial]:
    """Two of the trials, by the key: one an architecture."""
    own = sorted({trial.digest: trial for trial in trials}.values(), key=lambda trial: trial.digest)
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest(), "big"))
    return sorted((own[index] for index in rng.permutation(len(own))[:DRAWN]), key=lambda trial: trial.number)


def judge(drawn: Sequence[Trial], found: Sequence[Mapping[str, Any]], shape: tuple[int, int, int], classes: int) -> Recheck:
    """The drawn trials beside what training found of each: parameters and work exactly, the accuracy within its range."""
    told, status = [], HELD
    for trial, one in zip(drawn, found, strict=True):
        own = counts(trial.blocks, shape, classes)
        if own is None or (own.parameters, own.macs) != (one["parameters"], one["macs"]):
            # Both sides are ours: where they differ, the student is not the one who is wrong.
            return Recheck(
                FAILED, f"trial {trial.number} was built with {one['parameters']:,} parameters, which is not its count"
            )
        curves = np.array(one["curves"], dtype=np.float64)
        if curves.ndim != 2 or not np.isfinite(curves).all():
            raise ValueError("accuracies that are no numbers")
        later = curves[:, max(1, curves.shape[1] // 4) - 1 :]
        low, high = max(0.0, later[:, 0].min() - TOLERANCE), min(1.0, later.max() + TOLERANCE)
        stated = trial.values[0]
        wrong = not low <= stated <= high
        status = CONTRADICTED if wrong else status
        told.append(
            f"trial {trial.number} states {100 * stated:.1f} %, trained again it reached {100 * later[:, 0].min():.1f} to "
            f"{100 * later.max():.1f} % ({100 * low:.1f} to {100 * high:.1f} % would agree)"
        )
    return Recheck(status, "; ".join(told))


def _kept(task: Mapping[str, Any], seconds: float, out: Path) -> list[Mapping[str, Any]]:
    """What training finds, or found before."""
    path = out / "measurements" / f"trials-{digest_of(task)[:32]}.json"
    try:
        kept: list[Mapping[str, Any]] = json.loads(path.read_text("utf-8"))
        return kept
    except (OSError, ValueError):
        pass
    found = _train(task, seconds)
    write_atomically(path, dump(found))
    return found


def _train(task: Mapping[str, Any], seconds: float) -> list[Mapping[str, Any]]:
    """By a process of its own. Raises SubprocessError or ValueError when it does not end well or in time."""
    threads = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with turns.working():  # so that it disturbs no timing
        done = subprocess.run(
            [sys.executable, "-m", "grading.retraining"],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            timeout=seconds,
            env=os.environ | threads,
        )
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["no word"])[-1])
    found: list[Mapping[str, Any]] = json.loads(done.stdout[:ANSWER_BYTES])
    return found
