"""Attacks on files and on the network. See attacks_processes on what an attack returns.

`aim["files"]` names the grader's own: labels, salt, another submission, results, rubric, reference solution.
"""

import ctypes
import fcntl
import hashlib
import os
import socket
import termios
from pathlib import Path

from attack_tools import decoded, part, search_memory, syscall


def _read(path):
    content = Path(path).read_bytes()
    return f"{len(content)} bytes"


def read_the_labels(aim):
    return _read(aim["files"]["labels"])


def read_the_salt(aim):
    return _read(aim["files"]["salt"])


def find_the_salt_in_its_environment(aim):
    """Known by its digest only: the attack itself must not bring it along."""
    values = [*os.environ.values(), *Path("/proc/self/environ").read_bytes().decode(errors="replace").split("\0")]
    digests = {hashlib.sha256(value.partition("=")[2].encode()).hexdigest() for value in values}
    digests |= {hashlib.sha256(value.encode()).hexdigest() for value in values}
    return "the salt" if aim["salt_digest"] in digests else None


def read_another_submission(aim):
    return _read(aim["files"]["submission"])


def read_the_results(aim):
    return _read(aim["files"]["results"])


def read_a_rubric(aim):
    return _read(aim["files"]["rubric"])


def read_reference_solutions(aim):
    return _read(aim["files"]["solutions"])


def read_the_users_of_the_machine(aim):
    return _read("/etc/passwd")


def read_through_a_symbolic_link(aim):
    os.symlink(aim["files"]["labels"], "link.onnx")
    return _read("link.onnx")


def read_through_a_hard_link(aim):
    os.link(aim["files"]["labels"], "hard.onnx")
    return _read("hard.onnx")


def read_through_proc(aim):
    """/proc/self may be read, and leads everywhere."""
    return _read(f"/proc/self/root{aim['files']['labels']}")


def read_through_parents(aim):
    return _read("/usr/.." + aim["files"]["labels"])


def read_by_handle(aim):
    """Files by number instead of by name, past the walk along a path."""
    handle, mount = ctypes.create_string_buffer(136), ctypes.c_int()
    ctypes.memmove(handle, (ctypes.c_uint * 1)(128), 4)
    syscall(303, -100, b"/usr", ctypes.addressof(handle), ctypes.addressof(mount), 0)
    folder = os.open("/usr", os.O_RDONLY)
    syscall(304, folder, ctypes.addressof(handle), os.O_RDONLY)
    return "opened"


def prepare_a_model_with_a_mark(aim):
    """siege.py writes a mark into this model's bytes."""


def find_an_earlier_model_in_memory(aim):
    """The model of the submission before, by its mark."""
    found = search_memory(aim["model_mark"])
    return f"{found} times" if found else None


def prepare_answers_with_a_mark(aim):
    aim["tell"](part(2, 0, decoded(aim["answers_mark"]) * 20_000))


def find_earlier_answers_in_memory(aim):
    """What the model of the submission before had answered passed through the warm process."""
    found = search_memory(aim["answers_mark"])
    return f"{found} times" if found else None


def leave_a_file_in_its_folder(aim):
    """Which it may write; the next attack looks for it."""
    Path("from-an-earlier-job").write_text("copy me")


def find_the_file_of_an_earlier_child(aim):
    """Its own folder is the current one; the folder above is where others' were."""
    above = Path.cwd().parent
    found = [entry for entry in os.listdir(above) if entry != Path.cwd().name and entry.startswith("job-")]
    return ", ".join(found) or None


def _write(path):
    Path(path).write_text("evil")
    return "written"


def write_to_the_temporary_folder(aim):
    return _write("/tmp/evil-of-a-child")


def write_to_shared_memory(aim):
    return _write("/dev/shm/evil-of-a-child")


def write_beside_its_folder(aim):
    return _write(Path.cwd().parent / "evil-of-a-child")


def write_to_the_folder_of_the_grader(aim):
    return _write(Path(aim["files"]["labels"]).parent / "evil-of-a-child")


def overwrite_a_result(aim):
    with open(aim["files"]["results"], "r+") as stream:
        stream.write("evil")
    return "written"


def write_to_the_programs(aim):
    """A file beside the packages that the next worker imports."""
    return _write(Path(aim["packages"]) / "evil-of-a-child.pth")


def delete_another_submission(aim):
    os.unlink(aim["files"]["submission"])
    return "deleted"


def rename_the_results(aim):
    os.rename(aim["files"]["results"], aim["files"]["results"] + ".evil")
    return "renamed"


def hold_the_lock_of_all_graders(aim):
    """By which they take turns: whoever holds it keeps them waiting."""
    with open(aim["lock"]) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return "held"


def make_a_device(aim):
    os.mknod("memory", 0o600 | 0o020000, os.makedev(1, 1))
    return "made"


def speak_to_a_terminal(aim):
    """Types a command for whoever sits in front of it."""
    with open("/dev/tty", "w") as terminal:
        fcntl.ioctl(terminal, termios.TIOCSTI, b"\n")
    return "typed"


def connect_to_the_loopback(aim):
    with socket.create_connection(("127.0.0.1", aim["port"]), 2):
        return "connected"


def send_a_datagram(aim):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"labels", ("127.0.0.1", aim["udp_port"]))
    return "sent" if not _own_network() else None


def listen_for_others(aim):
    with socket.create_server(("127.0.0.1", 0)):
        return "listening" if not _own_network() else None


def _own_network():
    """Whether this process's network holds nothing but its own loopback."""
    return Path("/proc/self/net/dev").read_text().count(":") <= 1 and not _listens(Path("/proc/self/net/tcp").read_text())


def _listens(table):
    return [line for line in table.splitlines() if line.split()[3:4] == ["0A"] and not line.split()[1].endswith(":0000")][1:]


def connect_to_an_abstract_socket(aim):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + aim["abstract"])
    return "connected"


def connect_to_a_socket_file(aim):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(aim["socket_file"])
    return "connected"


def ask_the_kernel_by_netlink(aim):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as client:
        client.bind((0, 0))
    return "bound"


def open_a_raw_socket(aim):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 1):
        return "opened"


def watch_the_folder_of_the_grader(aim):
    """Learns when which file is touched."""
    watcher = syscall(294, 0)
    syscall(254, watcher, str(Path(aim["files"]["labels"]).parent).encode(), 0xFFF)
    return "watched"


def read_public_images_with_labels(aim):
    """They are part of the programs; salted images are altered copies of them."""
    return _read(aim["public"])
