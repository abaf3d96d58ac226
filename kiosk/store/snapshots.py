"""Snapshots and repairs: staged part by part beside the replica, proved by their digests, and swapped in at once.

A part is staged as one value, so that keeping it costs no more pages than it fills. What is staged survives a restart,
so a snapshot goes on where it was cut off. With its last part, in one transaction, it replaces the whole replica or one
bucket of it; when the log lives another life, the facts that would vanish with the old replica become entries of the
journal first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from kiosk.store.database import Database
from kiosk.store.errors import BrokenPage, GapInLog
from kiosk.store.incarnations import IncarnationStore
from kiosk.store.journal import JournalStore
from kiosk.store.pen import Pen
from kiosk.store.progress import NOTHING_STAGED, Progress, ProgressStore, Staged
from kiosk.store.records import INSERT, PUT, row_of
from kiosk.store.seals import RecordKey, bucket_sum, held_at, seal_as, seal_bucket
from sync.change_log import Head, commitment_of
from sync.digest import Held, sums
from sync.incidents import Detail, Incident
from sync.intake import WITNESSED_KIND
from sync.limits import BUCKETS_MAX
from sync.messages import BucketDigest, Plan, SnapshotPart, SnapshotRecord
from sync.records import DAY_BUCKET_PREFIX, Entity

# Facts that become entries are read in runs of so many; one is under 16 KiB.
WITNESSED_RUN: Final = 100

_Records = Mapping[RecordKey, SnapshotRecord]
"""All that is staged, in the order of the table of records; of a record that came twice the later one."""


@dataclass(frozen=True)
class PartStored:
    """What a part did: whether it was the last, and where which journal ends if entries were written; else 0."""

    is_last: bool
    journal_seq: int = 0
    incarnation: str = ""


class SnapshotStore:
    """Stages parts and swaps them in; each part is one transaction."""

    def __init__(
        self, database: Database, progress: ProgressStore, journal: JournalStore, incarnations: IncarnationStore
    ) -> None:
        self._database = database
        self._progress = progress
        self._journal = journal
        self._incarnations = incarnations

    def store_part(self, part: SnapshotPart, plan: Plan, pen: Pen, *, wall_ms: int) -> PartStored:
        """Stage a part; with the last one replace all records and the cursor, or one bucket, at once.

        Part 1 begins anew. Entries of the journal are only ever added.

        Raises:
            GapInLog: the part does not follow the one staged before, or a repair is not of where the replica stands.
            BrokenPage: it follows and is not what its hashes say. In both cases nothing of it is kept, and what was
                staged before it neither: the next try begins with part 1.
            StorageFull: as `Database.transaction`.
            StorageFailed: the same.

        """
        try:
            return self._store(part, plan, pen, wall_ms)
        except GapInLog:
            self._forget_staged()
            raise

    def _store(self, part: SnapshotPart, plan: Plan, pen: Pen, wall_ms: int) -> PartStored:
        with self._database.transaction():
            before = self._progress.read()
            _check_place(part, before)
            proved = tuple(_proved(record) for record in part.records)
            if part.part < part.parts:
                self._stage(part, proved)
                return PartStored(is_last=False)
            records = self._all_of(part, proved)
            # The records take the room of what was staged: so each page is written once.
            self._drop_staged()
            totals = self._check_digests(records, part.digests)
            if part.bucket:
                self._repair(part.bucket, records, pen, wall_ms)
            else:
                if plan is Plan.RECONCILE:
                    self._witness(part, records, pen, wall_ms)
                self._replace(records, totals)
                self._progress.move_cursor(Head(part.epoch, part.version, part.hash))
            after = self._progress.read()
        if after.journal_seq == before.journal_seq:
            return PartStored(is_last=True)
        return PartStored(is_last=True, journal_seq=after.journal_seq, incarnation=after.incarnation)

    def _stage(self, part: SnapshotPart, proved: Sequence[SnapshotRecord]) -> None:
        if part.part == 1:
            self._database.execute("DELETE FROM staged_part")
        self._database.execute("INSERT INTO staged_part (records) VALUES (?)", (msgspec.msgpack.encode(proved),))
        self._progress.stage(Staged(part.epoch, part.version, part.part, part.parts, part.bucket))

    def _all_of(self, last: SnapshotPart, proved: Sequence[SnapshotRecord]) -> _Records:
        """The records of all parts, this last one included."""
        parts = [*self._staged_parts(), proved] if last.part > 1 else [proved]
        records = {(record.entity, record.entity_id): record for part in parts for record in part}
        return {key: records[key] for key in sorted(records)}

    def _staged_parts(self) -> Iterator[Sequence[SnapshotRecord]]:
        for (encoded,) in self._database.fetch_each("SELECT records FROM staged_part ORDER BY position"):
            try:
                yield _STAGED.decode(encoded)
            except msgspec.DecodeError as error:
                raise BrokenPage("what was staged cannot be read") from error

    def _forget_staged(self) -> None:
        with self._database.transaction():
            self._drop_staged()

    def _drop_staged(self) -> None:
        self._database.execute("DELETE FROM staged_part")
        self._progress.stage(NOTHING_STAGED)

    def _check_digests(self, records: _Records, told: Sequence[BucketDigest]) -> dict[str, int]:
        """All parts must sum up to what the last one says; a server of protocol 1 says nothing.

        Returns what each bucket sums up to.
        """
        totals = sums(map(_held, records.values()))
        for each in told:
            if totals.get(each.bucket, 0) != int.from_bytes(each.digest, "big"):
                raise BrokenPage(f"bucket {each.bucket} of a snapshot is not what its digest says")
        untold = totals.keys() - {each.bucket for each in told}
        if told and untold and len(told) < BUCKETS_MAX:
            raise BrokenPage("a snapshot holds a bucket that it does not tell of")
        return totals

    # -- the swap

    def _replace(self, records: _Records, totals: dict[str, int]) -> None:
        self._database.execute("DELETE FROM record")
        self._database.execute_many(INSERT, list(map(_row, records.values())))
        seal_as(self._database, totals)
        self._progress.days_dropped(before="")

    def _repair(self, bucket: str, records: _Records, pen: Pen, wall_ms: int) -> None:
        was = bucket_sum(self._database, bucket)
        # A record stands in one bucket: one that is wrongly in another here moves, and that one is sealed anew.
        moved = {held.bucket for held in held_at(self._database, records)}
        self._database.execute("DELETE FROM record WHERE bucket = ?", (bucket,))
        self._database.execute_many(PUT, list(map(_row, records.values())))
        for name in {bucket, *moved}:
            seal_bucket(self._database, name)
        if bucket_sum(self._database, bucket) != was:
            version = self._progress.read().version
            detail: Detail = {"bucket": bucket, "records": len(records), "version": version}
            self._incarnations.note(Incident.BUCKET_REPAIRED, detail, pen, wall_ms=wall_ms)

    # -- another life of the log

    def _witness(self, part: SnapshotPart, records: _Records, pen: Pen, wall_ms: int) -> None:
        """Every fact that this replica holds and the new one lacks becomes an entry, but for those this desk wrote."""
        count, last = 0, ""
        while run := self._database.fetch_all(_OTHERS, (Entity.EVENT, DAY_BUCKET_PREFIX + "%", last, WITNESSED_RUN)):
            last = run[-1][0]
            for event_id, body, child_id in run:
                if (Entity.EVENT, event_id) in records:
                    continue
                count += 1
                self._journal.append(
                    lambda progress, event_id=event_id, body=body: pen.draft(  # type: ignore[misc]
                        progress, event_id=event_id, kind=WITNESSED_KIND, body=body.encode(), wall_ms=wall_ms
                    ),
                    pen.sign,
                    child_id=child_id,
                )
        cursor = self._progress.read().head
        detail: Detail = {"from_epoch": cursor.epoch, "to_epoch": part.epoch, "from_version": cursor.version,
                  "to_version": part.version, "witnessed": count}  # fmt: skip
        self._incarnations.note(Incident.RECONCILED, detail, pen, wall_ms=wall_ms)


_STAGED: Final = msgspec.msgpack.Decoder(tuple[SnapshotRecord, ...])
# Facts that no journal here holds. An erased record has no body: there is nothing left to witness.
_OTHERS: Final = (
    "SELECT entity_id, body, coalesce(child_id, '') FROM record"
    " WHERE entity = ? AND bucket LIKE ? AND entity_id > ? AND body <> ''"
    " AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.event_id = record.entity_id)"
    " ORDER BY entity_id LIMIT ?"
)


def _check_place(part: SnapshotPart, progress: Progress) -> None:
    if part.bucket and progress.head != Head(part.epoch, part.version, part.hash):
        raise GapInLog("a repair of another position than the replica's")
    before = Staged(part.epoch, part.version, part.part - 1, part.parts, part.bucket)
    if part.part > 1 and progress.staged != before:
        raise GapInLog(f"part {part.part} of a snapshot does not follow what is staged")
    if part.bucket and any(record.bucket != part.bucket for record in part.records):
        raise BrokenPage("a repair holds records of another bucket")


def _proved(record: SnapshotRecord) -> SnapshotRecord:
    """The record with its commitment; raises BrokenPage when it is not the one committed to.

    A server of protocol 1 sends no commitment. An erased record has neither salt nor body, and its commitment stays.
    """
    made = commitment_of(record.salt, record.body)
    if not record.commitment:
        return msgspec.structs.replace(record, commitment=made)
    is_erased = not record.salt and not record.body
    if not is_erased and record.commitment != made:
        raise BrokenPage(f"the record at version {record.version} is not the one that was committed to")
    return record


def _held(record: SnapshotRecord) -> Held:
    return Held(record.bucket, record.entity, record.entity_id, record.version, record.commitment)


def _row(record: SnapshotRecord) -> tuple[object, ...]:
    return row_of(record, record.commitment)
