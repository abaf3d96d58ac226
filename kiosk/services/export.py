"""Handing over a journal by hand: the entries of a desk in one signed file, when no network will carry them."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from kiosk.clock import Clock
from kiosk.keys import DeviceKeys, write_whole
from kiosk.services.errors import LOCAL_ERRORS, DeskError, desk_error
from kiosk.services.opening import keys_of_desk, require_own_replica
from kiosk.services.recording import possible_time
from kiosk.settings import DataFolder
from kiosk.store.database import Database
from kiosk.store.errors import ReplicaUnreadable
from kiosk.store.replica import Replica
from kiosk.store.salvage import rescue
from sync.journal import Entry
from sync.journal_file import FILE_JOURNALS_MAX, FileHeader, JournalSpan, dump


class Extent(StrEnum):
    """Which entries: those without an answer, or all that are kept."""

    WAITING = "waiting"
    KEPT = "kept"


@dataclass(frozen=True)
class Exported:
    """What the file holds. `left_out` entries are not in it: they were not proved, or stand behind a gap."""

    entries: int
    journals: int
    left_out: int
    is_damaged: bool


@dataclass(frozen=True)
class _Found:
    runs: tuple[tuple[Entry, ...], ...]
    left_out: int
    is_damaged: bool


async def export(data_dir: Path, file: Path, extent: Extent, *, clock: Clock, may_replace: bool) -> Exported:
    """Write the file, whole or not at all; works beside the program that uses the desk, and changes nothing of it.

    Raises:
        DeskError: file_exists, bad_input (it cannot be written), not_enrolled, revoked, keys_unreadable, wrong_keys,
            replica_unreadable, storage_failed.

    """
    folder = DataFolder(data_dir)
    try:
        await asyncio.to_thread(_require_room, file, may_replace=may_replace)
        keys = keys_of_desk(folder)
        require_own_replica(folder, keys)
        return await asyncio.to_thread(_export, folder, keys, file, extent, clock.wall_ms())
    except LOCAL_ERRORS as error:
        raise desk_error(error) from error
    except OSError as error:
        raise DeskError("bad_input", f"{file} cannot be written ({error.strerror}).") from error


def _require_room(file: Path, *, may_replace: bool) -> None:
    if file.exists() and not may_replace:
        raise DeskError("file_exists", f"{file} is there already; choose another name, or replace it with --force.")


def _export(folder: DataFolder, keys: DeviceKeys, file: Path, extent: Extent, wall_ms: int) -> Exported:
    found = _read(folder, keys, extent)
    spans = tuple(JournalSpan(run[0].incarnation, run[0].seq, run[-1].seq) for run in found.runs)
    moment_ms, _ = possible_time(wall_ms, None)
    header = FileHeader(
        device_id=keys.device_id,
        center_id=keys.center_id,
        exported_at=datetime.fromtimestamp(moment_ms / 1000, UTC),
        journals=spans,
        public_key=keys.public_bytes,
    )
    entries = (entry for run in found.runs for entry in run)
    write_whole(file, dump(header, entries, keys.sign))
    return Exported(header.entries, len(spans), found.left_out, found.is_damaged)


def _read(folder: DataFolder, keys: DeviceKeys, extent: Extent) -> _Found:
    """By the database where it can be read, else page by page."""
    try:
        database = Database.open_reader(folder.replica, keys.replica_key)
        try:
            with database.reading():
                return _found(_journals(Replica(database), extent), 0, is_damaged=False)
        finally:
            database.close_now()
    except ReplicaUnreadable:
        if not folder.replica.exists():
            raise
    saved = rescue(folder.replica, keys.replica_key, keys.sign)
    kept = saved.waiting if extent is Extent.WAITING else (*saved.settled, *saved.waiting)
    journals: dict[str, list[Entry]] = {}
    for entry in sorted((one.entry for one in kept), key=lambda entry: entry.seq):
        journals.setdefault(entry.incarnation, []).append(entry)
    return _found(journals.values(), saved.refused, is_damaged=True)


def _journals(replica: Replica, extent: Extent) -> Iterator[list[Entry]]:
    for journal in replica.journal.journals():
        entries: list[Entry] = []
        last = journal.acknowledged_seq if extent is Extent.WAITING else 0
        while run := replica.journal.kept(journal.incarnation, last):
            entries.extend(run)
            last = run[-1].seq
        yield entries


def _found(journals: Iterable[Sequence[Entry]], left_out: int, *, is_damaged: bool) -> _Found:
    """A server takes a journal in one run without a gap, so each goes as far as its first gap."""
    kept = [list(entries) for entries in journals if entries]
    runs = [_first_run(entries) for entries in kept][-FILE_JOURNALS_MAX:]
    behind = sum(len(entries) for entries in kept) - sum(len(run) for run in runs)
    return _Found(tuple(runs), left_out + behind, is_damaged)


def _first_run(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    first = entries[0].seq
    return tuple(entry for number, entry in enumerate(entries) if entry.seq == first + number)
