"""Silence that ends: nothing is printed inside, everything as before outside."""

import subprocess
import sys

PROGRAM = """
import logging.config, os, sys, warnings
from projectkit.quiet import quiet
print("before", flush=True)
with quiet():
    print("hidden")
    print("hidden", file=sys.stderr)
    os.write(1, b"hidden")
    os.write(2, b"hidden")
    os.system("echo hidden")
    warnings.warn("hidden")
    logging.getLogger().error("hidden")
    started = logging.getLogger("a library that starts its logging when it is imported")
    started.addHandler(logging.StreamHandler())
    import absl.logging  # which closes the stream it found as soon as anybody configures logging anew
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
try:
    with quiet():
        raise ValueError("an error arrives")
except ValueError as error:
    print(error, flush=True)
started.warning("must not complain of a closed file")
os.write(1, b"after\\n")
logging.getLogger("another").error("heard")
"""


def test_silence_is_whole_and_ends():
    child = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", PROGRAM], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == ["before", "an error arrives", "after"]
    assert "hidden" not in child.stderr
    assert "heard" in child.stderr
    assert "Traceback" not in child.stderr
