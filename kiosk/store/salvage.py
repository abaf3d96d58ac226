"""What is saved of a damaged replica: every entry of its journals that can be proved, and nothing else.

An entry proves itself: its hash covers what it says and the entry before it, and only this device's key can have signed
that hash (Ed25519 signatures are deterministic, RFC 8032, so signing again must give the same one). Whether it was
answered stands beside it, in a page that has its own HMAC, and the newest copy counts. To be wrong about that loses
nothing: an entry that is offered once more is known by its event id, and one that a server lacks is asked for.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kiosk.store.incarnations import draft_of
from kiosk.store.journal import ENTRY_COLUMNS, entry_of, row_of
from kiosk.store.pages import RawFile
from kiosk.store.pen import Pen
from kiosk.store.replica import Replica
from sync.incidents import Incident
from sync.journal import Entry, Sign, entry_hash

_ENTRY_VALUES: Final = ENTRY_COLUMNS.count(",") + 1
# Behind an entry's own columns: child_id, recorded_at_ms, outcome, reason, version, settled_at_ms.
_ROW_VALUES: Final = _ENTRY_VALUES + 6
_TYPES: Final = (str, int, str, str, str, int, int, int, str, str, int, bytes, bytes, bytes, str, int)


@dataclass(frozen=True)
class Saved:
    """An entry that proved itself, with what stood beside it; `outcome` None: not answered."""

    entry: Entry
    child_id: str
    recorded_at_ms: int
    outcome: int | None
    reason: int
    version: int
    settled_at_ms: int | None


@dataclass(frozen=True)
class Rescue:
    """All that could be proved: answered entries, waiting ones, and how many rows and pages could not."""

    settled: tuple[Saved, ...]
    waiting: tuple[Saved, ...]
    refused: int
    damaged_pages: int

    @property
    def is_all(self) -> bool:
        """Whether nothing was left behind that may be an entry."""
        return not self.refused and not self.damaged_pages


def rescue(path: Path, key: bytes, sign: Sign, known: Collection[str] = (), *, log: bytes | None = None) -> Rescue:
    """Read what is left of the file at `path` and of the log beside it, or of `log`; nothing of it is changed.

    Entries whose event is among `known` are passed over.
    """
    raw = RawFile(path, key, log)
    found: dict[tuple[str, int, bytes], Saved] = {}
    refused: set[tuple[str, int]] = set()
    for row in raw.rows():
        saved = _saved(row)
        if saved is None or saved.entry.event_id in known:
            continue
        entry = saved.entry
        if entry_hash(entry) != entry.hash or sign(entry.hash) != entry.signature:
            refused.add((entry.incarnation, entry.seq))
            continue
        place = (entry.incarnation, entry.seq, entry.hash)
        found[place] = saved
    refused -= {(incarnation, seq) for incarnation, seq, _ in found}
    settled, waiting = _sort(found.values())
    return Rescue(settled, waiting, len(refused), raw.damaged)


def _saved(row: tuple[Any, ...]) -> Saved | None:
    """A row of the journal by its shape; None for a row of anything else."""
    if len(row) < _ROW_VALUES or not all(isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=False)):
        return None
    return Saved(entry_of(row[:_ENTRY_VALUES]), *row[_ENTRY_VALUES:_ROW_VALUES])


def _sort(found: Iterable[Saved]) -> tuple[tuple[Saved, ...], tuple[Saved, ...]]:
    """Each event once and each number once: an answered copy of an event before one that waits."""
    settled: dict[str, Saved] = {}
    waiting: dict[str, Saved] = {}
    places: set[tuple[str, int]] = set()
    for saved in sorted(found, key=_order):
        place = (saved.entry.incarnation, saved.entry.seq)
        is_first = saved.entry.event_id not in settled and place not in places
        if saved.outcome is not None and is_first:
            settled[saved.entry.event_id] = saved
            places.add(place)
        else:
            waiting.setdefault(saved.entry.event_id, saved)
    left = tuple(saved for event_id, saved in waiting.items() if event_id not in settled)
    return tuple(settled.values()), left


def _order(saved: Saved) -> tuple[int, str, int, bytes]:
    entry = saved.entry
    return (entry.hlc, entry.incarnation, entry.seq, entry.hash)


def write_into(replica: Replica, saved: Rescue, reason: str, pen: Pen, *, wall_ms: int) -> None:
    """Give a replica what was saved beside it, in one transaction.

    Answered entries stand where they stood, as older journals, to heal a server that loses them. Waiting ones, and
    what waited in this replica itself, are sealed again in a journal that begins here: where the old one ended, nobody
    knows any more.
    """
    database = replica.database
    with database.transaction():
        replica.incarnations.renew(pen, wall_ms=wall_ms)
        first = replica.progress.read().answers + 1
        for number, one in enumerate(saved.settled, start=first):
            database.execute(
                _INSERT,
                (*row_of(one.entry), one.child_id, one.recorded_at_ms, one.outcome, one.reason, one.version,
                 one.settled_at_ms, number),
            )  # fmt: skip
        database.execute(_OLDER, (wall_ms,))
        database.execute(
            "UPDATE progress SET answers = answers + ?,"
            " hlc = max(hlc, coalesce((SELECT max(hlc) FROM journal), 0)) WHERE one = 1",
            (len(saved.settled),),
        )
        for one in saved.waiting:
            replica.journal.write(
                draft_of(one.entry), pen.sign, child_id=one.child_id, recorded_at_ms=one.recorded_at_ms
            )
        replica.incarnations.note(
            Incident.REPLICA_QUARANTINED,
            {
                "reason": reason[:200],
                "settled": len(saved.settled),
                "waiting": len(saved.waiting),
                "refused": saved.refused,
                "damaged_pages": saved.damaged_pages,
            },
            pen,
            wall_ms=wall_ms,
        )


_INSERT: Final = (
    f"INSERT OR IGNORE INTO journal ({ENTRY_COLUMNS}, child_id, recorded_at_ms, outcome, reason, version,"
    " settled_at_ms, answer)"
    f" VALUES ({', '.join('?' * (_ROW_VALUES + 1))})"
)
_OLDER: Final = (
    "INSERT INTO older_journal (incarnation, seq, hash, acknowledged_seq, ended_ms)"
    " SELECT incarnation, seq, hash, seq, ? FROM journal AS last"
    " WHERE seq = (SELECT max(seq) FROM journal WHERE incarnation = last.incarnation)"
    " AND incarnation <> (SELECT incarnation FROM progress)"
    " ON CONFLICT (incarnation) DO UPDATE SET seq = excluded.seq, hash = excluded.hash"
)
