"""projectkit: the shared library of the labs.

    data → models → train → quantize → export → runtimes → measure → submit

    import projectkit as pk
    pk.data.load("digits")       # pk.<tab> shows the rooms; each is loaded when it is first used

Importing this package loads no room and no TensorFlow. It does settle which Keras TensorFlow will use: TFMOT works on Keras 2
(`tf_keras`) only, and TensorFlow decides at its first import, so the choice has to be made before that, here.
"""

import importlib
import os
import sys
from types import ModuleType

__version__ = "0.1.0"

ROOMS = (
    "data",
    "devices",
    "distill",
    "export",
    "lowrank",
    "measure",
    "models",
    "nas",
    "prune",
    "quantize",
    "robustness",
    "runtimes",
    "schedule",
    "submit",
    "train",
    "uncertainty",
)

# ONNX Runtime reports its use to its maker unless it is told not to before its first import (since 1.29; on Linux and macOS
# with a thread, a database and an identifier on disk). A course must not do that to its students.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def _choose_keras_2() -> None:
    """Makes `tf.keras` mean `tf_keras` in this process and its children; refuses when it is too late."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter hides a student's own output
    tensorflow = sys.modules.get("tensorflow")
    already = os.environ.get("TF_USE_LEGACY_KERAS") == "1"
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    if tensorflow is not None and hasattr(tensorflow, "__path__") and not already:
        raise ImportError(
            "TensorFlow was imported before projectkit and may already use Keras 3; projectkit needs Keras 2 (tf_keras). "
            "Restart Python and `import projectkit` first, or set TF_USE_LEGACY_KERAS=1 before starting it."
        )


_choose_keras_2()


def __getattr__(name: str) -> ModuleType:
    """The room `name`. Python asks here for what the package does not hold yet; importing the room puts it there."""
    if name in ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"projectkit has no {name!r}; its rooms are {', '.join(ROOMS)}.")


def __dir__() -> list[str]:
    return sorted({*globals(), *ROOMS})
