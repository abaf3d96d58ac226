"""A look at a desk's folder from outside, also while another program uses it."""

import asyncio
from pathlib import Path

import msgspec

from kiosk.keys import DeviceKeys
from kiosk.services.errors import LOCAL_ERRORS, desk_error
from kiosk.services.moments import rfc3339
from kiosk.services.opening import keys_of_desk
from kiosk.settings import DataFolder
from kiosk.store.database import Database
from kiosk.store.errors import ReplicaInUse
from kiosk.store.folder_lock import FolderLock
from kiosk.store.replica import Replica
from kiosk.store.schema import schema_version
from sync.incidents import INCIDENT_KIND

_HOUR_MS = 3_600_000


class JournalView(msgspec.Struct, frozen=True, kw_only=True):
    """One journal of which entries are kept: its last number, and up to which the server has answered."""

    incarnation: str
    last_seq: int
    answered_seq: int
    current: bool


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """How a desk stands by its files; `in_use`: another program has it open now.

    `recorded` counts the entries of the current journal. `lease_left_ms` is as of when the desk last looked at its
    clocks; None: no end was set. `incidents_waiting` were not told to the server yet. `quarantined` names the folders
    of replicas that could not be trusted.
    """

    in_use: bool
    device_id: str
    device_name: str
    center_name: str
    server_url: str
    recorded: int
    waiting: int
    version: int
    data_as_of: str | None
    schema_version: int
    lease_left_ms: int | None
    locked: bool
    journals: tuple[JournalView, ...]
    incidents_waiting: int
    quarantined: tuple[str, ...]


async def inspect(data_dir: Path) -> Inspection:
    """Read the folder.

    Raises:
        DeskError: not_enrolled, revoked, keys_unreadable, wrong_keys, replica_unreadable, storage_failed.

    """
    folder = DataFolder(data_dir)
    try:
        keys = keys_of_desk(folder)
        in_use = _is_in_use(folder)
        return await asyncio.to_thread(_read, folder, keys, in_use=in_use)
    except LOCAL_ERRORS as error:
        raise desk_error(error) from error


def inspection_lines(found: Inspection) -> list[str]:
    """The same for a person."""
    *older, current = found.journals
    lines = [
        f"Desk:         {found.device_name} at {found.center_name or '(no roster yet)'}",
        f"Server:       {found.server_url}",
        f"Recorded:     {found.recorded} entries, {found.waiting} waiting to be sent",
        f"Data:         version {found.version}, as of {found.data_as_of or 'never'}",
        f"Lease:        {_lease_words(found)}",
        f"Journal:      {current.incarnation}",
    ]
    lines += [f"Older:        {one.incarnation}, {one.answered_seq} of {one.last_seq} answered" for one in older]
    if found.incidents_waiting:
        lines.append(f"Incidents:    {found.incidents_waiting} not told to the server yet")
    lines += [f"Quarantined:  {folder}" for folder in found.quarantined]
    lines.append(f"Schema:       {found.schema_version}")
    lines.append(f"In use:       {'yes, by another program' if found.in_use else 'no'}")
    return lines


def _lease_words(found: Inspection) -> str:
    if found.locked:
        return "over: this desk shows no data until it reaches its server"
    if found.lease_left_ms is None:
        return "none"
    return f"{found.lease_left_ms // _HOUR_MS} h left without the server"


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
        journals = tuple(
            JournalView(
                incarnation=one.incarnation,
                last_seq=one.seq,
                answered_seq=one.acknowledged_seq,
                current=one.incarnation == progress.incarnation,
            )
            for one in replica.journal.journals()
        )
        waiting, incidents = replica.journal.queue_depth(), _incidents_waiting(replica, journals)
        schema = schema_version(database)
    finally:
        database.close_now()
    return Inspection(
        in_use=in_use,
        device_id=keys.device_id,
        device_name=keys.device_name,
        center_name=keys.center_name,
        server_url=keys.server_url,
        recorded=progress.journal_seq,
        waiting=waiting,
        version=progress.version,
        data_as_of=rfc3339(progress.last_contact_wall_ms),
        schema_version=schema,
        lease_left_ms=progress.lease_left_ms,
        locked=progress.is_lease_over,
        journals=journals,
        incidents_waiting=incidents,
        quarantined=_quarantined(folder),
    )


def _incidents_waiting(replica: Replica, journals: tuple[JournalView, ...]) -> int:
    count = 0
    for journal in journals:
        last = 0
        while run := replica.journal.waiting_in(journal.incarnation, last):
            count += sum(1 for entry in run if entry.kind == INCIDENT_KIND)
            last = run[-1].seq
    return count


def _quarantined(folder: DataFolder) -> tuple[str, ...]:
    try:
        return tuple(sorted(str(path) for path in folder.quarantine.iterdir() if path.is_dir()))
    except OSError:
        return ()
