"""Attacks on time, memory, disk and patience. See attacks_processes on what an attack returns. Each ends by itself some time."""

import ctypes
import mmap
import os
import resource
import signal
import sys
import threading
import time

from attack_tools import linger, syscall

LONG = 12.0  # seconds after which an attack that nobody stops has won
MEGABYTE = 1024**2


def compute_for_ever(aim):
    """Ignoring every signal that can be ignored."""
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        pass
    return "computed on"


def sleep_for_ever(aim):
    """With its own clock switched off."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(LONG)
    return "slept on"


def stop_itself(aim):
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(LONG)
    return "went on"


def close_its_pipes_and_stay(aim):
    signal.setitimer(signal.ITIMER_REAL, 0)
    os.closerange(0, 200)
    time.sleep(LONG)


def take_all_memory(aim):
    held = [mmap.mmap(-1, 512 * MEGABYTE) for _ in range(32)]
    return f"{len(held) // 2} GB"


def start_many_threads(aim):
    """As many as a machine of many users would not like; with small stacks, which the limit of memory does not see."""
    threading.stack_size(64 * 1024)
    stop = threading.Event()
    threads = []
    try:
        for _ in range(1500):
            threads.append(threading.Thread(target=stop.wait, daemon=True))
            threads[-1].start()
    finally:
        stop.set()
    return f"{len(threads)} threads"


def start_many_processes(aim):
    """A small bomb: each child starts another, up to a number that harms nobody."""
    for _ in range(40):
        if os.fork() == 0:
            if os.fork() == 0:
                linger()
            linger()


def write_a_large_file(aim):
    """Ignoring the signal that says it is too large."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open("large", "wb") as stream:
        for _ in range(aim["file_bytes"] // MEGABYTE + 1):
            stream.write(bytes(MEGABYTE))
    return f"{os.path.getsize('large')} bytes"


def write_many_files(aim):
    """Each as large as a file may be."""
    content, most = bytes(aim["file_bytes"]), aim["disk"]
    for index in range(most // len(content) + 1):
        with open(f"many-{index}", "wb") as stream:
            stream.write(content)
    return f"{most // MEGABYTE} MB"


def open_many_files(aim):
    """Until the machine has none left for others; the limit of a process is what others set."""
    held = []
    try:
        for _ in range(200_000):
            held.append(os.dup(1))
    finally:
        for number in held:
            os.close(number)
    return f"{len(held)} files"


def dump_its_memory(aim):
    """Leaves a core file with whatever it had read."""
    resource.getrlimit(resource.RLIMIT_CORE)
    os.abort()


def crash(aim):
    ctypes.string_at(1)


def overflow_its_stack(aim):
    sys.setrecursionlimit(10**9)

    def deeper(*arguments):
        return [*map(deeper, arguments or (1,))]

    deeper()


def leave_without_a_word(aim):
    os._exit(0)


def print_for_ever(aim):
    signal.setitimer(signal.ITIMER_REAL, 0)
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        os.write(2, b"x" * MEGABYTE)
    return "printed on"


def print_control_codes(aim):
    """For the instructor's terminal, by way of the log."""
    os.write(2, b"\x1b]0;evil\x07\x1b[2J" * 100)
    os._exit(3)


def swap_out_the_others(aim):
    """Locks its memory, so that others' is taken."""
    syscall(151, 3)
    return "locked"
