"""Opening a desk's folder: whose it is, that nobody else uses it, and that its replica can be trusted."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kiosk.clock import Clock, Luck, random_uuid
from kiosk.keys import DeviceKeys, DeviceRevoked, NotEnrolled, fingerprint, read_enrolled_keys, write_whole
from kiosk.log import Log
from kiosk.messages import Quarantined
from kiosk.services.revocation import clear_away
from kiosk.settings import DataFolder
from kiosk.store.errors import ReplicaForeign, StorageFailed
from kiosk.store.folder_lock import FolderLock
from kiosk.store.opening import Opened, Owner, Salvage, open_replica
from kiosk.store.pen import Pen
from kiosk.store.replica import Replica

Say = Callable[[str], None]
"""Is told, in words for a person, what takes its time."""

_STEPS: Final = {
    "pages": "Checking the file of this desk ...",
    "records": "Checking the children's records ...",
    "journals": "Checking what was recorded here ...",
    "salvage": "The file of this desk is damaged. Saving what was recorded here ...",
}
_NOTE_BYTES_MAX: Final = 256

log = Log()


@dataclass(frozen=True)
class OpenFolder:
    """A folder that is ours until `lock` is released, and what is in it."""

    folder: DataFolder
    lock: FolderLock
    keys: DeviceKeys
    replica: Replica
    pen: Pen
    quarantined: Quarantined | None


async def open_folder(folder: DataFolder, clock: Clock, luck: Luck, say: Say) -> OpenFolder:
    """Take the folder and open what is in it; a damaged replica is set aside, and what can be saved of it is.

    Raises:
        NotEnrolled, KeysUnreadable: as `read_enrolled_keys`.
        DeviceRevoked: the same; whatever is left of its data is deleted.
        StoreError: it is in use, belongs to other keys, is of a newer program, or the disk fails.

    """
    lock = FolderLock(folder.lock)
    try:
        keys = _keys_of(folder, lock)
        lock.acquire()
        require_own_replica(folder, keys)
        pen = pen_of(keys, clock, luck)
        opened = await asyncio.to_thread(_open, folder, keys, pen, clock.wall_ms(), say)
    except BaseException:
        lock.release()
        raise
    return OpenFolder(folder, lock, keys, opened.replica, pen, _quarantined(opened.salvage))


async def open_again(opened: OpenFolder, clock: Clock) -> OpenFolder:
    """The same folder, with a replica that can be trusted, after the one in it was found damaged in the middle of work.

    Raises:
        StoreError: not now; what is there stays as it is.

    """
    database = opened.replica.database
    await database.run(database.close_now)  # its thread stays for whoever still asks, and is refused
    found = await asyncio.to_thread(_open, opened.folder, opened.keys, opened.pen, clock.wall_ms(), lambda _: None)
    return replace(opened, replica=found.replica, quarantined=_quarantined(found.salvage))


def pen_of(keys: DeviceKeys, clock: Clock, luck: Luck) -> Pen:
    """What this desk writes its journal with."""
    return Pen(
        sign=keys.sign,
        new_id=lambda: random_uuid(luck),
        monotonic_ms=clock.monotonic_ms,
        boot_id=clock.boot_id(),
    )


def _keys_of(folder: DataFolder, lock: FolderLock) -> DeviceKeys:
    try:
        return keys_of_desk(folder)
    except DeviceRevoked:
        lock.acquire()
        clear_away(folder)
        raise


def _open(folder: DataFolder, keys: DeviceKeys, pen: Pen, wall_ms: int, say: Say) -> Opened:
    def watch(step: str) -> None:
        if step in _STEPS:
            say(_STEPS[step])

    owner = Owner(keys.device_id, keys.center_id)
    opened = open_replica(folder.replica, keys.replica_key, owner, pen, wall_ms=wall_ms, watch=watch)
    try:
        _note_owner(folder, keys)
    except BaseException:
        opened.replica.database.close_now()
        raise
    return opened


# -- whose replica it is


def keys_of_desk(folder: DataFolder) -> DeviceKeys:
    """Read the keys of a folder in which a desk is enrolled.

    Raises:
        ReplicaForeign: the file with the keys is gone, and the replica is there.
        NotEnrolled, KeysUnreadable, DeviceRevoked: as `read_enrolled_keys`.

    """
    try:
        return read_enrolled_keys(folder.keys)
    except NotEnrolled:
        require_own_replica(folder, None)
        raise


def require_own_replica(folder: DataFolder, keys: DeviceKeys | None) -> None:
    """Refuse a replica that was made with other keys: it is whole, and only its own keys are missing.

    To a cipher a wrong key and a ruined file look the same. To set a whole replica aside would take this machine's
    unsent entries away from its staff, and begin a second desk under another's name; a note beside the replica tells
    the two apart. Without a note (it is damaged too, or was never written) the file counts as ruined.

    Raises:
        ReplicaForeign: the note names another key, or there are no keys at all for it.

    """
    if not folder.replica.exists():
        return
    if keys is None:
        raise ReplicaForeign(
            f"The keys of this desk are gone: there is no device.json in {folder.path}. Its replica is there, and "
            "nothing was changed. Put back the device.json that belongs to it; to begin anew, use an empty folder."
        )
    noted = _noted(folder.owner)
    if noted and noted != fingerprint(keys.replica_key):
        raise ReplicaForeign(
            f"The replica in {folder.path} was made with other keys than those in device.json. Nothing was changed. "
            "Put back the device.json that belongs to it; to begin anew, use an empty folder."
        )


def _noted(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError), path.open("rb") as file:
        text = file.read(_NOTE_BYTES_MAX).decode("ascii").strip()
        if len(text) == len(fingerprint(b"")) and set(text) <= set("0123456789abcdef"):
            return text
    return ""


def _note_owner(folder: DataFolder, keys: DeviceKeys) -> None:
    """Once the replica has opened with these keys, it is known whose it is."""
    mark = fingerprint(keys.replica_key)
    if _noted(folder.owner) == mark:
        return
    try:
        write_whole(folder.owner, [mark.encode() + b"\n"])
    except OSError as error:
        raise StorageFailed(f"{folder.owner} cannot be written ({error.strerror}); check the disk.") from error


def _quarantined(salvage: Salvage | None) -> Quarantined | None:
    if salvage is None:
        return None
    saved = salvage.saved
    found = Quarantined(
        reason=salvage.reason,
        folder=str(salvage.folder),
        settled=len(saved.settled),
        waiting=len(saved.waiting),
        lost=saved.refused,
    )
    log.error("replica_quarantined", reason=found.reason, settled=found.settled, waiting=found.waiting, lost=found.lost)
    return found
