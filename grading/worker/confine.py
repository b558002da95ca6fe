"""What a child gives up for good before it opens a stranger's model: memory and time without end, files, signals, system calls.

Two mechanisms of Linux, both without privileges and both inherited by every thread: Landlock (Linux 5.13; Mickaël Salaün,
docs.kernel.org/userspace-api/landlock.html) for files, TCP and signals, and seccomp filters (Linux 3.5) for system calls. They
hold inside bubblewrap and, where there is no bubblewrap, instead of it. Where the kernel has neither, `available` says so.
"""

import ctypes
import errno
import functools
import os
import platform
import signal
import site
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from grading.worker.frames import LimitsHeader

if sys.platform != "win32":
    import resource

LANDLOCK, SECCOMP, LIMITS = "landlock", "seccomp", "limits"
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_GET_NAME, _PR_SET_SECCOMP = 1, 4, 15, 16, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38


@functools.cache
def available() -> tuple[str, ...]:
    """Which of landlock, seccomp and limits this machine has, found out by asking its kernel."""
    found = []
    if _landlock_version() >= 1:
        found.append(LANDLOCK)
    if _has_filters():
        found.append(SECCOMP)
    if os.name == "posix":
        found.append(LIMITS)
    return tuple(found)


def guard() -> None:
    """For the parent of the children: nobody without privileges may trace it or read its memory, and orphans come to it."""
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def confine(folder: Path, limits: LimitsHeader, seconds: float, own_users: bool) -> None:
    """Confines this process: it may write below `folder` only, read programs and libraries, compute, and nothing else.

    `limits`: memory and file_bytes in bytes, processes; `seconds` of CPU time. `own_users`: the number of processes is
    counted per user, so it is limited only where the sandbox has users of its own. Raises OSError when the kernel refuses
    what `available` promised.
    """
    _limit(limits, seconds, own_users)
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # when the warm process is killed, nobody else would end this one
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if LANDLOCK in available():
        _restrict_files(folder)
    if SECCOMP in available():
        _filter_calls()


def alarm(seconds: float) -> float:
    """Lets the kernel kill this process after `seconds`, even inside a runtime's own code; 0 stops the clock. Gives the seconds
    that were left on it. Where there is no alarm (Windows), the parent's wall clock alone applies."""
    if not hasattr(signal, "setitimer"):
        return 0.0
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return signal.setitimer(signal.ITIMER_REAL, seconds)[0]


def _limit(limits: LimitsHeader, seconds: float, own_users: bool) -> None:
    if sys.platform == "win32":
        return
    wanted = {"CORE": 0, "CPU": int(seconds) + 2, "AS": limits["memory"], "FSIZE": limits["file_bytes"]}
    if own_users:
        wanted["NPROC"] = limits["processes"]
    for name, value in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None or (name == "AS" and sys.platform == "darwin"):  # macOS accepts this limit and ignores it
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


# Landlock. The bits of an access, by the version of the kernel's interface that brought them.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FILES = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # all of version 1, rename across, truncate, device ioctl
_TCP, _SCOPES = {4: 0b11}, {6: 0b11}  # bind and connect; abstract sockets and signals beyond the own domain
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same numbers on every processor
_PATH_BENEATH = 1
_READABLE_FILES = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/dev/urandom", "/dev/random", "/dev/zero", "/etc/ld.so.cache")
_READABLE_FOLDERS = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/opt",
    "/proc/self",
    "/sys/devices/system",
    "/sys/class/powercap",
    "/sys/devices/virtual/powercap",
)


