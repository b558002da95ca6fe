"""Test set-up for the whole repository."""

import os
from pathlib import Path

import pytest

# Before NumPy is loaded, here and in whatever a test starts: OpenBLAS's threads wait for each other by spinning. Two test
# processes with two threads each make products of small matrices thirty times as slow on two cores as with one thread each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The check cells of the notebooks, which nbval runs in kernels of their own, say `from checks import …`.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent / "labs"), os.environ.get("PYTHONPATH")]))


def pytest_addoption(parser):
    parser.addoption("--notebooks", default="smoke", choices=("smoke", "quick", "full"), help="the scale at which notebooks run")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker("notebook")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Here nbval starts the kernel of a notebook, which inherits the scale; everything else is tested at the default scale."""
    os.environ.pop("PROJECTKIT_SCALE", None)
    if item.path.suffix == ".ipynb":
        os.environ["PROJECTKIT_SCALE"] = item.config.getoption("--notebooks")
