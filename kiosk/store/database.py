"""One encrypted SQLite file, one connection, one thread; the only place of the kiosk that commits.

SQLCipher encrypts every page and signs it with an HMAC, so a damaged page is noticed when it is read. A
transaction is durable when `transaction` returns: WAL with `synchronous=FULL` syncs the log at each COMMIT.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlcipher3 import dbapi2

from kiosk.store.errors import ReplicaUnreadable, StorageFailed, StorageFull, StoreError
from kiosk.store.pages import salt_of
from kiosk.store.translation import UNREADABLE, translate, translated

T = TypeVar("T")
Row = tuple[Any, ...]

_FULL: Final = 2
# A status command of another process reads for milliseconds; the writer waits that out.
_BUSY_TIMEOUT_MS: Final = 2_000
_DAMAGE_LINES_MAX: Final = 20


class Database:
    """The connection and its transactions. Not thread-safe: use it from one thread, or through `run`.

    Once a damaged page was read, or the files were taken away, every use is refused: nothing is built on damage.
    """

    def __init__(self, connect: Callable[[], Any], *, can_reopen: bool, path: Path | None = None) -> None:
        self._connect = connect
        self._can_reopen = can_reopen
        self._path = path
        self._connection: Any = connect()
        self._was_given_up = False
        self._refusal = ""
        self._executor: ThreadPoolExecutor | None = None

    @classmethod
    def open(cls, path: Path, key: bytes) -> "Database":
        """Open or make the file.

        Raises:
            ReplicaUnreadable: it is there and does not open with this key; it is left as it is.
            StorageFull: there is no room.
            StorageFailed: the disk failed.

        """
        return cls(lambda: _open_writer(path, key), can_reopen=True, path=path)

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
        try:
            self._usable().execute(sql, parameters)
        except dbapi2.Error as error:
            raise self._refused(error) from error

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row, inside a transaction."""
        try:
            self._usable().executemany(sql, rows)
        except dbapi2.Error as error:
            raise self._refused(error) from error

    def fetch_all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query that bounds itself."""
        try:
            return list(self._usable().execute(sql, parameters).fetchall())
        except dbapi2.Error as error:
            raise self._refused(error) from error

    def fetch_each(self, sql: str, parameters: Sequence[Any] = ()) -> Generator[Row, None, None]:
        """The rows of a query, one by one; nothing may be written before the last, or before this is closed."""
        with self._guarded():
            yield from self._usable().execute(sql, parameters)

    def fetch_one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        try:
            row: Row | None = self._usable().execute(sql, parameters).fetchone()
        except dbapi2.Error as error:
            raise self._refused(error) from error
        return row

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens as a whole, durable on return, or not at all.

        Raises:
            StorageFull: there was no room; nothing happened.
            StorageFailed: COMMIT failed. The connection is given up, since nothing that a failed sync left behind
                can be trusted; the next use opens the file again, checks every page, and sees what became of it.

        """
        connection = self._usable()
        with self._guarded():
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
            raise translate(error) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Everything read inside is of one moment, also beside a program that writes; nothing is locked."""
        connection = self._usable()
        with self._guarded():
            connection.execute("BEGIN")
        try:
            yield
        finally:
            self._roll_back()

    def settle_log(self) -> None:
        """Bring what was committed into the file and empty the log, in which pages stay as they were before.

        A reader that holds the log keeps it as it is until the next time.
        """
        with self._guarded():
            _settle_log(self._usable())

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
        self._was_given_up = True
        if connection is not None:
            with contextlib.suppress(dbapi2.Error):
                connection.close()

    def _usable(self) -> Any:
        if self._refusal:
            raise ReplicaUnreadable(self._refusal)
        if self._connection is None:
            self._connection = self._connect()
        if self._was_given_up:
            with self._guarded():
                found = damaged_pages(self._connection)
            if found:
                self._refusal = _DAMAGED_NOW
                raise ReplicaUnreadable(self._refusal)
            self._was_given_up = False
        return self._connection

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Translate what the library says; a damaged page ends the use of this file."""
        try:
            yield
        except dbapi2.Error as error:
            raise self._refused(error) from error

    def _refused(self, error: dbapi2.Error) -> StoreError:
        refusal = translate(error)
        if not isinstance(refusal, ReplicaUnreadable):
            return refusal
        self._refusal = _DAMAGED_NOW
        return ReplicaUnreadable(_DAMAGED_NOW)

    def damaged_pages(self) -> list[str]:
        """What is wrong with the file, page by page and between pages; empty when nothing is."""
        with self._guarded():
            return damaged_pages(self._usable())

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

    def remove(self) -> None:
        """Close the file and take it away, with its log and every copy that a start left beside it.

        Every use after it is refused. One in memory stays.
        """
        if self._path is None:
            return
        self.close_now()
        self._refusal = _GONE
        try:
            for file in self._path.parent.glob(f"{self._path.name}*"):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise StorageFailed(f"{self._path} cannot be deleted ({error.strerror}).") from error


