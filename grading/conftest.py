"""`pytest grading --submission my.zip` grades the zip as `grading run` does and shows each check as a test.

The exit code is 0 when every check that was chosen (all, or those of -k) earns points, else 1; the points stand at the end.
"""

import tempfile
from pathlib import Path

import pytest

from grading.engine import Options, grade
from grading.rubrics.loading import RUBRICS
from grading.types import FULL, PARTIAL, Grade

GRADED = pytest.StashKey[Grade]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("grading")
    group.addoption("--submission", type=Path, help="the zip whose checks are to be shown as tests")
    group.addoption("--scale", default="quick", choices=("quick", "full"), help="which part of the rubric to grade by")
    group.addoption("--rubrics", type=Path, default=RUBRICS, help="folder of rubrics other than the built-in one")


def pytest_report_header(config: pytest.Config) -> str:
    given = config.getoption("--submission")
    return f"grading: {given}" if given else "grading: nothing to test; give --submission my.zip"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--submission") is None and collection_path.name == "test_submission.py" else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a check. A check passes when it earns points, all or a part: the message says how many."""
    if {"earns", "message"} <= set(metafunc.fixturenames):
        rows = _rows(metafunc.config)
        metafunc.parametrize(("earns", "message"), [row[1:] for row in rows], ids=[row[0] for row in rows])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The points of each check and their sum, as a person or a marking script reads them."""
    graded = config.stash.get(GRADED, None)
    if graded is None:
        return
    terminalreporter.section("points")
    for verdict in graded.verdicts:
        terminalreporter.line(f"{verdict.points:7.2f} of {verdict.check.points:6.2f}  {verdict.check.id}")
    terminalreporter.line(f"{graded.score:7.2f} of {graded.possible:6.2f}  in all")


def _rows(config: pytest.Config) -> list[tuple[str, bool, str]]:
    options = Options(scale=config.getoption("--scale"), workers=1, rubrics=config.getoption("--rubrics"))
    with tempfile.TemporaryDirectory() as out:
        (graded,) = grade(config.getoption("--submission"), out, options)
    config.stash[GRADED] = graded
    if graded.error:
        return [("submission", False, graded.error)]
    return [(verdict.check.id, verdict.status in (FULL, PARTIAL), verdict.message) for verdict in graded.verdicts]
