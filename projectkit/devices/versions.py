"""Which versions the two sides of a remote measurement run. Numbers of different runtimes must not stand in one table."""

import platform
from importlib.metadata import PackageNotFoundError, version

from projectkit import __version__

PACKAGES = ("ai-edge-litert", "onnxruntime", "numpy", "distributed")


def versions() -> dict[str, str]:
    """Name → version of what both sides must have in common; packages that are not installed are left out."""
    found = {"python": ".".join(platform.python_version_tuple()[:2]), "projectkit": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def differences(here: dict[str, str], there: dict[str, str]) -> list[str]:
    """Such as "onnxruntime is 1.31.1 here, 1.30.0 there"."""
    return [
        f"{name} is {here.get(name, 'absent')} here, {there.get(name, 'absent')} there"
        for name in dict.fromkeys((*here, *there))
        if here.get(name) != there.get(name)
    ]
