"""Every attack of a runtime that was taken over, on the real warm worker, in both sandbox modes; after each, the next submission
is graded as if nothing had been. siege.py runs them; the table in grading/SECURITY.md says which protection stops which.

A siege with all attacks takes a minute, so that `make test` runs a few of each family, and `make proofs` all."""

import contextlib
import functools
import itertools
import os
import platform
import sys
import threading
import time
from pathlib import Path

import pytest
import siege
import table

from grading.errors import SandboxError
from grading.worker.confine import LANDLOCK, SECCOMP, available
from grading.workers import sandbox
from hostile_submissions import kinds as kinds_of_files
from models_by_hand import long_onnx

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="the attacks are calls of Linux on x86-64"
)
BUBBLEWRAP = sandbox.protections().kind == sandbox.BUBBLEWRAP
# What is known not to be stopped, and said so in SECURITY.md.
KNOWN = {
    "bubblewrap": {"read_public_images_with_labels", "claim_a_latency", "start_many_threads"},
    "fallback": {"read_public_images_with_labels", "claim_a_latency", "start_many_threads", "write_many_files"},
}
ALWAYS = {"read_public_images_with_labels", "claim_a_latency"}
REAL = ("start_a_program", "write_beside_its_folder", "kill_the_warm_process")  # which only Landlock and seccomp stop
FAMILY = {name: family for name, (family, _) in siege.attacks().items()}
FEW = (
    {name for _, names in itertools.groupby(FAMILY, FAMILY.get) for name in list(names)[:3]}
    | ALWAYS
    | set(REAL)
    | {"find_memory_that_is_shared"}
)
SIEGES = {"few": [name for name in FAMILY if name in FEW], "all": list(FAMILY)}
CASES = [
    pytest.param(mode, extent, name, marks=[pytest.mark.proof] if extent == "all" else [])
    for extent, names in SIEGES.items()
    for mode in KNOWN
    for name in names
]


@functools.cache
def outcomes_of(mode: str, extent: str) -> dict:
    """What came of the attacks in this mode, run once."""
    if mode == "bubblewrap" and not BUBBLEWRAP:
        pytest.skip("bubblewrap does not work here")
    return siege.run(mode == "bubblewrap", "all", SIEGES[extent])


@pytest.mark.parametrize(("mode", "extent", "name"), CASES)
def test_the_attack_gains_nothing_and_the_next_submission_is_graded(mode, extent, name):
    outcome = outcomes_of(mode, extent)["outcomes"][name]
    if name in ALWAYS:
        assert outcome["gained"], "it is stopped now: say so in SECURITY.md"
    elif name not in KNOWN[mode] and name not in _without_the_kernel(mode):
        assert not outcome["gained"], outcome


@pytest.mark.parametrize("mode", KNOWN)
def test_the_mode_is_the_one_that_was_asked_for(mode):
    assert outcomes_of(mode, "few")["kind"] == {"bubblewrap": sandbox.BUBBLEWRAP, "fallback": sandbox.NONE}[mode]


@pytest.mark.skipif(not BUBBLEWRAP, reason="bubblewrap does not work here")
def test_a_few_attacks_are_real():
    """They succeed where nothing stops them, and the next submission is graded."""
    outcomes = siege.run(True, "none", REAL)["outcomes"]
    assert set(outcomes) == set(REAL) and all(outcome["gained"] for outcome in outcomes.values())
    assert not [name for name, outcome in outcomes.items() if "next submission" in outcome["gained"]]


@pytest.mark.proof
@pytest.mark.skipif(not BUBBLEWRAP, reason="bubblewrap does not work here")
def test_the_attacks_are_real():
    """In bubblewrap with Landlock and seccomp off, what only these stop does succeed, and the worker lives through it."""
    outcomes = siege.run(True, "none")["outcomes"]
    gained = {name for name, outcome in outcomes.items() if outcome["gained"]}
    assert set(REAL) <= gained
    rows = table.rows(table.DOCUMENT.read_text("utf-8"))
    alone = {name for name, row in rows.items() if not row["stopped_by"] & {"bubblewrap", table.WORKER}}
    # On other machines a few fail for other reasons: no second core, no user namespaces within one.
    assert len(gained & alone) >= 0.7 * len(alone) and gained <= alone
    assert not [name for name, outcome in outcomes.items() if "next submission" in outcome["gained"]]


def test_there_are_at_least_sixty_kinds():
    """A series (bytes flipped here and there, a file cut at each tenth) is one kind, and a kind for both formats one."""
    assert len(siege.kinds()) >= 60
    assert len(kinds_of_files()) >= 40
    assert not set(siege.kinds()) & kinds_of_files()


def test_the_known_ones_are_those_of_the_table():
    rows = table.rows(table.DOCUMENT.read_text("utf-8"))
    for mode, known in KNOWN.items():
        assert {name for name, row in rows.items() if not row[mode]} == known


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
def test_a_child_ends_with_its_worker(monkeypatch):
    """Without a sandbox around them, where nobody else would end it."""
    monkeypatch.setattr(sandbox, "protections", lambda: sandbox.Protections(sandbox.NONE, ()))
    with siege.World() as world, siege.Workers(1) as workers:
        running = threading.Thread(target=_until_it_gives_up, args=(workers, siege.job_of(long_onnx(), seconds=60), world.inputs))
        running.start()
        for _ in range(2):  # a job is tried again once
            warm, child = _with_a_child(workers._all[0])
            warm.kill()
            end = time.monotonic() + 10
            while (alive := _runs(child)) and time.monotonic() < end:
                time.sleep(0.01)
            assert not alive
        running.join()


def _until_it_gives_up(workers, job, inputs):
    with contextlib.suppress(SandboxError):
        workers.run(job, inputs)


def _with_a_child(worker):
    """The warm process and the number of its child, once the child has confined itself."""
    while True:
        warm = worker._process and worker._process.popen
        children = Path(f"/proc/{warm.pid}/task/{warm.pid}/children") if warm and warm.poll() is None else None
        try:
            for child in children.read_text().split() if children else ():
                if "Seccomp:\t2" in Path(f"/proc/{child}/status").read_text() or SECCOMP not in available():
                    return warm, child
        except OSError:
            pass
        time.sleep(0.01)


def _runs(number: str) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _without_the_kernel(mode: str) -> set[str]:
    """What an older kernel, which lacks Landlock or seccomp, cannot stop, by the table."""
    active = {table.WORKER} | ({"bubblewrap"} if mode == "bubblewrap" else set())
    active |= {"Landlock"} if LANDLOCK in available() else set()
    active |= {"seccomp"} if SECCOMP in available() else set()
    rows = table.rows(table.DOCUMENT.read_text("utf-8"))
    return {name for name, row in rows.items() if not active & row["stopped_by"]}
