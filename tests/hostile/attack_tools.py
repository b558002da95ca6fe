"""What the attacks share. Runs inside the sandbox, in a child that has confined itself; nothing but the standard library."""

import ctypes
import os
import struct

MARK = "left-behind"  # the name that every process bears which an attack leaves
_LIBRARY = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments) -> int:
    """The system call `number` of x86-64. Raises OSError when it fails."""
    values = [value if isinstance(value, bytes) or value is None else ctypes.c_long(value) for value in arguments]
    result = _LIBRARY.syscall(ctypes.c_long(number), *values)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def part(kind: int, slot: int, content: bytes) -> bytes:
    """A part of a child's stream, as the honest side writes it."""
    return struct.pack(">BBI", kind, slot, len(content)) + content


def call_itself(name: str) -> None:
    """Gives this process a name by which it can be found from outside."""
    _LIBRARY.prctl(15, name.encode(), 0, 0, 0)


def linger(seconds: float = 8.0) -> None:
    """What a process does that was left behind: nothing, under a name, for a while."""
    import time

    call_itself(MARK)
    time.sleep(seconds)
    os._exit(0)


def decoded(hidden: str) -> bytes:
    """The bytes that the hexadecimal `hidden` stands for, each XOR 0x55."""
    return bytes(byte ^ 0x55 for byte in bytes.fromhex(hidden))


def search_memory(hidden: str) -> int:
    """How often the bytes that `hidden` stands for lie in this process's memory. Half of them are compared in their hidden
    form, so that the search does not find itself."""
    code = bytes.fromhex(hidden)
    half = len(code) // 2
    start_of_it, rest_of_it = decoded(hidden[: 2 * half]), code[half:]
    found = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.readlines():
            place, rights = line.split()[:2]
            start, end = (int(number, 16) for number in place.split("-"))
            if "w" not in rights or end - start > 2**29:
                continue
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, OverflowError):
                continue
            at = content.find(start_of_it)
            while at >= 0:
                rest = content[at + half : at + len(code)]
                found += bytes(byte ^ 0x55 for byte in rest) == rest_of_it
                at = content.find(start_of_it, at + 1)
    return found
