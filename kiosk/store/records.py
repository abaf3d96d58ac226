"""The replica of the centre's log: pages and snapshots applied whole, each with its cursor, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from kiosk.store.database import Database
from kiosk.store.errors import BrokenPage, GapInLog
from kiosk.store.progress import ProgressStore, Staged
from sync.change_log import Change, Head, Operation, check_changes, commitment_of
from sync.digest import Held
from sync.errors import BrokenChain
from sync.limits import REPLICA_DAYS
from sync.messages import Page, SnapshotPart, SnapshotRecord
from sync.records import DAY_BUCKET_PREFIX


@dataclass(frozen=True)
class StoredRecord:
    """A record as the replica holds it; `body` is the server's exact JSON."""

    bucket: str
    entity: str
    entity_id: str
    version: int
    body: str


@dataclass(frozen=True)
class Applied:
    """What a page did: the cursor after it, and the changes that were new here."""

    head: Head
    changes: tuple[Change, ...]


class RecordStore:
    """Reads and writes records; every public write is one transaction of its own."""

    def __init__(self, database: Database, progress: ProgressStore) -> None:
        self._database = database
        self._progress = progress

    def apply_page(self, page: Page) -> Applied:
        """Check a page against the chain and apply it with the cursor; one that came before changes nothing.

        Raises:
            GapInLog: it is of another epoch or leaves a gap; nothing changed.
            BrokenPage: it follows and is not what its hashes say; nothing changed.
            StorageFull: as `Database.transaction`.
            StorageFailed: the same.

        """
        with self._database.transaction():
            cursor = self._progress.read().head
            if page.epoch != cursor.epoch:
                raise GapInLog("a page of another life of the log")
            if page.to_version <= cursor.version:
                return Applied(cursor, ())
            head = _check_page(cursor, page)
            self._apply(page.changes)
            self._progress.move_cursor(head)
        return Applied(head, page.changes)

    def forget_cursor(self) -> None:
        """Say that nobody knows where this replica stands; the records stay until a snapshot replaces them."""
        with self._database.transaction():
            self._progress.move_cursor(Head("", 0, b""))

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.operation is Operation.PUT:
                self._database.execute(_PUT, _row_of(change, change.commitment))
            else:
                self._database.execute(
                    "DELETE FROM record WHERE entity = ? AND entity_id = ?", (change.entity, change.entity_id)
                )

    def store_snapshot_part(self, part: SnapshotPart) -> bool:
        """Stage a part; with the last one replace all records and the cursor at once; says if it did.

        Part 1 begins anew. The journal is not touched.

        Raises:
            GapInLog: the part does not follow the one staged before.
            StorageFull: as `Database.transaction`.
            StorageFailed: the same.

        """
        with self._database.transaction():
            if part.part == 1:
                self._database.execute("DELETE FROM staged_record")
            elif self._progress.staged() != Staged(part.epoch, part.version, part.part - 1, part.parts):
                raise GapInLog(f"part {part.part} of a snapshot does not follow what is staged")
            rows = [_row_of(record, commitment_of(record.salt, record.body)) for record in part.records]
            self._database.execute_many(_STAGE, rows)
            is_last = part.part >= part.parts
            if is_last:
                self._replace_by_staged(Head(part.epoch, part.version, part.hash))
            else:
                self._progress.stage(Staged(part.epoch, part.version, part.part, part.parts))
        return is_last

    def _replace_by_staged(self, head: Head) -> None:
        self._database.execute("DELETE FROM record")
        self._database.execute(
            "INSERT INTO record (bucket, entity, entity_id, version, body, salt, commitment)"
            " SELECT bucket, entity, entity_id, version, body, salt, commitment FROM staged_record"
        )
        self._database.execute("DELETE FROM staged_record")
        self._progress.stage(Staged("", 0, 0, 0))
        self._progress.move_cursor(head)

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
        return [StoredRecord(*row) for row in rows]

    def held(self) -> list[Held]:
        """What each record adds to the digest of its bucket; to compare this replica with others."""
        rows = self._database.fetch_all("SELECT bucket, entity, entity_id, version, commitment FROM record")
        return [Held(*row) for row in rows]


_COLUMNS = "(bucket, entity, entity_id, version, body, salt, commitment) VALUES (?, ?, ?, ?, ?, ?, ?)"
_PUT = (
    f"INSERT INTO record {_COLUMNS} ON CONFLICT (entity, entity_id) DO UPDATE SET bucket = excluded.bucket,"
    " version = excluded.version, body = excluded.body, salt = excluded.salt, commitment = excluded.commitment"
)
_STAGE = f"INSERT OR REPLACE INTO staged_record {_COLUMNS}"


def _row_of(record: Change | SnapshotRecord, commitment: bytes) -> tuple[object, ...]:
    try:
        body = record.body.decode()
    except UnicodeDecodeError as error:
        raise GapInLog(f"the body at version {record.version} is no text") from error
    return (record.bucket, record.entity, record.entity_id, record.version, body, record.salt, commitment)


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
