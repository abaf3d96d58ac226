"""The facts in what this desk recorded itself; those of grown-ups, rooms and roll-calls are kept here, too."""

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from kiosk.store.journal import OwnEntry
from sync.attendance import EventKind, Fact, decode_event
from sync.journal import Outcome, ParkReason

_EVENT_KINDS: Final = frozenset(kind.value for kind in EventKind)


def fact_of_own(entry: OwnEntry, device_id: str) -> Fact | None:
    """The fact in an entry of this device; None when it tells nothing that this version understands."""
    try:
        event = decode_event(entry.body.encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return Fact(event=event, device_id=device_id, incarnation=entry.incarnation, seq=entry.seq, hlc=entry.hlc)


def tells_the_same(known: OwnEntry, entry: OwnEntry) -> bool:
    """Whether two states of an own entry are of one fact."""
    return (known.incarnation, known.seq, known.hlc, known.child_id, known.body) == (
        entry.incarnation,
        entry.seq,
        entry.hlc,
        entry.child_id,
        entry.body,
    )


def counts_by_itself(entry: OwnEntry, version: int, *, is_on_file: bool) -> bool:
    """Whether what an entry tells counts here, though the part of the log up to `version` does not hold it.

    What the server keeps aside counts for nobody, but for one case: it knows no such child, and neither does this desk
    any more. Somebody stands in the building whom a restored server forgot, or whose file was taken away meanwhile. The
    desks that saw it are the only ones who can still say so.
    """
    if entry.outcome is Outcome.PARKED:
        return entry.reason is ParkReason.UNKNOWN_REFERENCE and not is_on_file
    return entry.outcome is None or entry.version > version


class OwnOthers:
    """The facts in own entries that are of no child, by subject and event: they count until the log tells of them."""

    def __init__(self) -> None:
        self._of_subject: dict[str, dict[str, tuple[OwnEntry, Fact]]] = {}

    def put(self, entry: OwnEntry, device_id: str) -> str:
        """An entry of this desk, answered or not; gives whom it is about, or nothing when it tells no fact.

        A settled entry is never made unsettled again.
        """
        fact = fact_of_own(entry, device_id) if entry.kind in _EVENT_KINDS and not entry.child_id else None
        if fact is None:
            return ""
        known = self._of_subject.setdefault(fact.event.subject_id, {})
        before = known.get(entry.event_id)
        if before is None or before[0].outcome is None or entry.outcome is not None:
            known[entry.event_id] = (entry, fact)
        return fact.event.subject_id

    def forget_settled_but(self, kept: Collection[str]) -> None:
        """Forget answered entries that are not among these events; what waits was perhaps recorded just now."""
        for subject_id, known in tuple(self._of_subject.items()):
            left = {key: one for key, one in known.items() if one[0].outcome is None or key in kept}
            if left:
                self._of_subject[subject_id] = left
            else:
                del self._of_subject[subject_id]

    def subjects(self) -> Collection[str]:
        """Of whom something is known here."""
        return self._of_subject.keys()

    def counting(self, subject_id: str, version: int) -> Iterator[tuple[str, Fact]]:
        """The facts of a subject that the log up to this version does not hold, by event id."""
        for event_id, (entry, fact) in self._of_subject.get(subject_id, {}).items():
            if counts_by_itself(entry, version, is_on_file=True):
                yield event_id, fact
