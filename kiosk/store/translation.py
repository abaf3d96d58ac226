"""What the library's errors mean for a desk."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from sqlcipher3 import dbapi2

from kiosk.store.errors import ReplicaUnreadable, StorageFailed, StorageFull, StoreError

_DAMAGED: Final = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})
# Every statement is fixed, so one that SQLite cannot read is of another version of the tables.
_NO_SUCH_TABLE: Final = "SQLITE_ERROR"
UNREADABLE: Final = (
    "The replica does not open: it is damaged or belongs to other keys. Nothing was changed; start the desk again."
)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Translate what the library raises inside."""
    try:
        yield
    except dbapi2.Error as error:
        raise translate(error) from error


def translate(error: Any) -> StoreError:
    """The refusal that an error of the library becomes; raises it again when it is a defect of ours."""
    name = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"):  # the second: no room for the index of the log
        return StorageFull("The disk is full: nothing was recorded. Free some space and do it again.")
    if name in _DAMAGED:
        return ReplicaUnreadable(UNREADABLE)
    if name.startswith("SQLITE_IOERR"):
        return StorageFailed("The disk failed while reading or writing; look at the roster before doing it again.")
    if name == _NO_SUCH_TABLE:
        return StorageFailed("The tables of the replica are not those of this program; start the desk once.")
    if isinstance(error, dbapi2.OperationalError):
        return StorageFailed(f"The replica could not be used ({name or 'unknown reason'}).")
    raise error
