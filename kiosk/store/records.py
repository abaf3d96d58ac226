"""The replica of the centre's log, as pages change it: applied whole, each with its cursor, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from kiosk.store.database import Database
from kiosk.store.errors import BrokenPage, GapInLog
from kiosk.store.progress import NOTHING_STAGED, ProgressStore
from kiosk.store.seals import (
    ReadingPlan,
    RecordKey,
    held_at,
    move_seals,
    read_back,
    seal_bucket,
    sealed_buckets,
    seals_of,
    sums,
)
from sync.change_log import Change, Head, Operation, check_changes
from sync.digest import Held, wire_digests
from sync.errors import BrokenChain
from sync.limits import REPLICA_DAYS
from sync.messages import BucketDigest, Page, SnapshotRecord
from sync.records import DAY_BUCKET_PREFIX, Entity


class StoredRecord(NamedTuple):
    """A record as the replica holds it; `body` is the server's exact JSON."""

    bucket: str
    entity: str
    entity_id: str
    version: int
    body: str


@dataclass(frozen=True)
class Applied:
    """What a page did: the cursor after it, the changes that were new here, and the buckets that are not as told."""

    head: Head
    changes: tuple[Change, ...]
    differing: tuple[str, ...] = ()


class RecordStore:
    """Reads and writes records; every public write is one transaction of its own."""

    def __init__(self, database: Database, progress: ProgressStore) -> None:
        self._database = database
        self._progress = progress
        self._readings = ReadingPlan()
        self._took_away = False

    def apply_page(self, page: Page) -> Applied:
        """Check a page against the chain and apply it with the cursor; one that came before changes nothing.

        What was staged of a snapshot is of no use any more once pages go on.

        Raises:
            GapInLog: it is of another epoch or leaves a gap; nothing changed.
            BrokenPage: it follows and is not what its hashes say; nothing changed.
            StorageFull: as `Database.transaction`.
            StorageFailed: the same.

        """
        with self._database.transaction():
            progress = self._progress.read()
            cursor = progress.head
            if page.epoch != cursor.epoch:
                raise GapInLog("a page of another life of the log")
            if page.to_version <= cursor.version:
                return Applied(cursor, ())
            head = _check_page(cursor, page)
            seals = self._apply(page.changes)
            self._progress.move_cursor(head)
            if progress.staged_part:
                self._drop_staged()
            told = [each for each in page.digests if not _is_dropped(each.bucket, progress.dropped_before)]
            differing = self._differing(told, seals)
        if self._took_away:
            self._database.settle_log()
        return Applied(head, page.changes, differing)

    def forget_cursor(self) -> None:
        """Say that nobody knows where in its life of the log this replica stands; the records stay until replaced.

        The epoch stays: whoever follows another life by now must know that the records are of this one.
        """
        with self._database.transaction():
            self._progress.move_cursor(Head(self._progress.read().epoch, 0, b""))

    def _apply(self, changes: Sequence[Change]) -> dict[str, int]:
        """Put and remove as the last change of each record says; gives the new seals of the buckets it touched."""
        last: dict[RecordKey, Change] = {(change.entity, change.entity_id): change for change in changes}
        put = [change for change in last.values() if change.operation is Operation.PUT]
        removed = [key for key, change in last.items() if change.operation is not Operation.PUT]
        gone = held_at(self._database, last)
        # An event is replaced by nothing but itself without a name: what was erased goes from the file for good.
        self._took_away = bool(removed) or any(each.entity == Entity.EVENT for each in gone)
        self._database.execute_many(PUT, [row_of(change, change.commitment) for change in put])
        if removed:
            self._database.execute_many("DELETE FROM record WHERE entity = ? AND entity_id = ?", removed)
        come = [_held(change) for change in put]
        self._readings.changed(each.bucket for each in (*gone, *come))
        return move_seals(self._database, gone=gone, come=come)

    def _drop_staged(self) -> None:
        self._database.execute("DELETE FROM staged_part")
        self._progress.stage(NOTHING_STAGED)

    def _differing(self, told: Sequence[BucketDigest], seals: dict[str, int]) -> tuple[str, ...]:
        """The buckets among these that are not what they should sum up to.

        The seal says what a bucket should hold by every change that came. Whether its records do hold it, only they
        can say: they are read back when it is time, and whenever the seal differs.
        """
        untouched = [each.bucket for each in told if each.bucket not in seals]
        known = seals | seals_of(self._database, untouched) if untouched else seals
        differing = []
        for each in told:
            total = int.from_bytes(each.digest, "big")
            if known[each.bucket] == total and not self._readings.is_due(each.bucket):
                continue
            found = read_back(self._database, each.bucket)
            self._readings.was_read(each.bucket, found.records)
            if found.total != total:
                differing.append(each.bucket)
        return tuple(differing)

    def drop_old_days(self, today: str) -> int:
        """Drop whole days before the last `REPLICA_DAYS`; says how many.

        `today` (YYYY-MM-DD) comes from a clock that may be wrong, and a dropped day never comes back by itself:
        the newest `REPLICA_DAYS` days that are here stay, whatever the clock says.
        """
        oldest = date.fromisoformat(today) - timedelta(days=REPLICA_DAYS - 1)
        with self._database.transaction():
            days = self._day_buckets()
            old = [day for day in days[:-REPLICA_DAYS] if day < DAY_BUCKET_PREFIX + oldest.isoformat()]
            self._database.execute_many("DELETE FROM record WHERE bucket = ?", [(day,) for day in old])
            for day in old:
                seal_bucket(self._database, day)
            if old:
                self._progress.days_dropped(before=days[len(old)])
        return len(old)

    def _day_buckets(self) -> list[str]:
        rows = self._database.fetch_all(
            "SELECT DISTINCT bucket FROM record WHERE bucket LIKE ? ORDER BY bucket",
            (DAY_BUCKET_PREFIX + "%",),
        )
        return [bucket for (bucket,) in rows]

    def all(self) -> list[StoredRecord]:
        """Every record; a replica holds one centre and `REPLICA_DAYS` days, so this fits memory."""
        rows = self._database.fetch_all(
            "SELECT bucket, entity, entity_id, version, body FROM record ORDER BY entity, entity_id"
        )
        return list(map(StoredRecord._make, rows))

    def held(self) -> list[Held]:
        """What each record adds to the digest of its bucket; to compare this replica with others."""
        rows = self._database.fetch_all("SELECT bucket, entity, entity_id, version, commitment FROM record")
        return list(map(Held._make, rows))

    def digests(self) -> tuple[BucketDigest, ...]:
        """The digest of each bucket that is kept here, read from the records, as a message holds them.

        A bucket that has a seal and no record any more is told of with a sum of 0: it lost everything.
        """
        dropped_before = self._progress.read().dropped_before
        totals = dict.fromkeys(sealed_buckets(self._database), 0) | sums(self._database)
        return wire_digests({name: total for name, total in totals.items() if not _is_dropped(name, dropped_before)})


