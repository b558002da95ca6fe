"""The file of a search, study.json, read as from a stranger: its shape here, whether its claims hold in the grader.

{"format": 1, "direction": ["maximize", …], "trials": [{"number", "state", "values", "architecture", "digest", "parameters",
"macs"}, …]}, as nas.export_study writes it; further fields are not looked at. An architecture is {"blocks": [{"filters",
"kernel", "stride", "depthwise", "activation", "skip"}, …]}; of a trial that ended too early
to say all four, nothing is known.
"""

import math

from projectkit.errors import SubmissionError
from projectkit.submit.fields import show
from projectkit.submit.limits import LIMITS
from projectkit.submit.strict_json import load_object
from projectkit.types import Block, Study, Trial

STUDY, FORMAT = "study.json", 1
STATES = ("complete", "pruned", "fail", "running", "waiting")
DIRECTIONS = ("maximize", "minimize")
OBJECTIVES = 4  # at most
BLOCK = {"filters": int, "kernel": int, "stride": int, "depthwise": bool, "activation": str, "skip": bool}
SIZE = 4096  # of a filter count, a kernel or a stride, at most
TEXT = 20  # characters in the name of an activation, at most
FIX = "Write it with nas.export_study, and hand it in unchanged."


def check_study(content: bytes) -> Study:
    """The study in the bytes of a study.json. Raises SubmissionError naming the trial and the field that is wrong."""
    if len(content) > LIMITS.study_bytes:
        raise SubmissionError(f"{STUDY}: {len(content)} bytes, expected at most {LIMITS.study_bytes}. Hand in fewer trials.")
    value = load_object(content, STUDY, FIX)
    if value.get("format") != FORMAT or isinstance(value["format"], bool):
        raise _wrong("format", value.get("format"), str(FORMAT))
    directions = value.get("direction")
    if (
        not isinstance(directions, list)
        or not 1 <= len(directions) <= OBJECTIVES
        or not all(isinstance(one, str) and one in DIRECTIONS for one in directions)
    ):
        raise _wrong("direction", directions, f"a list of 1 to {OBJECTIVES} times {' or '.join(DIRECTIONS)}")
    rows = value.get("trials")
    if not isinstance(rows, list) or len(rows) > LIMITS.trials:
        found = f"a list of {len(rows)}" if isinstance(rows, list) else rows
        raise _wrong("trials", found, f"a list of at most {LIMITS.trials} trials")
    return Study(tuple(directions), tuple(_trial(row, f"trials[{index}]", len(directions)) for index, row in enumerate(rows)))


def _trial(row: object, where: str, objectives: int) -> Trial:
    if not isinstance(row, dict):
        raise _wrong(where, row, "an object")
    number, state = _count(row.get("number"), f"{where}.number"), row.get("state")
    if not isinstance(state, str) or state.lower() not in STATES:
        raise _wrong(f"{where}.state", state, f"one of {', '.join(STATES)}")
    if any(row.get(name) is None for name in ("architecture", "digest", "parameters", "macs")):
        return Trial(number, state.lower(), (), (), "", 0, 0)
    digest = row["digest"]
    if not isinstance(digest, str) or len(digest) > LIMITS.text:
        raise _wrong(f"{where}.digest", digest, "a short text")
    return Trial(
        number,
        state.lower(),
        _values(row.get("values"), f"{where}.values", objectives),
        _blocks(row["architecture"], f"{where}.architecture"),
        digest,
        _count(row["parameters"], f"{where}.parameters"),
        _count(row["macs"], f"{where}.macs"),
    )


def _values(values: object, where: str, objectives: int) -> tuple[float, ...]:
    if values is None or values == []:
        return ()
    if not isinstance(values, list) or len(values) != objectives or not all(_is_number(value) for value in values):
        raise _wrong(where, values, f"null, or {objectives} finite number{'s' if objectives > 1 else ''} in a list")
    return tuple(map(float, values))


def _blocks(architecture: object, where: str) -> tuple[Block, ...]:
    blocks = architecture.get("blocks") if isinstance(architecture, dict) and set(architecture) == {"blocks"} else None
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= LIMITS.blocks:
        raise _wrong(where, architecture, f'{{"blocks": […]}} with 1 to {LIMITS.blocks} blocks')
    for index, block in enumerate(blocks):
        if not isinstance(block, dict) or set(block) != set(BLOCK):
            raise _wrong(f"{where}.blocks[{index}]", block, f"the fields {', '.join(BLOCK)}")
        for name, kind in BLOCK.items():
            if not _fits(block[name], kind):
                raise _wrong(f"{where}.blocks[{index}].{name}", block[name], f"{kind.__name__} of a block")
    return tuple(blocks)


def _fits(value: object, kind: type) -> bool:
    """Whether the value is of this kind, where a bool is no int, and small enough for one."""
    if type(value) is not kind:
        return False
    if isinstance(value, str):
        return len(value) <= TEXT
    return isinstance(value, bool) or (isinstance(value, int) and 1 <= value <= SIZE)


def _count(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LIMITS.number:
        raise _wrong(where, value, "a whole number of at least 0")
    return value


def _is_number(value: object) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LIMITS.number and math.isfinite(value)
    )


def _wrong(where: str, got: object, expected: str) -> SubmissionError:
    return SubmissionError(f"{STUDY}: {where} is {show(got)}, expected {expected}. {FIX}")
