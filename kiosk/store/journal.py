"""The journal of this device: what was recorded here, entry by entry, and what became of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kiosk.store.database import Database, Row
from kiosk.store.errors import JournalForked
from kiosk.store.progress import Progress, ProgressStore
from sync.journal import (
    Draft,
    Entry,
    EntryOutcome,
    JournalHead,
    Outcome,
    ParkReason,
    Sign,
    genesis,
    seal,
)
from sync.limits import JOURNAL_RETENTION_MS, PAYLOAD_BYTES_MAX
from sync.messages import PushStored

# An entry in a frame beside its body: three hashes and signature, ids, labels and numbers, rounded up.
ENTRY_OVERHEAD_BYTES: Final = 512
SETTLED_ENTRIES_MAX: Final = 500

MakeDraft = Callable[[Progress], Draft]


@dataclass(frozen=True)
class OwnEntry:
    """An entry with the answer to it; `outcome` None: not answered yet."""

    seq: int
    event_id: str
    kind: str
    child_id: str
    body: str
    hlc: int
    incarnation: str
    recorded_at_ms: int
    outcome: Outcome | None
    reason: ParkReason
    version: int


class JournalStore:
    """Appends entries and settles them; `append` belongs inside the caller's transaction."""

    def __init__(self, database: Database, progress: ProgressStore) -> None:
        self._database = database
        self._progress = progress

    def append(self, make_draft: MakeDraft, sign: Sign, *, child_id: str) -> Entry:
        """Write the next entry, made from where the desk stands in this very transaction."""
        progress = self._progress.read()
        draft = make_draft(progress)
        entry = seal(self.head(progress), draft, sign)
        self._database.execute(_INSERT, (*_row_of(entry), child_id, entry.wall_ms))
        self._progress.stamp(entry.hlc)
        return entry

    def head(self, progress: Progress | None = None) -> JournalHead:
        """The end of the journal."""
        where = progress or self._progress.read()
        row = self._database.fetch_one(
            "SELECT seq, hash FROM journal WHERE incarnation = ? ORDER BY seq DESC LIMIT 1",
            (where.incarnation,),
        )
        if row is None:
            return genesis(where.device_id, where.incarnation)
        return JournalHead(where.incarnation, row[0], row[1])

    def find(self, event_id: str) -> OwnEntry | None:
        """The entry with this event, if it is in the journal."""
        row = self._database.fetch_one(f"{_SELECT_OWN} WHERE event_id = ?", (event_id,))
        return None if row is None else _own_of(row)

    def queue_depth(self) -> int:
        """How many entries wait for an answer."""
        progress = self._progress.read()
        return self.head(progress).seq - progress.acknowledged_seq

    def read_entries(self, after_seq: int, entries_max: int) -> tuple[Entry, ...]:
        """The dense run after `after_seq`: at most `entries_max`, and not more than one frame holds."""
        rows = self._database.fetch_all(_SELECT_RUN, (self._progress.read().incarnation, after_seq, entries_max))
        entries: list[Entry] = []
        size = 0
        for row in rows:
            entry = _entry_of(row)
            size += len(entry.body) + ENTRY_OVERHEAD_BYTES
            if entries and size > PAYLOAD_BYTES_MAX:
                break
            entries.append(entry)
        return tuple(entries)

    def store_outcomes(self, stored: PushStored, settled_at_ms: int) -> tuple[OwnEntry, ...]:
        """Make the server's answer durable, in one transaction; returns the entries that had none before.

        The acknowledged number never falls, and a repeat changes nothing.

        Raises:
            JournalForked: the server answers for entries that are not the ones here.

        """
        with self._database.transaction():
            progress = self._progress.read()
            self._check_same_journal(progress, stored)
            fresh = [answer.seq for answer in stored.outcomes if self._settle(progress, answer, settled_at_ms)]
            self._progress.acknowledge(self._settled_through(progress, stored))
            rows = [self._own(progress.incarnation, seq) for seq in fresh]
        return tuple(rows)

    def _settled_through(self, progress: Progress, stored: PushStored) -> int:
        """The last entry such that it and all before it have an answer."""
        row = self._database.fetch_one(
            "SELECT min(seq) FROM journal WHERE incarnation = ? AND outcome IS NULL", (progress.incarnation,)
        )
        waiting = row[0] if row else None
        return stored.through_seq if waiting is None else min(stored.through_seq, waiting - 1)

    def _check_same_journal(self, progress: Progress, stored: PushStored) -> None:
        head = self.head(progress)
        if stored.through_seq > head.seq:
            raise JournalForked(f"the server stored up to {stored.through_seq}, the journal ends at {head.seq}")
        if stored.through_seq == 0:
            return
        row = self._database.fetch_one(
            "SELECT hash FROM journal WHERE incarnation = ? AND seq = ?",
            (progress.incarnation, stored.through_seq),
        )
        if row is None and stored.through_seq <= progress.acknowledged_seq:
            return  # settled long ago and no longer kept
        if row is None or row[0] != stored.hash:
            raise JournalForked(f"the server stored another entry {stored.through_seq}")

    def _settle(self, progress: Progress, answer: EntryOutcome, settled_at_ms: int) -> bool:
        row = self._database.fetch_one(
            "SELECT event_id, outcome FROM journal WHERE incarnation = ? AND seq = ?",
            (progress.incarnation, answer.seq),
        )
        if row is None and answer.seq <= progress.acknowledged_seq:
            return False
        if row is None or row[0] != answer.event_id:
            raise JournalForked(f"the server answers for another entry {answer.seq}")
        self._database.execute(
            "UPDATE journal SET outcome = ?, reason = ?, version = ?, settled_at_ms = coalesce(settled_at_ms, ?)"
            " WHERE incarnation = ? AND seq = ?",
            (
                int(answer.outcome),
                int(answer.reason),
                answer.version,
                settled_at_ms,
                progress.incarnation,
                answer.seq,
            ),
        )
        return row[1] is None

    def _own(self, incarnation: str, seq: int) -> OwnEntry:
        row = self._database.fetch_one(f"{_SELECT_OWN} WHERE incarnation = ? AND seq = ?", (incarnation, seq))
        if row is None:
            raise JournalForked(f"entry {seq} is gone")
        return _own_of(row)

    def recent(self, since_ms: int) -> list[OwnEntry]:
        """Entries recorded since then, and every entry that still waits, oldest first."""
        rows = self._database.fetch_all(
            f"{_SELECT_OWN} WHERE recorded_at_ms >= ? OR outcome IS NULL ORDER BY incarnation, seq",
            (since_ms,),
        )
        return [_own_of(row) for row in rows]

    def settled_after(self, seq: int) -> tuple[OwnEntry, ...]:
        """The answered entries after `seq` up to the first that waits; at most `SETTLED_ENTRIES_MAX`."""
        progress = self._progress.read()
        rows = self._database.fetch_all(
            f"{_SELECT_OWN} WHERE incarnation = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (progress.incarnation, seq, progress.acknowledged_seq, SETTLED_ENTRIES_MAX),
        )
        return tuple(_own_of(row) for row in rows)

    def drop_old(self, now_ms: int) -> None:
        """Drop answered entries older than `JOURNAL_RETENTION_MS`, never the last: the chain goes on from it."""
        cutoff_ms = now_ms - JOURNAL_RETENTION_MS
        with self._database.transaction():
            progress = self._progress.read()
            row = self._database.fetch_one(
                "SELECT min(seq) FROM journal WHERE incarnation = ? AND (outcome IS NULL OR recorded_at_ms >= ?)",
                (progress.incarnation, cutoff_ms),
            )
            head_seq = self.head(progress).seq
            first_kept = head_seq if row is None or row[0] is None else min(row[0], head_seq)
            self._database.execute(
                "DELETE FROM journal WHERE incarnation = ? AND seq < ?", (progress.incarnation, first_kept)
            )


