"""Carries out what server sessions ask of the store: journals in, pages and snapshots out."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

import structlog

from server.core.clock import Clock
from server.core.errors import NotEntitled, Unauthenticated, Unavailable
from server.repositories import change_log, journals
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from sync.change_log import CHANGE_OVERHEAD_BYTES, Change, Head, cut_page, genesis
from sync.codec import encode
from sync.effects import LoadDevice, RecordApplied
from sync.events import BatchRefused, BatchStored, DeviceLoaded, PageLoaded, SnapshotLoaded
from sync.journal import Entry
from sync.journal import genesis as journal_genesis
from sync.limits import PAGE_CHANGES_MAX, PAYLOAD_BYTES_MAX, REPLICA_DAYS, SNAPSHOT_PART_RECORDS_MAX
from sync.messages import Page, SnapshotPart, SnapshotRecord
from sync.records import DAY_BUCKET_PREFIX

# 32 MiB of pages: at 100 bytes a change in 250 KiB frames, the last page of over a hundred centres.
PAGES_BYTES_MAX: Final = 32 * 1024 * 1024
# 128 MiB of snapshots: a centre of 200 children and 14 days of events is about 4 MiB.
SNAPSHOTS_BYTES_MAX: Final = 128 * 1024 * 1024
# A snapshot that is this far behind is made new; up to there the device catches up with one page.
SNAPSHOT_LAG_MAX: Final = PAGE_CHANGES_MAX
POSITIONS_FLUSH_S: Final = 2.0
# Devices with an unwritten position; beyond it a flush writes several times.
POSITIONS_AT_ONCE: Final = 5_000

_log = structlog.get_logger(__name__)
Value = TypeVar("Value")


class ServerStore:
    """What all server sessions of this process share; every method may raise DatabaseUnavailable."""

    def __init__(self, units: UnitsOfWork, intake: JournalIntake, clock: Clock) -> None:
        """Hold nothing but bounded caches and positions that wait for `run`."""
        self._units = units
        self._intake = intake
        self._clock = clock
        self._pages: _Cache[PageLoaded] = _Cache(PAGES_BYTES_MAX)
        self._snapshots: _Cache[SnapshotLoaded] = _Cache(SNAPSHOTS_BYTES_MAX)
        self._gates: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._positions: dict[DeviceKey, journals.Position] = {}

    async def find_active_device(self, device_id: str) -> DeviceKey:
        """Give the device and its centre.

        Raises:
            Unauthenticated: there is no such device.
            NotEntitled: it is suspended or revoked.

        """
        found = None
        if _is_id(device_id):
            async with self._units.read() as connection:
                found = await journals.center_of_device(connection, device_id)
        if found is None:
            raise Unauthenticated("This device is not known here; enrol it again.")
        center_id, is_active = found
        if not is_active:
            raise NotEntitled("This device may not sync any more; ask a manager of the centre.")
        return DeviceKey(center_id, device_id)

    async def load_device(self, device: DeviceKey, effect: LoadDevice) -> DeviceLoaded:
        """Give where the device's journal stands here, and whether its cursor lies in the log."""
        async with self._units.read() as connection:
            head = await change_log.read_head(connection, device.center_id)
            journal = await journals.read_journal_head(connection, *_key(device), effect.incarnation)
            known = await _hashes_at(connection, device.center_id, head, effect)
        if head is None:
            head = await self._begin_log(device.center_id)
        journal = journal or journal_genesis(device.device_id, effect.incarnation)
        return DeviceLoaded(
            stored_seq=journal.seq,
            stored_hash=journal.hash,
            head=head,
            cursor_matches=effect.hash in known,
            server_wall_ms=self._clock.wall_ms(),
        )

    async def store_batch(self, device: DeviceKey, entries: Sequence[Entry]) -> BatchStored | BatchRefused:
        """Store, decide and log a push in one transaction."""
        return await self._intake.store_batch(device, entries)

    async def load_page(self, device: DeviceKey, after_version: int) -> PageLoaded:
        """Give the next page after a version; one reader asks the database for all who want it."""
        center_id = device.center_id
        async with self._gate("page", center_id), self._units.read() as connection:
            head = await change_log.read_head(connection, center_id)
            if head is None or head.version <= after_version:
                return _nothing(head, after_version)
            key = (center_id, head.epoch, after_version)
            cached = self._pages.get(key)
            # A page that was cut short is final; one that reached the head of its time may have grown.
            if cached is not None and (cached.to_version < cached.head_version or cached.to_version == head.version):
                return cached
            rows = await change_log.read_after(connection, center_id, after_version)
        changes = cut_page([row.change for row in rows])
        if not changes:
            raise AssertionError(f"no whole unit fits the page after version {after_version}")
        page = _encoded_page(head, after_version, changes, rows[len(changes) - 1].hash)
        self._pages.put(key, page, len(page.frame))
        return page

    async def load_snapshot(self, device: DeviceKey) -> SnapshotLoaded:
        """Give all records at one position, in parts; one that is not far behind the head serves again."""
        center_id = device.center_id
        async with self._gate("snapshot", center_id):
            snapshot = await self._snapshot(center_id)
            if snapshot is None:
                await self._begin_log(center_id)
                snapshot = await self._snapshot(center_id)
        if snapshot is None:
            raise AssertionError("a log that has begun has no head")
        return snapshot

    def record_applied(self, device: DeviceKey, effect: RecordApplied) -> None:
        """Note how far a device is; written at the next flush, and only the newest word counts."""
        self._positions[device] = journals.Position(
            *_key(device), effect.epoch, effect.version, effect.queue_depth, self._clock.now()
        )

    async def flush_positions(self) -> None:
        """Write the positions that wait, bounded at a time."""
        while self._positions:
            taken = dict(list(self._positions.items())[:POSITIONS_AT_ONCE])
            async with self._units.begin(origin="sync") as unit:
                await journals.store_positions(unit.connection, list(taken.values()))
            for device, position in taken.items():
                if self._positions.get(device) is position:
                    del self._positions[device]

    async def run(self) -> None:
        """Flush positions every now and then, and once more when cancelled; a task beside the server."""
        try:
            while True:
                await asyncio.sleep(POSITIONS_FLUSH_S)
                try:
                    await self.flush_positions()
                except Unavailable:
                    _log.warning("positions_kept_in_memory", devices=len(self._positions))
        finally:
            try:
                await self.flush_positions()
            except Unavailable:
                _log.warning("positions_lost", devices=len(self._positions))

    async def _begin_log(self, center_id: str) -> Head:
        async with self._units.begin(origin="sync") as unit:
            return await unit.lock_head(center_id)

    async def _snapshot(self, center_id: str) -> SnapshotLoaded | None:
        """The snapshot at hand or a new one; None when the centre has no log."""
        async with self._units.read() as connection:
            head = await change_log.read_head(connection, center_id)
            if head is None:
                return None
            cached = self._snapshots.get(center_id)
            if cached is not None and _is_fresh(cached.head, head):
                return cached
            time_zone = await journals.read_time_zone(connection, center_id) or "UTC"
            oldest = _oldest_day(self._clock.now(), time_zone)
            records = await change_log.read_current(connection, center_id, oldest_day_bucket=oldest)
        # In a thread of its own: a large centre takes long enough to hold up everybody's heartbeats.
        frames = await asyncio.to_thread(_frames, head, records)
        snapshot = SnapshotLoaded(head=head, frames=frames)
        self._snapshots.put(center_id, snapshot, sum(map(len, frames)))
        return snapshot

    def _gate(self, what: str, center_id: str) -> asyncio.Lock:
        """One lock for each centre and kind of read, kept while somebody uses it."""
        return self._gates.setdefault((what, center_id), asyncio.Lock())


