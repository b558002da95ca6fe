"""The child process of `arena`: `python -m projectkit.measure.arena_child PATH`.

Prints one JSON object: {"total": bytes, "head": bytes, "tail": bytes}, or {"missing": reason}.
"""

import json
import sys
from contextlib import closing

import numpy as np

from projectkit.errors import ArtifactError, NotHere
from projectkit.runtimes.litert_micro import Arena, open_litert_micro
from projectkit.types import Artifact


def main() -> None:
    try:
        found = measure_arena(Artifact(sys.argv[1], "litert", "", 0))
        answer: dict[str, int | str] = {"total": found.total, "head": found.head, "tail": found.tail}
    except NotHere as reason:
        answer = {"missing": str(reason)}
    print(json.dumps(answer), flush=True)


def measure_arena(artifact: Artifact) -> Arena:
    """The parts of the arena after one inference, in this process, which the file may crash. Raises NotHere."""
    try:
        with closing(open_litert_micro(artifact)) as session:
            session.run(np.zeros((1, *session.inputs[0].shape), np.float32))
            return session.arena()
    except ArtifactError as error:
        raise NotHere(str(error).removeprefix(f"{artifact.path}: ").rstrip(".")) from error


if __name__ == "__main__":
    main()
