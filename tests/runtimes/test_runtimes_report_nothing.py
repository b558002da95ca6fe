"""A runtime that reports its use to its maker must not do so from a course."""

import os
import subprocess
import sys

from models_by_hand import linear_onnx, saved


def test_running_a_model_leaves_no_identifier_in_the_home_folder(tmp_path):
    """ONNX Runtime would write one, and a database of what to send; not where it believes to be tested (CI)."""
    model, home = saved(tmp_path, "linear.onnx", linear_onnx()), tmp_path / "home"
    home.mkdir()
    code = "import sys; from projectkit import runtimes, types; runtimes.open(types.Artifact.of(sys.argv[1]))"
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run([sys.executable, "-c", code, model], env=kept | {"HOME": str(home)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*"))
