"""Gives the pages, snapshots and buckets of the centres' logs; one reader asks the database for all who want them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from weakref import WeakValueDictionary

from server.core.clock import Clock
from server.core.errors import Unavailable
from server.repositories import change_log, sync_reading
from server.repositories.sync_reading import CenterStanding
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.caches import Cache
from server.services.log_frames import no_page, page_of, snapshot_frames
from server.services.standings import Standings, oldest_day
from sync.change_log import Change, Head, Numbered, cut_page
from sync.digest import wire_digests
from sync.effects import LoadBucket, LoadPage, LoadSnapshot
from sync.events import BucketLoaded, PageLoaded, SnapshotLoaded
from sync.limits import PAGE_CHANGES_MAX
from sync.messages import StagedSnapshot

# 32 MiB of pages: at 100 bytes a change in 250 KiB frames, the last page of over a hundred centres.
PAGES_BYTES_MAX: Final = 32 * 1024 * 1024
# 128 MiB of snapshots: a centre of 200 children and 14 days of events is about 4 MiB.
SNAPSHOTS_BYTES_MAX: Final = 128 * 1024 * 1024
# A snapshot that is this far behind is made new; up to there the device catches up with one page.
SNAPSHOT_LAG_MAX: Final = PAGE_CHANGES_MAX
# Centres whose newest snapshot is known by name; 100 bytes each.
NEWEST_BYTES_MAX: Final = 1024 * 1024
NEWEST_BYTES: Final = 100


class LogReader:
    """What all links of this process share; every method may raise DatabaseUnavailable."""

    def __init__(self, units: UnitsOfWork, standings: Standings, clock: Clock) -> None:
        """Hold nothing but bounded caches."""
        self._units = units
        self._standings = standings
        self._clock = clock
        self._pages: Cache[PageLoaded] = Cache(PAGES_BYTES_MAX)
        self._snapshots: Cache[SnapshotLoaded] = Cache(SNAPSHOTS_BYTES_MAX)
        self._newest: Cache[Head] = Cache(NEWEST_BYTES_MAX)
        self._gates: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def load_page(self, center_id: str, effect: LoadPage) -> PageLoaded:
        """Give the page after a version, whole units only, not beyond `up_to_version` (0: the head).

        Raises:
            Unavailable: what follows there is no longer kept; the next Hello gets a snapshot.

        """
        page = self._remembered_page(center_id, effect)
        if page is not None:
            return page
        async with self._gate("page", center_id):
            # Whoever waited here for another's reading has it now.
            page = self._remembered_page(center_id, effect)
            return await self._load_page(center_id, effect) if page is None else page

    def _remembered_page(self, center_id: str, effect: LoadPage) -> PageLoaded | None:
        standing = self._standings.center(center_id)
        return None if standing is None else self._page_at_hand(center_id, standing, effect)

    async def _load_page(self, center_id: str, effect: LoadPage) -> PageLoaded:
        begun_ms = self._standings.now_ms()
        async with self._units.read() as connection:
            standing = await sync_reading.read_center(connection, center_id)
            if standing is None:
                return no_page(None, effect.after_version)
            self._standings.keep_center(center_id, standing, None, begun_ms)
            if effect.after_version >= (effect.up_to_version or standing.head.version):
                return no_page(standing.head, effect.after_version)
            page = self._page_at_hand(center_id, standing, effect)
            if page is None:
                oldest = oldest_day(self._clock.now(), standing.time_zone) if effect.all_digests else ""
                page = await _read_page(connection, center_id, standing, effect, oldest)
                self._pages.put(_page_key(center_id, standing, effect), page, len(page.frame))
        return page

    def _page_at_hand(self, center_id: str, standing: CenterStanding, effect: LoadPage) -> PageLoaded | None:
        """The page, if it was made already and does not end before the head as it is known."""
        if effect.after_version < standing.compacted_version:
            raise Unavailable("What follows there is no longer kept; a snapshot holds it.")
        cached = self._pages.get(_page_key(center_id, standing, effect))
        if cached is None:
            return None
        # A page that was cut short is final; one that reached the head of its time may have grown.
        is_final = cached.to_version < cached.head_version or cached.to_version == standing.head.version
        return cached if is_final else None

    async def load_snapshot(self, center_id: str, effect: LoadSnapshot) -> SnapshotLoaded:
        """Give all records at one position, in parts: the staged position again, or one not far behind the head."""
        async with self._gate("snapshot", center_id):
            standing = self._standings.center(center_id)
            snapshot = self._snapshot_at_hand(center_id, standing, effect.staged) if standing else None
            if snapshot is None:
                snapshot = await self._snapshot(center_id, effect.staged)
            if snapshot is None:
                await self.begin_log(center_id)
                snapshot = await self._snapshot(center_id, effect.staged)
        if snapshot is None:
            raise AssertionError("a log that has begun has no head")
        return snapshot

    async def begin_log(self, center_id: str) -> Head:
        """Begin the log of a centre that has none."""
        async with self._units.begin(origin="sync") as unit:
            return await unit.lock_head(center_id)

    async def _snapshot(self, center_id: str, staged: StagedSnapshot) -> SnapshotLoaded | None:
        """The snapshot at hand or a new one; None when the centre has no log."""
        async with self._units.read() as connection:
            standing = await sync_reading.read_center(connection, center_id)
            if standing is None:
                return None
            at_hand = self._snapshot_at_hand(center_id, standing, staged)
            if at_hand is not None:
                return at_hand
            oldest = oldest_day(self._clock.now(), standing.time_zone)
            records = await sync_reading.read_records(connection, center_id, oldest_day_bucket=oldest)
        head = standing.head
        # In a thread of its own: a large centre takes long enough to hold up everybody's heartbeats.
        frames = await asyncio.to_thread(snapshot_frames, head, records)
        snapshot = SnapshotLoaded(head=head, frames=frames)
        self._snapshots.put(_snapshot_key(center_id, head.epoch, head.version), snapshot, sum(map(len, frames)))
        self._newest.put(center_id, head, NEWEST_BYTES)
        return snapshot

    def _snapshot_at_hand(
        self, center_id: str, standing: CenterStanding, staged: StagedSnapshot
    ) -> SnapshotLoaded | None:
        """What the device has begun to take, else the newest; none whose following pages are no longer kept."""
        head = standing.head
        begun = self._snapshots.get(_snapshot_key(center_id, staged.epoch, staged.version))
        is_ours = staged.epoch == head.epoch and staged.version >= standing.compacted_version
        if begun is not None and is_ours and staged.parts == len(begun.frames):
            return begun
        newest = self._newest.get(center_id)
        if newest is None or newest.epoch != head.epoch:
            return None
        oldest_version = max(head.version - SNAPSHOT_LAG_MAX, standing.compacted_version)
        is_fresh = oldest_version <= newest.version <= head.version
        return self._snapshots.get(_snapshot_key(center_id, head.epoch, newest.version)) if is_fresh else None

    async def load_bucket(self, center_id: str, effect: LoadBucket) -> BucketLoaded:
        """Give all records of one bucket at the head, in parts; a repair, so nothing is remembered of it."""
        async with self._gate("bucket", center_id):
            async with self._units.read() as connection:
                standing = await sync_reading.read_center(connection, center_id)
                records = await sync_reading.read_bucket(connection, center_id, effect.bucket)
            head = standing.head if standing is not None else await self.begin_log(center_id)
            frames = await asyncio.to_thread(snapshot_frames, head, records, effect.bucket)
        return BucketLoaded(head=head, frames=frames)

    def _gate(self, what: str, center_id: str) -> asyncio.Lock:
        """One lock for each centre and kind of read, kept while somebody uses it."""
        return self._gates.setdefault((what, center_id), asyncio.Lock())


async def _read_page(
    connection: Connection, center_id: str, standing: CenterStanding, effect: LoadPage, oldest: str
) -> PageLoaded:
    """Read a page; with an `oldest` day it tells the digests of all buckets from there on."""
    up_to_version = effect.up_to_version or standing.head.version
    rows = [
        row
        for row in await change_log.read_after(connection, center_id, effect.after_version)
        if row.change.version <= up_to_version
    ]
    changes = cut_page([row.change for row in rows])
    if not changes:
        raise AssertionError(f"no whole unit fits the page after version {effect.after_version}")
    is_at_head = changes[-1].version == standing.head.version and standing.has_digests
    totals = await _totals(connection, center_id, changes, oldest) if is_at_head else {}
    digests = wire_digests(totals)
    return page_of(standing.head, effect.after_version, changes, _hash_of(rows, changes), digests)


async def _totals(connection: Connection, center_id: str, changes: Sequence[Change], oldest: str) -> Mapping[str, int]:
    """The sums at the head of the buckets that a page touches; with an `oldest` day of all others from there on too."""
    touched = await sync_reading.read_totals_of(connection, center_id, sorted({change.bucket for change in changes}))
    if not oldest:
        return touched
    return (await sync_reading.read_totals(connection, {center_id: oldest}))[center_id] | touched


def _hash_of(rows: Sequence[Numbered], changes: Sequence[Change]) -> bytes:
    return rows[len(changes) - 1].hash


def _page_key(center_id: str, standing: CenterStanding, effect: LoadPage) -> tuple[str, str, int, int, bool]:
    return (center_id, standing.head.epoch, effect.after_version, effect.up_to_version, effect.all_digests)


def _snapshot_key(center_id: str, epoch: str, version: int) -> tuple[str, str, int]:
    return (center_id, epoch, version)
