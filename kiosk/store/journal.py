"""The journals of this device: what was recorded here, entry by entry, and what became of each.

There is one current journal, which grows, and there may be older ones, which ended when they forked (`incarnations.py`)
and are kept to heal a server that was restored from a backup.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

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
from sync.limits import JOURNAL_RETENTION_MS, UNIT_BYTES_MAX
from sync.messages import PushStored

# An entry in a frame beside its body: three hashes and signature, ids, labels and numbers, rounded up.
ENTRY_OVERHEAD_BYTES: Final = 512
SETTLED_ENTRIES_MAX: Final = 500
KEPT_RUN: Final = 500

MakeDraft = Callable[[Progress], Draft]


@dataclass(frozen=True)
class OwnEntry:
    """An entry with the answer to it; `outcome` None: not answered yet.

    `answer` is the how-many-eth answer of this desk it was, over all its journals; 0 while it waits.
    """

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
    answer: int = 0


@dataclass(frozen=True)
class Standing:
    """One journal: its end, and the last number such that everything up to it has an outcome."""

    incarnation: str
    seq: int
    hash: bytes
    acknowledged_seq: int


class JournalStore:
    """Appends entries and settles them; `append` belongs inside the caller's transaction."""

    def __init__(self, database: Database, progress: ProgressStore) -> None:
        self._database = database
        self._progress = progress

    def append(self, make_draft: MakeDraft, sign: Sign, *, child_id: str) -> Entry:
        """Write the next entry, made from where the desk stands in this very transaction."""
        progress = self._progress.read()
        draft = make_draft(progress)
        return self._write(self.head(progress), draft, sign, child_id=child_id, recorded_at_ms=draft.wall_ms)

    def write(self, draft: Draft, sign: Sign, *, child_id: str, recorded_at_ms: int) -> Entry:
        """Write an entry that was recorded at some time, perhaps in another journal."""
        return self._write(self.head(), draft, sign, child_id=child_id, recorded_at_ms=recorded_at_ms)

    def _write(self, head: JournalHead, draft: Draft, sign: Sign, *, child_id: str, recorded_at_ms: int) -> Entry:
        entry = seal(head, draft, sign)
        self._database.execute(_INSERT, (*row_of(entry), child_id, recorded_at_ms))
        self._progress.journal_grew(seq=entry.seq, digest=entry.hash, hlc=entry.hlc)
        return entry

    def head(self, progress: Progress | None = None) -> JournalHead:
        """The end of the current journal."""
        where = progress or self._progress.read()
        if not where.journal_seq:
            return genesis(where.device_id, where.incarnation)
        return JournalHead(where.incarnation, where.journal_seq, where.journal_hash)

    def standing(self, incarnation: str, progress: Progress | None = None) -> Standing | None:
        """How one journal stands; None when nothing is kept of it."""
        where = progress or self._progress.read()
        if incarnation == where.incarnation:
            head = self.head(where)
            return Standing(incarnation, head.seq, head.hash, where.acknowledged_seq)
        row = self._database.fetch_one(
            "SELECT incarnation, seq, hash, acknowledged_seq FROM older_journal WHERE incarnation = ?", (incarnation,)
        )
        return None if row is None else Standing(*row)

    def find(self, event_id: str) -> OwnEntry | None:
        """The entry with this event, if it is in a journal."""
        row = self._database.fetch_one(f"{_SELECT_OWN} WHERE event_id = ?", (event_id,))
        return None if row is None else _own_of(row)

    def queue_depth(self) -> int:
        """How many entries wait for an answer, in all journals."""
        row = self._database.fetch_one(COUNT_WAITING)
        return row[0] if row else 0

    def read_entries(self, incarnation: str, after_seq: int, entries_max: int) -> tuple[Entry, ...]:
        """The dense run of a journal after `after_seq`: at most `entries_max`, and not more than one frame holds.

        Empty when the entry after `after_seq` is not kept.
        """
        rows = self._database.fetch_each(_SELECT_RUN, (incarnation, after_seq, entries_max))
        entries: list[Entry] = []
        size = 0
        with contextlib.closing(rows):  # what no frame holds is not read
            for row in rows:
                entry = entry_of(row)
                size += len(entry.body) + ENTRY_OVERHEAD_BYTES
                is_next = entry.seq == after_seq + len(entries) + 1
                if not is_next or (entries and size > UNIT_BYTES_MAX):
                    break
                entries.append(entry)
        return tuple(entries)

    def journals(self) -> tuple[Standing, ...]:
        """Every journal of which something is kept, the current one last."""
        rows = self._database.fetch_all(
            "SELECT incarnation, seq, hash, acknowledged_seq FROM older_journal ORDER BY ended_ms, incarnation"
        )
        progress = self._progress.read()
        head = self.head(progress)
        current = Standing(head.incarnation, head.seq, head.hash, progress.acknowledged_seq)
        return (*(Standing(*row) for row in rows), current)

    def kept(self, incarnation: str, after_seq: int) -> tuple[Entry, ...]:
        """Entries that are kept of a journal after `after_seq`, in order, at most `KEPT_RUN`; there may be holes."""
        return tuple(entry_of(row) for row in self._database.fetch_all(_SELECT_RUN, (incarnation, after_seq, KEPT_RUN)))

    def event_ids(self) -> frozenset[str]:
        """The events of all entries that are kept."""
        return frozenset(event_id for (event_id,) in self._database.fetch_each("SELECT event_id FROM journal"))

    # -- outcomes

    def store_outcomes(self, incarnation: str, stored: PushStored, settled_at_ms: int) -> tuple[OwnEntry, ...]:
        """Make the server's answer durable, in one transaction; returns the entries that had none before.

        The acknowledged number never falls here, and a repeat changes nothing.

        Raises:
            JournalForked: the server answers for entries that are not the ones here.

        """
        with self._database.transaction():
            progress = self._progress.read()
            standing = self._check_same_journal(incarnation, stored, progress)
            entries = self._own_at(incarnation, stored.outcomes)
            fresh: list[int] = []
            rows: list[Row] = []
            for answer in stored.outcomes:
                entry = _answered(entries, answer, standing)
                if entry is None:
                    continue
                if entry.outcome is None:
                    fresh.append(answer.seq)
                settled = entries[answer.seq] = _settled(entry, answer, progress.answers + len(fresh))
                rows.append(_settlement(settled, answer, settled_at_ms))
            self._database.execute_many(_SETTLE, rows)
            self._acknowledge(standing, stored, progress, len(fresh))
            return tuple(entries[seq] for seq in fresh)

    def _check_same_journal(self, incarnation: str, stored: PushStored, progress: Progress) -> Standing:
        standing = self.standing(incarnation, progress)
        if standing is None:
            raise JournalForked("the server answers for a journal that is not kept here")
        if stored.through_seq > standing.seq:
            raise JournalForked(f"the server stored up to {stored.through_seq}, the journal ends at {standing.seq}")
        if stored.through_seq == 0:
            return standing
        row = self._database.fetch_one(
            "SELECT hash FROM journal WHERE incarnation = ? AND seq = ?", (incarnation, stored.through_seq)
        )
        is_gone = row is None and stored.through_seq <= standing.acknowledged_seq
        if not is_gone and (row is None or row[0] != stored.hash):
            raise JournalForked(f"the server stored another entry {stored.through_seq}")
        return standing

    def _own_at(self, incarnation: str, outcomes: Sequence[EntryOutcome]) -> dict[int, OwnEntry]:
        """The entries that are answered, as they stand, by number; those that are not kept are left out."""
        seqs = msgspec.json.encode([outcome.seq for outcome in outcomes]).decode()
        rows = self._database.fetch_all(_SELECT_ANSWERED, (incarnation, seqs))
        return {row[0]: _own_of(row) for row in rows}

    def _acknowledge(self, standing: Standing, stored: PushStored, progress: Progress, answers: int) -> None:
        through = max(standing.acknowledged_seq, self._settled_through(standing, stored))
        if standing.incarnation == progress.incarnation:
            self._progress.settle(acknowledged_seq=through, answers=answers)
            return
        self._progress.settle(acknowledged_seq=progress.acknowledged_seq, answers=answers)
        self._database.execute(
            "UPDATE older_journal SET acknowledged_seq = ? WHERE incarnation = ?", (through, standing.incarnation)
        )

    def _settled_through(self, standing: Standing, stored: PushStored) -> int:
        """The last entry such that it and all before it have an answer."""
        row = self._database.fetch_one(_FIRST_WAITING, (standing.incarnation,))
        waiting = row[0] if row else None
        return stored.through_seq if waiting is None else min(stored.through_seq, waiting - 1)

    # -- what the desk shows and tells

    def waiting_in(self, incarnation: str, after_seq: int = 0) -> tuple[OwnEntry, ...]:
        """Entries of a journal behind a number that have no outcome, at most `SETTLED_ENTRIES_MAX`."""
        rows = self._database.fetch_all(
            f"{_SELECT_OWN} WHERE incarnation = ? AND seq > ? AND outcome IS NULL ORDER BY seq LIMIT ?",
            (incarnation, after_seq, SETTLED_ENTRIES_MAX),
        )
        return tuple(_own_of(row) for row in rows)

    def recent(self, since_ms: int) -> list[OwnEntry]:
        """Entries recorded since then, and every entry that still waits, in the order of their stamps."""
        rows = self._database.fetch_all(
            f"{_SELECT_OWN} WHERE recorded_at_ms >= ? OR outcome IS NULL ORDER BY hlc, incarnation, seq",
            (since_ms,),
        )
        return [_own_of(row) for row in rows]

    def settled_after(self, answer: int) -> tuple[OwnEntry, ...]:
        """The entries that were answered after this answer, in that order; at most `SETTLED_ENTRIES_MAX`."""
        rows = self._database.fetch_all(
            f"{_SELECT_OWN} WHERE answer > ? ORDER BY answer LIMIT ?", (answer, SETTLED_ENTRIES_MAX)
        )
        return tuple(_own_of(row) for row in rows)

    # -- keeping

    def drop_old(self, now_ms: int) -> None:
        """Drop answered entries older than `JOURNAL_RETENTION_MS`, and older journals of which nothing is left.

        Of each journal what is kept is dense up to its end; of the current one the last entry always stays.
        """
        with self._database.transaction():
            progress = self._progress.read()
            self._drop_from(progress.incarnation, progress.journal_seq, now_ms)
            for incarnation, end in self._database.fetch_all("SELECT incarnation, seq FROM older_journal"):
                self._drop_from(incarnation, end + 1, now_ms)
            self._database.execute(
                "DELETE FROM older_journal WHERE NOT EXISTS"
                " (SELECT 1 FROM journal WHERE journal.incarnation = older_journal.incarnation)"
            )

    def _drop_from(self, incarnation: str, kept_from: int, now_ms: int) -> None:
        """Drop what comes before `kept_from` and before the first entry that waits or is not old."""
        row = self._database.fetch_one(
            "SELECT min(seq) FROM journal WHERE incarnation = ? AND (outcome IS NULL OR recorded_at_ms >= ?)",
            (incarnation, now_ms - JOURNAL_RETENTION_MS),
        )
        first = row[0] if row and row[0] is not None else kept_from
        self._database.execute(
            "DELETE FROM journal WHERE incarnation = ? AND seq < ?", (incarnation, min(first, kept_from))
        )


