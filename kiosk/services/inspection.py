"""A look at a desk's folder from outside, also while another program uses it."""

import asyncio
from pathlib import Path

import msgspec

from kiosk.keys import DeviceKeys, read_enrolled_keys
from kiosk.services.errors import LOCAL_ERRORS, desk_error
from kiosk.services.moments import rfc3339
from kiosk.settings import DataFolder
from kiosk.store.database import Database, FolderLock
from kiosk.store.errors import ReplicaInUse
from kiosk.store.replica import Replica


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """How a desk stands by its files; `in_use`: another program has it open now."""

    in_use: bool
    device_id: str
    device_name: str
    center_name: str
    server_url: str
    recorded: int
    waiting: int
    version: int
    data_as_of: str | None


async def inspect(data_dir: Path) -> Inspection:
    """Read the folder.

    Raises:
        DeskError: not_enrolled, keys_unreadable, replica_unreadable, storage_failed.

    """
    folder = DataFolder(data_dir)
    try:
        keys = read_enrolled_keys(folder.keys)
        in_use = _is_in_use(folder)
        return await asyncio.to_thread(_read, folder, keys, in_use=in_use)
    except LOCAL_ERRORS as error:
        raise desk_error(error) from error


def _is_in_use(folder: DataFolder) -> bool:
    lock = FolderLock(folder.lock)
    try:
        lock.acquire()
    except ReplicaInUse:
        return True
    lock.release()
    return False


def _read(folder: DataFolder, keys: DeviceKeys, *, in_use: bool) -> Inspection:
    database = Database.open_reader(folder.replica, keys.replica_key)
    try:
        replica = Replica(database)
        progress = replica.progress.read()
        head_seq = replica.journal.head(progress).seq
    finally:
        database.close_now()
    return Inspection(
        in_use=in_use,
        device_id=keys.device_id,
        device_name=keys.device_name,
        center_name=keys.center_name,
        server_url=keys.server_url,
        recorded=head_seq,
        waiting=head_seq - progress.acknowledged_seq,
        version=progress.version,
        data_as_of=rfc3339(progress.last_contact_wall_ms),
    )
