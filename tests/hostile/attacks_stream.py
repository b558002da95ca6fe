"""Attacks by what a child says: frames and records that are forged, malformed or without end. The outside decides what came of
each: whether the grader believed it, or broke. See attacks_processes on the rest.
"""

import json
import os
import signal
import struct
import time

from attack_tools import part

RECORD, OUTPUTS = 1, 2
HONEST = {"step": "x", "values": {}, "ratios": {}, "missing": {}, "problem": None, "done": True}
HONEST |= {"weights": [], "layers": None, "inference": 0.0, "timing": 0.0, "off_core": 0.0}


def _record(aim, slot=0, **changes):
    aim["tell"](part(RECORD, slot, json.dumps(HONEST | changes).encode()))


def _outputs(aim, slot=0, value=None):
    count = aim["count"] * 10
    numbers = [value] * count if value is not None else [(index % 7) / 7 for index in range(count)]
    header = json.dumps({"shape": [aim["count"], 10]}).encode() + b"\n"
    aim["tell"](part(OUTPUTS, slot, header + struct.pack(f"<{count}f", *numbers)))


def forge_the_end_of_its_job(aim):
    """As the warm process writes it, so that the rest is taken for the next job's."""
    header = json.dumps({"code": 0, "signal": 0, "timed_out": False, "flooded": False, "log": ""}).encode()
    aim["tell"](struct.pack(">I", len(header)) + header)


def forge_a_frame_of_answers(aim):
    header = json.dumps({"bytes": 2**40}).encode()
    aim["tell"](struct.pack(">I", len(header)) + header)


def answer_for_a_slot_that_is_not_there(aim):
    for slot in (1, 2, 254, 255):
        _outputs(aim, slot)
        _record(aim, slot)


def answer_for_the_next_submission(aim):
    """Twice its own answers: one for itself, one for whoever comes."""
    for _ in range(2):
        _outputs(aim)
        _record(aim)


def answer_after_its_end(aim):
    """From a child that it leaves behind."""
    if os.fork() == 0:
        time.sleep(1)
        _outputs(aim)
        _record(aim)
        os._exit(0)


def answer_by_its_log(aim):
    os.write(2, part(OUTPUTS, 0, b'{"shape": [1]}\n1234') + part(RECORD, 0, json.dumps(HONEST).encode()))


def say_half_a_part(aim):
    aim["tell"](struct.pack(">BBI", OUTPUTS, 0, 2**32 - 1) + b"abc")


def say_parts_of_unknown_kinds(aim):
    for kind in range(3, 256):
        aim["tell"](part(kind, 0, b"?"))


def say_millions_of_empty_parts(aim):
    """Little to send, much to read."""
    for _ in range(40):
        aim["tell"](part(RECORD, 0, b"") * 100_000)


def say_thousands_of_records(aim):
    record = part(RECORD, 0, json.dumps(HONEST | {"step": "y" * 60_000}).encode())
    for _ in range(800):
        aim["tell"](record)


def fill_the_pipe(aim):
    signal.setitimer(signal.ITIMER_REAL, 0)
    end = time.monotonic() + 12
    while time.monotonic() < end:
        aim["tell"](bytes(2**20))
    return "said all it liked"


def trickle(aim):
    """A byte at a time, to keep the reader awake."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    end = time.monotonic() + 12
    while time.monotonic() < end:
        aim["tell"](b"\0")
        time.sleep(0.001)
    return "trickled on"


def ask_for_turns_without_end(aim):
    """Every turn makes all other workers wait."""
    for _ in range(1000):
        aim["ask"](b"t")
    return "had a thousand turns"


def ask_for_questions_that_nobody_has(aim):
    """Only a child that is under attack gets questions. Past what asks honestly, straight into its pipe."""
    ask = aim["ask"]
    pipe = dict(zip(ask.__code__.co_freevars, ask.__closure__, strict=True))["asks"].cell_contents
    for _ in range(1000):
        os.write(pipe, b"a")
        time.sleep(0.001)
    return "asked a thousand times"


def keep_the_turn(aim):
    """Asks to be alone, and does not let go: the others wait until its time is up, and no longer."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    aim["ask"](b"t")
    time.sleep(12)
    return "kept the turn"


def give_outputs_that_are_not_numbers(aim):
    _outputs(aim, value=float("nan"))
    _record(aim)


def give_infinite_outputs(aim):
    _outputs(aim, value=float("inf"))
    _record(aim)


def give_outputs_of_odd_shapes(aim):
    shapes = ("[-1, 10]", "[1e999]", "[0, 100000000000000000000]", "[NaN]", '"12"', "{}", "[" * 150, "[2.5]", "[true]", "null")
    for shape in shapes:
        aim["tell"](part(OUTPUTS, 0, b'{"shape": ' + shape.encode() + b"}\n" + bytes(40)))


def give_an_infinite_shape(aim):
    aim["tell"](part(OUTPUTS, 0, b'{"shape": [1e999]}\n' + bytes(40)))
    _record(aim)


def give_a_pickle_as_outputs(aim):
    aim["tell"](part(OUTPUTS, 0, b"cos\nsystem\n(S'touch /tmp/evil-of-a-child'\ntR."))
    aim["tell"](part(RECORD, 0, b"cos\nsystem\n(S'touch /tmp/evil-of-a-child'\ntR."))


def give_records_that_are_no_json(aim):
    for text in (b"", b"\xff\xfe", b"[" * 60_000, b'{"step": ' * 5_000, b"9" * 60_000, b"null", b"[]", b'"x"', b"1e999"):
        aim["tell"](part(RECORD, 0, text))


def give_records_of_odd_types(aim):
    odd = (None, 5, "x", [], {}, True, [[]], {"latency_p50": None}, 10**400)
    for field in HONEST:
        for value in odd:
            _record(aim, **{field: value})


def give_records_of_odd_numbers(aim):
    for numbers in ((float("nan"),) * 4, (float("inf"),) * 4, (1, 2, 3, 4), (-1, -1, -1, -5), (10**400,) * 4, (1e308,) * 4):
        _record(aim, values={"macs": numbers}, ratios={"macs": numbers})
    _record(aim, seconds=float("nan"), off_core=-1)


def give_control_codes_and_markup(aim):
    """For the terminal, the page and the spreadsheet of the instructor."""
    _record(aim, problem="\x1b[2J<script>alert(1)</script>\r\n=cmd|' /C calc'!A0\u202e" + "x" * 10_000)


def give_a_record_without_end(aim):
    aim["tell"](part(RECORD, 0, b'{"step": "' + b"x" * 30_000_000 + b'"}'))


def claim_an_accuracy(aim):
    """Which the grader computes itself, from labels that no child has."""
    _outputs(aim)
    _record(aim, values={"accuracy": [1.0, 1.0, 1.0, 1000]}, ratios={"accuracy": [9, 9, 9, 9]})


def claim_a_size(aim):
    _outputs(aim)
    _record(aim, values={"size": [1, 1, 1, 1]})


def claim_a_latency(aim):
    """Measured where the model runs, so a child that was taken over can say what it likes of itself."""
    _outputs(aim)
    _record(aim, values={"latency_p50": [1e-9, 1e-9, 1e-9, 1000]})
