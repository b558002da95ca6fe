"""A file is put in place whole or not at all."""

import os
import stat
import subprocess
import sys

import pytest

from projectkit.files import PART, write_whole, written_whole

WRITER = """
import sys
from projectkit.files import write_whole
path, letter = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for _ in range(200):
    write_whole(path, letter.encode() * 100_000)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    return path


def test_the_file_is_the_old_one_until_the_block_ends_and_the_new_one_then(file):
    with written_whole(file) as part:
        part.write_bytes(b"new")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new" and list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("failure", [ValueError, OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_other(file, failure):
    with pytest.raises(failure), written_whole(file) as part:
        part.write_bytes(b"ne")
        raise failure
    assert file.read_bytes() == b"old" and list(file.parent.iterdir()) == [file]


def test_a_block_that_writes_nothing_leaves_the_old_file(file):
    with pytest.raises(FileNotFoundError), written_whole(file):
        pass
    assert file.read_bytes() == b"old"


def test_no_folder_is_made(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "absent" / "file", b"")
    assert not list(tmp_path.iterdir())


def test_the_unfinished_file_is_told_by_its_name_and_found_by_no_search_for_the_finished_ones(file):
    with written_whole(file) as part, written_whole(file) as other, written_whole(file, suffix=".npz") as archive:
        for path in (part, other, archive):
            path.write_bytes(b"new")
            assert path.parent == file.parent and path.name.startswith(PART)
        assert part != other and archive.suffix == ".npz"
        assert list(file.parent.glob("*.json")) == [file]


def test_two_processes_that_write_at_once_leave_one_whole_file(file):
    command = [sys.executable, "-c", WRITER, str(file)]
    writers = [subprocess.Popen([*command, letter], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for letter in "ab"]
    for writer in writers:
        assert writer.stdout.readline().strip() == b"ready"
    for writer in writers:
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    contents = set()
    while any(writer.poll() is None for writer in writers):
        contents.add(file.read_bytes())
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert contents <= {b"old", b"a" * 100_000, b"b" * 100_000}
    assert file.read_bytes() in (b"a" * 100_000, b"b" * 100_000)
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_others_may_read_the_file_as_any_that_its_owner_writes(file, mask, mode):
    before = os.umask(mask)
    try:
        write_whole(file, b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == mode
