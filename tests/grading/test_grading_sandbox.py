"""What the sandbox keeps out, as far as this machine offers it, and the limits that always hold."""

import os
import socket
import subprocess
import sys

import pytest

from grading import sandbox
from grading.errors import SandboxError
from grading.types import Limits

LIMITS = Limits(seconds=20, memory=2 * 1024**3, file_bytes=8 * 1024**2)
bubblewrap = pytest.mark.skipif(sandbox.protections().kind != sandbox.BUBBLEWRAP, reason="bubblewrap does not work here")
posix = pytest.mark.skipif(os.name != "posix", reason="limits need a POSIX shell")


def run(folder, code, seconds=20, read_only=()):
    return sandbox.run([sys.executable, "-c", code], read_only=read_only, writable=folder, limits=LIMITS, seconds=seconds)


def test_a_command_runs_writes_its_folder_and_sees_no_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADING_SALT", "pepper")
    done = run(tmp_path, "import os; open('a', 'w').write(str(dict(os.environ)))")
    assert done.code == 0, done.log
    assert "pepper" not in (tmp_path / "a").read_text()


def test_it_says_how_a_command_ended(tmp_path):
    assert run(tmp_path, "raise SystemExit(3)").code == 3
    assert "Traceback" in run(tmp_path, "1 / 0").log
    assert len(run(tmp_path, "print('x' * 100_000)").log) <= 2000


@posix
def test_signals_are_named_through_all_wrappers(tmp_path):
    assert run(tmp_path, "import os; os.abort()").signal == 6
    assert run(tmp_path, "import signal as s; s.signal(14, s.SIG_DFL); s.setitimer(s.ITIMER_REAL, .1); s.pause()").signal == 14


@posix
def test_the_wall_clock_kills_the_whole_group(tmp_path):
    marker = f"sleep 98{os.getpid()}"
    done = run(
        tmp_path, f"import subprocess; subprocess.Popen({marker!r}.split()); subprocess.run({marker!r}.split())", seconds=1
    )
    assert done.timed_out
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert marker not in listed


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited on Linux only")
def test_memory_and_file_size_are_limited(tmp_path):
    assert "MemoryError" in run(tmp_path, "bytearray(4 << 30)").log
    run(tmp_path, "open('big', 'wb').write(bytes(64 << 20))")
    assert (tmp_path / "big").stat().st_size <= LIMITS.file_bytes


@bubblewrap
def test_nothing_but_the_given_files_is_there(tmp_path):
    for name in ("shown", "hidden", "work"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("secret")
    shown, hidden = tmp_path / "shown" / "file", tmp_path / "hidden" / "file"
    assert run(tmp_path / "work", f"assert open({str(shown)!r}).read()", read_only=[shown]).code == 0
    assert "Read-only" in run(tmp_path / "work", f"open({str(shown)!r}, 'a')", read_only=[shown]).log
    assert "No such file" in run(tmp_path / "work", f"open({str(hidden)!r})", read_only=[shown]).log
    for code in (
        "open('/etc/passwd')",
        "open('/etc/new', 'w')",
        "__import__('grading.engine')",
        "__import__('os').listdir('/home')",
    ):
        assert run(tmp_path / "work", code).code != 0, code
    assert shown.read_text() == "secret"


@bubblewrap
def test_there_is_no_network_and_no_other_process(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        assert subprocess.run([sys.executable, "-c", code]).returncode == 0
        assert run(tmp_path, code).code != 0
    assert run(tmp_path, f"import os; os.kill({os.getpid()}, 0)").code != 0


def test_without_bubblewrap_it_degrades_and_require_fails_closed(tmp_path):
    """In another process whose PATH holds no bwrap and no unshare."""
    code = (
        "from grading import sandbox; from grading.types import Limits; import sys, pathlib\n"
        "print(sandbox.protections().kind)\n"
        "command = [sys.executable, '-c', 'open(\"a\", \"w\")']\n"
        "done = sandbox.run(command, read_only=[], writable=pathlib.Path('.'), limits=Limits())\n"
        "print(done.code)\n"
        "sandbox.require()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True)
    assert done.stdout.split() == [sandbox.NONE, "0"]
    assert (tmp_path / "a").exists()
    assert done.returncode != 0 and SandboxError.__name__ in done.stderr and "apt install bubblewrap" in done.stderr