_COLUMNS = "bucket, entity, entity_id, version, body, salt, commitment"
INSERT = f"INSERT INTO record ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
PUT = (
    f"{INSERT}"
    " ON CONFLICT (entity, entity_id) DO UPDATE SET bucket = excluded.bucket,"
    " version = excluded.version, body = excluded.body, salt = excluded.salt, commitment = excluded.commitment"
)


def row_of(record: Change | SnapshotRecord, commitment: bytes) -> tuple[object, ...]:
    """A record as the values of `INSERT`; raises GapInLog when its body is no text."""
    try:
        body = record.body.decode()
    except UnicodeDecodeError as error:
        raise GapInLog(f"the body at version {record.version} is no text") from error
    return (record.bucket, record.entity, record.entity_id, record.version, body, record.salt, commitment)


def _held(change: Change) -> Held:
    """What a record that was put adds to its bucket."""
    return Held(change.bucket, change.entity, change.entity_id, change.version, change.commitment)


def _is_dropped(bucket: str, dropped_before: str) -> bool:
    """Whether this is a day that is no longer kept: a late event of it is here, and the rest of it is not."""
    return bucket.startswith(DAY_BUCKET_PREFIX) and bucket < dropped_before


def _check_page(cursor: Head, page: Page) -> Head:
    if page.after_version != cursor.version:
        raise GapInLog(f"a page after version {page.after_version} where {cursor.version} is the cursor")
    try:
        head = check_changes(cursor, page.changes)
    except BrokenChain as error:
        raise BrokenPage(str(error)) from error
    if (head.version, head.hash) != (page.to_version, page.to_hash):
        raise BrokenPage("a page that does not end where it says")
    return head
