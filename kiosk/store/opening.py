"""Opening a desk's replica: checked before it is used, and when it is damaged, set aside and made anew.

What is damaged is moved into `quarantine/<moment>.open`, what can be proved of it is written into a new file under
another name, the new file takes the place, and the folder loses its `.open`. A start that is cut off in between goes
on from there.
"""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kiosk.store import quarantine
from kiosk.store.database import Database, files_of
from kiosk.store.errors import ReplicaForeign, ReplicaUnreadable, StorageFailed, StorageFull
from kiosk.store.integrity import Watch, check_content, check_pages, check_tables
from kiosk.store.pen import Pen
from kiosk.store.replica import Replica
from kiosk.store.salvage import Rescue, rescue, write_into
from kiosk.store.unfinished import take_back, unfinished


@dataclass(frozen=True)
class Owner:
    """Whose replica it must be."""

    device_id: str
    center_id: str


@dataclass(frozen=True)
class Salvage:
    """What happened to a damaged replica: why, where it lies now, and what was saved of it."""

    reason: str
    folder: Path
    saved: Rescue


@dataclass(frozen=True)
class Opened:
    """A replica that is ready for use; `salvage` says what became of the one that was here before."""

    replica: Replica
    salvage: Salvage | None = None


def open_replica(path: Path, key: bytes, owner: Owner, pen: Pen, *, wall_ms: int, watch: Watch) -> Opened:
    """Open the replica at `path`, or make one; `watch` hears which check begins.

    Raises:
        ReplicaForeign: it is another device's; it stays where it is.
        ReplicaTooNew: a newer program wrote it; it stays where it is.
        StorageFull: there is no room; the next start goes on.
        StorageFailed: the disk failed.

    """
    try:
        return _open(path, key, owner, pen, wall_ms=wall_ms, watch=watch)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull("The disk is full: the desk cannot start. Free some space and start again.") from error
        raise StorageFailed(f"{path.parent} cannot be used ({error.strerror}); check the disk.") from error


def _open(path: Path, key: bytes, owner: Owner, pen: Pen, *, wall_ms: int, watch: Watch) -> Opened:
    pending = quarantine.pending(path)
    if pending is None:
        try:
            return Opened(_checked(path, key, owner, pen, watch))
        except ReplicaForeign:
            raise
        except ReplicaUnreadable as error:
            pending = quarantine.begin(path, str(error), wall_ms)
    watch("salvage")
    return _finish_quarantine(pending, path, key, owner, pen, wall_ms=wall_ms)


# -- a replica that is whole


def _checked(path: Path, key: bytes, owner: Owner, pen: Pen, watch: Watch) -> Replica:
    """Open and check. A log that was left is looked at in a copy first: to open it is to write it into the file."""
    copy = path.with_name(f"{path.name}.check")
    _remove(copy)
    if not _size(files_of(path)[1]):
        return _whole(path, key, owner, pen, watch)
    _copy(path, copy)
    try:
        replica = _whole(copy, key, owner, pen, watch)
        try:
            left = unfinished(path, key, pen.sign, replica.journal)
        finally:
            replica.database.close_now()
    finally:
        _remove(copy)
    replica = _prepared(path, key, owner, pen)
    # A full disk does not keep the desk from starting: what it shows is all that anybody was told.
    with _closed_if_it_fails(replica.database), contextlib.suppress(StorageFull):
        take_back(replica, left, pen.sign)
    return replica


def _whole(path: Path, key: bytes, owner: Owner, pen: Pen, watch: Watch) -> Replica:
    """Open, check everything, and bring the tables to this program's version."""
    database = Database.open(path, key)
    with _closed_if_it_fails(database):
        check_pages(database, watch)
        check_tables(database, watch)
        replica = _begun(database, owner, pen)
        check_content(replica, watch)
    return replica


def _prepared(path: Path, key: bytes, owner: Owner, pen: Pen) -> Replica:
    """Open what was checked before, or make what is not there."""
    database = Database.open(path, key)
    with _closed_if_it_fails(database):
        return _begun(database, owner, pen)


def _begun(database: Database, owner: Owner, pen: Pen) -> Replica:
    replica = Replica(database)
    replica.prepare(device_id=owner.device_id, center_id=owner.center_id, incarnation=pen.new_id())
    return replica


@contextlib.contextmanager
def _closed_if_it_fails(database: Database) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close_now()
        raise


def _copy(path: Path, to: Path) -> None:
    """Copy a file and its log, over whatever an earlier start left there."""
    _remove(to)
    for source, target in zip(files_of(path)[:2], files_of(to)[:2], strict=True):
        if source.exists():
            shutil.copyfile(source, target)
            target.chmod(0o600)


def _remove(path: Path) -> None:
    for file in files_of(path):
        file.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


# -- one that is not


def _finish_quarantine(folder: Path, path: Path, key: bytes, owner: Owner, pen: Pen, *, wall_ms: int) -> Opened:
    """Move the damaged files, write what was saved of them into a draft, and put it in their place."""
    quarantine.move_in(folder, path)
    quarantine.trim(folder.parent)
    reason = quarantine.reason_of(folder)
    draft = path.with_name(f"{path.name}.salvage")
    replica = _base(folder / path.name, draft, key, owner, pen)
    try:
        saved = rescue(folder / path.name, key, pen.sign, replica.journal.event_ids())
        write_into(replica, saved, reason, pen, wall_ms=wall_ms)
    finally:
        replica.database.close_now()
    if _size(files_of(draft)[1]):
        raise StorageFull("The disk is full: what was saved could not be written. Free some space and start again.")
    quarantine.note_saved(folder, saved)
    draft.replace(path)
    quarantine.sync_folder(path.parent)
    folder = quarantine.close(folder)
    return Opened(_prepared(path, key, owner, pen), Salvage(reason, folder, saved))


def _base(damaged: Path, draft: Path, key: bytes, owner: Owner, pen: Pen) -> Replica:
    """What the desk goes on with: a copy of the damaged files if all that it shows is whole, or else an empty one."""
    _copy(damaged, draft)
    try:
        return _whole(draft, key, owner, pen, lambda _step: None)
    except ReplicaUnreadable:
        _remove(draft)
    return _prepared(draft, key, owner, pen)