def _landlock_version() -> int:
    """The version of Landlock's interface; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def _restrict_files(folder: Path) -> None:
    version = _landlock_version()
    files, tcp, scopes = (sum(bits for since, bits in table.items() if since <= version) for table in (_FILES, _TCP, _SCOPES))
    attributes = struct.pack("=QQQ", files, tcp, scopes)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = _call(_CREATE, attributes, len(attributes), 0)
    for folder_to_read in (*map(Path, _READABLE_FOLDERS), *python_folders()):
        _allow(rules, folder_to_read, _EXECUTE | _READ_FILE | _READ_DIR)
    for path in _READABLE_FILES:
        _allow(rules, path, _READ_FILE)
    _allow(rules, os.devnull, _READ_FILE | _WRITE_FILE)
    _allow(rules, "/proc/self/clear_refs", _WRITE_FILE)  # a process may forget how much memory it once had
    _allow(rules, folder, files)
    _call(_RESTRICT, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str | Path, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES):  # what is not there needs no permission
            return
        raise
    try:
        _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0)
    finally:
        os.close(descriptor)


def python_folders() -> Iterable[Path]:
    """Where Python, its packages, projectkit and this package are: nothing else of the project (no rubric, no reference)."""
    import projectkit

    folders = [Path(sys.base_prefix), Path(sys.prefix), *map(Path, site.getsitepackages())]
    if site.ENABLE_USER_SITE:
        folders.append(Path(site.getusersitepackages()))
    return (*folders, Path(projectkit.__file__).parent, Path(__file__).parent)


# seccomp. What computing needs, by the numbers of x86-64; every other call fails with EPERM: no new process or program, no
# socket, no signal to others, no tracing, no namespaces, no change of the core it runs on.
_CALLS = {
    **{"read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8, "mmap": 9},
    **{"mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17},
    **{"pwrite64": 18, "readv": 19, "writev": 20, "access": 21, "sched_yield": 24, "mremap": 25, "madvise": 28, "dup": 32},
    **{"dup2": 33, "nanosleep": 35, "getitimer": 36, "setitimer": 38, "getpid": 39, "exit": 60, "uname": 63, "fsync": 74},
    **{"ftruncate": 77, "getcwd": 79, "rename": 82, "unlink": 87, "readlink": 89, "gettimeofday": 96, "getrlimit": 97},
    **{"getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108},
    **{"getppid": 110, "sigaltstack": 131, "sched_getparam": 143, "sched_getscheduler": 145, "sched_get_priority_max": 146},
    **{"sched_get_priority_min": 147, "arch_prctl": 158, "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204},
    **{"getdents64": 217, "restart_syscall": 219, "fadvise64": 221, "clock_gettime": 228, "clock_getres": 229},
    **{"clock_nanosleep": 230, "exit_group": 231, "mbind": 237, "get_mempolicy": 239, "openat": 257, "newfstatat": 262},
    **{"readlinkat": 267, "faccessat": 269, "ppoll": 271, "set_robust_list": 273, "dup3": 292, "pipe2": 293, "getcpu": 309},
    **{"getrandom": 318, "membarrier": 324, "statx": 332, "rseq": 334, "faccessat2": 439},
}
_IOCTL, _CLONE, _CLONE3, _KILL, _TGKILL, _PRCTL, _PRLIMIT, _FCNTL = 16, 56, 435, 62, 234, 157, 302, 72
_THREAD, _NAMESPACES = 0x10000, 0x7E020000  # flags of clone
_HARMLESS_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030)  # duplicate, flags, locks; not: whom to signal
_ARCHITECTURE = 0xC000003E  # x86-64, little-endian
_ALLOW, _KILL_PROCESS, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # operations of classic BPF


def _has_filters() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64" and Path("/proc/self/status").exists() and _asks_seccomp()


def _asks_seccomp() -> bool:
    """Whether the kernel knows the action that our filter returns (seccomp(2), SECCOMP_GET_ACTION_AVAIL)."""
    return ctypes.CDLL(None).syscall(317, 2, 0, struct.pack("=I", _KILL_PROCESS)) == 0


def _filter_calls() -> None:
    program = _program(os.getpid())
    buffer = ctypes.create_string_buffer(b"".join(program))
    attributes = struct.pack("=HxxxxxxQ", len(program), ctypes.addressof(buffer))
    _prctl(_PR_SET_SECCOMP, 2, attributes)


def _program(pid: int) -> list[bytes]:
    """The filter: what is allowed returns at once, what is left at the end fails."""
    load_call, load_architecture = _op(_LOAD, 0), _op(_LOAD, 4)
    program = [load_architecture, _op(_EQUAL, _ARCHITECTURE, 1, 0), _op(_RETURN, _KILL_PROCESS)]
    program += [load_call, _op(_AT_LEAST, 0x40000000, 0, 1), _op(_RETURN, _KILL_PROCESS)]  # the x32 variants of the calls
    for number in _CALLS.values():
        program += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _ALLOW)]
    program += _when(_CLONE, [_argument(0), _op(_AND, _THREAD | _NAMESPACES)], (_THREAD,))
    program += _when(_KILL, [_argument(0)], (pid,))  # abort() signals itself
    program += _when(_TGKILL, [_argument(0)], (pid,))
    program += _when(_PRCTL, [_argument(0)], (_PR_SET_NAME, _PR_GET_NAME))
    program += _reading_own_limits(pid)
    program += _when(_FCNTL, [_argument(1)], _HARMLESS_FCNTL)
    # The C library falls back to clone, whose flags can be seen here; a terminal there is none.
    program += [_op(_EQUAL, _CLONE3, 0, 1), _op(_RETURN, _FAIL | errno.ENOSYS)]
    program += [_op(_EQUAL, _IOCTL, 0, 1), _op(_RETURN, _FAIL | errno.ENOTTY)]
    return [*program, _op(_RETURN, _FAIL | errno.EPERM)]


def _when(number: int, load: list[bytes], values: tuple[int, ...]) -> list[bytes]:
    """Allows call `number` when what `load` loads is one of `values`, and fails it else."""
    body = list(load)
    for value in values:
        body += [_op(_EQUAL, value, 0, 1), _op(_RETURN, _ALLOW)]
    body.append(_op(_RETURN, _FAIL | errno.EPERM))
    return [_op(_EQUAL, number, 0, len(body)), *body]


def _reading_own_limits(pid: int) -> list[bytes]:
    """Allows prlimit of this process with no new limits, which root could raise: both halves of that pointer are 0."""
    body = [_argument(0), _op(_EQUAL, 0, 1, 0), _op(_EQUAL, pid, 0, 5)]
    body += [_argument(2), _op(_EQUAL, 0, 0, 3), _op(_LOAD, 16 + 8 * 2 + 4), _op(_EQUAL, 0, 0, 1)]
    body += [_op(_RETURN, _ALLOW), _op(_RETURN, _FAIL | errno.EPERM)]
    return [_op(_EQUAL, _PRLIMIT, 0, len(body)), *body]


def _argument(index: int) -> bytes:
    return _op(_LOAD, 16 + 8 * index)  # the low half; what these calls read of it


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _prctl(option: int, *arguments: int | bytes) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    values = [value if isinstance(value, bytes) else ctypes.c_ulong(value) for value in arguments]
    values += [ctypes.c_ulong(0)] * (4 - len(values))
    if library.prctl(option, *values):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def _call(number: int, *arguments: int | bytes) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    values = [value if isinstance(value, bytes) else ctypes.c_long(value) for value in arguments]
    result = library.syscall(ctypes.c_long(number), *values)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"system call {number}: {os.strerror(code)}")
    return result