def files_of(path: Path) -> tuple[Path, Path, Path]:
    """The file, its log, and the index of the log."""
    return path, Path(f"{path}-wal"), Path(f"{path}-shm")


def damaged_pages(connection: Any) -> list[str]:
    """What is wrong with the pages of this file: HMACs that do not match, or else pages that do not fit together."""
    found = [row[0] for row in connection.execute("PRAGMA cipher_integrity_check").fetchall()]
    if not found:
        rows = connection.execute(f"PRAGMA quick_check({_DAMAGE_LINES_MAX})").fetchall()
        found = [row[0] for row in rows if row[0] != "ok"]
    return found[:_DAMAGE_LINES_MAX]


def _open_writer(path: Path, key: bytes) -> Any:
    _check_file(path)
    if not path.exists():
        _make_file(path, key)
    _write_log_again(Path(f"{path}-wal"))
    connection = _connect(str(path), key)
    try:
        _set_and_check(connection)
        _settle_log(connection)
    except dbapi2.Error as error:
        connection.close()
        raise translate(error) from error
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
        raise translate(error) from error
    return connection


def _open_memory() -> Any:
    connection = dbapi2.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _connect(path: str, key: bytes, salt: bytes = b"") -> Any:
    """Open a connection; a salt is given only to a file that is being made, any other holds its own."""
    with translated():
        connection = dbapi2.connect(path, isolation_level=None, check_same_thread=False)
        # The library writes what it finds to the terminal, and on a desk that is the screen.
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{key.hex()}{salt.hex()}'\"")
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _write_log_again(log: Path) -> None:
    """Write a log that was left here once more and sync it, so that the disk has what we read.

    After a sync that failed, the kernel may hold as clean what never reached the disk: to read it proves nothing, and
    the next sync would not write it (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
    """
    try:
        with log.open("r+b") as file:
            content = file.read()
            file.seek(0)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageFailed(f"{log} cannot be written ({error.strerror}); check the disk.") from error


def _settle_log(connection: Any) -> None:
    """Whatever an earlier failure left in the log is synced into the file now, or opening fails too.

    A full disk is no such failure: what is there stays readable, and the log waits for room.
    """
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except dbapi2.OperationalError as error:
        if not isinstance(translate(error), StorageFull):
            raise


def _set_and_check(connection: Any) -> None:
    """Set what durability and secrecy rest on, and read back that it is so."""
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted or replaced is overwritten with zeros in its page: whoever was erased is not in free space either.
    connection.execute("PRAGMA secure_delete = ON")
    wanted = (("journal_mode", "wal"), ("synchronous", _FULL), ("foreign_keys", 1), ("secure_delete", 1))
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
        for left in files_of(draft):
            left.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT, 0o600))
        connection = _connect(str(draft), key, salt_of(key))
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA application_id = 1380926291")
        finally:
            connection.close()
        draft.replace(path)
    except dbapi2.Error as error:
        raise translate(error) from error
    except OSError as error:
        raise StorageFailed(f"{path} cannot be made ({error.strerror}); check the disk and the folder.") from error


def _check_file(path: Path) -> None:
    """Neither a file of zero bytes nor a log without its file is a new database: both are damage."""
    is_empty = path.exists() and path.stat().st_size == 0
    is_gone = not path.exists() and Path(f"{path}-wal").exists()
    if is_empty or is_gone:
        raise ReplicaUnreadable(UNREADABLE)


_DAMAGED_NOW: Final = (
    "The replica is damaged, and nothing more is read from it or written to it. Close this desk and start it again: it "
    "sets the damaged file aside, keeps every entry that can be proved, and gets the rest from the server."
)
_GONE: Final = "This device was revoked; what it held is deleted."
