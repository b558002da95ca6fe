"""Attacks by interfaces of the kernel that computing does not need. See attacks_processes on what an attack returns.

Each asks for the least that shows whether it is allowed: where a test runs without protections, nothing is harmed.
"""

import ctypes
import mmap
import os
import resource
import struct
from pathlib import Path

from attack_tools import syscall

EPERM, EFAULT, EINVAL, ENODEV = 1, 14, 22, 19


def _asked(allowed, number, *arguments):
    """Calls; an error of `allowed` comes after the permission, and counts as permission."""
    try:
        syscall(number, *arguments)
    except OSError as error:
        if error.errno not in allowed:
            raise
    return "allowed"


def make_a_user_namespace(aim):
    return _asked((), 272, 0x10000000)


def make_a_network_namespace(aim):
    return _asked((), 272, 0x40000000)


def clone_into_a_user_namespace(aim):
    if syscall(56, 0x10000000 | 17, 0, 0, 0, 0) == 0:
        os._exit(0)
    os.wait()
    return "allowed"


def enter_the_namespaces_of_another(aim):
    with open(f"/proc/{os.getppid()}/ns/net") as namespace:
        return _asked((), 308, namespace.fileno(), 0)


def mount_a_file_system(aim):
    return _asked((ENODEV,), 165, b"none", os.getcwd().encode(), b"no-such-file-system", 0, None)


def change_the_root(aim):
    return _asked((), 161, b"/")


def read_the_keyring(aim):
    return _asked((), 250, 0, -3, 0, 0, 0)


def load_a_kernel_program(aim):
    """BPF_MAP_CREATE of a small array."""
    attributes = struct.pack("=IIII", 2, 4, 4, 1) + bytes(104)
    return _asked((), 321, 0, attributes, len(attributes))


def use_asynchronous_calls(aim):
    return _asked((), 425, 1, bytes(120))


def count_performance_events(aim):
    attributes = struct.pack("=IIQ", 1, 112, 0) + bytes(96)
    return _asked((), 298, attributes, 0, -1, -1, 0)


def handle_page_faults(aim):
    return _asked((), 323, 1)


def change_the_personality(aim):
    return _asked((), 135, 0x0040000)


def share_memory_by_key(aim):
    number = syscall(29, 0, 4096, 0o1600)
    syscall(31, number, 0, None)
    return "shared"


def send_by_message_queue(aim):
    syscall(240, b"evil-of-a-child", os.O_CREAT | os.O_RDWR, 0o600, None)
    syscall(241, b"evil-of-a-child")
    return "opened"


def make_a_semaphore(aim):
    number = syscall(64, 0, 1, 0o1600)
    syscall(66, number, 0, 0, 0)
    return "made"


def take_precedence(aim):
    syscall(141, 0, 0, -5)
    return "priority raised"


def take_all_cores(aim):
    os.sched_setaffinity(0, set(range(os.cpu_count())))
    return "on all cores" if os.cpu_count() > 1 else None


def run_in_real_time(aim):
    parameter = struct.pack("=i", 1)
    return _asked((), 144, 0, 1, parameter)


def raise_its_limits(aim):
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard * 4, hard * 4))
    return "raised"


def lower_the_limits_of_the_warm_process(aim):
    """To what they are: the permission is what counts."""
    old = ctypes.create_string_buffer(16)
    syscall(302, os.getppid(), 7, None, ctypes.addressof(old))
    syscall(302, os.getppid(), 7, ctypes.addressof(old), None)
    return "allowed"


def rename_the_machine(aim):
    name = os.uname().nodename.encode()
    return _asked((), 170, name, len(name))


def read_the_log_of_the_kernel(aim):
    return _asked((), 103, 3, ctypes.addressof(ctypes.create_string_buffer(64)), 64)


def load_a_kernel_module(aim):
    return _asked((EFAULT, 8), 175, None, 0, b"")


def become_another_user(aim):
    os.setgroups([])
    os.setresuid(65534, 65534, 65534)
    return "became nobody"


def filter_its_calls_anew(aim):
    """A filter with a listener could answer calls in the kernel's stead."""
    code = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(buffer))
    return _asked((), 317, 1, 8, program)


def weaken_its_landlock(aim):
    """Asks for the whole of the file system anew; restrictions only add up, so it changes nothing."""
    attributes = struct.pack("=Q", 8)
    rules = syscall(444, attributes, 8, 0)
    root = os.open("/", os.O_PATH)
    syscall(445, rules, 1, struct.pack("=Qi", 8, root), 0)
    syscall(446, rules, 0)
    return os.listdir(Path(aim["files"]["labels"]).parent)[0]


def call_by_the_numbers_of_32_bits(aim):
    """int 0x80 with eax = 2, fork: the numbers of another architecture mean other calls."""
    result = _machine_code(bytes.fromhex("53b802000000cd805bc3"))
    if result == 0:
        os._exit(0)
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return "forked"


def call_by_the_numbers_of_x32(aim):
    """The bit 30 marks a third set of numbers; on kernels without it the call does not exist."""
    return _asked((), 0x40000000 + 39)


def _machine_code(code):
    """Runs `code` and gives what it leaves in eax."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
