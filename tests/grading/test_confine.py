"""What a confined process can still do, and what it can no longer. The attacks on it: tests/hostile."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grading.worker import confine
from models_by_hand import linear_onnx, linear_tflite, linear_weights, saved

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
kernel = pytest.mark.skipif(
    not {confine.LANDLOCK, confine.SECCOMP} <= set(confine.available()), reason="the kernel has no Landlock or no seccomp"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="the address space and file sizes are limited on Linux only")
LIMITS = {"memory": 3 * 1024**3, "file_bytes": 4 * 1024**2, "processes": 64}


def confined(folder, code, before=""):
    """Runs Python code in a process that has confined itself to `folder`; `before` runs before that."""
    program = (
        f"import os\nfrom pathlib import Path\nfrom grading.worker.confine import confine\n{before}\n"
        f"folder = Path({str(folder)!r})\nos.chdir(folder)\nconfine(folder, {LIMITS!r}, 20, False)\n{code}\n"
    )
    root = str(Path(confine.__file__).parent.parent.parent)
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, env=environment, timeout=60)


@pytest.mark.skipif(not HEADER.exists() or platform.machine() != "x86_64", reason="the kernel's header is not installed")
def test_the_calls_have_the_numbers_of_the_kernel_s_header():
    numbers = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", HEADER.read_text())}
    assert {name: numbers[name] for name in confine._CALLS} == confine._CALLS
    names = ("ioctl", "clone", "clone3", "kill", "tgkill", "prctl", "prlimit64", "fcntl")
    ours = (confine._IOCTL, confine._CLONE, confine._CLONE3, confine._KILL, confine._TGKILL, confine._PRCTL)
    assert [numbers[name] for name in names] == [*ours, confine._PRLIMIT, confine._FCNTL]
    made = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
    assert [numbers[name] for name in made] == [confine._CREATE, confine._ADD_RULE, confine._RESTRICT]


def test_the_list_holds_nothing_that_reaches_others():
    """What must never come onto it, whatever a new version of a runtime asks for."""
    forbidden = {"fork", "vfork", "execve", "execveat", "clone", "clone3", "unshare", "setns", "chroot", "mount", "mknod"}
    forbidden |= {
        "socket",
        "socketpair",
        "connect",
        "bind",
        "ptrace",
        "process_vm_readv",
        "kill",
        "tkill",
        "tgkill",
        "pidfd_open",
    }
    forbidden |= {"pidfd_send_signal", "rt_sigqueueinfo", "prctl", "prlimit64", "setrlimit", "ioctl", "fcntl", "link", "symlink"}
    forbidden |= {"bpf", "keyctl", "io_uring_setup", "perf_event_open", "userfaultfd", "seccomp", "shmget", "mq_open"}
    forbidden |= {"sched_setaffinity", "setpriority"}
    assert not forbidden & set(confine._CALLS)


@pytest.mark.parametrize("name, content", [("m.onnx", linear_onnx), ("m.tflite", linear_tflite)])
def test_a_confined_process_runs_both_formats(tmp_path, name, content):
    """With the runtimes loaded before, as in the warm process; threads and the reading of the graph included."""
    path = saved(tmp_path, name, content())
    x = np.random.default_rng(0).random((4, 8, 8, 1), np.float32)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import numpy as np, threading\nfrom projectkit import runtimes\n"
        "from projectkit.measure import live_constants, read_graph\nfrom projectkit.types import Artifact\n"
        f"artifact = Artifact.of({str(path)!r})\nsession = runtimes.open(artifact, threads=2)\n"
        "np.save('y.npy', session.run(np.load('x.npy')))\nprint(read_graph(artifact).parameters, len(live_constants(artifact)))\n"
        "done = []\nthread = threading.Thread(target=lambda: done.append(1))\nthread.start()\nthread.join()\nassert done\n"
    )
    done = confined(tmp_path, code, "from grading.worker.measuring import preload\npreload()")
    assert done.returncode == 0, done.stderr
    weights, bias = linear_weights()
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), x.reshape(4, -1) @ weights + bias, atol=1e-4)
    assert done.stdout.split()[0] == str(weights.size + bias.size)


def test_its_own_folder_is_its_own(tmp_path):
    code = "Path('a').write_text('x'); os.rename('a', 'b'); assert Path('b').read_text() == 'x'; os.unlink('b'); os.listdir('.')"
    done = confined(tmp_path, code)
    assert done.returncode == 0, done.stderr


@kernel
@pytest.mark.parametrize(
    "code",
    [
        "open('../beside', 'w')",
        "open('../secret')",
        "open('/etc/passwd')",
        "os.listdir('..')",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "import socket; socket.socket()",
        "os.kill(os.getppid(), 0)",
        "os.sched_setaffinity(0, {0})",
        "os.nice(1)",
        "os.symlink('/etc/passwd', 'link')",
        "import resource as r; r.setrlimit(r.RLIMIT_AS, r.getrlimit(r.RLIMIT_AS))",
        "import resource as r; r.prlimit(os.getppid(), r.RLIMIT_AS)",
        "import fcntl; fcntl.fcntl(1, fcntl.F_SETOWN, os.getppid())",
        "import threading; os.kill(1, 0)",
    ],
)
def test_what_it_may_not_do(tmp_path, code):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "own").mkdir()
    done = confined(tmp_path / "own", f"try:\n    {code}\nexcept (PermissionError, ValueError) as error:\n    print('refused')")
    assert done.stdout == "refused\n", done.stderr
    assert sorted(os.listdir(tmp_path)) == ["own", "secret"]


@kernel
def test_it_may_read_its_own_limits(tmp_path):
    done = confined(tmp_path, "import resource as r, json; print(json.dumps(r.getrlimit(r.RLIMIT_AS)))")
    assert json.loads(done.stdout) == [LIMITS["memory"]] * 2, done.stderr


@linux
def test_memory_and_file_size_are_limited(tmp_path):
    assert "MemoryError" in confined(tmp_path, "bytearray(4 << 30)").stderr
    confined(tmp_path, "open('big', 'wb').write(bytes(64 << 20))")
    assert (tmp_path / "big").stat().st_size <= LIMITS["file_bytes"]


@linux
def test_an_alarm_ends_it_inside_native_code(tmp_path):
    code = "from grading.worker.confine import alarm\nimport signal\nsignal.signal(14, signal.SIG_IGN)\nalarm(0.2)\n"
    assert confined(tmp_path, code + "sum(range(10**11))").returncode == -14


def test_switched_off_layers_are_left_out(tmp_path):
    """The tests' way to see what each layer stops: what `available` does not name is not used."""
    before = "from grading.worker import confine as module\nmodule.available = lambda: ('limits',)"
    (tmp_path / "own").mkdir()
    done = confined(tmp_path / "own", "Path('../beside').write_text('x')", before)
    assert done.returncode == 0 and (tmp_path / "beside").exists(), done.stderr