ENTRY_COLUMNS: Final = (
    "incarnation, seq, event_id, kind, body, hlc, wall_ms, monotonic_ms, boot_id, base_epoch, base_version,"
    " previous_hash, hash, signature"
)
_INSERT: Final = (
    f"INSERT INTO journal ({ENTRY_COLUMNS}, child_id, recorded_at_ms)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT_RUN: Final = f"SELECT {ENTRY_COLUMNS} FROM journal WHERE incarnation = ? AND seq > ? ORDER BY seq LIMIT ?"
_SELECT_OWN: Final = (
    "SELECT seq, event_id, kind, child_id, body, hlc, incarnation, recorded_at_ms, outcome, reason, version,"
    " coalesce(answer, 0) FROM journal"
)
_SELECT_ANSWERED: Final = f"{_SELECT_OWN} WHERE incarnation = ? AND seq IN (SELECT value FROM json_each(?))"
COUNT_WAITING: Final = "SELECT count(*) FROM journal WHERE outcome IS NULL"
# Left to itself SQLite reads the journal from its beginning, with every entry that was answered.
_FIRST_WAITING: Final = (
    "SELECT min(seq) FROM journal INDEXED BY journal_waiting WHERE incarnation = ? AND outcome IS NULL"
)
_SETTLE: Final = (
    "UPDATE journal SET outcome = ?, reason = ?, version = ?, settled_at_ms = coalesce(settled_at_ms, ?), answer = ?"
    " WHERE incarnation = ? AND seq = ?"
)


def row_of(entry: Entry) -> tuple[object, ...]:
    """An entry as the values of `ENTRY_COLUMNS`."""
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


def entry_of(row: Sequence[Any]) -> Entry:
    """The values of `ENTRY_COLUMNS` as an entry."""
    values = (*row[:4], row[4].encode(), *row[5:])
    return Entry(*values)


def _answered(entries: Mapping[int, OwnEntry], answer: EntryOutcome, standing: Standing) -> OwnEntry | None:
    """The entry that is answered; None when it was answered so long ago that it is not kept."""
    entry = entries.get(answer.seq)
    if entry is None and answer.seq <= standing.acknowledged_seq:
        return None
    if entry is None or entry.event_id != answer.event_id:
        raise JournalForked(f"the server answers for another entry {answer.seq}")
    return entry


def _settlement(settled: OwnEntry, answer: EntryOutcome, settled_at_ms: int) -> Row:
    """The values of `_SETTLE`."""
    outcome = (int(answer.outcome), int(answer.reason), answer.version)
    return (*outcome, settled_at_ms, settled.answer, settled.incarnation, settled.seq)


def _settled(entry: OwnEntry, outcome: EntryOutcome, number: int) -> OwnEntry:
    """The entry with its outcome; `number` is that of the answer, unless the entry had one before."""
    return OwnEntry(
        entry.seq,
        entry.event_id,
        entry.kind,
        entry.child_id,
        entry.body,
        entry.hlc,
        entry.incarnation,
        entry.recorded_at_ms,
        outcome.outcome,
        outcome.reason,
        outcome.version,
        entry.answer or number,
    )


def _own_of(row: Row) -> OwnEntry:
    outcome = None if row[8] is None else Outcome(row[8])
    values = (*row[:8], outcome, ParkReason(row[9]), *row[10:])
    return OwnEntry(*values)
