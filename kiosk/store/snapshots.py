"""Snapshots and repairs: staged part by part beside the replica, proved by their digests, and swapped in at once.

What is staged survives a restart, so a snapshot goes on where it was cut off. With its last part, in one transaction,
it replaces the whole replica or one bucket of it; when the log lives another life, the facts that would vanish with the
old replica become entries of the journal first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kiosk.store.database import Database
from kiosk.store.errors import BrokenPage, GapInLog
from kiosk.store.incarnations import IncarnationStore
from kiosk.store.journal import JournalStore
from kiosk.store.pen import Pen
from kiosk.store.progress import NOTHING_STAGED, ProgressStore, Staged
from kiosk.store.records import PUT, RECORD_COLUMNS, row_of
from kiosk.store.seals import bucket_sum, seal_as, seal_bucket, staged_sums
from sync.change_log import Head, commitment_of
from sync.incidents import Detail, Incident
from sync.intake import WITNESSED_KIND
from sync.limits import BUCKETS_MAX
from sync.messages import BucketDigest, Plan, SnapshotPart, SnapshotRecord
from sync.records import DAY_BUCKET_PREFIX, Entity

# Facts that become entries are read in runs of so many; one is under 16 KiB.
WITNESSED_RUN: Final = 100


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
            self._check_place(part)
            if part.part == 1:
                self._database.execute("DELETE FROM staged_record")
            rows = [row_of(record, _commitment(record)) for record in part.records]
            self._database.execute_many(_STAGE, rows)
            if part.part < part.parts:
                self._progress.stage(Staged(part.epoch, part.version, part.part, part.parts, part.bucket))
                return PartStored(is_last=False)
            totals = self._check_digests(part.digests)
            before = self._progress.read().journal_seq
            if part.bucket:
                self._repair(part.bucket, pen, wall_ms)
            else:
                self._replace(part, totals, plan, pen, wall_ms)
            self._database.execute("DELETE FROM staged_record")
            self._progress.stage(NOTHING_STAGED)
            after = self._progress.read()
        if after.journal_seq == before:
            return PartStored(is_last=True)
        return PartStored(is_last=True, journal_seq=after.journal_seq, incarnation=after.incarnation)

    def _forget_staged(self) -> None:
        with self._database.transaction():
            self._database.execute("DELETE FROM staged_record")
            self._progress.stage(NOTHING_STAGED)

    def _check_place(self, part: SnapshotPart) -> None:
        head = Head(part.epoch, part.version, part.hash)
        if part.bucket and self._progress.read().head != head:
            raise GapInLog("a repair of another position than the replica's")
        before = Staged(part.epoch, part.version, part.part - 1, part.parts, part.bucket)
        if part.part > 1 and self._progress.staged() != before:
            raise GapInLog(f"part {part.part} of a snapshot does not follow what is staged")
        if part.bucket and any(record.bucket != part.bucket for record in part.records):
            raise BrokenPage("a repair holds records of another bucket")

    def _check_digests(self, told: Sequence[BucketDigest]) -> dict[str, int]:
        """What is staged must sum up to what the last part says; a server of protocol 1 says nothing.

        Returns what each bucket sums up to.
        """
        totals = staged_sums(self._database)
        for each in told:
            if totals.get(each.bucket, 0) != int.from_bytes(each.digest, "big"):
                raise BrokenPage(f"bucket {each.bucket} of a snapshot is not what its digest says")
        untold = totals.keys() - {each.bucket for each in told}
        if told and untold and len(told) < BUCKETS_MAX:
            raise BrokenPage("a snapshot holds a bucket that it does not tell of")
        return totals

    # -- the swap

    def _replace(self, part: SnapshotPart, totals: dict[str, int], plan: Plan, pen: Pen, wall_ms: int) -> None:
        if plan is Plan.RECONCILE:
            self._witness(pen, part, wall_ms)
        self._database.execute("DELETE FROM record")
        self._database.execute(f"INSERT INTO record ({RECORD_COLUMNS}) SELECT {RECORD_COLUMNS} FROM staged_record")
        seal_as(self._database, totals)
        self._progress.days_dropped(before="")
        self._progress.move_cursor(Head(part.epoch, part.version, part.hash))

    def _repair(self, bucket: str, pen: Pen, wall_ms: int) -> None:
        was = bucket_sum(self._database, bucket)
        moved = self._database.fetch_all(
            "SELECT DISTINCT record.bucket FROM record JOIN staged_record USING (entity, entity_id)"
        )
        self._database.execute("DELETE FROM record WHERE bucket = ?", (bucket,))
        # A record stands in one bucket: one that is wrongly in another here moves, and that one is sealed anew.
        rows = self._database.fetch_all(f"SELECT {RECORD_COLUMNS} FROM staged_record")
        self._database.execute_many(PUT, rows)
        for name in {bucket, *(name for (name,) in moved)}:
            seal_bucket(self._database, name)
        if bucket_sum(self._database, bucket) != was:
            detail: Detail = {"bucket": bucket, "records": len(rows), "version": self._progress.read().version}
            self._incarnations.note(Incident.BUCKET_REPAIRED, detail, pen, wall_ms=wall_ms)

    # -- another life of the log

    def _witness(self, pen: Pen, part: SnapshotPart, wall_ms: int) -> None:
        """Every fact that this replica holds and the new one lacks becomes an entry, but for those this desk wrote."""
        count, last = 0, ""
        while run := self._database.fetch_all(_MISSING, (Entity.EVENT, DAY_BUCKET_PREFIX + "%", last, WITNESSED_RUN)):
            for event_id, body, child_id in run:
                self._journal.append(
                    lambda progress, event_id=event_id, body=body: pen.draft(  # type: ignore[misc]
                        progress, event_id=event_id, kind=WITNESSED_KIND, body=body.encode(), wall_ms=wall_ms
                    ),
                    pen.sign,
                    child_id=child_id,
                )
            count, last = count + len(run), run[-1][0]
        cursor = self._progress.read().head
        detail: Detail = {"from_epoch": cursor.epoch, "to_epoch": part.epoch, "from_version": cursor.version,
                  "to_version": part.version, "witnessed": count}  # fmt: skip
        self._incarnations.note(Incident.RECONCILED, detail, pen, wall_ms=wall_ms)


_STAGE = f"INSERT OR REPLACE INTO staged_record ({RECORD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
# An erased record has no body: there is nothing left to witness.
_MISSING = (
    "SELECT entity_id, body, coalesce(child_id, '') FROM record"
    " WHERE entity = ? AND bucket LIKE ? AND entity_id > ? AND body <> ''"
    " AND NOT EXISTS (SELECT 1 FROM staged_record WHERE staged_record.entity = record.entity"
    "  AND staged_record.entity_id = record.entity_id)"
    " AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.event_id = record.entity_id)"
    " ORDER BY entity_id LIMIT ?"
)


def _commitment(record: SnapshotRecord) -> bytes:
    """The commitment to keep; raises BrokenPage when the record is not the one committed to.

    A server of protocol 1 sends none. An erased record has neither salt nor body, and its commitment stays.
    """
    made = commitment_of(record.salt, record.body)
    if not record.commitment:
        return made
    is_erased = not record.salt and not record.body
    if not is_erased and record.commitment != made:
        raise BrokenPage(f"the record at version {record.version} is not the one that was committed to")
    return record.commitment
