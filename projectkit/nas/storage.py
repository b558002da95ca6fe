"""Where a study lives: a journal file, which needs no server, or a database that Optuna knows."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from projectkit.errors import SearchError
from projectkit.install_hint import install_hint

ENTRY = b'{"op_code":'  # what each line of Optuna's journal begins with


def open_storage(place: str) -> BaseStorage:
    """The storage at `place`: the path of a journal file, made if absent (its folder must exist), or a database's URL such as
    postgresql://USER@HOST/NAME.

    A last line that a killed worker left half-written is cut off by the next one who writes. Raises SearchError when nobody
    answers, a driver is missing, or the file is damaged or is no journal; nothing is changed then.
    """
    with storage_errors(place):
        return _database(place) if "://" in place else _journal(Path(place))


@contextmanager
def storage_errors(place: str) -> Iterator[None]:
    """Turns whatever a storage raises into a SearchError that names the place, without its password."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise SearchError(
            f"The storage {shown(place)} cannot be used ({reason}). Check its address and that it runs; nothing that was stored "
            "is lost, and the same command goes on from there."
        ) from error
    except BrokenPipeError:  # of whoever reads what is printed
        raise
    except OSError as error:
        raise SearchError(
            f"The storage {shown(place)} cannot be used ({error}). Look whether its folder is there and has room."
        ) from error
    except json.JSONDecodeError as error:
        raise _damaged(Path(place), f"an entry cannot be read: {error}") from error


def shown(place: str) -> str:
    """The place as people may see it: without a password."""
    if "://" not in place:
        return place
    from sqlalchemy.engine import make_url

    return make_url(place).render_as_string(hide_password=True)


def _database(url: str) -> BaseStorage:
    from sqlalchemy.exc import ArgumentError

    try:
        # A database that was restarted between two trials is asked again instead of failing the next one.
        return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except ArgumentError as error:
        raise SearchError(
            f"The storage's URL cannot be read ({error}); expected for example postgresql://USER@HOST/NAME. "
            "Without a server, give the path of a journal file."
        ) from error
    except ImportError as error:
        raise SearchError(
            f"The storage {shown(url)} needs a driver that is not installed ({error.__cause__ or error}). "
            f"For PostgreSQL: {install_hint('postgres')}"
        ) from error


def _journal(path: Path) -> BaseStorage:
    try:
        if path.exists():
            _check(path)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=HealingLock(path)))
    except OSError as error:
        raise SearchError(
            f"{path}: no journal can be kept there ({error.strerror}); expected a file in an existing folder that is yours. "
            "Give another path."
        ) from error
    except (KeyError, AssertionError, TypeError, ValueError) as error:  # lines of JSON, but not what Optuna writes
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


class HealingLock(JournalFileOpenLock):
    """The right to write to a journal; whoever gets it first cuts off a last line that is half-written because its writer was
    killed. Optuna would append to that line and make it garbage for everybody.

    The lock is a file of its own made with O_EXCL, which works on Windows and on network disks too. That of a killed worker
    is taken over after 30 s.
    """

    def __init__(self, path: Path):
        super().__init__(str(path))
        self._journal = path

    def acquire(self) -> bool:
        taken = super().acquire()
        try:
            _cut_torn_end(self._journal)
        except BaseException:
            self.release()
            raise
        return taken


def _check(path: Path) -> None:
    """Raises SearchError unless each line is an entry; the last may be torn."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            whole = line.endswith(b"\n")
            if not line.startswith(ENTRY[: len(line)] if not whole else ENTRY):
                raise _damaged(path, f"line {number} is no entry of a journal: {line[:40]!r}")
            try:
                json.loads(line if whole else b"{}")
            except ValueError as error:
                raise _damaged(path, f"line {number}: {error}") from error


def _cut_torn_end(path: Path) -> None:
    """Removes what follows the last line break. For the holder of the lock only: the line's writer is dead then."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        start = size
        while start > 0:
            block = min(4096, start)
            file.seek(start - block)
            found = file.read(block).rfind(b"\n")
            if found >= 0:
                start = start - block + found + 1
                break
            start -= block
        if start < size:
            file.truncate(start)


def _damaged(path: Path, reason: str) -> SearchError:
    return SearchError(
        f"{path}: is not the journal of a study, or is damaged ({reason}); nothing in it was changed. "
        "Give another --storage, or put a copy of the file back."
    )
