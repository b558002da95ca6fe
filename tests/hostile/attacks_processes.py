"""Attacks on other processes: the warm one, its siblings, the grader; and processes left behind.

An attack returns what it gained, in words; None where only the outside can tell; it raises where it was refused. `aim` says
what there is to aim at. Signals that land do no harm where a test runs without protections: 0 and SIGURG, but for the worker's.
"""

import ctypes
import fcntl
import os
import signal
import stat
import subprocess
import sys
import time

from attack_tools import linger, syscall


def kill_the_warm_process(aim):
    os.kill(os.getppid(), signal.SIGKILL)
    return "it was killed"


def signal_every_process(aim):
    os.kill(-1, 0)
    return "allowed"


def signal_the_first_process(aim):
    os.kill(1, 0)
    return "allowed"


def signal_the_grader(aim):
    os.kill(aim["grader"], signal.SIGURG)
    return "allowed"


def signal_a_sibling(aim):
    """The other worker of the same run."""
    os.kill(aim["sibling"], signal.SIGURG)
    return "allowed"


def signal_a_thread(aim):
    syscall(234, os.getppid(), os.getppid(), signal.SIGURG)
    return "allowed"


def signal_by_handle(aim):
    handle = syscall(434, os.getppid(), 0)
    syscall(424, handle, signal.SIGURG, None, 0)
    return "allowed"


def signal_by_ownership_of_a_file(aim):
    """Has the kernel signal the warm process when a pipe becomes readable."""
    reading, _ = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, os.getppid())
    return "allowed"


def signal_with_data(aim):
    information = ctypes.create_string_buffer(128)
    ctypes.memmove(information, (ctypes.c_int * 3)(signal.SIGURG, 0, -1), 12)
    syscall(129, os.getppid(), signal.SIGURG, ctypes.addressof(information))
    return "allowed"


def trace_the_warm_process(aim):
    syscall(101, 0x4206, os.getppid(), 0, 0)
    return "traced"


def trace_a_sibling(aim):
    syscall(101, 0x4206, aim["sibling"], 0, 0)
    return "traced"


def read_memory_of_the_warm_process(aim):
    """Of address 1, which nobody has mapped: EFAULT comes after the permission."""
    return _of_other_memory(310)


def write_memory_of_the_warm_process(aim):
    return _of_other_memory(311)


def _of_other_memory(number):
    own = ctypes.create_string_buffer(8)
    local, remote = (ctypes.c_size_t * 2)(ctypes.addressof(own), 8), (ctypes.c_size_t * 2)(4096, 8)
    try:
        syscall(number, os.getppid(), ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)
    except OSError as error:
        if error.errno != 14:
            raise
    return "allowed"


def open_memory_of_the_warm_process(aim):
    with open(f"/proc/{os.getppid()}/mem", "rb"):
        return "opened"


def open_pipes_of_the_warm_process(aim):
    """Among them the one that carries all answers to the grader."""
    folder = f"/proc/{os.getppid()}/fd"
    for name in os.listdir(folder):
        if stat.S_ISFIFO(os.stat(f"{folder}/{name}").st_mode):
            os.open(f"{folder}/{name}", os.O_WRONLY | os.O_NONBLOCK)
            return "opened"
    return None


def take_a_pipe_of_the_warm_process(aim):
    handle = syscall(434, os.getppid(), 0)
    syscall(438, handle, 1, 0)
    return "taken"


def find_inherited_pipes(aim):
    """More pipes than a child needs: its stream, its log, and two for its turns."""
    pipes = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found = os.fstat(int(name))
        except OSError:
            continue
        if stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode):
            pipes.add(found.st_ino)
    return f"{len(pipes)} pipes" if len(pipes) > 4 else None


def find_memory_that_is_shared(aim):
    """Memory that both the warm process and its child can write would outlive the child."""
    with open("/proc/self/maps") as maps:
        shared = [line for line in maps if line.split()[1].startswith("rw") and line.split()[1].endswith("s")]
    return shared[0].strip() if shared else None


def list_other_processes(aim):
    """Reads the command line and the environment of the grader."""
    with open(f"/proc/{aim['grader']}/environ", "rb") as stream:
        return stream.read().decode(errors="replace")[:50]


def leave_a_child(aim):
    if os.fork() == 0:
        linger()


def leave_a_grandchild_in_a_session_of_its_own(aim):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            linger()
        os._exit(0)


def leave_a_child_by_vfork(aim):
    """By vfork's number, without sharing what would crash: through clone with no flag but the signal."""
    if syscall(56, signal.SIGCHLD, 0, 0, 0, 0) == 0:
        linger()


def leave_a_child_by_clone3(aim):
    arguments = (ctypes.c_uint64 * 8)(0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    if syscall(435, ctypes.addressof(arguments), 64) == 0:
        linger()


def start_a_program(aim):
    done = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True)
    return done.stdout if "42" in done.stdout else None


def become_another_program(aim):
    os.execv(sys.executable, [sys.executable, "-S", "-c", "print('became another program')"])


def become_a_program_from_memory(aim):
    with open("/proc/self/exe", "rb") as program:
        content = program.read()
    file = os.memfd_create("x")
    os.write(file, content)
    os.execv(f"/proc/self/fd/{file}", ["x", "-S", "-c", "print('became another program')"])


def outlive_the_deadline_in_another_session(aim):
    """The child leads a session of its own already; a new one would need another process."""
    os.setsid()
    time.sleep(30)
    return "lived on"
