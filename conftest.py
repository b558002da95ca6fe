"""Test set-up for the whole repository."""

import os
from pathlib import Path

import pytest

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
