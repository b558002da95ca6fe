"""What the sandbox around the worker keeps out, as far as this machine offers it. What each child gives up: test_confine."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from grading.errors import SandboxError
from grading.worker.confine import python_folders
from grading.workers import sandbox
from waiting import wait_for

bubblewrap = pytest.mark.skipif(sandbox.protections().kind != sandbox.BUBBLEWRAP, reason="bubblewrap does not work here")
posix = pytest.mark.skipif(os.name != "posix", reason="needs process groups")


def run(folder, code, text=""):
    """Runs Python code as the worker is run: exit code, what it printed, what it printed as errors."""
    with tempfile.TemporaryFile() as log:
        process = sandbox.start([sys.executable, "-P", "-c", code], folder, log)
        out, _ = process.communicate(text.encode(), timeout=60)
        log.seek(0)
        return process.returncode, out.decode(), log.read().decode()


def test_it_speaks_over_pipes_and_sees_no_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADING_SALT", "pepper")
    code, out, log = run(tmp_path, "import os, sys; print(sys.stdin.read(), dict(os.environ)); print('e', file=sys.stderr)", "hi")
    assert code == 0 and out.startswith("hi ") and log.strip() == "e"
    assert "pepper" not in out and "OMP_NUM_THREADS" in out


def test_it_can_write_where_temporary_files_go_and_import_what_it_needs(tmp_path):
    code = "import tempfile, numpy, onnxruntime, grading.worker.measuring; tempfile.TemporaryFile(dir='.'); tempfile.mkdtemp()"
    assert run(tmp_path, code)[0] == 0


@posix
def test_it_says_how_a_command_ended(tmp_path):
    assert run(tmp_path, "raise SystemExit(3)")[0] == 3
    assert "ZeroDivisionError" in run(tmp_path, "1 / 0")[2]
    assert run(tmp_path, "import os; os.abort()")[0] in (-6, 128 + 6)  # bubblewrap says it as a shell does


@posix
def test_kill_leaves_nothing_of_the_group(tmp_path):
    marker = f"98{os.getpid()}"
    code = f"import subprocess as s; s.Popen(['sleep', '{marker}']); print('on', flush=True); s.run(['sleep', '{marker}'])"
    with tempfile.TemporaryFile() as log:
        process = sandbox.start([sys.executable, "-c", code], tmp_path, log)
        assert process.stdout.readline() == b"on\n"
        sandbox.kill(process)
        process.stdin.close()
        process.stdout.close()

    def living() -> list[str]:
        listed = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True).stdout
        return [line for line in listed.splitlines() if f"sleep {marker}" in line and not line.startswith("Z")]

    wait_for(lambda: not living())  # what was told to end may still be listed for a moment


@bubblewrap
def test_no_file_but_the_programs_is_there(tmp_path):
    (tmp_path / "secret").write_text("secret")
    assert "No such file" in run(tmp_path, f"open({str(tmp_path / 'secret')!r})")[2]
    for code in (
        "open('/etc/passwd')",
        "open('/etc/new', 'w')",
        "open('/usr/new', 'w')",
        "import grading.rubrics.loading",
        "import grading.exercises",
        "import os; os.listdir('/home')",
        "import grading, pathlib; assert list(pathlib.Path(grading.__path__[0]).glob('rubrics'))",
        "import numpy; open(numpy.__file__, 'a')",
    ):
        assert run(tmp_path, code)[0] != 0, code
    assert os.listdir(tmp_path) == ["secret"]


@bubblewrap
def test_its_files_take_a_bounded_share_of_memory(tmp_path):
    if not sandbox._size():
        pytest.skip("this version of bubblewrap cannot bound a folder in memory")
    assert int(run(tmp_path, "import os; found = os.statvfs('/tmp'); print(found.f_blocks * found.f_frsize)")[1]) <= 2**30


@bubblewrap
def test_there_is_no_network_and_no_other_process(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        assert subprocess.run([sys.executable, "-c", code]).returncode == 0
        assert run(tmp_path, code)[0] != 0
    assert run(tmp_path, "import os; assert os.getpid() == 2 and not os.path.exists('/proc/3')")[0] == 0


def test_without_bubblewrap_it_degrades_and_require_fails_closed(tmp_path):
    """In another process whose PATH holds no bwrap and no unshare."""
    code = (
        "from grading.workers import sandbox; import sys, pathlib, tempfile\n"
        "print(sandbox.protections().kind)\n"
        "log = tempfile.TemporaryFile()\n"
        "process = sandbox.start([sys.executable, '-c', 'open(\"a\", \"w\")'], pathlib.Path('.').absolute(), log)\n"
        "process.communicate()\n"
        "print(process.returncode)\n"
        "sandbox.require()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True)
    assert done.stdout.split() == [sandbox.NONE, "0"]
    assert (tmp_path / "a").exists()
    assert done.returncode != 0 and SandboxError.__name__ in done.stderr and "apt install bubblewrap" in done.stderr


def test_the_sentences_follow_what_the_kernel_has(monkeypatch):
    """Nothing is claimed that was switched off."""
    monkeypatch.setattr(sandbox, "available", lambda: ("limits",))
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    sentences = "; ".join(sandbox.protections.__wrapped__().sentences)
    assert "no sandbox" in sentences and "other files are readable" in sentences and "the network can be reached" in sentences
    assert "Landlock" not in sentences and "seccomp" not in sentences


@bubblewrap
def test_installed_among_other_packages_it_still_shows_the_worker_only(tmp_path, monkeypatch):
    source = Path(sandbox.__file__).parent.parent.parent
    monkeypatch.setattr(sandbox, "python_folders", lambda: [*python_folders(), source])  # as site-packages holds everything
    code = "import os, grading, grading.worker.measuring; print(sorted(os.listdir(os.path.dirname(grading.__file__))))"
    status, out, log = run(tmp_path, code)
    assert status == 0 and out.startswith("['__init__.py', 'worker']"), log
    assert "Read-only" in run(tmp_path, f"open({str(source / 'grading' / 'new')!r}, 'w')")[2]
