"""What a COMMIT that never ended left in the log: a desk that lost its power in the middle of one is whole.

A COMMIT is synced before anybody is told of it, so what it held may be there or not. SQLite leaves it out as soon as
one of its pages is missing; an entry whose page did reach the disk is taken back all the same, since a disk that
spoiled the last transaction in the log looks just the same, and then somebody was told.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kiosk.store.errors import ReplicaUnreadable
from kiosk.store.incarnations import draft_of
from kiosk.store.journal import JournalStore
from kiosk.store.pages import log_of
from kiosk.store.replica import Replica
from kiosk.store.salvage import Saved, rescue
from kiosk.store.wal import without_unfinished
from sync.incidents import INCIDENT_KIND
from sync.intake import WITNESSED_KIND
from sync.journal import Sign

# What a transaction may write any number of, beside the one entry that a person asked for.
_OF_THE_DESK_ITSELF: Final = (INCIDENT_KIND, WITNESSED_KIND)


def unfinished(path: Path, key: bytes, sign: Sign, journal: JournalStore) -> tuple[Saved, ...]:
    """Entries of a COMMIT that never ended, in order: what the pages at `path` hold and `journal` does not.

    Raises:
        ReplicaUnreadable: there are entries that cannot be of such a COMMIT, so the log was damaged.

    """
    known = journal.event_ids()
    hidden = rescue(path, key, sign, known).waiting
    if not hidden:
        return ()
    synced = rescue(path, key, sign, known, log=without_unfinished(log_of(path))).waiting
    asked_for = sum(1 for saved in hidden if saved.entry.kind not in _OF_THE_DESK_ITSELF)
    if synced or asked_for > 1:
        # So it is when the log is cut off by damage in its middle, or is an older one than the file.
        raise ReplicaUnreadable("the log of the replica does not lead to all that is in it")
    return tuple(sorted(hidden, key=lambda saved: saved.entry.seq))


def take_back(replica: Replica, left: Sequence[Saved], sign: Sign) -> None:
    """Write again what somebody asked for, if it goes on right where the journal ends; it is the very same entry.

    What the desk wrote of itself alone is left out: it belongs to a change that did not happen.
    """
    if not left or left[-1].entry.kind in _OF_THE_DESK_ITSELF:
        return
    head = replica.journal.head()
    place = (head.incarnation, head.seq, head.hash)
    for saved in left:
        entry = saved.entry
        if (entry.incarnation, entry.seq - 1, entry.previous_hash) != place:
            return
        place = (entry.incarnation, entry.seq, entry.hash)
    with replica.database.transaction():
        for saved in left:
            replica.journal.write(
                draft_of(saved.entry), sign, child_id=saved.child_id, recorded_at_ms=saved.recorded_at_ms
            )
