"""A worker whose runtime is taken over: the real warm process, but for one thing. Where a child opens the model, it confines
itself as ever, and then runs the attack that the model's bytes are. Honest models are measured as ever.

siege.py starts it with `python -P -c`, in the grader's own sandbox: no file of the tests is visible there.
"""

import json
import signal
import sys
import types
from pathlib import Path

from grading.worker import __main__ as warm
from grading.worker import confine, measuring
from grading.worker.frames import STARTED, part

LAYERS = ()  # siege.py puts the kernel's layers to leave on here
REPORT = 7  # a kind of part that no grader reads
honest = measuring.work


def work(job, files, inputs, own, tell, ask):
    content = Path(next(iter(files.values()))).read_bytes()
    if not content.startswith(b'{"attack"'):
        return honest(job, files, inputs, own, tell, ask)
    confine.confine(Path.cwd(), job["limits"], measuring.seconds(job), own)
    tell(STARTED)
    confine.alarm(job["limits"]["seconds"])
    given = json.loads(content)
    for name, source in given["modules"].items():
        module = sys.modules[name] = types.ModuleType(name)
        exec(compile(source, name, "exec"), module.__dict__)
    try:
        gained = getattr(module, given["attack"])(given["aim"] | {"tell": tell, "ask": ask})
        said = {"gained": gained}
    except BaseException as error:
        said = {"refused": f"{type(error).__name__}: {error}"[:200]}
    signal.setitimer(signal.ITIMER_REAL, 0)
    tell(part(REPORT, 0, json.dumps(said).encode()))


if __name__ == "__main__":
    if LAYERS is not None:
        confine.available = lambda: LAYERS
    warm.work = work
    warm.main(sys.argv[1])