_ENTRY_COLUMNS: Final = (
    "incarnation, seq, event_id, kind, body, hlc, wall_ms, monotonic_ms, boot_id, base_epoch, base_version,"
    " previous_hash, hash, signature"
)
_INSERT: Final = (
    f"INSERT INTO journal ({_ENTRY_COLUMNS}, child_id, recorded_at_ms)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT_RUN: Final = f"SELECT {_ENTRY_COLUMNS} FROM journal WHERE incarnation = ? AND seq > ? ORDER BY seq LIMIT ?"
_SELECT_OWN: Final = (
    "SELECT seq, event_id, kind, child_id, body, hlc, incarnation, recorded_at_ms, outcome, reason, version"
    " FROM journal"
)


def _row_of(entry: Entry) -> tuple[object, ...]:
    return (
        entry.incarnation,
        entry.seq,
        entry.event_id,
        entry.kind,
        entry.body.decode(),
        entry.hlc,
        entry.wall_ms,
        entry.monotonic_ms,
        entry.boot_id,
        entry.base_epoch,
        entry.base_version,
        entry.previous_hash,
        entry.hash,
        entry.signature,
    )


def _entry_of(row: Row) -> Entry:
    values = (*row[:4], row[4].encode(), *row[5:])
    return Entry(*values)


def _own_of(row: Row) -> OwnEntry:
    outcome = None if row[8] is None else Outcome(row[8])
    values = (*row[:8], outcome, ParkReason(row[9]), row[10])
    return OwnEntry(*values)