class _Cache(Generic[Value]):
    """Least recently used values go first once `bytes_max` is exceeded."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        old = self._held.pop(key, None)
        self._bytes += size - (old[1] if old else 0)
        self._held[key] = (value, size)
        while self._bytes > self._bytes_max and self._held:
            _, (_, dropped) = self._held.popitem(last=False)
            self._bytes -= dropped


async def _hashes_at(connection: Connection, center_id: str, head: Head | None, effect: LoadDevice) -> frozenset[bytes]:
    """The hashes that prove a cursor; none when it does not lie in this log."""
    if head is None or effect.epoch != head.epoch or effect.version > head.version:
        return frozenset()
    if effect.version == 0:
        return frozenset({b"", genesis(center_id, head.epoch).hash})
    found = await change_log.hash_at(connection, center_id, effect.version)
    return frozenset() if found is None else frozenset({found})


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _key(device: DeviceKey) -> tuple[str, str]:
    return device.center_id, device.device_id


def _nothing(head: Head | None, after_version: int) -> PageLoaded:
    return PageLoaded(
        epoch=head.epoch if head else "",
        after_version=after_version,
        to_version=after_version,
        head_version=head.version if head else 0,
        frame=b"",
    )


def _encoded_page(head: Head, after_version: int, changes: tuple[Change, ...], to_hash: bytes) -> PageLoaded:
    page = Page(
        epoch=head.epoch,
        after_version=after_version,
        to_version=changes[-1].version,
        to_hash=to_hash,
        head_version=head.version,
        changes=changes,
    )
    return PageLoaded(
        epoch=head.epoch,
        after_version=after_version,
        to_version=page.to_version,
        head_version=head.version,
        frame=encode(page),
    )


def _is_fresh(cached: Head, head: Head) -> bool:
    return cached.epoch == head.epoch and 0 <= head.version - cached.version <= SNAPSHOT_LAG_MAX


def _oldest_day(now: datetime, time_zone: str) -> str:
    today = now.astimezone(ZoneInfo(time_zone)).date()
    return f"{DAY_BUCKET_PREFIX}{(today - timedelta(days=REPLICA_DAYS)).isoformat()}"


def _frames(head: Head, records: Sequence[SnapshotRecord]) -> tuple[bytes, ...]:
    """Encode a snapshot; a centre without records gives one empty part."""
    parts = list(_parts(records)) or [()]
    return tuple(
        encode(
            SnapshotPart(
                epoch=head.epoch,
                version=head.version,
                hash=head.hash,
                part=number,
                parts=len(parts),
                records=part,
            )
        )
        for number, part in enumerate(parts, start=1)
    )


def _parts(records: Sequence[SnapshotRecord]) -> Iterator[tuple[SnapshotRecord, ...]]:
    start = size = 0
    for index, record in enumerate(records):
        weight = len(record.body) + CHANGE_OVERHEAD_BYTES
        if index > start and (size + weight > PAYLOAD_BYTES_MAX or index - start >= SNAPSHOT_PART_RECORDS_MAX):
            yield tuple(records[start:index])
            start, size = index, 0
        size += weight
    if start < len(records):
        yield tuple(records[start:])
