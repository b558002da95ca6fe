"""What grading/pyproject.toml cannot say: the version, which is projectkit's, and whatever is asked for at that version.

    pip install . ./grading        # in the clone

In a clone the version is read from ../projectkit/__init__.py; in a source distribution, which lacks that file, from PKG-INFO.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
STATED = HERE.parent / "projectkit" / "__init__.py"
IN_A_CLONE = STATED.is_file()


def version() -> str:
    path, pattern = (STATED, r'^__version__ = "(.+)"$') if IN_A_CLONE else (HERE / "PKG-INFO", r"^Version: (.+)$")
    found = re.search(pattern, path.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{path}: says no version, expected a line like {pattern}.")
    return found[1]


def students(*extras: str) -> str:
    """The requirement of the students' distribution at the same version."""
    return f"projectkit-labs[{','.join(extras)}]=={version()}"


setup(
    version=version(),
    script_name="setup.py",  # so that it is not taken for a module of the package in whose folder it lies
    package_dir={"grading": "."},
    packages=["grading", *(f"grading.{name}" for name in find_packages(HERE))],
    package_data={
        "grading": [
            "*/templates/*.html",
            "baselines/*.keras",
            "baselines/*.supermask",
            "baselines/*.tflite",
            "defense/sheets/*.toml",
            "reference/*.json",
            "rubrics/*.toml",
            "semester/schemes/*.toml",
            "workers/locks/*",
            "py.typed",
        ]
    },
    # Beside the students' build, so that nothing built lies among the sources here.
    options={"build": {"build_base": str(HERE.parent / "build" / "projectkit-grading")}} if IN_A_CLONE else {},
    # What grades loads no TensorFlow.
    install_requires=[students("plot"), "markdown-it-py>=4", "pillow>=11", "scikit-learn>=1.9", "pytest>=9"],
    extras_require={
        # Grading on more than one machine.
        "cluster": ["distributed>=2026.8"],
        # The programs that train: grading.reference and grading.baselines.build.
        "reference": [students("search", "bayes")],
        # What the repository's tests need. foolbox and the Adversarial Robustness Toolbox are oracles: our attacks are at least
        # as strong as theirs.
        "test": [
            students("device", "labs", "micro", "nvidia", "postgres"),
            "projectkit-grading[cluster,reference]",
            "adversarial-robustness-toolbox>=1.20",
            "foolbox>=3.3.4",
            "hypothesis>=6.150",
            "mypy>=2.4",
            "nbval>=0.11",
            "pytest-xdist>=3.8",
            "ruff>=0.14",
            "uv>=0.9",
        ],
    },
)
