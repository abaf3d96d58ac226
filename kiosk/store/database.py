"""One encrypted SQLite file, one connection, one thread; the only place of the kiosk that commits.

SQLCipher encrypts every page and signs it with an HMAC, so a damaged page is noticed when it is read. A
transaction is durable when `transaction` returns: WAL with `synchronous=FULL` syncs the log at each COMMIT.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlcipher3 import dbapi2

from kiosk.store.errors import ReplicaInUse, ReplicaUnreadable, StorageFailed, StorageFull, StoreError

T = TypeVar("T")
Row = tuple[Any, ...]

_FULL: Final = 2
# A status command of another process reads for milliseconds; the writer waits that out.
_BUSY_TIMEOUT_MS: Final = 2_000
_DAMAGED: Final = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})


class Database:
    """The connection and its transactions. Not thread-safe: use it from one thread, or through `run`."""

    def __init__(self, connect: Callable[[], Any], *, can_reopen: bool) -> None:
        self._connect = connect
        self._can_reopen = can_reopen
        self._connection: Any = connect()
        self._executor: ThreadPoolExecutor | None = None

    @classmethod
    def open(cls, path: Path, key: bytes) -> "Database":
        """Open or make the file.

        Raises:
            ReplicaUnreadable: it is there and does not open with this key; it is left as it is.
            StorageFull: there is no room.
            StorageFailed: the disk failed.

        """
        return cls(lambda: _open_writer(path, key), can_reopen=True)

    @classmethod
    def open_reader(cls, path: Path, key: bytes) -> "Database":
        """Open an existing file only to read, beside the program that writes it; raises as `open`."""
        return cls(lambda: _open_reader(path, key), can_reopen=True)

    @classmethod
    def in_memory(cls) -> "Database":
        """A database that lives as long as this object; for tests and the simulator."""
        return cls(_open_memory, can_reopen=False)

    # -- reading and writing

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement inside a transaction."""
        with _translated():
            self._usable().execute(sql, parameters)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row, inside a transaction."""
        with _translated():
            self._usable().executemany(sql, rows)

    def fetch_all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query that bounds itself."""
        with _translated():
            return list(self._usable().execute(sql, parameters).fetchall())

    def fetch_one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        with _translated():
            row: Row | None = self._usable().execute(sql, parameters).fetchone()
            return row

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens as a whole, durable on return, or not at all.

        Raises:
            StorageFull: there was no room; nothing happened.
            StorageFailed: COMMIT failed. The connection is given up, since nothing that a failed sync left behind
                can be trusted; the next use opens the file again and sees what became of it.

        """
        connection = self._usable()
        with _translated():
            connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        try:
            connection.execute("COMMIT")
        except dbapi2.Error as error:
            self._roll_back()
            self._give_up()
            raise _translate(error) from error

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is None or not connection.in_transaction:
            return
        try:
            connection.execute("ROLLBACK")
        except dbapi2.Error:
            self._give_up()

    def _give_up(self) -> None:
        if not self._can_reopen:
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(dbapi2.Error):
                connection.close()

    def _usable(self) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    # -- the one thread

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` on the database's own thread, after everything asked before.

        Once begun it runs to its end, also when the caller is cancelled.
        """
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="replica")
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        await self.run(self.close_now)
        if self._executor is not None:
            self._executor.shutdown(wait=True)

    def close_now(self) -> None:
        """Close the file, from the thread that uses it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class FolderLock:
    """What makes one program the only one that uses a folder; the kernel frees it if we are killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ReplicaInUse: another program has it.
            StorageFailed: the lock file cannot be made.

        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageFailed(f"{self._path} cannot be opened ({error.strerror}).") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            message = f"Another program uses {self._path.parent}; close it first, or give this one another folder."
            raise ReplicaInUse(message) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open_writer(path: Path, key: bytes) -> Any:
    _check_file(path)
    if not path.exists():
        _make_file(path, key)
    connection = _connect(str(path), key)
    try:
        _set_and_check(connection)
        _settle_log(connection)
    except dbapi2.Error as error:
        connection.close()
        raise _translate(error) from error
    except StoreError:
        connection.close()
        raise
    return connection


def _open_reader(path: Path, key: bytes) -> Any:
    _check_file(path)
    if not path.exists():
        raise ReplicaUnreadable(f"There is no replica at {path} yet; start the desk once.")
    connection = _connect(str(path), key)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.execute("PRAGMA query_only = ON")
    except dbapi2.Error as error:
        connection.close()
        raise _translate(error) from error
    return connection


def _open_memory() -> Any:
    connection = dbapi2.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _connect(path: str, key: bytes) -> Any:
    with _translated():
        connection = dbapi2.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _settle_log(connection: Any) -> None:
    """Whatever an earlier failure left in the log is synced into the file now, or opening fails too.

    A full disk is no such failure: what is there stays readable, and the log waits for room.
    """
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except dbapi2.OperationalError as error:
        if not isinstance(_translate(error), StorageFull):
            raise


def _set_and_check(connection: Any) -> None:
    """Set what durability and secrecy rest on, and read back that it is so."""
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    wanted = (("journal_mode", "wal"), ("synchronous", _FULL), ("foreign_keys", 1))
    for name, value in wanted:
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != value:
            raise StorageFailed(f"The replica's {name} is {found} and cannot be {value} on this disk.")
    if connection.execute("PRAGMA cipher_version").fetchone() is None:
        raise StorageFailed("This Python has an sqlcipher3 without encryption; install the locked version.")


def _make_file(path: Path, key: bytes) -> None:
    """Make the file under another name first, so that whoever finds it, finds a whole one."""
    draft = path.with_name(f"{path.name}.new")
    try:
        for left in (draft, Path(f"{draft}-wal"), Path(f"{draft}-shm")):
            left.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT, 0o600))
        connection = _connect(str(draft), key)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA application_id = 1380926291")
        finally:
            connection.close()
        draft.replace(path)
    except dbapi2.Error as error:
        raise _translate(error) from error
    except OSError as error:
        raise StorageFailed(f"{path} cannot be made ({error.strerror}); check the disk and the folder.") from error


def _check_file(path: Path) -> None:
    """Neither a file of zero bytes nor a log without its file is a new database: both are damage."""
    is_empty = path.exists() and path.stat().st_size == 0
    is_gone = not path.exists() and Path(f"{path}-wal").exists()
    if is_empty or is_gone:
        raise ReplicaUnreadable(_UNREADABLE)


_UNREADABLE: Final = (
    "The replica does not open: it is damaged or belongs to other keys. Nothing was changed; keep a copy of "
    "the folder, enrol this desk again into an empty one, and ask your administrator about unsent entries."
)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except dbapi2.Error as error:
        raise _translate(error) from error


def _translate(error: Any) -> StoreError:
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return StorageFull("The disk is full: nothing was recorded. Free some space and do it again.")
    if name in _DAMAGED:
        return ReplicaUnreadable(_UNREADABLE)
    if name.startswith("SQLITE_IOERR"):
        return StorageFailed("The disk failed while reading or writing; look at the roster before doing it again.")
    if isinstance(error, dbapi2.OperationalError):
        return StorageFailed(f"The replica could not be used ({name or 'unknown reason'}).")
    raise error
