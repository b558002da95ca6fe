"""A worker whose children answer an attack's questions as a hostile program would: the real warm process and child, but for how a
question is answered. The name in the model's file says how; other models are honest.

test_answering.py starts it with `python -P -c`, in the grader's own sandbox: no file of the tests is visible there.
"""

import os
import struct
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from grading.worker import __main__ as warm
from grading.worker import measuring
from grading.worker.frames import ANSWER, OUTPUTS, part
from projectkit import runtimes

honest = measuring._Slot._answers
MARK = b"answers-like:"


def answers(slot):
    content = Path(slot.artifact.path).read_bytes()
    if MARK not in content:
        return honest(slot)
    name = content.split(MARK)[1].split(b".")[0].decode()
    return globals()[name](slot, 0)


def count_of(slot, question):
    return len(question) // slot.inputs[:1].nbytes


def right(slot, question):
    """The honest answer: images as they are stand among the others, so that made-up ones would be noticed at once."""
    images = np.frombuffer(question, "<f4").reshape(-1, *slot.inputs.shape[1:])
    with closing(runtimes.open(slot.artifact, threads=1)) as session:
        return session.run(images, at_once=1)


def talk(slot, answer_to, rounds=10**9):
    """Answers by `answer_to(number, question)`, as bytes, until the questions end."""
    answer = b""
    for number in range(rounds):
        question = slot._ask(ANSWER, answer)
        if not question:
            break
        answer = answer_to(number, question)


def inside(function, name):
    """What a function holds under this name."""
    return dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))[name].cell_contents


def packed(numbers):
    return measuring.pack_array(numbers)


def a_death_in_the_middle(slot, _):
    talk(slot, lambda number, question: os._exit(0) if number == 5 else packed(right(slot, question)))


def a_crash_in_the_middle(slot, _):
    talk(slot, lambda number, question: os.abort() if number == 5 else packed(right(slot, question)))


def no_numbers_after_the_first(slot, _):
    talk(slot, lambda number, question: packed(right(slot, question) * (1 if number == 0 else np.nan)))


def infinities(slot, _):
    talk(slot, lambda number, question: packed(right(slot, question) * np.float32(np.inf)))


def too_many_rows(slot, _):
    talk(slot, lambda number, question: packed(np.ones((count_of(slot, question) + 1, 10), np.float32)))


def other_classes(slot, _):
    talk(slot, lambda number, question: packed(np.ones((count_of(slot, question), 3), np.float32)))


def no_array(slot, _):
    talk(slot, lambda number, question: b"\x80\x04cos\nsystem\n." if number else packed(right(slot, question)))


def an_empty_answer_to_begin_again(slot, _):
    talk(slot, lambda number, question: b"" if number == 7 else packed(right(slot, question)))


def more_than_fits(slot, _):
    talk(slot, lambda number, question: packed(np.ones((10_000, 1000), np.float32)))


def a_length_that_lies(slot, _):
    """Straight onto the shared memory, past what writes there honestly."""

    def lying(number, question):
        board = inside(slot._ask, "board")
        board._set_length = lambda length: board._memory.__setitem__(slice(0, 4), struct.pack(">I", 2**32 - 1))
        return packed(right(slot, question))

    talk(slot, lying)


def silence(slot, _):
    talk(slot, lambda number, question: time.sleep(60) if number else packed(right(slot, question)))


def a_trickle(slot, _):
    talk(slot, lambda number, question: time.sleep(0.1) or packed(right(slot, question)))


def no_waiting_for_questions(slot, _):
    """The pipe on which it asks, without reading what comes back."""
    asks = inside(slot._ask, "asks")
    for _ in range(100_000):
        os.write(asks, ANSWER)


def questions_after_the_end(slot, _):
    talk(slot, lambda number, question: packed(right(slot, question)))
    for _ in range(100_000):
        slot._ask(ANSWER, packed(np.ones((1, 10), np.float32)))


def outputs_anew(slot, _):
    """Better ones, once the questions have told what was right."""
    slot._tell(part(OUTPUTS, slot.index, packed(np.eye(10, dtype=np.float32)[np.zeros(560, int)])))
    raise SystemExit(0)


def a_claim(slot, _):
    """The number itself, in the record."""
    slot.record["values"]["robust_accuracy"] = [1.0, 1.0, 1.0, 100]
    slot._ask(ANSWER, b"")


def too_few_answers(slot, _):
    talk(slot, lambda number, question: packed(right(slot, question)), rounds=20)


def files_without_end(slot, _):
    talk(slot, lambda number, question: Path("large").write_bytes(bytes(300 * 1024**2)) and b"")


measuring._Slot._answers = answers
if __name__ == "__main__":
    warm.main(sys.argv[1])
