"""The black-box attack behind robust_accuracy: it asks, a sandboxed child answers. Labels and random numbers stay on this side.

Two searches, neither of which sees a gradient: Square, which follows the logits, and RayS, which sees nothing but the class that
is named, so that nothing done to the logits (scaled, rounded, saturated) can hold it up. An image counts when it is answered
rightly and stays so in both. What a model gives for a tie of its largest logits is no answer.
"""

from collections.abc import Generator

import numpy as np

from grading.hidden.probes import Probes
from grading.measuring.stairs import questions, refuse_stairs
from grading.measuring.steady import ALONE, TOGETHER, spread_of
from grading.workers.results import read_outputs
from projectkit.errors import MeasureError, ProjectkitError
from projectkit.robustness.answers import margins
from projectkit.robustness.rays import ray_queries
from projectkit.robustness.square import Queries, square_queries
from projectkit.types import Measurement, Split

BLIND = 0.5  # a share of changed images whose answers look the same
FALLEN = 0.2  # a share of the images that stood up to the first search, times what share of the answers still differs
ROOM = 256  # bytes of an answer's header
UNCHANGED = 4  # images as they are in every question, anywhere in it: a file that answered well before must do so now

Questions = Generator[np.ndarray, np.ndarray, np.ndarray]
Watched = Generator[np.ndarray, np.ndarray, tuple[tuple[np.ndarray, np.ndarray], float]]


class BlackBox:
    """The attack on one model, driven by its answers. `begin` when a child starts to answer, `reply` to each answer with the next
    question, until that is empty; then `result`. `graded`: what it answered to the images of `split` before (n, classes)."""

    def __init__(self, split: Split, classes: int, probes: Probes, graded: np.ndarray | None = None):
        self._attack, self._seed = probes.black_box, probes.seed
        self._split, self._classes = split.take(self._attack.images), classes
        self._graded = None if graded is None else graded[: len(self._split)]
        self.begin()

    @property
    def board(self) -> int:
        """Bytes of the largest question or honest answer."""
        images, most = self._split.x, len(self._split) + UNCHANGED
        return max(most * images[:1].nbytes, 4 * most * self._classes + ROOM)

    @property
    def rounds(self) -> int:
        """How many questions there are at most, the empty one included."""
        return 2 * self._attack.queries + 3 + questions(len(self._split))

    def begin(self) -> None:
        """From the start: a worker that died has been replaced by another."""
        rng = np.random.default_rng(self._seed)
        questions = _questions(self._split, self._attack.epsilon, self._attack.queries, rng)
        self._questions = _watched_closely(questions, self._split.x, self._graded, rng.spawn(1)[0])
        self._asked: np.ndarray | None = None
        self._robust: np.ndarray | None = None
        self._problem = ""

    def reply(self, answer: bytes) -> bytes:
        """The next images as float32, after the answer to those before; nothing after the last, or when that was none."""
        if self._problem or self._robust is not None:
            return b""
        try:
            before, questions = self._asked, self._questions
            asked = self._asked = next(questions) if before is None else questions.send(self._read(answer, len(before)))
            return asked.astype("<f4").tobytes()
        except StopIteration as end:
            self._robust = end.value
        except ProjectkitError as error:
            self._problem = str(error)
        return b""

    def result(self) -> Measurement:
        """The share of the images that held, with its Wilson interval. Raises MeasureError when the attack had no end."""
        if self._robust is None:
            raise MeasureError(self._problem or "it did not answer all questions of the attack")
        return Measurement.share("robust_accuracy", int(self._robust.sum()), len(self._robust))

    def _read(self, answer: bytes, asked: int) -> np.ndarray:
        outputs, expected = read_outputs(answer), (asked, self._classes)
        if outputs is None or outputs.shape != expected:
            shape = "unreadable" if outputs is None else f"of shape {outputs.shape}"
            raise MeasureError(f"under attack its answers are {shape}, expected {expected}: one logit a class for each image")
        if not np.isfinite(outputs).all():
            raise MeasureError("under attack its answers are NaN or infinite, expected finite logits for every image in [0, 1]")
        return outputs.astype(np.float64)


def _watched_closely(questions: Questions, x: np.ndarray, graded: np.ndarray | None, rng: np.random.Generator) -> Questions:
    """`questions`, with some images of `x` as they are in each, mixed. Raises MeasureError where these are not answered as they
    were first, or these first answers are not those that were `graded`, maybe on another machine of a cluster."""
    expected: np.ndarray | None = None
    asked = next(questions)  # about the images as they are
    while True:
        which = rng.permutation(len(x))[:UNCHANGED]
        order = rng.permutation(len(asked) + len(which))
        answers = (yield np.concatenate([asked, x[which]])[order])[np.argsort(order)]
        if expected is None:
            expected, near = answers[: len(x)], TOGETHER * spread_of(answers)
            moved = graded is not None and np.abs(answers[: len(x)] - graded).max(axis=1).mean() > near
        if moved or np.abs(answers[len(asked) :] - expected[which]).max() > ALONE * spread_of(expected):
            raise MeasureError("it answers the same images differently when it is asked again, expected one answer for one image")
        try:
            asked = questions.send(answers[: len(asked)])
        except StopIteration as end:
            return end.value


def _questions(split: Split, epsilon: float, queries: int, rng: np.random.Generator) -> Questions:
    """Asks about the images, then by both searches about changed ones, then in search of a rounded input, then about the images
    again; which ones held, (n,) bool.

    Raises MeasureError for a model that answers the same images differently, or that hides what a change does.
    """
    x, y = split.x, split.y
    first = yield x
    robust = margins(first, y) > 0
    if robust.any():
        robust[robust] = yield from _searched(x[robust], y[robust], epsilon, queries, rng)
    if robust.any():
        yield from refuse_stairs(x, rng)
    again = yield x
    if not np.allclose(first, again, rtol=1e-5, atol=1e-5 * np.abs(first).max()):
        raise MeasureError("it answers the same images differently when it is asked again, expected one answer for one image")
    return robust


def _searched(x: np.ndarray, y: np.ndarray, epsilon: float, queries: int, rng: np.random.Generator) -> Questions:
    """Both searches, the second for what the first has left and from where it has ended.

    A model that is robust may well give the same answer to many changed images, above all in int8; one that does, and falls to
    the second search nevertheless, hides what the first would follow. The fewer of its answers differ, the less has to fall.
    """
    (changed, robust), same = yield from _watched(square_queries(x, y, epsilon, queries, rng), y)
    left = np.flatnonzero(robust)
    if len(left):
        _, held = yield from ray_queries(x[left], y[left], epsilon, queries, rng, start=changed[left])
        robust[left] = held
        if same > BLIND and 1 - held.mean() > FALLEN * (1 - same):
            raise MeasureError(
                f"{100 * same:.0f} % of its answers are the same to the last bit although the images differ, and a search that "
                "does without such numbers breaks what looked robust; expected logits that are neither rounded nor saturated. "
                "Export the model without softmax, argmax or a large factor behind its last layer"
            )
    return robust


def _watched(search: Queries, y: np.ndarray) -> Watched:
    """`search` as it is: what it returns, and the share of changed images whose label leads by as much as in the one before."""
    left, before = np.arange(len(y)), np.full(len(y), np.nan)
    same = compared = 0
    batch = next(search)
    try:
        while True:
            answers = yield batch
            lead = margins(answers, y[left])
            compared += int(np.isfinite(before[left]).sum())
            same += int((lead == before[left]).sum())
            before[left], left = lead, left[lead > 0]
            batch = search.send(answers)
    except StopIteration as end:
        return end.value, same / max(1, compared)
