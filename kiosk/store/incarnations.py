"""The journals of a desk beside each other: how one ends and the next begins, and how answers are taken back.

A journal forks when the server knows another entry under a number of it: an older copy of the replica came back, or the
desk was cloned. Nothing of either side is dropped. What is answered stays where it is; what waits is sealed again,
word for word, in a journal that nobody else writes, and the server knows a repeat by its event id.
"""

from kiosk.store.database import Database
from kiosk.store.journal import ENTRY_COLUMNS, JournalStore, Standing, entry_of
from kiosk.store.pen import NO_CHILD, Pen
from kiosk.store.progress import ProgressStore
from sync.incidents import Detail, Incident
from sync.journal import Draft, Entry
from sync.limits import JOURNALS_MAX


class IncarnationStore:
    """Begins, ends and reopens journals; `begin` and `reopen` are each one transaction of their own."""

    def __init__(self, database: Database, progress: ProgressStore, journal: JournalStore) -> None:
        self._database = database
        self._progress = progress
        self._journal = journal

    def older(self) -> tuple[Standing, ...]:
        """The older journals that are worth offering, the oldest first: at most `JOURNALS_MAX`.

        One that has entries waiting comes before one that has none, and of those the newest.
        """
        rows = self._database.fetch_all(
            "SELECT incarnation, seq, hash, acknowledged_seq FROM ("
            " SELECT older_journal.*, EXISTS (SELECT 1 FROM journal WHERE journal.incarnation ="
            "  older_journal.incarnation AND outcome IS NULL) AS waits FROM older_journal"
            " ORDER BY waits DESC, ended_ms DESC, incarnation LIMIT ?) ORDER BY ended_ms, incarnation",
            (JOURNALS_MAX,),
        )
        return tuple(Standing(*row) for row in rows)

    def begin(self, forked: str, pen: Pen, *, wall_ms: int) -> None:
        """A journal has forked: what waits in it goes on in the current journal, or in a new one if it is that.

        A journal of which nothing waits, or that is not kept here, changes nothing unless it is the current one.
        """
        with self._database.transaction():
            progress = self._progress.read()
            if forked == progress.incarnation:
                self._end_current(pen.new_id(), wall_ms)
            count = self._move_waiting(forked, pen)
            self._trim_older(forked)
            if count or forked == progress.incarnation:
                self.note(Incident.JOURNAL_FORKED, {"incarnation": forked, "entries": count}, pen, wall_ms=wall_ms)

    def renew(self, pen: Pen, *, wall_ms: int) -> None:
        """End the current journal; what waits in it goes on in a new one. Inside the caller's transaction."""
        ended = self._progress.read().incarnation
        self._end_current(pen.new_id(), wall_ms)
        self._move_waiting(ended, pen)
        self._trim_older(ended)

    def _end_current(self, fresh: str, wall_ms: int) -> None:
        progress = self._progress.read()
        head = self._journal.head(progress)
        self._database.execute(
            "INSERT INTO older_journal (incarnation, seq, hash, acknowledged_seq, ended_ms) VALUES (?, ?, ?, ?, ?)",
            (progress.incarnation, head.seq, head.hash, progress.acknowledged_seq, wall_ms),
        )
        self._progress.journal_began(fresh)

    def _move_waiting(self, forked: str, pen: Pen) -> int:
        """Seal every waiting entry of that journal again, one by one, at the end of the current one."""
        count = 0
        while True:
            row = self._database.fetch_one(
                f"SELECT {ENTRY_COLUMNS}, child_id, recorded_at_ms FROM journal"
                " WHERE incarnation = ? AND outcome IS NULL ORDER BY seq LIMIT 1",
                (forked,),
            )
            if row is None:
                return count
            entry = entry_of(row[:-2])
            self._database.execute("DELETE FROM journal WHERE incarnation = ? AND seq = ?", (forked, entry.seq))
            self._journal.write(draft_of(entry), pen.sign, child_id=row[-2], recorded_at_ms=row[-1])
            count += 1

    def _trim_older(self, incarnation: str) -> None:
        """An older journal ends with the last entry that is left of it; without any it is forgotten."""
        self._database.execute(
            "UPDATE older_journal SET seq = last.seq, hash = last.hash,"
            " acknowledged_seq = min(acknowledged_seq, last.seq)"
            " FROM (SELECT seq, hash FROM journal WHERE incarnation = ? ORDER BY seq DESC LIMIT 1) AS last"
            " WHERE incarnation = ?",
            (incarnation, incarnation),
        )
        self._database.execute(
            "DELETE FROM older_journal WHERE incarnation = ?"
            " AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.incarnation = older_journal.incarnation)",
            (incarnation,),
        )

    def reopen(self, incarnation: str, after_seq: int) -> None:
        """The server no longer knows what it answered after `after_seq`: those entries wait again.

        Whoever is told of outcomes is told of the new ones too. A journal that is not kept changes nothing.
        """
        with self._database.transaction():
            self._database.execute(
                "UPDATE journal SET outcome = NULL, reason = 0, version = 0, settled_at_ms = NULL, answer = NULL"
                " WHERE incarnation = ? AND seq > ?",
                (incarnation, after_seq),
            )
            progress = self._progress.read()
            if incarnation == progress.incarnation:
                self._progress.settle(acknowledged_seq=min(progress.acknowledged_seq, after_seq), answers=0)
            self._database.execute(
                "UPDATE older_journal SET acknowledged_seq = min(acknowledged_seq, ?) WHERE incarnation = ?",
                (after_seq, incarnation),
            )

    def note(self, incident: Incident, detail: Detail, pen: Pen, *, wall_ms: int) -> Entry:
        """Write down that something happened to this desk, inside the caller's transaction."""
        return self._journal.append(
            lambda progress: pen.incident(progress, incident, detail, wall_ms=wall_ms), pen.sign, child_id=NO_CHILD
        )


def draft_of(entry: Entry) -> Draft:
    """What an entry says, ready to be sealed at another place; its words and its times stay."""
    return Draft(
        event_id=entry.event_id,
        kind=entry.kind,
        body=entry.body,
        hlc=entry.hlc,
        wall_ms=entry.wall_ms,
        monotonic_ms=entry.monotonic_ms,
        boot_id=entry.boot_id,
        base_epoch=entry.base_epoch,
        base_version=entry.base_version,
    )
