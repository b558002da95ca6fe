"""Test set-up for the whole repository."""

import os
from pathlib import Path

# The check cells of the notebooks, which nbval runs in kernels of their own, say `from checks import …`.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent / "labs"), os.environ.get("PYTHONPATH")]))
